"""The reverse of attention as streams, dQ over keys, dK and dV over queries, against float64, and the memory of it.

Queries and keys are of one number, below and above that up to which all queries share a block of keys, also where no
block divides it. Seeds are fixed.

usage: stream_reverse_test.py <tpa-opt> <t6> <model>
"""

import itertools
import pathlib
import re
import subprocess
import sys
import unittest

import numpy as np
import programs

TOLERANCE = 2e-6
STREAMS = 5  # The forward pass, dQ, dK, dV, a sum over queries and keys.
# Attention functions whose reverse has parts of its own.
VARIANTS = {
    "gqa": "G = 2, J = 3, D = 16",
    "mla": "H = 5, D = 24, P = 8, E = 16, L = 12, L_Q = 20",
    "tpa_alibi": "H = 5, D = 64, R_Q = 5, R_K = 1, R_V = 2",
    "tpa_sigmoid": "H = 5, D = 24, R_Q = 3, R_K = 2, R_V = 3",
    "tpa_sinks": "H = 5, D = 16, R_Q = 2, R_K = 2, R_V = 2",
    "tpa_softcap": "H = 5, D = 16, R_Q = 6, R_K = 6, R_V = 6",
    "tpa_window": "H = 5, D = 24, R_Q = 3, R_K = 2, R_V = 2",
}
BATCH, HEADS, GROUP, D, E = 2, 2, 3, 16, 32
# Length, window or none, what is hidden in front: a row whose first query is at this position.
CASES = [(24, None, 0), (100, None, 0), (128, None, 0), (100, 7, 0), (128, 40, 0), (100, None, -5), (96, 20, 3)]

