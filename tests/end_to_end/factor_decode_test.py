"""Decode attention over TPA's factors at sizes with rests of all kinds, against float64.

Caches in bf16 meet queries and weights in bf16 where the CPU multiplies pairs of them; the reference has the cached
numbers as they are rounded, so that what is left is what the kernel rounds. What lies behind the last key is NaN.

usage: factor_decode_test.py <tpa-opt> <t6>
"""

import pathlib
import sys
import unittest

import numpy as np
import programs

TOLERANCE = {"f32": 2e-6, "bf16": 6e-3}  # The second: bf16 has 8 bits.
RANKS = (6, 2, 2)

DECODE = """
exec.buffer input @decode.positions : tensor<1xi32> {{range = array<i64: 0, {m}>}}
exec.buffer input @decode.a_q : tensor<1x1x{q}x{h}xf32>
exec.buffer input @decode.b_q : tensor<1x1x{q}x{d}xf32>
{inputs}
{states}
exec.buffer output @decode.o : tensor<1x1x{h}x{d}xf32>
exec.entry @decode scalars ["m"] maxima [{m}] {{
^bb0(%m: index):
  %at = exec.load @decode.positions : tensor<1xi32>
  %start = arith.constant dense<0> : tensor<1xi32>
  %a_q = exec.load @decode.a_q : tensor<1x1x{q}x{h}xf32>
  %b_q = exec.load @decode.b_q : tensor<1x1x{q}x{d}xf32>
{reads}
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%a_q, %b_q, %a_k, %b_k)
         value "bhnm,bmuh,bmue->bnhe"(%a_v, %b_v) at %at {{scale = 2.5e-1 : f64, causal}}
      : (tensor<1x1x{q}x{h}xf32>, tensor<1x1x{q}x{d}xf32>, tensor<1x?x{k}x{h}x{t}>, tensor<1x?x{k}x{d}x{t}>),
        (tensor<1x?x{v}x{h}x{t}>, tensor<1x?x{v}x{d}x{t}>), tensor<1xi32>
  exec.store %o, @decode.o : tensor<1x1x{h}x{d}xf32>
}}
"""


def source(heads, width, slots, dtype):
    inputs, states, reads = [], [], []
    for name, (rank, size) in factors(heads, width).items():
        row = f"tensor<1x{slots}x{rank}x{size}x"
        inputs.append(f"exec.buffer input @decode.{name} : {row}f32>")
        states.append(f"exec.buffer state @{name} : {row}{dtype}>")
        reads.append(f"""  %{name}_cache = exec.load @{name} : {row}{dtype}>
  %{name}_new = exec.load @decode.{name} : {row}f32>
  %{name}_full = t6.cache_append %{name}_cache, %{name}_new at %start : {row}{dtype}>, {row}f32>, tensor<1xi32>
  exec.store %{name}_full, @{name} : {row}{dtype}>
  %{name} = t6.cache_read %{name}_full[%m] : {row}{dtype}>""")
    return DECODE.format(h=heads, d=width, m=slots, t=dtype, q=RANKS[0], k=RANKS[1], v=RANKS[2],
                         inputs="\n".join(inputs), states="\n".join(states), reads="\n".join(reads))


def factors(heads, width):
    return {"a_k": (RANKS[1], heads), "b_k": (RANKS[1], width), "a_v": (RANKS[2], heads), "b_v": (RANKS[2], width)}


def attend(a_q, b_q, a_k, b_k, a_v, b_v):
    scores = np.einsum("rh,rd,msh,msd->hm", a_q, b_q, a_k, b_k, optimize=True) * 0.25
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("hm,muh,mue->he", weights, a_v, b_v, optimize=True)


class FactorDecodeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = programs.Programs(*sys.argv[1:3])

    def check(self, heads, width, dtype, lengths, *flags):
        slots = max(lengths) + 1
        path = pathlib.Path(self.programs.path("decode.mlir"))
        path.write_text(source(heads, width, slots, dtype))
        artifact = self.programs.compile(path, "--compile-from=entries", *flags)
        rng = np.random.default_rng(heads * width)
        a_q, b_q = (rng.standard_normal((1, 1, RANKS[0], size)).astype(np.float32) for size in (heads, width))
        cached = {name: rng.standard_normal((1, slots, *shape)).astype(np.float32)
                  for name, shape in factors(heads, width).items()}
        cached["b_k"] /= np.sqrt(width).astype(np.float32)
        if dtype == "bf16":
            cached = {name: programs.widened(programs.bfloat16(value)) for name, value in cached.items()}
        for length in lengths:
            filled = {name: value.copy() for name, value in cached.items()}
            for value in filled.values():
                value[:, length:] = np.nan
            made = self.programs.run(artifact, "decode", {
                "positions": np.array([length - 1], np.int32), "a_q": a_q, "b_q": b_q, **filled})
            wanted = attend(*(x[0, 0].astype(np.float64) for x in (a_q, b_q)),
                            *(value[0, :length].astype(np.float64) for value in cached.values()))
            with self.subTest(heads=heads, width=width, dtype=dtype, length=length, flags=flags):
                self.assertLessEqual(programs.error(made["o"][0, 0], wanted), TOLERANCE[dtype])

    def test_sizes(self):
        for dtype in TOLERANCE:
            for heads, width in [(1, 64), (5, 32), (34, 64), (47, 64), (16, 24), (21, 128)]:
                self.check(heads, width, dtype, [1, 17, 64, 333])

    def test_long(self):
        self.check(34, 64, "bf16", [4097])

    def test_other_cpus(self):
        """AVX2, where vectors have 8 lanes and bf16 is widened."""
        for dtype in TOLERANCE:
            self.check(21, 64, dtype, [17, 64], "--cpu=x86-64-v3")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
