"""What holds of softmax over parts, whatever the parts: properties of tpa.merge and tpa.stream on the CPU.

A state of a part of the keys is (maximum, sum of weights, weighted sum of values). The reference is float64;
seeds are fixed. Streams are made with other blocks and splits by the options of the pass tpa-fuse-stream.

usage: stream_properties_test.py <tpa-opt> <t6>
"""

import itertools
import pathlib
import subprocess
import sys
import unittest

import numpy as np
import programs

TOLERANCE = 1e-6
PARTS, BATCH, HEADS, QUERIES, WIDTH = 4, 2, 3, 5, 7

MERGE = """
exec.buffer input @merge.maxima : tensor<{p}x{b}x{h}x{n}xf32>
exec.buffer input @merge.sums : tensor<{p}x{b}x{h}x{n}xf32>
exec.buffer input @merge.values : tensor<{p}x{b}x{n}x{h}x{e}xf32>
exec.buffer input @merge.sinks : tensor<{h}xf32>
exec.buffer output @merge.result : tensor<{b}x{n}x{h}x{e}xf32>
exec.buffer output @merge.sunk : tensor<{b}x{n}x{h}x{e}xf32>
exec.entry @merge scalars [] maxima [] {{
^bb0:
  %mu = exec.load @merge.maxima : tensor<{p}x{b}x{h}x{n}xf32>
  %sigma = exec.load @merge.sums : tensor<{p}x{b}x{h}x{n}xf32>
  %y = exec.load @merge.values : tensor<{p}x{b}x{n}x{h}x{e}xf32>
  %s = exec.load @merge.sinks : tensor<{h}xf32>
  %o = tpa.merge "bhn,bhn,bnhe->bnhe"(%mu, %sigma, %y)
      : tensor<{p}x{b}x{h}x{n}xf32>, tensor<{p}x{b}x{h}x{n}xf32>, tensor<{p}x{b}x{n}x{h}x{e}xf32>
  exec.store %o, @merge.result : tensor<{b}x{n}x{h}x{e}xf32>
  %k = tpa.merge "bhn,bhn,bnhe,h->bnhe"(%mu, %sigma, %y, %s)
      : tensor<{p}x{b}x{h}x{n}xf32>, tensor<{p}x{b}x{h}x{n}xf32>, tensor<{p}x{b}x{n}x{h}x{e}xf32>, tensor<{h}xf32>
  exec.store %k, @merge.sunk : tensor<{b}x{n}x{h}x{e}xf32>
}}
""".format(p=PARTS, b=BATCH, h=HEADS, n=QUERIES, e=WIDTH)

# Tensor product attention whose mask is an input: any tokens may be hidden.
KEYS, HEAD, D, RANK, VALUE = 67, 6, 16, 2, 8
STREAM = """
exec.buffer input @attend.q : tensor<2x{n}x{h}x{d}xf32>
exec.buffer input @attend.ak : tensor<2x{m}x{r}x{h}xf32>
exec.buffer input @attend.bk : tensor<2x{m}x{r}x{d}xf32>
exec.buffer input @attend.av : tensor<2x{m}x{r}x{h}xf32>
exec.buffer input @attend.bv : tensor<2x{m}x{r}x{e}xf32>
exec.buffer input @attend.visible : tensor<2x{n}x{m}xf32>
exec.buffer output @attend.o : tensor<2x{n}x{h}x{e}xf32>
exec.entry @attend scalars [] maxima [] {{
^bb0:
  %q = exec.load @attend.q : tensor<2x{n}x{h}x{d}xf32>
  %ak = exec.load @attend.ak : tensor<2x{m}x{r}x{h}xf32>
  %bk = exec.load @attend.bk : tensor<2x{m}x{r}x{d}xf32>
  %av = exec.load @attend.av : tensor<2x{m}x{r}x{h}xf32>
  %bv = exec.load @attend.bv : tensor<2x{m}x{r}x{e}xf32>
  %visible = exec.load @attend.visible : tensor<2x{n}x{m}xf32>
  %l = tpa.einsum "bnhd,bmsh,bmsd->bhnm"(%q, %ak, %bk)
      : tensor<2x{n}x{h}x{d}xf32>, tensor<2x{m}x{r}x{h}xf32>, tensor<2x{m}x{r}x{d}xf32>
  %s = tpa.map "bhnm,bnm->bhnm"(%l, %visible) {{
  ^bb0(%x: f32, %v: f32):
    %half = arith.constant 0.5 : f32
    %hidden = arith.constant 0xFF800000 : f32
    %c = arith.cmpf ogt, %v, %half : f32
    %y = arith.select %c, %x, %hidden : f32
    tpa.yield %y : f32
  }} : tensor<2x{h}x{n}x{m}xf32>, tensor<2x{n}x{m}xf32>
  %w = tpa.softmax %s : tensor<2x{h}x{n}x{m}xf32>
  %o = tpa.einsum "bhnm,bmuh,bmue->bnhe"(%w, %av, %bv)
      : tensor<2x{h}x{n}x{m}xf32>, tensor<2x{m}x{r}x{h}xf32>, tensor<2x{m}x{r}x{e}xf32>
  exec.store %o, @attend.o : tensor<2x{n}x{h}x{e}xf32>
}}
"""

