"""Matrix products of odd sizes, compiled for the CPU and compared with float64.

A factor that meets one in bf16 may be rounded to bf16: what is compared closely has nothing to round.

usage: products_test.py <tpa-opt> <t6> [flag of tpa-opt ...]
"""

import pathlib
import sys
import unittest

import numpy as np
import programs

# Columns and steps of the sum, around the sizes of registers, tiles and blocks.
SIZES = [(1, 1), (1, 770), (47, 15), (47, 1000), (48, 16), (48, 1100), (49, 17), (49, 770), (130, 1), (130, 770)]
ROWS = (1, 7, 8, 17, 64, 513)
MOST = 1100

# The sum is as long as there are tokens; rows and columns are known.
GRADIENTS = [(7, 49), (16, 48), (17, 130), (64, 47), (513, 33), (130, 1)]


class Product:
    """An entry with one product: inputs x and w, output y and, with residual r, r + y / 2."""

    def __init__(self, name, equation, sizes, dtype, finished=False, rounds=False):
        self.name, self.equation, self.sizes, self.dtype, self.finished = name, equation, sizes, dtype, finished
        self.rounds = rounds
        self.left, self.right = equation.split("->")[0].split(",")
        self.result = equation.split("->")[1]

    def type(self, labels, dtype="f32"):
        return f"tensor<{''.join(str(self.sizes.get(label, '?')) + 'x' for label in labels)}{dtype}>"

    def dims(self, labels):
        return "[" + ", ".join('"n"' if label not in self.sizes else '""' for label in labels) + "]"

    def source(self):
        def dynamic(labels):
            return "[%n]" if any(label not in self.sizes for label in labels) else ""

        def buffer(kind, name, labels, dtype="f32"):
            dims = f" {{dims = {self.dims(labels)}}}" if dynamic(labels) else ""
            return f"exec.buffer {kind} @{self.name}.{name} : {self.type(labels, dtype)}{dims}\n"

        def load(name, labels, dtype="f32"):
            return f"  %{name} = exec.load @{self.name}.{name}{dynamic(labels)} : {self.type(labels, dtype)}\n"

        result = self.type(self.result)
        # The number of tokens is read from the shape of `tokens`.
        text = f'exec.buffer input @{self.name}.tokens : tensor<1x?xi32> {{dims = ["", "n"]}}\n'
        text += buffer("input", "x", self.left) + buffer("input", "w", self.right, self.dtype)
        if self.finished:
            text += buffer("input", "r", self.result)
        text += buffer("output", "y", self.result)
        text += f'exec.entry @{self.name} scalars ["n"] maxima [{MOST}] {{\n^bb0(%n: index):\n'
        text += load("x", self.left) + load("w", self.right, self.dtype)
        scale = " {scale = 0.5 : f64}" if self.finished else ""
        types = f"{self.type(self.left)}, {self.type(self.right, self.dtype)}"
        text += f'  %p = tpa.einsum "{self.equation}"(%x, %w){scale} : {types}\n'
        if self.finished:
            text += load("r", self.result) + f"  %y = arith.addf %r, %p : {result}\n"
        return text + f"  exec.store %{'y' if self.finished else 'p'}, @{self.name}.y : {result}\n}}\n"

    def inputs(self, rng, tokens):
        def normal(labels):
            return rng.standard_normal([self.sizes.get(label, tokens) for label in labels]).astype(np.float32)

        inputs = {"x": normal(self.left), "w": normal(self.right), "tokens": np.zeros((1, tokens), np.int32)}
        if self.dtype == "bf16":
            inputs["w"] = programs.bfloat16(inputs["w"])
            if not self.rounds:
                inputs["x"] = programs.widened(programs.bfloat16(inputs["x"]))
        if self.finished:
            inputs["r"] = normal(self.result)
        return inputs

    def error(self, actual, inputs):
        """Of the sums of absolute values: a result can be small by chance."""
        x, w = (programs.widened(inputs[name]).astype(np.float64) for name in "xw")
        y, size = (np.einsum(self.equation, f(x), f(w), optimize=True) for f in (np.array, np.abs))
        if self.finished:
            y, size = inputs["r"] + y / 2, np.abs(inputs["r"]) + size / 2
        difference = np.linalg.norm(actual - y) / np.linalg.norm(size)
        return difference if np.isfinite(difference) else np.inf


class ProductsTest(unittest.TestCase):
    def check(self, products, tokens, tolerance=1e-7):
        runner = programs.Programs(*sys.argv[1:3])
        source = pathlib.Path(runner.path("products.mlir"))
        source.write_text("".join(product.source() for product in products))
        artifact = runner.compile(source, "--compile-from=entries", *sys.argv[3:])
        rng = np.random.default_rng(7)
        for product in products:
            for n in tokens:
                with self.subTest(equation=product.equation, sizes=product.sizes, dtype=product.dtype, n=n):
                    inputs = product.inputs(rng, n)
                    out = runner.run(artifact, product.name, inputs)
                    self.assertLessEqual(product.error(out["y"], inputs), tolerance)

    def rows(self, equation, finished):
        return [Product(f"p{i}_{dtype}", equation, {"o": o, "k": k}, dtype, finished)
                for i, (o, k) in enumerate(SIZES) for dtype in ("f32", "bf16")]

    def test_outputs(self):
        self.check(self.rows("nk,ok->no", False), ROWS)

    def test_finished_outputs(self):
        self.check(self.rows("nk,ok->no", True), (1, 17, 513))

    def test_gradients_of_inputs(self):
        self.check(self.rows("nk,ko->no", False), ROWS)

    def test_gradients_of_weights(self):
        self.check([Product(f"p{i}", "nm,no->mo", {"m": m, "o": o}, "f32") for i, (m, o) in enumerate(GRADIENTS)],
                   (1, 15, 16, 17, 770, 1100))

    def test_rounding(self):
        """To nearest: 8 bits are left, whose errors cancel in a sum."""
        self.check([Product(f"p{i}", equation, {"o": 96, "k": 1100}, "bf16", rounds=True)
                    for i, equation in enumerate(("nk,ok->no", "nk,ko->no"))], (1, 64), 2e-4)

    def test_several_loops(self):
        sizes = {"b": 2, "h": 17, "r": 3, "c": 70, "d": 32}
        self.check([Product(f"p{i}_{dtype}", equation, {label: sizes[label] for label in equation if label in sizes},
                            dtype, finished)
                    for i, (equation, finished) in enumerate([
                        ("bnc,hrc->bnrh", False), ("bnhd,chd->bnc", True), ("nhd,chd->nc", False),
                        ("bnhd,cdh->bnc", False), ("bnhr,rhc->bnc", False)])
                    for dtype in ("f32", "bf16")], (1, 40))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
