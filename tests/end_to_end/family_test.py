"""Every attention function of models/attention, compiled and compared with float64.

A case is run at once by the entry `loss`, and in chunks of `prefill` followed by `decode`, with rows of
different lengths. What `t6 info` says of the cache must be what the table in the functions' README says.

usage: family_test.py <tpa-opt> <t6> <session> <part>, one of CASES, linear, linear_rows, long, pages, special_cases or trees
"""

import itertools
import json
import pathlib
import re
import subprocess
import sys
import unittest

import attention_reference
import numpy as np
import programs

TOLERANCE = 1e-5
VOCAB, FFN = 61, 40


class Session:
    """A model that stays open; its cache is the session's."""

    def __init__(self, program, artifact, weights):
        self.process = subprocess.Popen([program, artifact, weights], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def run(self, entry, output="logits", **inputs):
        send = self.process.stdin
        send.write(f"run {entry} {len(inputs)}\n".encode())
        for name, value in inputs.items():
            is_mask = isinstance(value, np.ndarray) and value.dtype == np.uint64
            value = np.ascontiguousarray(value, np.uint64 if is_mask else np.int32)
            send.write(f"{name} {'I64' if is_mask else 'I32'} {value.nbytes} {value.ndim} {' '.join(map(str, value.shape))}\n".encode())
            send.write(value.tobytes())
        send.write(f"get {entry} {output}\n".encode())
        send.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise AssertionError(f"{entry} failed: exit code {self.process.wait()}")
        size, _, *shape = map(int, answer)
        return np.frombuffer(self.process.stdout.read(size), np.float32).reshape(shape)


def sizes(h, d, ranks, width, **more):
    return {"H": h, "D": d, **dict(zip(("R_Q", "R_K", "R_V"), ranks)), "C": width, **more}


# Variant, batch, sizes, tokens of each row, of which so many are decoded one by one.
CASES = {
    "products": [
        ("tpa", 1, sizes(47, 64, (6, 2, 2), 96), [17], 5),
        ("tpa", 3, sizes(5, 24, (4, 3, 1), 72), [64, 1, 17], 11),
        ("tpa_kvonly", 3, sizes(5, 24, (1, 3, 2), 72), [17, 2, 64], 9),
        ("tpa_window", 1, sizes(1, 16, (2, 1, 3), 40), [171], 33),
        ("tpa_window", 3, sizes(5, 24, (3, 2, 2), 56), [150, 64, 1], 20),
    ],
    "biases": [
        ("tpa_sinks", 1, sizes(47, 16, (6, 2, 1), 56), [1], 0),
        ("tpa_sinks", 3, sizes(5, 128, (2, 2, 2), 288), [64, 17, 1], 13),
        ("tpa_alibi", 1, sizes(5, 64, (5, 1, 2), 208), [64], 17),
        ("tpa_alibi", 3, sizes(47, 24, (1, 4, 2), 160), [17, 16, 1], 6),
    ],
    "scores": [
        ("tpa_softcap", 1, sizes(1, 128, (3, 2, 2), 136), [17], 17),
        ("tpa_softcap", 3, sizes(5, 16, (6, 6, 6), 120), [1, 64, 33], 16),
        ("tpa_sigmoid", 1, sizes(5, 24, (3, 2, 3), 104), [64], 31),
        ("tpa_sigmoid", 3, sizes(47, 16, (2, 1, 1), 64), [17, 5, 1], 5),
        ("tpa_linear", 1, sizes(1, 64, (2, 3, 1), 80), [17], 4),
        ("tpa_linear", 3, sizes(5, 24, (5, 2, 2), 64), [64, 17, 40], 12),
    ],
    "shifts": [
        ("tpa_kv_shift", 1, sizes(47, 64, (6, 2, 2), 96), [17], 5),
        ("tpa_kv_shift", 3, sizes(5, 24, (4, 1, 6), 72), [64, 1, 17], 11),
    ],
    "factors": [
        ("tpa_noncontextual_a", 1, sizes(47, 24, (6, 2, 3), 96), [17], 5),
        ("tpa_noncontextual_a", 3, sizes(5, 64, (2, 1, 1), 80), [64, 1, 17], 9),
        ("tpa_noncontextual_b", 1, sizes(5, 24, (3, 2, 4), 48), [64], 10),
        ("tpa_noncontextual_b", 3, sizes(47, 16, (6, 1, 1), 64), [17, 9, 1], 7),
        ("tpa_shared_b", 1, sizes(5, 128, (3, 2, 2), 48, R_KV=3), [17], 6),
        ("tpa_shared_b", 3, sizes(47, 24, (6, 2, 2), 112, R_KV=2), [33, 1, 64], 9),
    ],
    "rotations": [
        ("tpa_partial_rope", 1, sizes(1, 64, (1, 1, 1), 72), [64], 21),
        ("tpa_partial_rope", 3, sizes(5, 24, (4, 2, 3), 80), [17, 1, 17], 5),
        ("tpa_decay", 1, sizes(5, 16, (3, 2, 2), 40), [64], 8),
        ("tpa_decay", 3, sizes(1, 24, (6, 5, 2), 40), [17, 64, 1], 10),
    ],
    "head_factors": [
        ("tpa_sigmoid_a", 1, sizes(47, 16, (3, 2, 2), 48), [17], 4),
        ("tpa_sigmoid_a", 3, sizes(5, 24, (2, 2, 3), 80), [1, 17, 64], 8),
        ("tpa_softmax_a", 1, sizes(5, 64, (3, 2, 1), 72), [64], 7),
        ("tpa_softmax_a", 3, sizes(47, 24, (2, 1, 2), 48), [17, 4, 1], 4),
    ],
    "outputs": [
        ("tpa_gate", 1, sizes(1, 128, (2, 2, 2), 136), [17], 17),
        ("tpa_gate", 3, sizes(5, 24, (4, 2, 1), 48), [64, 17, 1], 6),
        ("tpa_sub_norm", 1, sizes(47, 16, (6, 2, 2), 48), [17], 3),
        ("tpa_sub_norm", 3, sizes(5, 24, (2, 3, 3), 80), [1, 33, 64], 7),
    ],
    "heads": [
        ("tpa_third_order", 1, sizes(5, 24, (3, 2, 2), 80, X=8, Y=3), [64], 9),
        ("tpa_third_order", 3, sizes(47, 64, (2, 1, 3), 150, X=16, Y=4), [17, 1, 9], 5),
        ("mla", 3, {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}, [64, 1, 17], 9),
        ("mha", 3, {"H": 5, "D": 24, "C": 128}, [17, 64, 1], 6),
        ("gqa", 3, {"G": 2, "J": 3, "D": 16, "C": 48}, [1, 17, 64], 6),
        ("gqa", 1, {"G": 1, "J": 5, "D": 64, "C": 72}, [17], 6),
    ],
    # Where the hidden state is fewer numbers, and its projections are little work: what is cached then, after the tokens.
    "hidden": [
        ("tpa_sigmoid", 3, sizes(5, 24, (3, 2, 4), 48), [33, 1, 17], 7, 58 + 20 + 48),  # K's factors, A_V, x
        ("tpa_alibi", 1, sizes(5, 64, (5, 1, 2), 48), [64], 17, 5 + 10 + 48),  # A_K, A_V, x
        ("tpa_gate", 1, sizes(1, 128, (2, 2, 2), 40), [17], 17, 128 + 2 + 40),  # K, A_V, x
        ("mha", 3, {"H": 5, "D": 24, "C": 96}, [17, 9, 1], 6, 120 + 96),  # K rotated, x
    ],
}

# Attention without a normaliser, as CASES, then how many numbers the state of a row and layer has, and a cached token where that is not
# the README's formula. Functions that models/attention does not have are made of those that it has.
LINEAR = [
    ("tpa_linear", 1, sizes(1, 64, (2, 3, 1), 80), [17], 4, 64 * 64),
    ("tpa_linear", 3, sizes(5, 24, (5, 2, 2), 64), [64, 17, 40], 12, 5 * 24 * 24),
    ("tpa_linear", 3, sizes(47, 16, (6, 1, 4), 56), [1, 33, 9], 8, 47 * 16 * 16),
    ("tpa_linear", 1, sizes(5, 128, (1, 6, 5), 72), [21], 9, 5 * 128 * 128, 5 * 128 + 25 + 72),  # K, A_V, x
    # Head factors stay outside of the state where ranks are fewer than heads, and are summed into it where they are not.
    ("linear_tpa_noncontextual_a", 3, sizes(47, 16, (3, 2, 3), 56), [17, 1, 30], 6, 2 * 3 * 16 * 16),
    ("linear_tpa_noncontextual_a", 1, sizes(5, 24, (2, 4, 2), 56), [23], 6, 5 * 24 * 24),
    ("linear_tpa_noncontextual_b", 3, sizes(5, 24, (2, 2, 3), 56), [23, 2, 9], 6, 5 * 2 * 3),
    # One factor of key and value.
    ("linear_tpa_shared_b", 3, sizes(5, 24, (3, 2, 2), 48, R_KV=3), [17, 9, 1], 6, 5 * 24 * 24),
    ("linear_tpa_third_order", 1, sizes(5, 24, (3, 2, 2), 80, X=8, Y=3), [22], 9, 5 * 24 * 24),
    # Keys and values with those of the token before, which rings hold beside the state.
    ("linear_tpa_kv_shift", 3, sizes(5, 24, (4, 1, 2), 72), [19, 1, 9], 11, 5 * 24 * 24, 58 + 120),  # K's factors, V
    # The cut of the cache lies at the hidden state, which the values' projection makes smaller.
    ("linear_mha", 3, {"H": 5, "D": 24, "C": 96}, [17, 9, 1], 6, 5 * 24 * 24),
    ("linear_gqa", 3, {"G": 2, "J": 3, "D": 16, "C": 48}, [1, 17, 30], 6, 2 * 16 * 16),
    # Two terms of scores: two states.
    ("linear_mla", 3, {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}, [33, 1, 17], 9, (12 + 8) * 12),
]


def seed_of(*what):
    return sum(ord(c) * (i + 1) for i, c in enumerate(repr(what)))


def random_weights(variant, s, layers, rng):
    """Scores of a few units, so that a softmax is neither flat nor a maximum."""
    weights = {}
    for name, shape in attention_reference.parameters(variant, s, layers, VOCAB, FFN).items():
        value = rng.standard_normal(shape)
        if name.endswith("slopes"):
            value = 0.02 + 0.3 * abs(value)
        elif len(shape) == 2 and "c_qkv.A_" not in name and "c_qkv.B_" not in name and "wte" not in name:
            value /= np.sqrt(shape[1])
        if re.search(r"_[qk](\.weight)?$", name):
            value *= 1.5
        weights[name] = value.astype(np.float32)
    return weights


class Family(unittest.TestCase):
    programs = None
    session_program = part = ""

    def definition(self, variant):
        """An attention function that the library does not have: one of it without a normaliser."""
        if not variant.startswith("linear_"):
            return ""
        known = variant.removeprefix("linear_")
        folder = pathlib.Path(__file__).absolute().parents[2] / "models/attention"
        text = (folder / f"{known}.mlir").read_text().replace(f"@{known}(", f"@{variant}(")
        self.assertEqual(text.count(", causal}"), 1)
        return text.replace(", causal}", ", causal, normalizer = #tpa.normalizer<none>}")

    def compile(self, name, variant, s, layers, context, *flags, tied=True):
        listed = ", ".join(f"{size} = {value}" for size, value in s.items() if size != "C")
        source = pathlib.Path(self.programs.path(f"{name}.mlir"))
        source.write_text(self.definition(variant) + f"t6.model @{name} uses @{variant} {{\n  vocab = {VOCAB}, layers = {layers}, width = {s['C']}, "
                          f"ffn = {FFN}, context_length = {context}, norm_eps = 1.0e-5 : f64,\n"
                          f"  tied = {str(tied).lower()}, sizes = {{{listed}}}}}\n")
        return self.programs.compile(source, *flags)

    def open(self, artifact, weights):
        path = self.programs.path("weights.safetensors")
        programs.save(path, weights)
        return Session(self.session_program, artifact, path)

    def agrees(self, actual, expected, what):
        self.assertEqual(actual.shape, expected.shape)
        worst = max(programs.error(a, e) for a, e in zip(actual.reshape(-1, VOCAB), expected.reshape(-1, VOCAB)))
        self.assertLessEqual(programs.error(actual, expected), TOLERANCE, what)
        # A single wrong position could hide in the norm of all.
        self.assertLessEqual(worst, 4 * TOLERANCE, what)

    def check_loss(self, session, tokens, expected):
        logits = session.run("loss", tokens=tokens, targets=np.full_like(tokens, -1))
        self.agrees(logits, expected, "loss")
        return logits

    def check_steps(self, session, tokens, lengths, decoded, chunk, expected, **more):
        """Prompts in chunks, then tokens one by one; a row that has ended repeats its last token. All logits."""
        rows, steps = range(len(lengths)), []
        prompt = [max(length - decoded, 1) for length in lengths]
        done = [0] * len(lengths)
        padded = np.concatenate([tokens, np.zeros((len(lengths), chunk), np.int32)], 1)
        while done != prompt:
            taken = [min(chunk, prompt[r] - done[r]) for r in rows]
            n = max(taken)
            at = [done[r] if taken[r] else prompt[r] - 1 for r in rows]
            last = [max(taken[r], 1) - 1 for r in rows]
            logits = session.run("prefill", tokens=np.stack([padded[r, at[r] : at[r] + n] for r in rows]),
                                 positions=at, last=last, **more)
            self.agrees(logits, np.stack([expected[r, at[r] + last[r]] for r in rows]), f"prefill at {at}")
            steps.append(logits)
            done = [done[r] + taken[r] for r in rows]
        for step in range(max(length - p for length, p in zip(lengths, prompt))):
            at = [min(prompt[r] + step, lengths[r] - 1) for r in rows]
            logits = session.run("decode", tokens=[[tokens[r, at[r]]] for r in rows], positions=at, **more)
            self.agrees(logits, np.stack([expected[r, at[r]] for r in rows]), f"decode at {at}")
            steps.append(logits)
        return np.stack(steps)

    def check_case(self, variant, batch, s, lengths, decoded, cached=None, layers=2, chunk=7, flags=(), held=None):
        """Of a row and layer, `held` counts the numbers of its state, `cached` those of a token."""
        rng = np.random.default_rng(seed_of(variant, batch, s))
        weights = random_weights(variant, s, layers, rng)
        longest = max(lengths)
        tokens = rng.integers(0, VOCAB, (batch, longest)).astype(np.int32)
        expected = attention_reference.forward(variant, s, layers, weights, tokens)
        artifact = self.compile(f"{variant}_{batch}", variant, s, layers, longest + chunk, f"--batch={batch}",
                                f"--prefill-chunk={chunk}", "--strip", *flags)
        with self.open(artifact, weights) as session:
            logits = self.check_loss(session, tokens, expected)
            self.check_steps(session, tokens, lengths, decoded, chunk, expected)
        info = json.loads(subprocess.check_output([self.programs.t6, "info", artifact, "--json"]))
        if cached is None:
            cached = attention_reference.variant_named(variant).cached(s)
        self.assertEqual(info["model"]["cache_bytes_per_token"], 4 * layers * cached)
        if held is not None:
            self.assertEqual(info["model"]["state_bytes"], held)
        return logits

    def test_cases(self):
        for case in CASES[self.part]:
            with self.subTest(case[0], batch=case[1]):
                self.check_case(*case)

    def test_linear(self):
        """By a state, and what the library has and what has rings by a cache, too."""
        for variant, batch, s, lengths, decoded, held, *cached in LINEAR:
            rings = 0
            if variant == "linear_tpa_kv_shift":
                rings = 2 * sum(s[rank] for rank in ("R_K", "R_V")) * (s["H"] + s["D"])
            # All layers count the same tokens.
            by_state = 2 * 4 * (held + rings) + 4
            with self.subTest(variant, batch=batch, form="state"):
                self.check_case(variant, batch, s, lengths, decoded, cached=0, held=by_state, flags=["--linear-state=on"])
            if not rings and variant != "tpa_linear":
                continue
            with self.subTest(variant, batch=batch, form="cache"):
                self.check_case(variant, batch, s, lengths, decoded, *cached, held=2 * 4 * rings,
                                flags=["--linear-state=off"])

    def check_rows(self, variant, s, chunk, *flags):
        """Rows that rest while others go on, go on behind that or begin anew, in any order; what states held before is NaN."""
        batch, layers, longest, sequences = 3, 2, 32, 4
        rng = np.random.default_rng(seed_of(variant, s, chunk, flags))
        weights = random_weights(variant, s, layers, rng)
        poison = VOCAB - 1
        tokens = rng.integers(0, poison, (sequences, batch, longest)).astype(np.int32)
        expected = [attention_reference.forward(variant, s, layers, weights, rows) for rows in tokens]
        weights["lm_head.weight"] = weights["transformer.wte.weight"].copy()
        weights["transformer.wte.weight"][poison] = np.nan
        artifact = self.compile(f"{variant}_rows_{chunk}", variant, s, layers, longest, f"--batch={batch}",
                                f"--prefill-chunk={chunk}", "--strip", *flags, tied=False)
        sequence, length = [0] * batch, [0] * batch
        events = set()
        with self.open(artifact, weights) as session:
            logits = session.run("prefill", tokens=np.full((batch, chunk), poison), positions=[0] * batch,
                                 last=[chunk - 1] * batch)
            self.assertTrue(np.isnan(logits).all())
            for _ in range(40):
                for r in range(batch):
                    if rng.random() < 0.15 and sequence[r] + 1 < sequences:
                        sequence[r], length[r] = sequence[r] + 1, 0
                # No row may be longer, its padding included.
                room = min(chunk, longest - max(length))
                entry, most = ("prefill", room) if room > 0 and rng.random() < 0.5 else ("decode", 1)
                at, given = [], []
                for r in range(batch):
                    rests = length[r] == longest or (length[r] and rng.random() < 0.3)
                    at.append(length[r] - 1 if rests else length[r])
                    taken = 1 if rests else rng.integers(1, most + 1)
                    events.add((entry, "rest" if rests else "go on" if length[r] else "begin"))
                    length[r] = at[r] + taken
                    given.append(tokens[sequence[r], r, at[r] : length[r]])
                n = max(map(len, given))
                padded = np.stack([np.pad(row, (0, n - len(row)), constant_values=7) for row in given])
                more = {"last": [len(row) - 1 for row in given]} if entry == "prefill" else {}
                logits = session.run(entry, tokens=padded, positions=at, **more)
                self.agrees(logits, np.stack([expected[sequence[r]][r, length[r] - 1] for r in range(batch)]),
                            f"{variant}: {entry} at {at}")
        self.assertEqual(len(events), 6)

    def test_linear_rows(self):
        product = sizes(5, 24, (4, 3, 2), 72)
        self.check_rows("tpa_linear", product, 6, "--linear-state=on")
        self.check_rows("tpa_linear", product, 3, "--linear-state=on", "--fuse=off")
        self.check_rows("linear_tpa_noncontextual_a", sizes(47, 16, (3, 2, 3), 56), 5, "--linear-state=on")
        self.check_rows("linear_tpa_kv_shift", product, 4, "--linear-state=on")
        self.check_rows("linear_mla", {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}, 6,
                        "--linear-state=on")

    def test_linear_trees(self):
        for form in ("on", "off"):
            flag = f"--linear-state={form}"
            self.check_trees("tpa_linear", sizes(5, 24, (4, 3, 1), 72), 11, [64, 7, 1], flag)
            self.check_trees("linear_mla", {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}, 7, [40, 1, 17],
                             flag)
        self.check_trees("tpa_linear", sizes(1, 16, (2, 2, 2), 24), 64, [17, 1], "--linear-state=on", "--fuse=off")

    def test_reuse(self):
        """Rows that begin again have no part in what their last tokens were; fused and not."""
        s = sizes(5, 24, (4, 1, 2), 72)
        for number, (fuse, chunk) in enumerate((("on", 7), ("off", 7), ("on", 1))):
            rng = np.random.default_rng(seed_of("reuse", number))
            weights = random_weights("tpa_kv_shift", s, 2, rng)
            artifact = self.compile(f"reuse_{number}", "tpa_kv_shift", s, 2, 40, "--batch=3", f"--prefill-chunk={chunk}",
                                    f"--fuse={fuse}", "--strip")
            with self.open(artifact, weights) as session:
                for lengths in ([17, 1, 30], [2, 23, 5], [8, 7, 1]):
                    tokens = rng.integers(0, VOCAB, (3, max(lengths))).astype(np.int32)
                    expected = attention_reference.forward("tpa_kv_shift", s, 2, weights, tokens)
                    self.check_steps(session, tokens, lengths, 4, chunk, expected)

    def poisonous(self, weights):
        """The weights with a last token whose factors, and so logits, are NaN; its row of the head is a number."""
        return {**weights, "lm_head.weight": weights["transformer.wte.weight"],
                "transformer.wte.weight": np.where(np.arange(VOCAB)[:, None] == VOCAB - 1, np.float32("nan"),
                                                   weights["transformer.wte.weight"])}

    def poison(self, session, table, pages, page, chunk):
        """Fills all pages, through every row, with the last token."""
        batch = len(table)
        for number, at in itertools.product(range(pages), range(0, page, chunk)):
            n = min(chunk, page - at)
            logits = session.run("prefill", tokens=np.full((batch, n), VOCAB - 1), positions=[at] * batch,
                                 last=[n - 1] * batch, pages=np.full_like(table, number))
            self.assertTrue(np.isnan(logits).all())

    def scattered(self, rng, lengths, slots, page):
        """A table of pages in no order, taken in turn. What no row owns is the last page."""
        spare = len(lengths) * slots
        order = iter(rng.permutation(spare))
        table = np.full((len(lengths), slots), spare, np.int32)
        for slot, (row, length) in itertools.product(range(slots), enumerate(lengths)):
            if slot * page < length:
                table[row, slot] = next(order)
        return table

    def check_trees(self, variant, s, nodes, lengths, *flags, page=0):
        """Trees of guesses behind contexts of different lengths: each node is the end of its path from the root.

        With a page, the cache is in scattered pages that were full of NaN."""
        batch = len(lengths)
        rng = np.random.default_rng(seed_of(variant, s, nodes))
        weights = random_weights(variant, s, 2, rng)
        context = rng.integers(0, VOCAB - 1, (batch, max(lengths))).astype(np.int32)
        guesses = rng.integers(0, VOCAB - 1, (batch, nodes)).astype(np.int32)
        # One row a chain, one a star, the others anything.
        parents = [[rng.integers(-1, i) if i else -1 for i in range(nodes)] for _ in range(batch)]
        parents[0] = list(range(-1, nodes - 1))
        parents[-1] = [-1] * nodes
        positions, ancestors = np.zeros((batch, nodes), np.int32), np.zeros((batch, nodes), np.uint64)
        expected = np.zeros((batch, nodes, VOCAB))
        for r, length in enumerate(lengths):
            for i in range(nodes):
                path = [i]
                while parents[r][path[0]] >= 0:
                    path.insert(0, parents[r][path[0]])
                positions[r, i] = length + len(path) - 1
                ancestors[r, i] = sum(1 << k for k in path)
                whole = np.concatenate([context[r, :length], guesses[r, path]])[None]
                expected[r, i] = attention_reference.forward(variant, s, 2, weights, whole)[0, -1]
        most = max(lengths) + nodes
        artifact = self.compile(f"{variant}_tree_{nodes}_{page}", variant, s, 2, most, f"--batch={batch}",
                                f"--prefill-chunk={max(lengths)}", f"--verify-tokens={nodes}", "--strip",
                                f"--page-tokens={page}", *flags, tied=not page)
        pages = {"pages": self.scattered(rng, [length + nodes for length in lengths], -(-most // page), page)} if page else {}
        with self.open(artifact, self.poisonous(weights) if page else weights) as session:
            if page:
                self.poison(session, pages["pages"], pages["pages"].size + 1, page, max(lengths))
            session.run("prefill", tokens=context, positions=[0] * batch, last=[length - 1 for length in lengths],
                        **pages)
            # Twice: guesses that were verified leave no trace.
            for _ in range(2):
                logits = session.run("verify", tokens=guesses, positions=lengths, token_positions=positions,
                                     ancestors=ancestors, **pages)
                self.agrees(logits, expected, f"{variant}: {nodes} nodes")

    def test_trees(self):
        self.check_trees("tpa", sizes(47, 64, (6, 2, 2), 96), 4, [70, 33, 1])
        self.check_trees("tpa", sizes(5, 24, (4, 3, 1), 72), 11, [64, 7, 1], "--fuse=off")
        self.check_trees("tpa_sinks", sizes(5, 16, (2, 2, 2), 72), 64, [17, 1])
        self.check_trees("gqa", {"G": 2, "J": 3, "D": 16, "C": 48}, 1, [33, 17])
        self.check_trees("mla", {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}, 7, [40, 1, 17])

    def test_paged_trees(self):
        product = sizes(5, 24, (4, 3, 1), 72)
        self.check_trees("tpa", product, 11, [64, 7, 1], page=16)
        # The guesses cross pages, and reach the end of one.
        self.check_trees("tpa", sizes(47, 64, (6, 2, 2), 96), 4, [126, 60, 1], page=64)
        # Einsums read as far as the longest row, also where the padding of others has not been.
        self.check_trees("tpa", product, 11, [126, 60, 1], "--fuse=off", page=64)
        self.check_trees("mla", {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}, 7, [40, 1, 17], page=32)

    def check_pages(self, variant, s, lengths, decoded, page, same_bits, *flags):
        """A cache in scattered pages, full of NaN at first, against one piece a row."""
        batch, chunk, layers = len(lengths), 7, 2
        rng = np.random.default_rng(seed_of(variant, s, page))
        weights = random_weights(variant, s, layers, rng)
        tokens = rng.integers(0, VOCAB - 1, (batch, max(lengths))).astype(np.int32)
        expected = attention_reference.forward(variant, s, layers, weights, tokens)
        weights = self.poisonous(weights)
        most = max(lengths) + chunk
        flags = (f"--batch={batch}", f"--prefill-chunk={chunk}", "--entries=prefill,decode", "--strip", *flags)
        whole = self.compile(f"{variant}_whole", variant, s, layers, most, "--page-tokens=0", *flags, tied=False)
        paged = self.compile(f"{variant}_{page}", variant, s, layers, most, f"--page-tokens={page}", *flags,
                             tied=False)
        with self.open(whole, weights) as session:
            reference = self.check_steps(session, tokens, lengths, decoded, chunk, expected)
        table = self.scattered(rng, lengths, -(-most // page), page)
        with self.open(paged, weights) as session:
            self.poison(session, table, table.size + 1, page, chunk)
            steps = self.check_steps(session, tokens, lengths, decoded, chunk, expected, pages=table)
        # Who gives no table has the pages in order.
        with self.open(paged, weights) as session:
            in_order = self.check_steps(session, tokens, lengths, decoded, chunk, expected)
        np.testing.assert_array_equal(steps, in_order)
        if same_bits:
            np.testing.assert_array_equal(steps, reference)
        info = json.loads(subprocess.check_output([self.programs.t6, "info", paged, "--json"]))
        self.assertEqual(info["options"]["page_tokens"], page)

    def test_pages(self):
        product = sizes(5, 24, (4, 3, 1), 72)
        # A page of fewer tokens than a block has smaller blocks, whose sums round otherwise.
        for page, same_bits in [(16, False), (64, True)]:
            with self.subTest(page=page):
                self.check_pages("tpa", product, [70, 1, 33], 11, page, same_bits)
                # Where a window begins is no multiple of a block.
                self.check_pages("tpa_window", sizes(5, 24, (3, 2, 2), 56), [150, 64, 1], 20, page, False)
        self.check_pages("mla", {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}, [64, 1, 81], 9, 16, False)
        self.check_pages("gqa", {"G": 2, "J": 3, "D": 16, "C": 48}, [65, 17, 1], 6, 32, True)
        # Einsums read all rows up to the longest, and weigh by zero what is not there.
        self.check_pages("tpa", product, [70, 1, 33], 11, 16, True, "--fuse=off")

    def check_special_case(self, direct, s, groups):
        """Heads as tensor products whose head factors are constant: head h reads the group that it is in."""
        heads, per_group = groups * s.get("J", 1), s.get("J", 1)
        weights = random_weights(direct, s, 2, np.random.default_rng(seed_of(direct, s)))
        product = {"H": heads, "D": s["D"], "R_Q": heads, "R_K": groups, "R_V": groups, "C": s["C"]}
        same = {}
        for name, value in weights.items():
            same[re.sub(r"attn\.c_([qkv])\.weight", r"attn.c_qkv.W_B_\1.weight", name)] = value
        for i in range(2):
            for t, rank in (("q", heads), ("k", groups), ("v", groups)):
                # The mean over ranks divides by them.
                factor = rank * np.repeat(np.eye(rank), heads // rank, axis=1)
                same[f"transformer.h.{i}.attn.c_qkv.A_{t}"] = factor.astype(np.float32)
        tokens = np.random.default_rng(1).integers(0, VOCAB, (3, 17)).astype(np.int32)
        expected = attention_reference.forward(direct, s, 2, weights, tokens)
        results = []
        for variant, sized, values in ((direct, s, weights), ("tpa_noncontextual_a", product, same)):
            artifact = self.compile(f"{direct}_as_{variant}", variant, sized, 2, 24, "--batch=3", "--prefill-chunk=7")
            with self.open(artifact, values) as session:
                results.append(self.check_loss(session, tokens, expected))
                self.check_steps(session, tokens, [17, 1, 9], 5, 7, expected)
        self.agrees(results[1], results[0].astype(np.float64), "direct and as tensor products")

    def test_special_cases(self):
        """Section 4 of the paper: MHA, GQA and MQA are TPA with non-contextual head factors."""
        self.check_special_case("mha", {"H": 5, "D": 16, "C": 96}, 5)
        self.check_special_case("gqa", {"G": 2, "J": 3, "D": 24, "C": 64}, 2)
        self.check_special_case("gqa", {"G": 1, "J": 5, "D": 24, "C": 64}, 1)

    def test_table(self):
        """The README has a row for each function, and the bytes of the other tests."""
        folder = pathlib.Path(__file__).absolute().parents[2] / "models/attention"
        rows = re.findall(r"^\| `(\w+)` \|.*?\| `w·([^`]*)` \|", (folder / "README.md").read_text(), re.MULTILINE)
        bytes_of = dict(rows)
        self.assertEqual(sorted(bytes_of), sorted(path.stem for path in folder.glob("*.mlir")))
        # llama is gqa under other names.
        self.assertEqual(set(bytes_of) - {"llama"}, set(attention_reference.VARIANTS))
        self.assertEqual(bytes_of["llama"], bytes_of["gqa"])
        for variant, _, s, *_ in sum((cases for part, cases in CASES.items() if part != "hidden"), []):
            pays = all(s[rank] * (s["H"] + s["D"]) < s["H"] * s["D"] for rank in ("R_K", "R_V") if rank in s)
            if pays or variant not in {v for v, _ in rows if "(H + D)" in bytes_of[v]}:
                stated = eval(bytes_of[variant].replace("·", "*"), {}, s)
                self.assertEqual(stated, attention_reference.VARIANTS[variant].cached(s), variant)

    def test_long(self):
        """More keys than any block, tile or split takes, one left over; fused and not."""
        s = sizes(5, 16, (3, 2, 2), 32)
        self.check_case("tpa", 1, s, [4097], 9, layers=1, chunk=512)

    def test_unfused(self):
        s = sizes(5, 24, (4, 3, 1), 72)
        fused = self.check_case("tpa", 3, s, [64, 1, 17], 11, flags=["--fuse=on"])
        unfused = self.check_case("tpa", 3, s, [64, 1, 17], 11, flags=["--fuse=off"])
        self.assertLessEqual(programs.error(fused, unfused.astype(np.float64)), TOLERANCE)


if __name__ == "__main__":
    tpa_opt, t6, Family.session_program, Family.part = sys.argv[1:]
    Family.programs = programs.Programs(tpa_opt, t6)
    tests = {"linear": ["linear"], "linear_rows": ["linear_rows", "linear_trees"], "long": ["long", "unfused"], "pages": ["pages"],
             "special_cases": ["special_cases", "table"], "trees": ["trees", "paged_trees"], "shifts": ["cases", "reuse"]}
    chosen = tests.get(Family.part, ["cases"])
    unittest.main(argv=[sys.argv[0], *(f"Family.test_{test}" for test in chosen)], verbosity=2)