# The same under the mask that models have.
CAUSAL = """
exec.buffer input @attend.positions : tensor<2xi32> {{range = array<i64: 0, {m}>}}
exec.buffer input @attend.q : tensor<2x{n}x{h}x{d}xf32>
exec.buffer input @attend.ak : tensor<2x{m}x{r}x{h}xf32>
exec.buffer input @attend.bk : tensor<2x{m}x{r}x{d}xf32>
exec.buffer input @attend.av : tensor<2x{m}x{r}x{h}xf32>
exec.buffer input @attend.bv : tensor<2x{m}x{r}x{e}xf32>
exec.buffer output @attend.o : tensor<2x{n}x{h}x{e}xf32>
exec.entry @attend scalars [] maxima [] {{
^bb0:
  %at = exec.load @attend.positions : tensor<2xi32>
  %q = exec.load @attend.q : tensor<2x{n}x{h}x{d}xf32>
  %ak = exec.load @attend.ak : tensor<2x{m}x{r}x{h}xf32>
  %bk = exec.load @attend.bk : tensor<2x{m}x{r}x{d}xf32>
  %av = exec.load @attend.av : tensor<2x{m}x{r}x{h}xf32>
  %bv = exec.load @attend.bv : tensor<2x{m}x{r}x{e}xf32>
  %o = tpa.attention ["bnhd,bmsh,bmsd->bhnm"](%q, %ak, %bk) value "bhnm,bmuh,bmue->bnhe"(%av, %bv) at %at
      {{causal, window = {window} : i64}}
      : (tensor<2x{n}x{h}x{d}xf32>, tensor<2x{m}x{r}x{h}xf32>, tensor<2x{m}x{r}x{d}xf32>),
        (tensor<2x{m}x{r}x{h}xf32>, tensor<2x{m}x{r}x{e}xf32>), tensor<2xi32>
  exec.store %o, @attend.o : tensor<2x{n}x{h}x{e}xf32>
}}
"""


def merge(states):
    """Section by section in float64; exp(-inf - -inf) is 0. Axis 0 counts the states."""
    mu, sigma, y = (np.asarray(x, np.float64) for x in states)
    top = mu.max(0)
    share = np.where(np.isneginf(mu), 0, np.exp(mu - np.where(np.isneginf(top), 0, top)))
    return top, (share * sigma).sum(0), (share.swapaxes(2, 3)[..., None] * y).sum(0)


def normalized(states):
    _, sigma, y = merge(states)
    sigma = sigma.swapaxes(1, 2)[..., None]
    return np.divide(y, sigma, out=np.zeros_like(y), where=sigma > 0)


class MergeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = programs.Programs(*sys.argv[1:3])
        source = pathlib.Path(cls.programs.path("merge.mlir"))
        source.write_text(MERGE)
        cls.artifact = cls.programs.compile(source, "--compile-from=entries")

    def setUp(self):
        rng = np.random.default_rng(11)
        rows = (PARTS, BATCH, HEADS, QUERIES)
        self.states = (rng.uniform(-30, 30, rows).astype(np.float32),
                       rng.uniform(0.5, 40, rows).astype(np.float32),
                       rng.standard_normal((PARTS, BATCH, QUERIES, HEADS, WIDTH)).astype(np.float32))
        # Close maxima, so that all parts count, and far ones.
        self.states[0][:, 0] /= 30
        self.sinks = rng.standard_normal(HEADS).astype(np.float32)

    def run_merge(self, states, output="result"):
        maxima, sums, values = (np.ascontiguousarray(x, np.float32) for x in states)
        return self.programs.run(self.artifact, "merge", {
            "maxima": maxima, "sums": sums, "values": values, "sinks": self.sinks})[output]

    def agrees(self, actual, expected):
        self.assertLessEqual(programs.error(actual, expected), TOLERANCE)

    def emptied(self, *parts):
        states = tuple(x.copy() for x in self.states)
        for part in parts:
            states[0][part], states[1][part], states[2][part] = -np.inf, 0, 0
        return states

    def test_reference(self):
        self.agrees(self.run_merge(self.states), normalized(self.states))

    def test_commutative(self):
        expected = self.run_merge(self.states).astype(np.float64)
        for order in itertools.permutations(range(PARTS)):
            self.agrees(self.run_merge([x[list(order)] for x in self.states]), expected)

    def test_associative(self):
        """Neighbours merged before, in all ways; the empty state fills up."""
        expected = self.run_merge(self.states).astype(np.float64)
        for ends in itertools.product([False, True], repeat=PARTS - 1):
            cuts = [0] + [i + 1 for i, end in enumerate(ends) if end] + [PARTS]
            grouped = self.emptied(*range(PARTS))
            for group, (begin, end) in enumerate(zip(cuts, cuts[1:])):
                for whole, part in zip(grouped, merge([x[begin:end] for x in self.states])):
                    whole[group] = part
            self.agrees(self.run_merge(grouped), expected)

    def test_identity(self):
        for count in (1, 2, 3):
            for empty in itertools.combinations(range(PARTS), count):
                rest = [i for i in range(PARTS) if i not in empty]
                self.agrees(self.run_merge(self.emptied(*empty)), normalized([x[rest] for x in self.states]))

    def test_all_empty(self):
        """Where every part of a row is empty, the row is zero, and others are as before."""
        for output in ("result", "sunk"):
            np.testing.assert_array_equal(self.run_merge(self.emptied(*range(PARTS)), output), 0)
            expected = self.run_merge(self.states, output).copy()
            states = tuple(x.copy() for x in self.states)
            states[0][:, 1, 2, 3], states[1][:, 1, 2, 3], states[2][:, 1, 3, 2] = -np.inf, 0, 0
            expected[1, 3, 2] = 0
            np.testing.assert_array_equal(self.run_merge(states, output), expected)

    def test_sinks(self):
        """A sink is one more part without values."""
        sink = (np.broadcast_to(self.sinks[:, None], (1, BATCH, HEADS, QUERIES)), np.ones((1, BATCH, HEADS, QUERIES)),
                np.zeros((1, BATCH, QUERIES, HEADS, WIDTH)))
        expected = normalized([np.concatenate(both) for both in zip(self.states, sink)])
        self.agrees(self.run_merge(self.states, "sunk"), expected)

    def test_invariances(self):
        """Weights are relative: to a common factor of a state's sums and e to its maximum, and of all states."""
        expected = self.run_merge(self.states).astype(np.float64)
        mu, sigma, y = self.states
        self.agrees(self.run_merge((mu + 16, sigma, y)), expected)
        self.agrees(self.run_merge((mu, sigma / 8, y / 8)), expected)
        step = np.log(2) * np.arange(PARTS, dtype=np.float64)
        scaled = (mu + step[:, None, None, None], sigma * np.exp(-step)[:, None, None, None],
                  y * np.exp(-step)[:, None, None, None, None])
        # The sum of a maximum and a step is rounded; weights differ by as much.
        self.assertLessEqual(programs.error(self.run_merge(scaled), expected), 4 * TOLERANCE)


class StreamTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = programs.Programs(*sys.argv[1:3])
        cls.sizes = {"n": 3, "m": KEYS, "h": HEAD, "d": D, "r": RANK, "e": VALUE}
        # Splits longer than a block and shorter, more of them than keys, one block for all.
        cls.forms = [(1, 1), (1, 128), (2, 8), (5, 8), (5, 128), (80, 1), (80, 8)]
        cls.masked = [cls.compile("masked", STREAM.format(**cls.sizes), *form) for form in cls.forms]
        cls.causal = {window: [cls.compile(f"causal{window}", CAUSAL.format(window=window, **cls.sizes), *form)
                               for form in cls.forms[1:6:2]] for window in (11, KEYS)}

    @classmethod
    def compile(cls, name, text, splits, block):
        """To an artifact by way of the fused phase."""
        base = pathlib.Path(cls.programs.path(f"{name}_{splits}_{block}"))
        source, einsum, fused = (str(base.with_suffix(f".{phase}.mlir")) for phase in ("entries", "einsum", "fused"))
        pathlib.Path(source).write_text(text)
        for command in ([source, "--compile-from=entries", "--compile-to=einsum", "-o", einsum],
                        [einsum, f"--tpa-fuse-stream=splits={splits} block={block}", "-o", fused]):
            subprocess.run([cls.programs.tpa_opt, *command], check=True)
        assert f"block {block} splits {splits} " in pathlib.Path(fused).read_text()
        return cls.programs.compile(fused, "--compile-from=fused")

    def setUp(self):
        rng = np.random.default_rng(5)

        def normal(*shape):
            return rng.standard_normal(shape).astype(np.float32)

        self.inputs = {"q": normal(2, 3, HEAD, D), "ak": normal(2, KEYS, RANK, HEAD), "bk": normal(2, KEYS, RANK, D) / 4,
                       "av": normal(2, KEYS, RANK, HEAD), "bv": normal(2, KEYS, RANK, VALUE)}
        self.visible = rng.uniform(size=(2, 3, KEYS)) < 0.4
        self.visible[0, 1], self.visible[1, 2, :] = False, True

    def attend(self, visible):
        """In float64; a row of which nothing is visible is zero."""
        x = {name: value.astype(np.float64) for name, value in self.inputs.items()}
        logits = np.einsum("bnhd,bmsh,bmsd->bhnm", x["q"], x["ak"], x["bk"])
        logits = np.where(visible[:, None], logits, -np.inf)
        top = logits.max(-1, keepdims=True)
        weights = np.exp(logits - np.where(np.isneginf(top), 0, top))
        weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-300)
        return np.einsum("bhnm,bmuh,bmue->bnhe", weights, x["av"], x["bv"])

    def run_masked(self, artifact, visible, **changed):
        inputs = self.inputs | changed | {"visible": visible.astype(np.float32)}
        return self.programs.run(artifact, "attend", inputs)["o"]

    def agrees(self, actual, expected):
        self.assertLessEqual(programs.error(actual, expected), TOLERANCE)

    def poisoned(self, hidden, poison):
        """Factors of other tokens, where no query of the row sees them."""
        changed = {}
        for name in ("ak", "bk", "av", "bv"):
            changed[name] = self.inputs[name].copy()
            changed[name][hidden] = poison
        return changed

    def test_any_parts(self):
        expected = self.attend(self.visible)
        for form, artifact in zip(self.forms, self.masked):
            with self.subTest(splits=form[0], block=form[1]):
                self.agrees(self.run_masked(artifact, self.visible), expected)

    def test_nothing_visible(self):
        """Whole rows without a key are zero, alone and among others."""
        for artifact in self.masked:
            result = self.run_masked(artifact, self.visible)
            np.testing.assert_array_equal(result[0, 1], 0)
            self.assertTrue(np.isfinite(result).all())
            np.testing.assert_array_equal(self.run_masked(artifact, np.zeros_like(self.visible)), 0)

    def test_permuted(self):
        expected = self.attend(self.visible)
        order = np.random.default_rng(7).permutation(KEYS)
        changed = {name: self.inputs[name][:, order] for name in ("ak", "bk", "av", "bv")}
        for artifact in self.masked[::2]:
            self.agrees(self.run_masked(artifact, self.visible[..., order], **changed), expected)

    def test_scaled_factors(self):
        """(A c, B / c) is the same product; with a power of two not even rounding differs."""
        for artifact in self.masked[1::2]:
            expected = self.run_masked(artifact, self.visible)
            for c in (3, 0.25):
                c = np.float32(c)
                scaled = {"ak": self.inputs["ak"] * c, "bk": self.inputs["bk"] / c, "av": self.inputs["av"] / c,
                          "bv": self.inputs["bv"] * c}
                result = self.run_masked(artifact, self.visible, **scaled)
                self.agrees(result, expected.astype(np.float64))
                if c == 0.25:
                    np.testing.assert_array_equal(result, expected)

    def test_hidden_tokens(self):
        """Between tokens that are seen, too: weighed by zero, whatever number they are."""
        self.visible[:, :, ::7] = False
        for form, artifact in zip(self.forms, self.masked):
            with self.subTest(splits=form[0], block=form[1]):
                expected = self.run_masked(artifact, self.visible)
                changed = self.poisoned(~self.visible.any(1), 1e18)
                np.testing.assert_array_equal(self.run_masked(artifact, self.visible, **changed), expected)

    def test_hidden_by_position(self):
        """After the last query of their row, or before the window of its first, tokens need not even be numbers."""
        positions = np.array([40, 13], np.int32)
        query, key = positions[:, None, None] + np.arange(3)[:, None], np.arange(KEYS)
        for window, artifacts in self.causal.items():
            visible = (key <= query) & (key > query - window)
            expected = self.attend(visible)
            for artifact in artifacts:
                inputs = self.inputs | {"positions": positions} | self.poisoned(~visible.any(1), np.nan)
                self.agrees(self.programs.run(artifact, "attend", inputs)["o"], expected)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
