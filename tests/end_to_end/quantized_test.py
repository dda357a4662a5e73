"""Matrices of 8-bit integers: models near the recorded logits, and products equal to what rounding here gives.

usage: quantized_test.py <tpa-opt> <t6> <session>
"""

import json
import pathlib
import subprocess
import sys
import unittest

import numpy as np
import programs
from family_test import Session

DATA = pathlib.Path("tests/data")
# Measured: 1.4e-2 to 1.7e-2 of the logits in f32.
LOSS_OF_PRECISION = 3e-2
TOLERANCE = 1e-5


def rounded(matrix, channels):
    """What integers and a scale for each row keep; the first `channels` dimensions count the rows."""
    rows = matrix.reshape(int(np.prod(matrix.shape[:channels])), -1)
    scale = (abs(rows).max(1, keepdims=True) / np.float64(127)).astype(np.float32)
    integers = np.rint(rows / np.where(scale == 0, 1, scale).astype(np.float64))
    return (integers * scale).astype(np.float32).reshape(matrix.shape)


class Quantized(unittest.TestCase):
    programs = None
    session_program = ""

    @staticmethod
    def pass_of(session, tokens):
        return session.run("loss", tokens=tokens, targets=np.full_like(tokens, -1))

    def check_golden(self, case):
        source, weights = str(DATA / case / "config.json"), str(DATA / case / "weights.safetensors")
        reference = programs.load(DATA / case / "reference.safetensors")
        tokens, expected = reference["tokens"][:, :-1], reference["logits"].astype(np.float64)
        flags = [f"--batch={len(tokens)}", "--strip"]
        artifact = self.programs.compile(source, *flags, "--entries=loss,decode", "--weights=int8")
        info = json.loads(subprocess.check_output([self.programs.t6, "info", artifact, "--json"]))
        integers = {item["name"] for item in info["parameters"] if item["dtype"] == "i8"}
        self.assertTrue(integers)
        with Session(self.session_program, artifact, weights) as session:
            whole = self.pass_of(session, tokens)
            steps = np.stack([session.run("decode", tokens=tokens[:, i : i + 1], positions=[i] * len(tokens))
                              for i in range(tokens.shape[1])], 1)
        difference = programs.error(whole, expected)
        print(f"{case}: {difference:.3g} of the logits, {len(integers)} matrices", file=sys.stderr)
        self.assertLessEqual(difference, LOSS_OF_PRECISION)
        self.assertLessEqual(programs.error(steps, whole.astype(np.float64)), TOLERANCE, "token by token")
        # The same without integers: the compiler's part is exact, only the weights differ.
        tensors = programs.load(weights)
        known = {name: rounded(value, value.ndim - 1) if name in integers else value
                 for name, value in tensors.items()}
        self.assertGreater(max(abs(known[name] - value).max() for name, value in tensors.items()), 0)
        programs.save(self.programs.path("known.safetensors"), known)
        artifact = self.programs.compile(source, *flags, "--entries=loss")
        with Session(self.session_program, artifact, self.programs.path("known.safetensors")) as session:
            same = self.pass_of(session, tokens)
        self.assertLessEqual(programs.error(whole, same.astype(np.float64)), TOLERANCE, "rounded beforehand")

    def test_golden(self):
        for case in sorted(path.parent.name for path in DATA.glob("*/config.json")):
            with self.subTest(case):
                self.check_golden(case)

    # Equations of a token's projection, and the sizes of what they sum and keep.
    PRODUCTS = [
        ("nk,ok->no", {"o": 1, "k": 1}),
        ("nk,ok->no", {"o": 47, "k": 100}),
        ("nk,ok->no", {"o": 49, "k": 17}),
        ("nk,ok->no", {"o": 130, "k": 770}),
        ("nk,hrk->nrh", {"h": 5, "r": 3, "k": 33}),
    ]

    @staticmethod
    def source(name, equation, sizes):
        left, right, result = equation.replace("->", ",").split(",")

        def type_of(labels, element="f32"):
            return f"tensor<{''.join(str(sizes.get(label, '?')) + 'x' for label in labels)}{element}>"

        def dims(labels):
            return "{dims = [" + ", ".join('"n"' if label == "n" else '""' for label in labels) + "]}"

        w, scale = type_of(right, "i8"), type_of(right[:-1])
        rows = int(np.prod([sizes[label] for label in right[:-1]]))
        return (f'exec.buffer param @{name}.w : {w} {{stored = array<i64: {rows}, {sizes["k"]}>}}\n'
                f'exec.buffer param @{name}.w.scale : {scale} {{scales = "{name}.w"}}\n'
                f'exec.buffer input @{name}.tokens : tensor<1x?xi32> {{dims = ["", "n"]}}\n'
                f'exec.buffer input @{name}.x : {type_of(left)} {dims(left)}\n'
                f'exec.buffer output @{name}.y : {type_of(result)} {dims(result)}\n'
                f'exec.entry @{name} scalars ["n"] maxima [17] {{\n^bb0(%n: index):\n'
                f'  %x = exec.load @{name}.x[%n] : {type_of(left)}\n'
                f'  %q = exec.load @{name}.w : {w}\n'
                f'  %s = exec.load @{name}.w.scale : {scale}\n'
                f'  %w = t6.dequantize %q, %s : {w}, {scale}\n'
                f'  %y = tpa.einsum "{equation}"(%x, %w) : {type_of(left)}, {type_of(right)}\n'
                f'  exec.store %y, @{name}.y : {type_of(result)}\n}}\n')

    def check_products(self, cpu):
        source = pathlib.Path(self.programs.path("products.mlir"))
        source.write_text("".join(self.source(f"p{i}", *product) for i, product in enumerate(self.PRODUCTS)))
        artifact = self.programs.compile(source, "--compile-from=entries", f"--cpu={cpu}")
        rng = np.random.default_rng(7)
        weights = {}
        for i, (equation, sizes) in enumerate(self.PRODUCTS):
            w = rng.standard_normal([sizes[label] for label in equation[3:].split("->")[0]]).astype(np.float32)
            # Rows of other sizes, and one of zeros.
            w *= 10.0 ** rng.integers(-3, 3, (*w.shape[:-1], 1))
            if len(w) > 1:
                w[-1] = 0
            weights[f"p{i}.w"] = w
        path = self.programs.path("products.safetensors")
        programs.save(path, {name: w.reshape(-1, w.shape[-1]) for name, w in weights.items()})
        for i, (equation, sizes) in enumerate(self.PRODUCTS):
            w = weights[f"p{i}.w"]
            for tokens in (1, 5, 17):
                with self.subTest(equation=equation, sizes=sizes, tokens=tokens, cpu=cpu):
                    x = rng.standard_normal((tokens, sizes["k"])).astype(np.float32)
                    inputs = {"x": x, "tokens": np.zeros((1, tokens), np.int32)}
                    actual = self.programs.run(artifact, f"p{i}", inputs, "--weights", path)["y"]
                    expected = np.einsum(equation, x.astype(np.float64), rounded(w, w.ndim - 1).astype(np.float64))
                    # Each output channel: a wrong scale of a small one would hide in the norm of all.
                    channels = expected.reshape(tokens, -1).shape[1]
                    for a, e in zip(actual.reshape(tokens, channels).T, expected.reshape(tokens, channels).T):
                        if e.any():
                            self.assertLessEqual(programs.error(a, e), 1e-4)
                        else:
                            self.assertFalse(a.any())
                    self.assertLessEqual(programs.error(actual, expected), TOLERANCE)

    def test_products(self):
        for cpu in ("native", "x86-64-v3"):
            self.check_products(cpu)


if __name__ == "__main__":
    tpa_opt, t6, Quantized.session_program = sys.argv[1:]
    Quantized.programs = programs.Programs(tpa_opt, t6)
    unittest.main(argv=sys.argv[:1], verbosity=2)
