"""The gradient of every operation that has one, compared with central differences in float64.

Each case is a small program in the compiler's IR and the same in numpy. Its loss is the sum of its outputs, each weighed by random
numbers, so that no output and no share of a gradient is left out. A case is differentiated in the entry itself and as a function that
the entry calls, whose reverse finds everything saved or computes all of it again.

usage: gradients_test.py <tpa-opt> <t6> <training_session>
"""

import dataclasses
import pathlib
import re
import sys
import typing
import unittest

import numpy as np
import programs
from attention_reference import to_bf16
from training_session import TrainingSession

# ‖Δ‖ / ‖gradient‖ of each parameter; of sums of up to 50 numbers in f32.
TOLERANCE = 1e-6
# Of angles in f32.
ROTATED = 1e-5
# Of central differences, in float64, of functions whose third derivatives are of the size of the first.
STEP = 1e-5

RNG = np.random.default_rng(11)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return np.exp(0.5 * RNG.standard_normal(shape)).astype(np.float32)


@dataclasses.dataclass
class Case:
    """A program over %name of each parameter and input, its results, and what they are in numpy."""

    params: dict
    text: str
    outputs: dict  # name of a value to its shape
    forward: typing.Callable  # parameters and inputs by name in float64, to the outputs in order
    inputs: dict = dataclasses.field(default_factory=dict)
    functions: str = ""
    linear: bool = False  # all outputs in all parameters together
    tolerance: float = TOLERANCE


def unit_map(equation, operands, arguments, body, types):
    """A tpa.map of one result. Arguments are called otherwise than the values around."""
    listed = ", ".join(f"%in_{name}: f32" for name in arguments)
    body = re.sub(rf"%([{''.join(arguments)}])\b", r"%in_\1", body)
    return f'tpa.map "{equation}"({operands}) {{\n^bb0({listed}):\n{body}\n}} : {types}\n'


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, sinks=None):
    """The last dimension; a row of -inf has no weights. `sinks`, broadcast, is one more element of each row."""
    top = x.max(-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0) if sinks is None else np.maximum(top, sinks)
    weights = np.exp(x - top)
    total = weights.sum(-1, keepdims=True) + (0 if sinks is None else np.exp(sinks - top))
    return weights / np.where(total == 0, 1, total)


def rotate(x, positions, fraction=1.0, interleaved=False, transposed=False, decay=None, reciprocal=False, bf16=False):
    """x: batch × token × … × feature; RoFormer eq. 15, xPos eq. 10-12."""
    width = int(fraction * x.shape[-1])
    pairs = width // 2
    position = positions[:, None] + np.arange(x.shape[1])
    frequency = np.float32(1) / (1e4 ** (np.arange(0, width, 2) / width)).astype(np.float32)
    angle = (position.astype(np.float32)[..., None] * frequency).astype(np.float64)
    cos, sin = np.cos(angle), np.sin(-angle if transposed else angle)
    if bf16:
        cos, sin = to_bf16(cos).astype(np.float64), to_bf16(sin).astype(np.float64)
    if decay:
        zeta = (np.arange(pairs) / pairs + decay) / (1 + decay)
        scale = zeta ** ((-1 if reciprocal else 1) * position[..., None] / 512)
        cos, sin = cos * scale, sin * scale
    shape = angle.shape[:2] + (1,) * (x.ndim - 3) + (pairs,)
    cos, sin = cos.reshape(shape), sin.reshape(shape)
    first, second = (np.s_[..., 0:width:2], np.s_[..., 1:width:2]) if interleaved else \
                    (np.s_[..., 0:pairs], np.s_[..., pairs:width])
    y = x.copy()
    y[first] = x[first] * cos - x[second] * sin
    y[second] = x[second] * cos + x[first] * sin
    return y


def recent(x, tokens):
    y = np.zeros(x.shape[:2] + (tokens,) + x.shape[2:])
    for j in range(min(tokens, x.shape[1])):
        y[:, j:, j] = x[:, : x.shape[1] - j]
    return y


def rms_norm(x, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)


def cross_entropy(logits, targets):
    counted = targets >= 0
    log_sum = np.log(np.exp(logits).sum(-1))
    picked = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], -1)[..., 0]
    return np.array([(log_sum - picked)[counted].sum() / counted.sum()])