# Grouped queries: a head of keys is that of GROUP heads of queries.
PROGRAM = """
exec.buffer input @reverse.q : tensor<{b}x{t}x{h}x{g}x{d}xf32>
exec.buffer input @reverse.k : tensor<{b}x{t}x{h}x{d}xf32>
exec.buffer input @reverse.v : tensor<{b}x{t}x{h}x{e}xf32>
exec.buffer input @reverse.g : tensor<{b}x{t}x{h}x{g}x{e}xf32>
exec.buffer output @reverse.o : tensor<{b}x{t}x{h}x{g}x{e}xf32>
exec.buffer output @reverse.z : tensor<{b}x{h}x{g}x{t}xf32>
exec.buffer output @reverse.dq : tensor<{b}x{t}x{h}x{g}x{d}xf32>
exec.buffer output @reverse.dk : tensor<{b}x{t}x{h}x{d}xf32>
exec.buffer output @reverse.dv : tensor<{b}x{t}x{h}x{e}xf32>
exec.buffer output @reverse.ds : tensor<{h}x{g}xf32>
exec.entry @reverse scalars [] maxima [] {{
^bb0:
  %at = arith.constant dense<{first}> : tensor<{b}xi32>
  %q = exec.load @reverse.q : tensor<{b}x{t}x{h}x{g}x{d}xf32>
  %k = exec.load @reverse.k : tensor<{b}x{t}x{h}x{d}xf32>
  %v = exec.load @reverse.v : tensor<{b}x{t}x{h}x{e}xf32>
  %go = exec.load @reverse.g : tensor<{b}x{t}x{h}x{g}x{e}xf32>
  %l = tpa.einsum "bnhgd,bmhd->bhgnm"(%q, %k) : tensor<{b}x{t}x{h}x{g}x{d}xf32>, tensor<{b}x{t}x{h}x{d}xf32>
  %x = tpa.map "bhgnm->bhgnm"(%l) {{
  ^bb0(%s: f32):
    %scale = arith.constant 0.25 : f32
    %hidden = arith.constant 0xFF800000 : f32
    %scaled = arith.mulf %s, %scale : f32
    %b = tpa.index "b"
    %p = tensor.extract %at[%b] : tensor<{b}xi32>
    %first = arith.index_cast %p : i32 to index
    %n = tpa.index "n"
    %query = arith.addi %first, %n : index
    %m = tpa.index "m"
    %before = arith.cmpi sle, %m, %query : index
    %window = arith.constant {window} : index
    %end = arith.addi %m, %window : index
    %within = arith.cmpi sgt, %end, %query : index
    %visible = arith.andi %before, %within : i1
    %y = arith.select %visible, %scaled, %hidden : f32
    tpa.yield %y : f32
  }} : tensor<{b}x{h}x{g}x{t}x{t}xf32>
  %w = tpa.softmax %x : tensor<{b}x{h}x{g}x{t}x{t}xf32>
  %z = tpa.log_sum_exp %x : tensor<{b}x{h}x{g}x{t}x{t}xf32>
  %o = tpa.einsum "bhgnm,bmhe->bnhge"(%w, %v) : tensor<{b}x{h}x{g}x{t}x{t}xf32>, tensor<{b}x{t}x{h}x{e}xf32>
  %mean = tpa.einsum "bnhge,bnhge->bhgn"(%o, %go) : tensor<{b}x{t}x{h}x{g}x{e}xf32>, tensor<{b}x{t}x{h}x{g}x{e}xf32>
  %u = tpa.map "abcde,abcd->abcde"(%x, %z) {{
  ^bb0(%s: f32, %log: f32):
    %0 = arith.subf %s, %log : f32
    %1 = math.exp %0 : f32
    %infinity = arith.constant 0xFF800000 : f32
    %zero = arith.constant 0.0 : f32
    %none = arith.cmpf oeq, %log, %infinity : f32
    %2 = arith.select %none, %zero, %1 : f32
    tpa.yield %2 : f32
  }} : tensor<{b}x{h}x{g}x{t}x{t}xf32>, tensor<{b}x{h}x{g}x{t}xf32>
  %dv = tpa.einsum "bnhge,bhgnm->bmhe"(%go, %u) : tensor<{b}x{t}x{h}x{g}x{e}xf32>, tensor<{b}x{h}x{g}x{t}x{t}xf32>
  %dw = tpa.einsum "bnhge,bmhe->bhgnm"(%go, %v) : tensor<{b}x{t}x{h}x{g}x{e}xf32>, tensor<{b}x{t}x{h}x{e}xf32>
  %dl = tpa.map "abcde,abcde,abcd->abcde"(%u, %dw, %mean) {{
  ^bb0(%s: f32, %c: f32, %d: f32):
    %scale = arith.constant 0.25 : f32
    %0 = arith.subf %c, %d : f32
    %1 = arith.mulf %s, %0 : f32
    %2 = arith.mulf %1, %scale : f32
    tpa.yield %2 : f32
  }} : tensor<{b}x{h}x{g}x{t}x{t}xf32>, tensor<{b}x{h}x{g}x{t}x{t}xf32>, tensor<{b}x{h}x{g}x{t}xf32>
  %dq = tpa.einsum "bhgnm,bmhd->bnhgd"(%dl, %k) : tensor<{b}x{h}x{g}x{t}x{t}xf32>, tensor<{b}x{t}x{h}x{d}xf32>
  %dk = tpa.einsum "bhgnm,bnhgd->bmhd"(%dl, %q) : tensor<{b}x{h}x{g}x{t}x{t}xf32>, tensor<{b}x{t}x{h}x{g}x{d}xf32>
  exec.store %o, @reverse.o : tensor<{b}x{t}x{h}x{g}x{e}xf32>
  exec.store %z, @reverse.z : tensor<{b}x{h}x{g}x{t}xf32>
  exec.store %dq, @reverse.dq : tensor<{b}x{t}x{h}x{g}x{d}xf32>
  exec.store %dk, @reverse.dk : tensor<{b}x{t}x{h}x{d}xf32>
  %ds = tpa.einsum "abcde,abcde->bc"(%u, %dw) : tensor<{b}x{h}x{g}x{t}x{t}xf32>, tensor<{b}x{h}x{g}x{t}x{t}xf32>
  exec.store %ds, @reverse.ds : tensor<{h}x{g}xf32>
  exec.store %dv, @reverse.dv : tensor<{b}x{t}x{h}x{e}xf32>
}}
"""


