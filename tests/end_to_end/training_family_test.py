"""Every attention function of models/attention trains.

A tiny model of each: the loss and its gradient, along random directions of each parameter and along the gradient itself, against the
model in float64 and its central differences; twenty steps of AdamW on one batch, over which the loss falls; gradients whose bits
do not depend on what is computed again.

usage: training_family_test.py <tpa-opt> <t6> <training_session> <part>, one of PARTS
"""

import pathlib
import re
import sys
import unittest

import attention_reference
import family_test
import numpy as np
import programs
from family_test import VOCAB, seed_of, sizes
from training_session import TrainingSession

# Of the derivative along a direction v, relative to the lengths of the gradient and, but for its dimension, of v.
TOLERANCE = 1e-5
STEP = 1e-5
LAYERS = 2

_PRODUCT = sizes(5, 24, (3, 2, 1), 40)

# Rows, tokens, sizes. More tokens than a block of keys, the last block odd.
PARTS = {
    "products": {
        "tpa": (2, 67, _PRODUCT),
        "tpa_kvonly": (2, 67, sizes(5, 24, (1, 3, 2), 40)),
        "tpa_window": (1, 171, sizes(5, 16, (3, 2, 2), 40)),
        "tpa_sinks": (2, 67, _PRODUCT),
        "tpa_alibi": (2, 67, _PRODUCT),
    },
    "scores": {
        "tpa_softcap": (2, 67, _PRODUCT),
        "tpa_sigmoid": (2, 67, _PRODUCT),
        "tpa_linear": (2, 67, _PRODUCT),
        "tpa_kv_shift": (2, 67, _PRODUCT),
        "tpa_gate": (2, 67, _PRODUCT),
        "tpa_sub_norm": (2, 67, _PRODUCT),
    },
    "factors": {
        "tpa_noncontextual_a": (2, 67, _PRODUCT),
        "tpa_noncontextual_b": (2, 67, _PRODUCT),
        "tpa_shared_b": (2, 67, sizes(5, 24, (3, 2, 2), 40, R_KV=3)),
        "tpa_third_order": (2, 67, sizes(5, 24, (3, 2, 1), 40, X=8, Y=3)),
        "tpa_partial_rope": (2, 67, _PRODUCT),
        "tpa_decay": (2, 67, _PRODUCT),
    },
    "heads": {
        "tpa_sigmoid_a": (2, 67, _PRODUCT),
        "tpa_softmax_a": (2, 67, _PRODUCT),
        "mla": (2, 67, {"H": 5, "D": 24, "P": 8, "E": 16, "L": 12, "L_Q": 20, "C": 40}),
        "mha": (2, 67, {"H": 5, "D": 24, "C": 40}),
        "gqa": (2, 67, {"G": 2, "J": 3, "D": 24, "C": 40}),
        "llama": (2, 67, {"G": 2, "J": 3, "D": 24, "C": 40}),
    },
}


def mean_loss(variant, s, weights, tokens, targets):
    logits = attention_reference.forward(variant, s, LAYERS, weights, tokens)
    top = logits.max(-1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(-1)) + top[..., 0]
    picked = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], -1)[..., 0]
    return (log_sum - picked)[targets >= 0].mean()


