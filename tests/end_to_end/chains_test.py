"""Chains of einsums with unusual labels, compiled with and without fusion, against float64. Seeds are fixed.

A chain is written as steps `result = operation(operands)`: an equation, with `* number` behind it if it is scaled, `softmax`,
`causal`, which hides keys behind the query, or `half`, a map.

usage: chains_test.py <tpa-opt> <t6>
"""

import pathlib
import re
import subprocess
import sys
import unittest

import numpy as np
import programs

TOLERANCE = 2e-6
SIZES = {"b": 2, "x": 2, "n": 5, "m": 37, "h": 3, "d": 8, "e": 16, "k": 4}

# Name: streams that fusion makes of it, inputs with their labels, steps.
CHAINS = {
    "sum of all but heads": (1, "q:bnhd k:bmhd", "l = bnhd,bmhd->bhnm(q,k); o = bhnm->h(l)"),
    "batch of another name": (1, "q:xnhd k:xmhd", "l = xnhd,xmhd->xhnm(q,k); o = bhnm->h(l)"),
    "batch of another name, kept": (1, "q:xnd k:xmd v:xme",
                                    "l = xnd,xmd->xnm(q,k); w = softmax(l); o = xnm,xme->xne(w,v)"),
    "no batch": (1, "q:nd k:md v:me", "l = nd,md->nm(q,k); s = causal(l); w = softmax(s); o = nm,me->ne(w,v)"),
    "features called b": (1, "q:nd k:md v:me", "l = nb,mb->nm(q,k); w = softmax(l); o = nm,mb->nb(w,v)"),
    "a batch of values alone": (1, "q:nd k:md v:bme", "l = nd,md->nm(q,k); w = softmax(l); o = nm,bme->bne(w,v)"),
    "a batch of values alone, summed": (1, "q:nd k:md v:bme", "l = nd,md->nm(q,k); o = nm,bme->ne(l,v)"),
    "batch last in memory": (1, "q:nhdb k:mhdb v:mheb",
                             "l = nhdb,mhdb->bhnm(q,k); w = softmax(l); o = bhnm,mheb->nheb(w,v)"),
    "a batch of gates and values alone": (1, "q:nd k:md g:bnm v:bme",
                                          "l = nd,md->nm(q,k); w = softmax(l); o = bnm,nm,bme->bne(g,w,v)"),
    "softmax without the batch": (0, "q:nd k:md r:bnd s:bmd v:bme",
                                  "l = nd,md->nm(q,k); w = softmax(l); g = bnd,bmd->bnm(r,s); o = bnm,nm,bme->bne(g,w,v)"),
    "sum over rows of the softmax": (0, "q:bnhd k:bmhd v:bme",
                                     "l = bnhd,bmhd->bhnm(q,k); w = softmax(l); o = bhnm,bme->bne(w,v)"),
    "weights squared": (0, "q:nd k:md v:me", "l = nd,md->nm(q,k); w = softmax(l); o = nm,nm,me->ne(w,w,v)"),
    "scale before a mask": (1, "q:bnhd k:bmhd v:bmhe",
                            "l = bnhd,bmhd->bhnm(q,k) * 0.25; s = causal(l); w = softmax(s); o = bhnm,bmhe->bnhe(w,v)"),
    "scale before a map": (1, "q:bnhd k:bmhd v:bmhe",
                           "l = bnhd,bmhd->bhnm(q,k) * 0.25; s = half(l); o = bhnm,bmhe->bnhe(s,v)"),
    "factor of no dimensions": (1, "q:bnd k:bmd c: v:bme",
                                "l = bnd,bmd,->bnm(q,k,c); w = softmax(l); o = bnm,bme->bne(w,v)"),
    "intermediate of no dimensions": (0, "x:hnd y:hnd z:k", "o = hnd,hnd,k->k(x,y,z)"),
    "result of no dimensions": (0, "x:hnd y:hnd", "o = hnd,hnd->(x,y)"),
    "sums along each operand alone": (0, "x:hnm y:e", "o = hnm,e->h(x,y)"),
}