def attend(v, is_sunk):
    """Keys before a query's own: the first has none."""
    scores = 0.5 * np.einsum("bnhd,bmhd->bhnm", v["q"], v["k"])
    n = np.arange(scores.shape[-1])
    scores = np.where(n < n[:, None], scores, -np.inf)
    weights = softmax(scores, v["s"][:, None, None] if is_sunk else None)
    return [np.einsum("bhnm,bmhe->bnhe", weights, v["v"])]


def attention(is_sunk):
    heads = {"q": normal(2, 7, 3, 5), "k": normal(2, 7, 3, 5), "v": normal(2, 7, 3, 3)}
    mask = unit_map("bhnm->bhnm", "%score", ["e"], """
          %n = tpa.index "n"
          %m = tpa.index "m"
          %seen = arith.cmpi slt, %m, %n : index
          %never = arith.constant 0xFF800000 : f32
          %half = arith.constant 0.5 : f32
          %scaled = arith.mulf %e, %half : f32
          %r = arith.select %seen, %scaled, %never : f32
          tpa.yield %r : f32""", "tensor<2x3x7x7xf32>")
    sinks = "sinks %s along [1] : tensor<2x3x7x7xf32>, tensor<3xf32>" if is_sunk else ": tensor<2x3x7x7xf32>"
    return Case(
        heads | ({"s": normal(3)} if is_sunk else {}),
        f"""
        %score = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<2x7x3x5xf32>, tensor<2x7x3x5xf32>
        %masked = {mask}
        %weight = tpa.softmax %masked {sinks}
        %y = tpa.einsum "bhnm,bmhe->bnhe"(%weight, %v) : tensor<2x3x7x7xf32>, tensor<2x7x3x3xf32>
        """,
        {"y": (2, 7, 3, 3)}, lambda v: attend(v, is_sunk))


def rope(attribute, tolerance=ROTATED, **how):
    return Case(
        {"x": normal(2, 5, 3, 8)},
        f"%y = tpa.rope %x at %at {{rope = #tpa.rope{attribute}}} : tensor<2x5x3x8xf32>, tensor<2xi32>\n",
        {"y": (2, 5, 3, 8)}, lambda v: [rotate(v["x"], v["at"], **how)],
        {"at": np.array([0, 13], np.int32)}, linear=True, tolerance=tolerance)


def elementwise(name, function, *operands, **more):
    listed = [f"x{i}" for i in range(len(operands))]
    return Case(
        dict(zip(listed, operands)),
        f"%y = {name} {', '.join('%' + x for x in listed)} : tensor<3x7xf32>\n",
        {"y": (3, 7)}, lambda v: [function(*(v[x] for x in listed))], **more)


def binary_by_itself():
    """A value that is both operands of operations, and is used by many."""
    return Case(
        {"x": positive(3, 7)},
        """
        %square = arith.mulf %x, %x : tensor<3x7xf32>
        %one = arith.divf %x, %x : tensor<3x7xf32>
        %none = arith.subf %x, %x : tensor<3x7xf32>
        %two = arith.addf %x, %x : tensor<3x7xf32>
        %s0 = arith.addf %square, %one : tensor<3x7xf32>
        %s1 = arith.addf %none, %two : tensor<3x7xf32>
        %y = arith.mulf %s0, %s1 : tensor<3x7xf32>
        """,
        {"y": (3, 7)}, lambda v: [(v["x"] ** 2 + 1) * 2 * v["x"]])


