"""Gradients have the same bits whatever a training step saves.

T6, LLaMA and MLA at odd sizes, with every policy of --recompute and a budget between the fewest bytes that can be saved and all; a budget is
kept, and never takes more operations than a policy that saves as much. What is said to be computed again is what kernels then compute.

usage: recompute_test.py <tpa-opt> <t6> <training_session>
"""

import json
import re
import subprocess
import sys
import unittest

import family_test
import numpy as np
import programs
from family_test import VOCAB, seed_of, sizes
from training_session import TrainingSession

LAYERS = 2
NAMED = "none", "dots", "factors", "full"

# Rows, tokens, sizes. More tokens than a block of keys, the last block odd.
CASES = {
    "tpa": (2, 67, sizes(5, 24, (3, 2, 1), 40)),
    "llama": (1, 41, {"G": 2, "J": 3, "D": 24, "C": 40}),
    "mla": (1, 37, {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}),
}


class Recompute(family_test.Family):
    def compile(self, name, *arguments):
        """What was compiled leaves its definition behind."""
        return super().compile(name, *arguments), self.programs.path(f"{name}.mlir")

    def totals(self, source, policy, *flags):
        """Bytes saved and operations computed again in all of each policy, by the compiler's table."""
        table = subprocess.run([self.programs.tpa_opt, source, *flags, f"--recompute={policy}", "--recompute-table", "--compile-to=gradient",
                                "-o", "/dev/null"], check=True, capture_output=True, text=True).stderr
        rows = re.findall(r"^(\w+) +([0-9,]+) +([0-9,]+)$", table, re.M)
        return {name: (int(saved.replace(",", "")), int(again.replace(",", ""))) for name, saved, again in rows}

    def operations(self, artifact):
        """Floating-point operations of the gradients by the costs of their kernels."""
        info = json.loads(subprocess.run([self.programs.t6, "info", artifact, "--json"], check=True, capture_output=True, text=True).stdout)
        return {entry["name"]: entry["flops"] for entry in info["entries"]}["accumulate_gradients"]

    def gradients(self, weights, artifact, batch):
        path = self.programs.path("weights.safetensors")
        programs.save(path, weights)
        with TrainingSession(self.session_program, artifact, path) as session:
            session.run("accumulate_gradients", batch)
            return {name: session.state(f"gradient.{name}") for name in weights}

    def check_variant(self, variant, rows, length, s):
        rng = np.random.default_rng(seed_of("recompute", variant))
        weights = family_test.random_weights(variant, s, LAYERS, rng)
        batch = {"tokens": rng.integers(0, VOCAB, (rows, length)).astype(np.int32)}
        batch["targets"] = rng.integers(0, VOCAB, (rows, length)).astype(np.int32)
        flags = f"--batch={rows}", f"--max-length={length}", "--entries=accumulate_gradients", "--strip"
        artifact, source = self.compile(f"{variant}_none", variant, s, LAYERS, length, *flags)
        operations = self.operations(artifact)
        expected = self.gradients(weights, artifact, batch)
        named = self.totals(source, "none", *flags)
        self.check_budgets(source, named, *flags)
        half = (named["full"][0] + named["none"][0]) // 2
        for policy in "dots", "factors", "full", half:
            artifact, _ = self.compile(f"{variant}_{policy}", variant, s, LAYERS, length, *flags, f"--recompute={policy}")
            if policy in named:
                again = named[policy][1] - named["none"][1]
                counted = self.operations(artifact) - operations
                # A pass over scores has costs of its own, which are not those of its parts.
                bound = 0.1 if policy == "full" else 0.05
                self.assertLessEqual(abs(counted - again), bound * again, (variant, policy, counted, again))
            gradients = self.gradients(weights, artifact, batch)
            for name in weights:
                np.testing.assert_array_equal(expected[name], gradients[name], f"{variant}, {policy}: {name}")

    def check_budgets(self, source, named, *flags):
        """As good as every policy in its bytes, and the more bytes the fewer operations."""
        self.assertEqual(sorted(named), sorted(NAMED))
        self.assertEqual(len(set(named.values())), len(NAMED), named)
        last = named["full"]
        for budget, again in sorted(named.values()):
            within = self.totals(source, budget, *flags)[f"{budget}B"]
            self.assertLessEqual(within[0], budget)
            self.assertLessEqual(within[1], again)
            self.assertTrue(within[0] >= last[0] and within[1] <= last[1], (last, within))
            last = within

    def test_variants(self):
        for variant, case in CASES.items():
            with self.subTest(variant):
                self.check_variant(variant, *case)


if __name__ == "__main__":
    tpa_opt, t6, Recompute.session_program = sys.argv[1:]
    Recompute.programs = programs.Programs(tpa_opt, t6)
    unittest.main(argv=[sys.argv[0], "Recompute.test_variants"], verbosity=2)