MAPS = {
    "half": """^bb0(%e: f32):
    %half = arith.constant 0.5 : f32
    %y = arith.mulf %e, %half : f32
    tpa.yield %y : f32""",
    "causal": """^bb0(%e: f32):
    %n = tpa.index "n"
    %m = tpa.index "m"
    %hidden = arith.constant 0xFF800000 : f32
    %visible = arith.cmpi sle, %m, %n : index
    %y = arith.select %visible, %e, %hidden : f32
    tpa.yield %y : f32""",
}


class Chain:
    """The text of a chain, and what it computes."""

    def __init__(self, seed, inputs, steps):
        generator = np.random.default_rng(seed)
        self.inputs, self.shapes, values, body = {}, {}, {}, []
        for name, labels in (pair.split(":") for pair in inputs.split()):
            self.shapes[name] = [SIZES[label] for label in labels]
            self.inputs[name] = np.array(generator.standard_normal(self.shapes[name]), np.float32)
            values[name] = self.inputs[name].astype(np.float64)
            body.append(f"  %{name} = exec.load @chain.{name} : {self.type(name)}")
        for step in steps.split("; "):
            name, operation, operands, _, scale = re.fullmatch(r"(\w) = ([\w,>-]+)\(([\w,]+)\)( \* (.*))?", step).groups()
            operands = operands.split(",")
            first = values[operands[0]]
            if "->" in operation:
                values[name] = np.einsum(operation, *(values[x] for x in operands)) * float(scale or 1)
                attributes = f" {{scale = {scale} : f64}}" if scale else ""
                text = f'tpa.einsum "{operation}"({", ".join("%" + x for x in operands)}){attributes}'
            elif operation == "softmax":
                weights = np.exp(first - first.max(-1, keepdims=True))
                values[name] = weights / weights.sum(-1, keepdims=True)
                text = f"tpa.softmax %{operands[0]}"
            else:
                labels = "abcdefgh"[: first.ndim - 2] + "nm"
                text = f'tpa.map "{labels}->{labels}"(%{operands[0]}) {{\n  {MAPS[operation]}\n  }}'
                visible = np.arange(first.shape[-1]) <= np.arange(first.shape[-2])[:, None]
                values[name] = first * 0.5 if operation == "half" else np.where(visible, first, -np.inf)
            self.shapes[name] = list(values[name].shape)
            body.append(f"  %{name} = {text} : {', '.join(self.type(x) for x in operands)}")
        self.expected = values["o"]
        self.text = "\n".join(
            [f"exec.buffer input @chain.{name} : {self.type(name)}" for name in self.inputs]
            + [f"exec.buffer output @chain.o : {self.type('o')}", "exec.entry @chain scalars [] maxima [] {", "^bb0:"]
            + body + [f"  exec.store %o, @chain.o : {self.type('o')}", "}", ""])

    def type(self, name):
        return f"tensor<{''.join(f'{size}x' for size in self.shapes[name])}f32>"


class ChainsTest(unittest.TestCase):
    def test_chains(self):
        program = programs.Programs(*sys.argv[1:3])
        source = pathlib.Path(program.path("chain.mlir"))
        for seed, (name, (streams, inputs, steps)) in enumerate(CHAINS.items()):
            chain = Chain(seed, inputs, steps)
            source.write_text(chain.text)
            fused = subprocess.run([program.tpa_opt, source, "--compile-from=entries", "--compile-to=fused"], check=True,
                                   text=True, capture_output=True).stdout
            with self.subTest(name):
                self.assertEqual(fused.count(" tpa.stream "), streams)
            for flag in ("--fuse=on", "--fuse=off", "--cpu=x86-64-v3"):
                with self.subTest(name, flag=flag):
                    artifact = program.compile(source, "--compile-from=entries", flag)
                    output = program.run(artifact, "chain", chain.inputs)["o"]
                    self.assertEqual(output.shape, chain.expected.shape)
                    self.assertLess(programs.error(output, chain.expected), TOLERANCE)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