CASES = {
    "einsum": Case(
        {"x": normal(2, 5, 7), "w": normal(3, 7)},
        '%y = tpa.einsum "bnc,oc->bno"(%x, %w) {scale = -0.25 : f64} : tensor<2x5x7xf32>, tensor<3x7xf32>\n',
        {"y": (2, 5, 3)}, lambda v: [-0.25 * np.einsum("bnc,oc->bno", v["x"], v["w"])]),
    "einsum_of_three": Case(
        {"x": normal(2, 5, 7), "a": normal(7, 3, 3), "b": normal(2, 5, 3, 9)},
        '%y = tpa.einsum "bnc,crh,bnrd->bnhd"(%x, %a, %b) : tensor<2x5x7xf32>, tensor<7x3x3xf32>, tensor<2x5x3x9xf32>\n',
        {"y": (2, 5, 3, 9)}, lambda v: [np.einsum("bnc,crh,bnrd->bnhd", v["x"], v["a"], v["b"])]),
    # Dimensions that nothing else has: a gradient is the same along them.
    "einsum_summed_alone": Case(
        {"x": normal(3, 5, 7), "w": normal(3, 9)},
        '%y = tpa.einsum "abc,ad->b"(%x, %w) : tensor<3x5x7xf32>, tensor<3x9xf32>\n',
        {"y": (5,)}, lambda v: [np.einsum("abc,ad->b", v["x"], v["w"])]),
    "einsum_of_one": Case(
        {"x": normal(3, 5, 7)},
        """
        %y = tpa.einsum "abc->ca"(%x) {scale = 3.0 : f64} : tensor<3x5x7xf32>
        %z = tpa.einsum "abc->bac"(%x) : tensor<3x5x7xf32>
        """,
        {"y": (7, 3), "z": (5, 3, 7)}, lambda v: [3 * v["x"].sum(1).T, v["x"].transpose(1, 0, 2)], linear=True),
    "einsum_of_one_value_twice": Case(
        {"x": normal(5, 7)},
        """
        %y = tpa.einsum "ac,bc->ab"(%x, %x) : tensor<5x7xf32>, tensor<5x7xf32>
        %z = tpa.einsum "ab,ab,cb->ca"(%x, %x, %x) : tensor<5x7xf32>, tensor<5x7xf32>, tensor<5x7xf32>
        """,
        {"y": (5, 5), "z": (5, 5)}, lambda v: [v["x"] @ v["x"].T, v["x"] @ (v["x"] ** 2).T]),
    "einsum_outer": Case(
        {"x": normal(5), "w": normal(7)},
        '%y = tpa.einsum "a,b->ba"(%x, %w) : tensor<5xf32>, tensor<7xf32>\n',
        {"y": (7, 5)}, lambda v: [np.outer(v["w"], v["x"])]),
    "map_broadcast": Case(
        {"x": normal(2, 5, 7), "w": positive(7), "s": normal(5)},
        "%y = " + unit_map("bnc,c,n->bnc", "%x, %w, %s", "ews", """
          %one = arith.constant 1.0 : f32
          %minus = arith.negf %s : f32
          %power = math.exp %minus : f32
          %spread = arith.addf %one, %power : f32
          %gate = arith.divf %e, %spread : f32
          %0 = arith.divf %gate, %w : f32
          %1 = arith.subf %0, %s : f32
          tpa.yield %1 : f32""", "tensor<2x5x7xf32>, tensor<7xf32>, tensor<5xf32>"),
        {"y": (2, 5, 7)}, lambda v: [v["x"] * sigmoid(v["s"])[:, None] / v["w"] - v["s"][:, None]]),
    "map_functions": Case(
        {"x": normal(3, 7), "w": positive(3, 7)},
        "%y = " + unit_map("ab,ab->ab", "%x, %w", "xw", """
          %one = arith.constant 1.0 : f32
          %0 = math.tanh %x : f32
          %1 = math.log %w : f32
          %2 = math.sqrt %w : f32
          %3 = arith.mulf %x, %x : f32
          %4 = arith.addf %3, %one : f32
          %5 = math.rsqrt %4 : f32
          %6 = arith.mulf %0, %1 : f32
          %7 = arith.mulf %2, %5 : f32
          %8 = arith.addf %6, %7 : f32
          tpa.yield %8 : f32""", "tensor<3x7xf32>, tensor<3x7xf32>"),
        {"y": (3, 7)}, lambda v: [np.tanh(v["x"]) * np.log(v["w"]) + np.sqrt(v["w"]) / np.sqrt(v["x"] ** 2 + 1)]),
    "map_where": Case(
        {"x": normal(5, 7), "w": normal(7)},
        "%y = " + unit_map("nc,c->nc", "%x, %w", "xw", """
          %n = tpa.index "n"
          %c = tpa.index "c"
          %below = arith.cmpi sle, %c, %n : index
          %i = arith.index_cast %c : index to i32
          %f = arith.sitofp %i : i32 to f32
          %scaled = arith.mulf %x, %f : f32
          %larger = arith.cmpf ogt, %x, %w : f32
          %0 = arith.select %below, %scaled, %w : f32
          %1 = arith.mulf %x, %w : f32
          %2 = arith.select %larger, %0, %1 : f32
          tpa.yield %2 : f32""", "tensor<5x7xf32>, tensor<7xf32>"),
        {"y": (5, 7)}, lambda v: [np.where(v["x"] > v["w"], np.where(
            np.arange(7) <= np.arange(5)[:, None], v["x"] * np.arange(7), v["w"]), v["x"] * v["w"])]),
    "map_extremes": Case(
        {"x": normal(5, 7), "w": normal(7)},
        "%y = " + unit_map("nc,c->nc", "%x, %w", "xw", """
          %half = arith.constant 0.5 : f32
          %0 = arith.maximumf %x, %w : f32
          %1 = arith.minimumf %0, %half : f32
          %2 = arith.maxnumf %x, %half : f32
          %3 = arith.minnumf %2, %w : f32
          %4 = arith.mulf %1, %3 : f32
          tpa.yield %4 : f32""", "tensor<5x7xf32>, tensor<7xf32>"),
        {"y": (5, 7)}, lambda v: [
            np.minimum(np.maximum(v["x"], v["w"]), 0.5) * np.minimum(np.maximum(v["x"], 0.5), v["w"])]),
    # An operand that the result does not depend on, and one that is both operands.
    "map_unread": Case(
        {"x": normal(3, 7), "w": normal(3, 7)},
        "%y = " + unit_map("ab,ab,ab->ab", "%x, %w, %x", "xwz", """
          %0 = arith.mulf %x, %z : f32
          tpa.yield %0 : f32""", "tensor<3x7xf32>, tensor<3x7xf32>, tensor<3x7xf32>"),
        {"y": (3, 7)}, lambda v: [v["x"] ** 2]),
    "softmax": Case(
        {"x": normal(3, 5, 7)}, "%y = tpa.softmax %x : tensor<3x5x7xf32>\n",
        {"y": (3, 5, 7)}, lambda v: [softmax(v["x"])]),
    "softmax_sinks": Case(
        {"x": normal(3, 5, 7), "s": normal(5)},
        "%y = tpa.softmax %x sinks %s along [1] : tensor<3x5x7xf32>, tensor<5xf32>\n",
        {"y": (3, 5, 7)}, lambda v: [softmax(v["x"], v["s"][:, None])]),
    "softmax_all_sinks": Case(
        {"x": normal(3, 5, 7), "s": normal(3, 5)},
        "%y = tpa.softmax %x sinks %s along [0, 1] : tensor<3x5x7xf32>, tensor<3x5xf32>\n",
        {"y": (3, 5, 7)}, lambda v: [softmax(v["x"], v["s"][:, :, None])]),
    # Weights that are read twice, once by a sum over their rows.
    "softmax_read_twice": Case(
        {"x": normal(3, 5, 7), "v": normal(7, 3)},
        """
        %w = tpa.softmax %x : tensor<3x5x7xf32>
        %y = tpa.einsum "abm,md->abd"(%w, %v) : tensor<3x5x7xf32>, tensor<7x3xf32>
        %z = tpa.einsum "abm,abm->ab"(%w, %w) : tensor<3x5x7xf32>, tensor<3x5x7xf32>
        """,
        {"y": (3, 5, 3), "z": (3, 5)},
        lambda v: [softmax(v["x"]) @ v["v"], (softmax(v["x"]) ** 2).sum(-1)]),
    # A sum over rows of weights that sums over another of their dimensions, too.
    "softmax_summed": Case(
        {"x": normal(3, 5, 7), "v": normal(7, 3)},
        """
        %w = tpa.softmax %x : tensor<3x5x7xf32>
        %y = tpa.einsum "abm,md->ad"(%w, %v) {scale = 2.0 : f64} : tensor<3x5x7xf32>, tensor<7x3xf32>
        """,
        {"y": (3, 3)}, lambda v: [2 * (softmax(v["x"]) @ v["v"]).sum(1)]),
    "attention": attention(False),
    "attention_sinks": attention(True),
    "rope_half": rope(""),
    "rope_interleaved": rope("<pairs = interleaved, fraction = 0.75 : f64>", interleaved=True, fraction=0.75),
    "rope_transposed": rope("<transposed = true, table = bf16>", transposed=True, bf16=True),
    "rope_partial": rope("<fraction = 0.5 : f64>", fraction=0.5),
    "rope_decay": rope("<decay = 0.4 : f64>", decay=0.4),
    "rope_growth": rope("<decay = 0.4 : f64, reciprocal = true, transposed = true>", decay=0.4, reciprocal=True, transposed=True),
    "recent": Case(
        {"x": normal(2, 7, 3, 5)}, "%y = tpa.recent %x at %at tokens 2 : tensor<2x7x3x5xf32>, tensor<2xi32>\n",
        {"y": (2, 7, 2, 3, 5)}, lambda v: [recent(v["x"], 2)], {"at": np.zeros(2, np.int32)}, linear=True),
    # More tokens than there are.
    "recent_all": Case(
        {"x": normal(2, 3)}, "%y = tpa.recent %x at %at tokens 5 : tensor<2x3xf32>, tensor<2xi32>\n",
        {"y": (2, 3, 5)}, lambda v: [recent(v["x"], 5)], {"at": np.zeros(2, np.int32)}, linear=True),
    # Of which a product is summed at once.
    "recent_convolved": Case(
        {"x": normal(2, 7, 5), "w": normal(3, 5)},
        """
        %z = tpa.recent %x at %at tokens 3 : tensor<2x7x5xf32>, tensor<2xi32>
        %y = tpa.einsum "bnjd,jd->bnd"(%z, %w) : tensor<2x7x3x5xf32>, tensor<3x5xf32>
        """,
        {"y": (2, 7, 5)}, lambda v: [np.einsum("bnjd,jd->bnd", recent(v["x"], 3), v["w"])], {"at": np.zeros(2, np.int32)}),
    "rms_norm": Case(
        {"x": normal(2, 5, 7)}, "%y = t6.rms_norm %x {eps = 1.0e-2 : f64} : tensor<2x5x7xf32>\n",
        {"y": (2, 5, 7)}, lambda v: [rms_norm(v["x"], 1e-2)]),
    "rms_norm_weight": Case(
        {"x": normal(2, 5, 7), "w": normal(7)},
        "%y = t6.rms_norm %x, %w {eps = 1.0e-2 : f64} : tensor<2x5x7xf32>, tensor<7xf32>\n",
        {"y": (2, 5, 7)}, lambda v: [rms_norm(v["x"], 1e-2) * v["w"]]),
    "swiglu": Case(
        {"g": normal(2, 5, 7), "u": normal(2, 5, 7)}, "%y = t6.swiglu %g, %u : tensor<2x5x7xf32>\n",
        {"y": (2, 5, 7)}, lambda v: [v["g"] * sigmoid(v["g"]) * v["u"]]),
    "cross_entropy": Case(
        {"l": normal(3, 5, 7)},
        "%y, %t, %s = t6.cross_entropy %l, %targets : tensor<3x5x7xf32>, tensor<3x5xi32>\n",
        {"y": (1,)}, lambda v: [cross_entropy(v["l"], v["targets"])],
        {"targets": np.array([[3, -1, 0, 6, -1], [-1] * 5, [2, 2, 2, 5, 1]], np.int32)}),
    "embedding": Case(
        {"e": normal(7, 3)}, "%y = t6.embedding %tokens, %e : tensor<2x5xi32>, tensor<7x3xf32>\n",
        {"y": (2, 5, 3)}, lambda v: [v["e"][v["tokens"]]],
        {"tokens": np.array([[1, 1, 6, 0, 1], [6, 3, 3, 2, 0]], np.int32)}, linear=True),
    # A table that is also a matrix of a product, and is no parameter itself.
    "embedding_computed": Case(
        {"e": normal(7, 3)},
        """
        %table = math.tanh %e : tensor<7x3xf32>
        %x = t6.embedding %tokens, %table : tensor<2x5xi32>, tensor<7x3xf32>
        %y = tpa.einsum "bnc,vc->bnv"(%x, %table) : tensor<2x5x3xf32>, tensor<7x3xf32>
        """,
        {"y": (2, 5, 7)}, lambda v: [np.tanh(v["e"])[v["tokens"]] @ np.tanh(v["e"]).T],
        {"tokens": np.array([[1, 1, 6, 0, 1], [6, 3, 3, 2, 0]], np.int32)}),
    "tied": Case(
        {"e": normal(7, 3)},
        """
        %x = t6.embedding %tokens, %e : tensor<2x5xi32>, tensor<7x3xf32>
        %y = tpa.einsum "bnc,vc->bnv"(%x, %e) : tensor<2x5x3xf32>, tensor<7x3xf32>
        """,
        {"y": (2, 5, 7)}, lambda v: [v["e"][v["tokens"]] @ v["e"].T],
        {"tokens": np.array([[1, 1, 6, 0, 1], [6, 3, 3, 2, 0]], np.int32)}),
    # One part is not read.
    "split": Case(
        {"x": normal(2, 5, 9)},
        """
        %first, %unread, %last = t6.split %x axis 2 ["A", "B", "C"]
            : tensor<2x5x9xf32> -> tensor<2x5x2xf32>, tensor<2x5x4xf32>, tensor<2x5x3xf32>
        %y = arith.negf %first : tensor<2x5x2xf32>
        %z = arith.negf %last : tensor<2x5x3xf32>
        """,
        {"y": (2, 5, 2), "z": (2, 5, 3)}, lambda v: [-v["x"][..., :2], -v["x"][..., 6:]], linear=True),
    "split_whole": Case(
        {"x": normal(7, 5, 3)},
        """
        %first, %last = t6.split %x axis 0 ["A", "B"] : tensor<7x5x3xf32> -> tensor<3x5x3xf32>, tensor<4x5x3xf32>
        %y = arith.negf %first : tensor<3x5x3xf32>
        %z = arith.negf %last : tensor<4x5x3xf32>
        """,
        {"y": (3, 5, 3), "z": (4, 5, 3)}, lambda v: [-v["x"][:3], -v["x"][3:]], linear=True),
    "add": elementwise("arith.addf", np.add, normal(3, 7), normal(3, 7), linear=True),
    "sub": elementwise("arith.subf", np.subtract, normal(3, 7), normal(3, 7), linear=True),
    "mul": elementwise("arith.mulf", np.multiply, normal(3, 7), normal(3, 7)),
    "div": elementwise("arith.divf", np.divide, normal(3, 7), positive(3, 7)),
    "neg": elementwise("arith.negf", np.negative, normal(3, 7), linear=True),
    "maximum": elementwise("arith.maximumf", np.maximum, normal(3, 7), normal(3, 7)),
    "minimum": elementwise("arith.minimumf", np.minimum, normal(3, 7), normal(3, 7)),
    "exp": elementwise("math.exp", np.exp, normal(3, 7)),
    "log": elementwise("math.log", np.log, positive(3, 7)),
    "tanh": elementwise("math.tanh", np.tanh, normal(3, 7)),
    "sqrt": elementwise("math.sqrt", np.sqrt, positive(3, 7)),
    "rsqrt": elementwise("math.rsqrt", lambda x: 1 / np.sqrt(x), positive(3, 7)),
    "by_itself": binary_by_itself(),
    # One parameter that a function takes twice, and a function that is called twice in a row.
    "called": Case(
        {"w": 0.4 * normal(5, 5), "x": normal(3, 5)},
        """
        %0 = func.call @called.layer.block(%x, %w, %w) : (tensor<3x5xf32>, tensor<5x5xf32>, tensor<5x5xf32>) -> tensor<3x5xf32>
        %y = func.call @called.layer.block(%0, %w, %w) : (tensor<3x5xf32>, tensor<5x5xf32>, tensor<5x5xf32>) -> tensor<3x5xf32>
        """,
        {"y": (3, 5)}, lambda v: [called_layer(called_layer(v["x"], v["w"]), v["w"])],
        functions="""
        func.func private @called.layer.block(%x: tensor<3x5xf32>, %a: tensor<5x5xf32>, %b: tensor<5x5xf32>) -> tensor<3x5xf32> {
          %0 = tpa.einsum "nc,oc->no"(%x, %a) : tensor<3x5xf32>, tensor<5x5xf32>
          %1 = math.tanh %0 : tensor<3x5xf32>
          %2 = tpa.einsum "no,oc->nc"(%1, %b) : tensor<3x5xf32>, tensor<5x5xf32>
          return %2 : tensor<3x5xf32>
        }"""),
}


