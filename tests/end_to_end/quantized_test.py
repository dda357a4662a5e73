"""Models whose matrices are 8-bit integers: near the recorded logits, and equal to what quantisation here gives.

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


if __name__ == "__main__":
    tpa_opt, t6, Quantized.session_program = sys.argv[1:]
    Quantized.programs = programs.Programs(tpa_opt, t6)
    unittest.main(argv=sys.argv[:1], verbosity=2)
