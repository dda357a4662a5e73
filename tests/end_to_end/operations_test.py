"""Operations that no recorded model uses, compiled for the CPU and compared with float64.

usage: operations_test.py <tpa-opt> <t6> <operations.mlir>
"""

import sys
import unittest

import numpy as np
import programs

TOLERANCE = 1e-6


def rotate(x, positions, theta=1e4, fraction=1.0, interleaved=False, transposed=False, decay=None, reciprocal=False):
    """x: batch × token × … × feature; RoFormer eq. 15, xPos eq. 10-12."""
    x = x.astype(np.float64)
    width = int(fraction * x.shape[-1])
    pairs = width // 2
    position = positions[:, None] + np.arange(x.shape[1])
    angle = position[..., None] * theta ** (-np.arange(pairs) / pairs)
    scale = np.ones_like(angle)
    if decay:
        zeta = (np.arange(pairs) / pairs + decay) / (1 + decay)
        scale = zeta ** ((-1 if reciprocal else 1) * position[..., None] / 512)
    if transposed:
        angle = -angle
    shape = angle.shape[:2] + (1,) * (x.ndim - 3) + (pairs,)
    cos, sin = (np.cos(angle) * scale).reshape(shape), (np.sin(angle) * scale).reshape(shape)
    first, second = (np.s_[..., 0:width:2], np.s_[..., 1:width:2]) if interleaved else \
                    (np.s_[..., 0:pairs], np.s_[..., pairs:width])
    y = x.copy()
    y[first] = x[first] * cos - x[second] * sin
    y[second] = x[second] * cos + x[first] * sin
    return y


def attend(q, k, v, scale=1.0, positions=None, slopes=None, sinks=None, window=None, softcap=None):
    """Grouped heads; a row of scores ends with its sink, which has no value."""
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    logits = scale * np.einsum("bngjd,bmgd->bgjnm", q, k)
    if positions is not None:
        query = positions[:, None, None, None, None] + np.arange(q.shape[1])[:, None]
        key = np.arange(k.shape[1])
        if slopes is not None:
            logits += slopes[:, :, None, None] * (key - query)
    if softcap:
        logits = softcap * np.tanh(logits / softcap)
    if positions is not None:
        visible = (key <= query) & (True if window is None else key > query - window)
        logits = np.where(visible, logits, -np.inf)
    if sinks is not None:
        column = np.broadcast_to(sinks.T[:, :, None, None], logits.shape[:-1] + (1,))
        logits = np.concatenate([logits, column], -1)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("bgjnm,bmge->bngje", weights[..., : k.shape[1]], v)


class OperationsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = programs.Programs(*sys.argv[1:3])
        cls.artifact = cls.programs.compile(sys.argv[3], "--compile-from=entries")
        cls.rng = np.random.default_rng(3)

    def normal(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def agrees(self, actual, expected, tolerance=TOLERANCE):
        self.assertLessEqual(programs.error(actual, expected), tolerance)

    def test_rope(self):
        for tokens in (1, 17):
            positions = np.array([0, 40], np.int32)
            x = self.normal(2, tokens, 3, 8)
            y = self.programs.run(self.artifact, "rope", {
                "x": x, "positions": positions, "tokens": np.zeros((2, tokens), np.int32)})
            # Angles are rounded to f32, as PyTorch does.
            self.agrees(y["partial"], rotate(x, positions, fraction=0.5), 1e-5)
            self.agrees(y["interleaved"], rotate(x, positions, fraction=0.75, interleaved=True, transposed=True), 1e-5)
            self.agrees(y["query"], rotate(x, positions, decay=0.4), 1e-5)
            self.agrees(y["key"], rotate(x, positions, decay=0.4, reciprocal=True), 1e-5)

    def test_attention(self):
        inputs = {"q": self.normal(2, 5, 2, 3, 8), "k": self.normal(2, 21, 2, 8), "v": self.normal(2, 21, 2, 8),
                  "slopes": self.normal(2, 3), "sinks": self.normal(3, 2), "positions": np.array([0, 16], np.int32)}
        q, k, v, slopes, sinks, positions = inputs.values()
        out = self.programs.run(self.artifact, "attend", inputs)
        self.agrees(out["sloped"], attend(q, k, v, 0.25, positions, slopes))
        self.agrees(out["sunk"], attend(q, k, v, 0.25, sinks=sinks))
        self.agrees(out["all"], attend(q, k, v, 1.0, positions, slopes, sinks, window=4, softcap=2.0))

    def test_recent(self):
        """Rows that begin, and that go on behind a ring; fewer tokens than the ring has places, and more."""
        for n, positions, last in ((1, [0, 1], [0, 0]), (2, [2, 40], [1, 0]), (17, [1, 13], [16, 3])):
            x = self.normal(2, n, 3, 5)
            ring, other = (programs.widened(programs.bfloat16(self.normal(2, 4, 3, 5))).view(np.float32) for _ in range(2))
            out = self.programs.run(self.artifact, "recent", {
                "x": x, "negative_ring": programs.bfloat16(-ring), "negative_other": programs.bfloat16(-other),
                "positions": np.array(positions, np.int32), "last": np.array(last, np.int32),
                "tokens": np.zeros((2, n), np.int32)})
            alone, behind = np.zeros((2, n, 4, 3, 5)), np.zeros((2, n, 4, 3, 5))
            kept, kept_all = ring.copy(), other.copy()
            for row, first in enumerate(positions):
                for token in range(n):
                    for j in range(4):
                        if token >= j:
                            alone[row, token, j] = behind[row, token, j] = x[row, token - j]
                        elif first + token - j >= 0:
                            behind[row, token, j] = ring[row, (first + token - j) % 4]
                    kept_all[row, (first + token) % 4] = x[row, token]
                    if token <= last[row]:
                        kept[row, (first + token) % 4] = x[row, token]
            np.testing.assert_array_equal(out["alone"], alone)
            np.testing.assert_array_equal(out["behind"], behind)
            self.agrees(out["convolved"], np.einsum("bnjhd,j->bnhd", behind, [0.5, -2, 0.25, 3]))
            for name, expected in (("kept", kept), ("kept_all", kept_all)):
                self.agrees(programs.widened(out[name]).view(np.float32), expected, 2**-8)

    def test_accumulate(self):
        """One row begins, where the state is no number, the other goes on."""
        k, v, x = self.normal(2, 7, 3), self.normal(2, 7, 21), self.normal(2, 3, 21)
        state, other = self.normal(2, 3, 21), self.normal(2, 3, 21)
        for first in (0, 1):
            before, other_before = state.copy(), other.copy()
            before[first] = other_before[first] = np.nan
            positions = np.full(2, 40, np.int32)
            positions[first] = 0
            out = self.programs.run(self.artifact, "accumulate", {
                "k": k, "v": v, "x": x, "negative_state": -before, "negative_other": -other_before, "positions": positions})
            before[first] = other_before[first] = 0
            self.agrees(out["product"], before + np.einsum("bmd,bme->bde", k.astype(np.float64), v))
            self.agrees(out["sum"], other_before + x)

    def test_adamw(self):
        param, grad, m, v = (self.normal(5, 47) for _ in range(4))
        v = v * v
        for step in (1, 2, 1000):
            lr, scale = np.float32(3e-3), np.float32(0.5)
            out = self.programs.run(self.artifact, "step", {
                "param": param, "grad": grad, "m": m, "v": v, "lr": np.array([lr]), "grad_scale": np.array([scale]),
                **{name: np.array([value], np.float32) for name, value in (
                    ("beta1", 0.9), ("beta2", 0.95), ("epsilon", 1e-8), ("weight_decay", 0.1),
                    ("correction1", 1 - 0.9**step), ("correction2", 1 - 0.95**step))}})
            p64, g64, m64, v64 = (x.astype(np.float64) for x in (param, grad * scale, m, v))
            m64 = 0.9 * m64 + 0.1 * g64
            v64 = 0.95 * v64 + 0.05 * g64**2
            change = 0.1 * p64 + m64 / (1 - 0.9**step) / (np.sqrt(v64 / (1 - 0.95**step)) + 1e-8)
            self.agrees(out["new_m"], m64)
            self.agrees(out["new_v"], v64)
            self.agrees(out["new_param"], p64 - lr * change)
            self.assertFalse(out["cleared"].any())
            for name, values in ("param", p64 - lr * change), ("m", m64), ("v", v64):
                self.agrees(out[name + "_squares"], (values**2).sum(1))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