def called_layer(x, w):
    return np.tanh(x @ w.T) @ w


# Tables of rotations have a row for each position that some entry can reach.
PREAMBLE = """
exec.buffer input @far.tokens : tensor<2x1xi32>
exec.buffer input @far.positions : tensor<2xi32> {range = array<i64: 0, 64>}
exec.buffer input @far.x : tensor<2xf32>
exec.buffer output @far.y : tensor<2xf32>
exec.entry @far scalars ["m"] maxima [64] {
^bb0(%m: index):
  %x = exec.load @far.x : tensor<2xf32>
  %y = arith.negf %x : tensor<2xf32>
  exec.store %y, @far.y : tensor<2xf32>
}
"""


def tensor(shape, element="f32"):
    return f"tensor<{'x'.join(map(str, shape))}x{element}>"


def type_of(array):
    return tensor(array.shape, "i32" if array.dtype == np.int32 else "f32")


def program(name, case, is_called):
    """An entry that differentiates the case."""
    values = case.params | case.inputs
    cotangents = {f"c_{y}": shape for y, shape in case.outputs.items()}
    lines = [case.functions]
    for key, value in values.items():
        lines.append(f"exec.buffer {'param' if key in case.params else 'input'} @{name}.{key} : {type_of(value)}")
    for key, shape in cotangents.items():
        lines.append(f"exec.buffer input @{name}.{key} : {tensor(shape)}")
    for key, shape in case.outputs.items():
        if not is_called:
            lines.append(f"exec.buffer output @{name}.out_{key} : {tensor(shape)}")
    lines.append(f"exec.buffer output @{name}.loss : tensor<1xf32>")
    results = ", ".join(map(tensor, case.outputs.values()))
    listed = ", ".join(f"%{y}" for y in case.outputs)
    if is_called:
        arguments = ", ".join(f"%{key}: {type_of(value)}" for key, value in values.items())
        lines.append(f"func.func private @{name}.block({arguments}) -> ({results}) {{\n{case.text}\nreturn {listed} : {results}\n}}")
    lines.append(f"exec.entry @{name} scalars [] maxima [] {{")
    for key, value in values.items():
        lines.append(f"%{key} = exec.load @{name}.{key} : {type_of(value)}")
    if is_called:
        types = ", ".join(map(type_of, values.values()))
        lines.append(f"{listed} = func.call @{name}.block({', '.join('%' + key for key in values)}) : ({types}) -> ({results})")
    else:
        lines.append(case.text)
    lines.append("%unit = arith.constant dense<1.0> : tensor<1xf32>")
    total = ""
    for y, shape in case.outputs.items():
        labels = "abcdefg"[: len(shape)]
        lines.append(f"%c_{y} = exec.load @{name}.c_{y} : {tensor(shape)}")
        lines.append(f'%rows_{y} = tpa.einsum "{labels},{labels}->a"(%{y}, %c_{y}) : {tensor(shape)}, {tensor(shape)}')
        lines.append(f'%loss_{y} = tpa.einsum "a,k->k"(%rows_{y}, %unit) : {tensor(shape[:1])}, tensor<1xf32>')
        # What a function yields cannot be an output.
        if not is_called:
            lines.append(f"exec.store %{y}, @{name}.out_{y} : {tensor(shape)}")
        if total:
            lines.append(f"%with_{y} = arith.addf {total}, %loss_{y} : tensor<1xf32>")
        total = f"%with_{y}" if total else f"%loss_{y}"
    lines.append(f"exec.store {total}, @{name}.loss : tensor<1xf32>")
    lines.append(f'}} {{tpa.differentiate = "{name}.loss"}}')
    return "\n".join(lines) + "\n"