class TrainingFamily(family_test.Family):
    def start(self, variant, weights, artifact):
        path = self.programs.path(f"{variant}.safetensors")
        programs.save(path, weights)
        return TrainingSession(self.session_program, artifact, path)

    def gradients(self, session, weights, batch):
        session.reset()
        loss = session.run("accumulate_gradients", batch)["loss"]
        return loss, {name: session.state(f"gradient.{name}") for name in weights}

    def check_gradients(self, variant, s, weights, batch, gradients):
        rng = np.random.default_rng(seed_of("directions", variant))
        exact = {name: value.astype(np.float64) for name, value in weights.items()}
        worst = 0, ""
        for name, gradient in gradients.items():
            gradient = gradient.astype(np.float64).reshape(weights[name].shape)
            length = np.linalg.norm(gradient)
            self.assertGreater(length, 0, name)
            directions = [rng.standard_normal(gradient.shape) for _ in range(2)] + [gradient / length * np.sqrt(gradient.size)]
            for number, direction in enumerate(directions):
                step = STEP / np.sqrt(gradient.size)
                ends = [mean_loss(variant, s, exact | {name: exact[name] + sign * step * direction}, **batch)
                        for sign in (1, -1)]
                expected = (ends[0] - ends[1]) / (2 * step)
                # Of a random direction, a gradient has the length on average.
                scale = length * (np.sqrt(gradient.size) if number == 2 else 1)
                error = abs((gradient * direction).sum() - expected) / scale
                worst = max(worst, (error, name))
                self.assertLessEqual(error, TOLERANCE, f"{variant}: {name}, direction {number}")
        return worst

    def check_falls(self, variant, session, batch):
        session.reset()
        losses = []
        for step in range(1, 21):
            losses.append(float(session.run("accumulate_gradients", batch)["loss"][0]))
            numbers = {"learning_rate": 3e-3, "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1,
                       "vector_weight_decay": 0.0, "gradient_scale": 1, "max_norm": 1, "bias_correction1": 1 - 0.9**step,
                       "bias_correction2": 1 - 0.95**step}
            session.run("apply_adamw", {name: np.array([value], np.float32) for name, value in numbers.items()})
        self.assertTrue(np.isfinite(losses).all(), losses)
        self.assertLess(losses[-1], 0.8 * losses[0], losses)
        return losses

    def check_variant(self, variant, rows, length, s):
        rng = np.random.default_rng(seed_of(variant, s))
        weights = family_test.random_weights(variant, s, LAYERS, rng)
        # Weights that are nearly certain leave little of a gradient but what its sums round off.
        for name in weights:
            if re.search(r"_[qk](\.weight)?$", name):
                weights[name] *= np.float32(0.5)
        batch = {"tokens": rng.integers(0, VOCAB, (rows, length)).astype(np.int32)}
        batch["targets"] = np.where(rng.random((rows, length)) < 0.1, -1, rng.integers(0, VOCAB, (rows, length))).astype(np.int32)
        results = []
        for recompute in ("none", "full"):
            artifact = self.compile(f"{variant}_{recompute}", variant, s, LAYERS, length, f"--batch={rows}", f"--max-length={length}",
                                    "--entries=accumulate_gradients,apply_adamw", f"--recompute={recompute}", "--strip")
            with self.start(variant, weights, artifact) as session:
                loss, gradients = self.gradients(session, weights, batch)
                expected = mean_loss(variant, s, weights, **batch)
                self.assertLessEqual(abs(loss[0] - expected), 2e-6 * expected, recompute)
                results.append(gradients)
                if recompute == "none":
                    worst = self.check_gradients(variant, s, weights, batch, gradients)
                    losses = self.check_falls(variant, session, batch)
        print(f"{variant}: largest error {worst[0]:.1e} of {worst[1]}, loss {losses[0]:.3f} to {losses[-1]:.3f}", file=sys.stderr)
        for name in weights:
            np.testing.assert_array_equal(results[0][name], results[1][name], f"{variant}: {name}")

    def test_variants(self):
        for variant, case in PARTS[self.part].items():
            with self.subTest(variant):
                self.check_variant(variant, *case)

    def test_table(self):
        """No function is forgotten."""
        folder = pathlib.Path(__file__).absolute().parents[2] / "models/attention"
        self.assertEqual(sorted(sum(map(list, PARTS.values()), [])), sorted(path.stem for path in folder.glob("*.mlir")))


if __name__ == "__main__":
    tpa_opt, t6, TrainingFamily.session_program, TrainingFamily.part = sys.argv[1:]
    TrainingFamily.programs = programs.Programs(tpa_opt, t6)
    unittest.main(argv=[sys.argv[0], "TrainingFamily.test_variants", "TrainingFamily.test_table"], verbosity=2)