def reference(q, k, v, g, window, first):
    """The same in float64, with every weight in memory."""
    q, k, v, g = (x.astype(np.float64) for x in (q, k, v, g))
    length = q.shape[1]
    n, m = np.arange(length)[:, None] + first, np.arange(length)[None, :]
    visible = (m <= n) & (m + (window or 2 * length) > n)
    scores = np.where(visible, 0.25 * np.einsum("bnhgd,bmhd->bhgnm", q, k), -np.inf)
    with np.errstate(divide="ignore"):
        z = np.log(np.exp(scores).sum(-1))
    w = np.exp(scores - np.where(np.isinf(z), 0, z)[..., None])
    o = np.einsum("bhgnm,bmhe->bnhge", w, v)
    dw = np.einsum("bnhge,bmhe->bhgnm", g, v)
    dl = 0.25 * w * (dw - (w * dw).sum(-1, keepdims=True))
    return {"o": o, "z": z, "dq": np.einsum("bhgnm,bmhd->bnhgd", dl, k),
            "dk": np.einsum("bhgnm,bnhgd->bmhd", dl, q), "dv": np.einsum("bhgnm,bnhge->bmhe", w, g),
            "ds": np.einsum("bhgnm,bhgnm->hg", w, dw)}


class StreamReverseTest(unittest.TestCase):
    def source(self, length, window, first):
        source = pathlib.Path(self.programs.path("reverse.mlir"))
        source.write_text(PROGRAM.format(b=BATCH, t=length, h=HEADS, g=GROUP, d=D, e=E, first=first,
                                         window=window or 2 * length))
        return source

    def test_gradients(self):
        for seed, (length, window, first) in enumerate(CASES):
            generator = np.random.default_rng(seed)
            inputs = {name: generator.standard_normal(shape, np.float32)
                      for name, shape in [("q", (BATCH, length, HEADS, GROUP, D)), ("k", (BATCH, length, HEADS, D)),
                                          ("v", (BATCH, length, HEADS, E)), ("g", (BATCH, length, HEADS, GROUP, E))]}
            expected = reference(*inputs.values(), window, first)
            source = self.source(length, window, first)
            stages = subprocess.run([self.programs.tpa_opt, source, "--compile-to=fused"], check=True, text=True,
                                    capture_output=True).stdout
            self.assertEqual(stages.count(" = tpa.stream "), STREAMS)
            self.assertNotIn(f"x{length}x{length}x", stages)
            outputs = self.programs.run(self.programs.compile(source), "reverse", inputs)
            for name, value in expected.items():
                with self.subTest(length=length, window=window, first=first, name=name):
                    seen = np.isfinite(value)
                    self.assertTrue(np.array_equal(outputs[name][~seen], value[~seen]))
                    self.assertLess(programs.error(outputs[name][seen], value[seen]), TOLERANCE)

    def arena(self, model, length):
        """Bytes of a training step, none of whose tensors has a number for each two tokens."""
        program = subprocess.run([self.programs.tpa_opt, model, "--entries=accumulate_gradients", "--batch=2",
                                  f"--max-length={length}", "--compile-to=memory"], check=True, text=True,
                                 capture_output=True).stdout
        shapes = set(re.findall(r"memref<([0-9x]+)xf32", program))
        self.assertTrue(shapes)
        for shape in shapes:
            self.assertLess(shape.split("x").count(str(length)), 2, shape)
        return int(re.search(r"arena @accumulate_gradients.arena : tensor<(\d+)xi8>", program).group(1))

    def test_variants(self):
        for name, sizes in VARIANTS.items():
            with self.subTest(name):
                model = pathlib.Path(self.programs.path(f"{name}.mlir"))
                model.write_text(f"t6.model @tiny uses @{name} {{ vocab = 61, layers = 1, width = 48, ffn = 40, "
                                 f"context_length = 256, sizes = {{{sizes}}}}}")
                self.arena(model, 108)

    def test_memory(self):
        """A training step's memory grows linearly in the length."""
        arenas = [self.arena(MODEL, length) for length in (96, 192, 384)]  # No sizes of the model.
        first, second = (b - a for a, b in itertools.pairwise(arenas))
        self.assertLess(abs(second / (2 * first) - 1), 0.02, arenas)


if __name__ == "__main__":
    StreamReverseTest.programs = programs.Programs(sys.argv[1], sys.argv[2])
    MODEL = sys.argv[3]
    unittest.main(argv=sys.argv[:1])