def differences(function, point):
    """The gradient of a function of one array by central differences."""
    gradient = np.zeros(point.size)
    for i in range(point.size):
        ends = []
        for sign in (1, -1):
            moved = point.copy().reshape(-1)
            moved[i] += sign * STEP
            ends.append(function(moved.reshape(point.shape)))
        gradient[i] = (ends[0] - ends[1]) / (2 * STEP)
    return gradient


class GradientsTest(unittest.TestCase):
    worst = {}

    @classmethod
    def setUpClass(cls):
        *paths, cls.session = sys.argv[1:4]
        cls.programs = programs.Programs(*paths)
        cls.weights = cls.programs.path("weights.safetensors")
        programs.save(cls.weights, {f"{name}.{key}": value for name, case in CASES.items() for key, value in case.params.items()})
        cls.cotangents = {name: {f"c_{y}": normal(*shape) for y, shape in case.outputs.items()} for name, case in CASES.items()}
        cls.expected = {name: cls.expected_gradients(name, case) for name, case in CASES.items()}

    @classmethod
    def tearDownClass(cls):
        worst = max(cls.worst, key=cls.worst.get)
        print(f"largest error: {cls.worst[worst]:.1e} of {worst}", file=sys.stderr)

    @classmethod
    def expected_gradients(cls, name, case):
        values = {key: value.astype(np.float64) for key, value in case.params.items()} | case.inputs
        seeds = [value.astype(np.float64) for value in cls.cotangents[name].values()]

        def loss(key, point):
            outputs = case.forward(values | {key: point})
            return sum((y * c).sum() for y, c in zip(outputs, seeds))

        return {key: differences(lambda point: loss(key, point), values[key]) for key in case.params}

    def compile(self, name, is_called, *flags):
        source = pathlib.Path(self.programs.path(f"{name}.mlir"))
        source.write_text(PREAMBLE + "".join(program(name, case, is_called) for name, case in CASES.items()
                                  if not is_called or not case.functions))
        return TrainingSession(self.session, self.programs.compile(source, "--compile-from=einsum", "--train", *flags), self.weights)

    def run_case(self, session, name, case):
        outputs = session.run(name, case.inputs | self.cotangents[name])
        return outputs, {key: session.state(f"gradient.{name}.{key}") for key in case.params}

    def check_case(self, session, name, case):
        outputs, gradients = self.run_case(session, name, case)
        values = {key: value.astype(np.float64) for key, value in case.params.items()} | case.inputs
        for y, expected in zip(case.outputs, case.forward(values)):
            if f"out_{y}" in outputs:
                self.assertLessEqual(programs.error(outputs[f"out_{y}"], expected), case.tolerance, f"{name}: {y}")
        for key, gradient in gradients.items():
            expected = self.expected[name][key]
            if not np.any(expected):
                np.testing.assert_array_equal(gradient, expected, f"{name}: {key}")
                continue
            error = programs.error(gradient, expected)
            if case.tolerance == TOLERANCE:
                self.worst[f"{name}.{key}"] = max(error, self.worst.get(f"{name}.{key}", 0))
            self.assertLessEqual(error, case.tolerance, f"{name}: {key}")
        if case.linear:
            # <u, J v> = <transpose of J u, v>, both as the program computes them.
            forward = float(outputs["loss"][0])
            backward = sum(float(gradient.astype(np.float64) @ case.params[key].reshape(-1)) for key, gradient in gradients.items())
            size = sum(np.linalg.norm(gradient) * np.linalg.norm(case.params[key]) for key, gradient in gradients.items())
            self.assertLessEqual(abs(forward - backward), 1e-6 * size, name)
        return gradients

    def check_all(self, session, called):
        results = {}
        for name, case in CASES.items():
            if called and case.functions:
                continue
            with self.subTest(name):
                results[name] = self.check_case(session, name, case)
        return results

    def test_entry(self):
        with self.compile("entry", False) as session:
            self.check_all(session, called=False)

    def test_called(self):
        """The same bits whether the reverse of a function reads what is saved or computes it again."""
        results = []
        for recompute in ("none", "full", "dots", "factors"):
            with self.compile(f"called_{recompute}", True, f"--recompute={recompute}") as session:
                results.append(self.check_all(session, called=True))
        for name, gradients in results[0].items():
            for key, gradient in gradients.items():
                with self.subTest(name, param=key):
                    for again in results[1:]:
                        np.testing.assert_array_equal(gradient, again[name][key])

    def test_accumulates(self):
        """Gradients are added to what is there."""
        with self.compile("twice", False) as session:
            for name in ("einsum", "embedding", "tied", "called", "split"):
                case = CASES[name]
                _, once = self.run_case(session, name, case)
                _, twice = self.run_case(session, name, case)
                for key in case.params:
                    self.assertLessEqual(programs.error(twice[key], 2 * once[key].astype(np.float64)), 1e-6, f"{name}: {key}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
