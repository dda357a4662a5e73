"""A cache in pages, through scattered tables: what is read back is what was appended.

Before anything else every page is filled with NaN, so that a token looked up on the wrong page shows. Rows have
different lengths, take their pages in a random order, and have the pool's last page where they own none.

usage: paged_cache_test.py <tpa-opt> <t6>
"""

import itertools
import pathlib
import sys
import unittest

import numpy as np
import programs

TOLERANCE = 1e-6
RANK, WIDTH, QUERIES = 2, 8, 3

TURN = """
exec.buffer input @turn.tokens : tensor<{b}x{n}xi32>
exec.buffer input @turn.positions : tensor<{b}xi32> {{range = array<i64: 0, {most}>}}
exec.buffer input @turn.starts : tensor<{b}xi32> {{range = array<i64: 0, 1>}}
exec.buffer input @turn.poison : tensor<1x{all}x{r}x{d}xf32>
exec.buffer input @turn.every : tensor<1x{p}xi32> {{range = array<i64: 0, {p}>}}
exec.buffer input @turn.pages : tensor<{b}x{k}xi32> {{range = array<i64: 0, {p}>}}
exec.buffer input @turn.old : tensor<{b}x{m}x{r}x{d}xf32>
exec.buffer input @turn.new : tensor<{b}x{n}x{r}x{d}xf32>
exec.buffer input @turn.q : tensor<{b}x{n}x{r}x{d}xf32>
exec.buffer state @pool : tensor<{p}x{t}x{r}x{d}x{type}>
exec.buffer output @turn.o : tensor<{b}x{n}x{r}x{d}xf32>
exec.buffer output @turn.read : tensor<{b}x{most}x{r}x{d}x{type}>
exec.entry @turn scalars ["m"] maxima [{most}] {{
^bb0(%m: index):
  %at = exec.load @turn.positions : tensor<{b}xi32>
  %starts = exec.load @turn.starts : tensor<{b}xi32>
  %first = arith.constant dense<0> : tensor<1xi32>
  %poison = exec.load @turn.poison : tensor<1x{all}x{r}x{d}xf32>
  %every = exec.load @turn.every : tensor<1x{p}xi32>
  %pages = exec.load @turn.pages : tensor<{b}x{k}xi32>
  %old = exec.load @turn.old : tensor<{b}x{m}x{r}x{d}xf32>
  %new = exec.load @turn.new : tensor<{b}x{n}x{r}x{d}xf32>
  %q = exec.load @turn.q : tensor<{b}x{n}x{r}x{d}xf32>
  %pool = exec.load @pool : tensor<{p}x{t}x{r}x{d}x{type}>
  %poisoned = t6.cache_append %pool, %poison at %first pages %every
      : tensor<{p}x{t}x{r}x{d}x{type}>, tensor<1x{all}x{r}x{d}xf32>, tensor<1xi32>, tensor<1x{p}xi32>
  %filled = t6.cache_append %poisoned, %old at %starts pages %pages
      : tensor<{p}x{t}x{r}x{d}x{type}>, tensor<{b}x{m}x{r}x{d}xf32>, tensor<{b}xi32>, tensor<{b}x{k}xi32>
  %grown = t6.cache_append %filled, %new at %at pages %pages
      : tensor<{p}x{t}x{r}x{d}x{type}>, tensor<{b}x{n}x{r}x{d}xf32>, tensor<{b}xi32>, tensor<{b}x{k}xi32>
  exec.store %grown, @pool : tensor<{p}x{t}x{r}x{d}x{type}>
  %keys = t6.cache_read %grown[%m] pages %pages : tensor<{p}x{t}x{r}x{d}x{type}>, tensor<{b}x{k}xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %keys) value "bhnm,bmhe->bnhe"(%keys) at %at {{causal}}
      : (tensor<{b}x{n}x{r}x{d}xf32>, tensor<{b}x?x{r}x{d}x{type}>), (tensor<{b}x?x{r}x{d}x{type}>), tensor<{b}xi32>
  exec.store %o, @turn.o : tensor<{b}x{n}x{r}x{d}xf32>
  %most = arith.constant {most} : index
  %whole = t6.cache_read %grown[%most] pages %pages : tensor<{p}x{t}x{r}x{d}x{type}>, tensor<{b}x{k}xi32>
  %static = tensor.cast %whole : tensor<{b}x?x{r}x{d}x{type}> to tensor<{b}x{most}x{r}x{d}x{type}>
  exec.store %static, @turn.read : tensor<{b}x{most}x{r}x{d}x{type}>
}}
"""


def attend(q, keys):
    """Of one row; query i sees all keys but the last len(q) - 1 - i."""
    scores = np.einsum("nhd,mhd->hnm", q.astype(np.float64), keys)
    hidden = np.arange(len(keys)) > len(keys) - len(q) + np.arange(len(q))[:, None]
    scores[:, hidden] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("hnm,mhd->nhd", weights / weights.sum(-1, keepdims=True), keys)


class PagedCacheTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = programs.Programs(*sys.argv[1:3])

    def check(self, tokens, lengths, dtype):
        rng = np.random.default_rng(tokens)
        batch, longest = len(lengths), max(lengths)
        slots = -(-(longest + QUERIES) // tokens) + 2
        owned = [-(-(length + QUERIES) // tokens) for length in lengths]
        pages = sum(owned) + 4
        order = iter(rng.permutation(pages - 1))
        table = np.full((batch, slots), pages - 1, np.int32)
        # Rows take turns: neighbours in the pool belong to different rows.
        for slot, row in itertools.product(range(slots), range(batch)):
            if slot < owned[row]:
                table[row, slot] = next(order)
        source = pathlib.Path(self.programs.path("turn.mlir"))
        source.write_text(TURN.format(b=batch, n=QUERIES, m=longest, r=RANK, d=WIDTH, t=tokens, p=pages, k=slots,
                                      all=pages * tokens, most=slots * tokens, type=dtype))
        artifact = self.programs.compile(source, "--compile-from=entries")
        old = rng.standard_normal((batch, longest, RANK, WIDTH)).astype(np.float32)
        new, q = rng.standard_normal((2, batch, QUERIES, RANK, WIDTH)).astype(np.float32)
        if dtype == "bf16":  # as the cache rounds them
            old, new = (programs.widened(programs.bfloat16(x)) for x in (old, new))
        made = self.programs.run(artifact, "turn", {
            "tokens": np.zeros((batch, QUERIES), np.int32), "positions": np.array(lengths, np.int32),
            "starts": np.zeros(batch, np.int32),
            "poison": np.full((1, pages * tokens, RANK, WIDTH), np.nan, np.float32),
            "every": np.arange(pages, dtype=np.int32)[None], "pages": table, "old": old, "new": new, "q": q})
        read = programs.widened(made["read"])
        for row, length in enumerate(lengths):
            keys = np.concatenate([old[row, :length], new[row]])
            np.testing.assert_array_equal(read[row, : len(keys)], keys)
            self.assertLessEqual(programs.error(made["o"][row], attend(q[row], keys)), TOLERANCE)

    def test_scattered(self):
        for tokens, lengths in itertools.product([16, 64, 128], [(1,), (17,), (64,), (5, 65, 130)]):
            for dtype in ["f32", "bf16"]:
                with self.subTest(tokens=tokens, lengths=lengths, dtype=dtype):
                    self.check(tokens, lengths, dtype)

    def test_long(self):
        self.check(64, (4097,), "f32")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
