"""Bytes, FLOPs and their ratio that t6 info states, against numbers worked out by hand for a model of width 8.

usage: costs_test.py <tpa-opt> <t6>
"""

import itertools
import json
import pathlib
import re
import subprocess
import sys
import unittest

import programs

MODEL = """
t6.model @tiny uses @{attention} {{
  vocab = 5, layers = 1, width = 8, ffn = 3, context_length = 16, sizes = {{{sizes}}}}}
"""
KEYS = 6

# Multi-head attention, H = 2, D = 4, one token after five, numbers of 4 bytes. Bytes read, written, FLOPs of each piece
# of work; neighbours that are small are one dispatch, whose figures are their sums.
WORK = [
    # A token id and its row of the table, 8 numbers.
    ("embedding", 4 + 32, 32, 0),
    # 8 squares and sums; then 8 of each mean, epsilon, root and product.
    ("layer.0/rms_norm", 32, 4, 8 * 2),
    ("layer.0/rms_norm", 32 + 4, 32, 8 * 4),
    # Query, key, value: 8 numbers, read once, times three 8 × 8 matrices, a product and a sum each.
    ("layer.0/contraction", 32 + 3 * 256, 3 * 32, 3 * 64 * 2),
    # Of each number, its partner, cosine and sine: two products, a sum, a sign.
    ("layer.0/rope", 32 + 8 * 12, 32, 8 * 4),
    ("layer.0/rope", 32 + 8 * 12, 32, 8 * 4),
    ("layer.0/cache_append", 32, 32, 0),
    ("layer.0/cache_append", 32, 32, 0),
    # Keys and values of six tokens, the query, its position. Of a key and a head: 4 products and sums of the score,
    # its scale, 4 of the softmax (maximum, difference, exponential, sum), 4 products and sums of the value.
    # 8 splits with a maximum, a sum and a value of 4 numbers a head.
    ("layer.0/attention", KEYS * 64 + 32 + 4, 8 * 2 * (1 + 1 + 4) * 4, KEYS * 2 * (8 + 1 + 4 + 8)),
    # The maximum over 8 splits of 2 heads; sums weighed by exp(difference); values so, and divided.
    ("layer.0/merge", 64, 8, 16),
    ("layer.0/merge", 64 + 64 + 8, 8, 16 * 4),
    ("layer.0/merge", 256 + 64 + 8 + 8, 32, 64 * 4 + 8),
    # The output projection with the residual.
    ("layer.0/contraction", 32 + 256 + 32, 32, 64 * 2 + 8),
    ("layer.0/rms_norm", 32, 4, 16),
    ("layer.0/rms_norm", 36, 32, 32),
    # Feed-forward of width 3: one half; the other, and x / (1 + exp(-x)) times it (sign, exponential, sum, quotient and
    # two products); down with the residual.
    ("layer.0/linear", 32 + 96, 12, 24 * 2),
    ("layer.0/linear", 32 + 96 + 12, 12, 24 * 2 + 3 * 6),
    ("layer.0/linear", 12 + 96 + 32, 32, 24 * 2 + 8),
    ("rms_norm", 32, 4, 16),
    ("rms_norm", 36, 32, 32),
    # Logits of 5 tokens.
    ("contraction", 32 + 160, 20, 40 * 2),
]
DISPATCHES = [
    ("embedding", 1),
    ("layer.0/rms_norm+contraction+rope+cache_append", 7),
    ("layer.0/attention", 1),
    ("layer.0/merge+contraction+rms_norm+linear", 9),
    ("rms_norm+contraction", 3),
]


def decode():
    """The dispatches with their costs, of WORK in order."""
    work = iter(WORK)
    for label, count in DISPATCHES:
        _, *costs = zip(*itertools.islice(work, count))
        yield label, *map(sum, costs)
    assert next(work, None) is None


class CostsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = programs.Programs(*sys.argv[1:3])

    def artifact(self, attention, sizes, *flags):
        source = pathlib.Path(self.programs.path(f"{attention}.mlir"))
        source.write_text(MODEL.format(attention=attention, sizes=sizes))
        return self.programs.compile(source, *(flags or ["--entries=decode"]))

    def info(self, artifact, *flags):
        return subprocess.check_output([self.programs.t6, "info", artifact, "--dispatches", f"--length={KEYS}", *flags],
                                       text=True)

    def entry(self, artifact):
        (entry,) = json.loads(self.info(artifact, "--json"))["entries"]
        return entry

    def test_dispatches(self):
        entry = self.entry(self.artifact("mha", "H = 2, D = 4"))
        stated = [(d["label"], d["bytes_read"], d["bytes_written"], d["flops"]) for d in entry["dispatches"]]
        self.assertEqual(stated, list(decode()))
        for (_, read, written, flops), dispatch in zip(decode(), entry["dispatches"]):
            self.assertAlmostEqual(dispatch["intensity"], flops / (read + written))

    def test_appends(self):
        """Keys and values, 8 numbers of each of six tokens in two rows, in one piece and in pages."""
        for page, (dtype, size) in itertools.product((0, 16), (("f32", 4), ("bf16", 2))):
            entry = self.entry(self.artifact("mha", "H = 2, D = 4", "--entries=prefill", "--batch=2", "--max-length=32",
                                             f"--page-tokens={page}", f"--dtype={dtype}"))
            appends = [d for d in entry["dispatches"] if d["label"] == "layer.0/cache_append"]
            self.assertEqual([(d["bytes_read"], d["bytes_written"], d["flops"]) for d in appends],
                             [(2 * 6 * 8 * 4, 2 * 6 * 8 * size, 0)] * 2, f"{dtype} in pages of {page}")

    def test_totals(self):
        entry = self.entry(self.artifact("mha", "H = 2, D = 4"))
        _, reads, writes, flops = zip(*WORK)
        self.assertEqual((entry["bytes_read"], entry["bytes_written"], entry["flops"]),
                         (sum(reads), sum(writes), sum(flops)))
        self.assertAlmostEqual(entry["intensity"], sum(flops) / (sum(reads) + sum(writes)))

    def test_for_people(self):
        """The same in the table: 804 bytes and 252 FLOPs of attention."""
        text = self.info(self.artifact("mha", "H = 2, D = 4"))
        self.assertRegex(text, r"(?m)^  label +workgroups +read +written +FLOP +FLOP/byte +kernel$")
        self.assertRegex(text, r"(?m)^  layer\.0/attention +8 +420 B +384 B +252 +0\.31 ")
        self.assertRegex(text, r"(?m)^  cost +5 dispatches, .* read, .* written, .* FLOP, \d\.\d\d FLOP/byte$")

    def test_shared_keys(self):
        """A latent of 4 numbers that is key and value is read once, with a rotated key of 2."""
        entry = self.entry(self.artifact("mla", "H = 2, D = 4, P = 2, E = 4, L = 4, L_Q = 4"))
        (attention,) = (d for d in entry["dispatches"] if d["label"] == "layer.0/attention")
        cached = re.search(r"(\d+)\*m", attention["cost"]["read"])
        self.assertEqual(int(cached[1]), (4 + 2) * 4)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
