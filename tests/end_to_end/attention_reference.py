"""The attention functions of models/attention in float64, written from their formulas.

Heads are formed and attended to directly; nothing here comes from the compiler. A variant is what its
parameters are, what it computes from the normed hidden state x (batch × token × C), and the numbers that
it caches for a token and layer. `s` holds the sizes by name.
"""

import dataclasses
import functools
import typing

import numpy as np


def to_bf16(x):
    """Rounds f32 to bf16, ties to even."""
    bits = np.float32(x).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def rotate(x, fraction=1.0, decay=None, reciprocal=False):
    """Rotates pairs (i, i + W/2) clockwise, with cosines and sines in bf16 and angles in f32, as the T6
    reference does. xPos (eq. 10-12) where there is a decay."""
    width = int(fraction * x.shape[-1])
    half = width // 2
    exponent = np.arange(0, width, 2).astype(np.float32) / np.float32(width)
    frequency = np.float32(1) / (1e4 ** exponent.astype(np.float64)).astype(np.float32)
    position = np.arange(x.shape[1])
    angle = (position.astype(np.float32)[:, None] * frequency).astype(np.float64)
    cos, sin = to_bf16(np.cos(angle)).astype(np.float64), to_bf16(np.sin(angle)).astype(np.float64)
    if decay:
        zeta = (np.arange(half) / half + decay) / (1 + decay)
        scale = zeta ** ((-1 if reciprocal else 1) * position[:, None] / 512)
        cos, sin = cos * scale, sin * scale
    shape = (1, x.shape[1]) + (1,) * (x.ndim - 3) + (half,)
    cos, sin = cos.reshape(shape), sin.reshape(shape)
    first, second, rest = x[..., :half], x[..., half:width], x[..., width:]
    return np.concatenate([first * cos + second * sin, second * cos - first * sin, rest], -1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def attend(q, k, v, normalizer="softmax", window=None, softcap=None, slopes=None, sinks=None):
    """Heads q, k, v: batch × token × head × feature. One head at a time, some queries at a time."""
    batch, n, heads, width = q.shape
    out = np.zeros(q.shape[:3] + v.shape[3:])
    key = np.arange(n)
    for h in range(heads):
        for begin in range(0, n, 512):
            query = np.arange(begin, min(begin + 512, n))[:, None]
            logits = q[:, query[:, 0], h] @ k[:, :, h].swapaxes(1, 2) / np.sqrt(width)
            if slopes is not None:
                logits = logits + slopes[h] * (key - query)
            if softcap:
                logits = softcap * np.tanh(logits / softcap)
            visible = key <= query
            if window:
                visible &= key > query - window
            if normalizer == "softmax":
                logits = np.where(visible, logits, -np.inf)
                top = logits.max(-1, keepdims=True)
                if sinks is not None:
                    top = np.maximum(top, sinks[h])
                weights = np.exp(logits - top)
                total = weights.sum(-1, keepdims=True)
                if sinks is not None:
                    total = total + np.exp(sinks[h] - top)
                weights = weights / total
            else:
                weights = np.where(visible, sigmoid(logits) if normalizer == "sigmoid" else logits, 0)
            out[:, query[:, 0], h] = weights @ v[:, :, h]
    return out


def project(x, weight, *shape):
    """x times the transpose of a stored matrix, its rows taken apart."""
    return (x @ weight.T).reshape(x.shape[:2] + shape)


def join(o, w):
    return o.reshape(o.shape[:2] + (-1,)) @ w["attn.c_proj.weight"].T


@dataclasses.dataclass
class Variant:
    params: typing.Callable  # sizes → {name: shape}
    attention: typing.Callable  # x, weights by name, sizes → the output, batch × token × C
    cached: typing.Callable  # sizes → numbers for each token and layer


# Factors of tensor product attention. Head factors are batch × token × R × H, or R × H.

def head_factor(x, w, s, t, rank=None):
    return project(x, w[f"attn.c_qkv.W_A_{t}.weight"], s["H"], s[rank or f"R_{t.upper()}"]).swapaxes(2, 3)


def feature_factor(x, w, s, t, rank=None, letter="B", size="D"):
    return project(x, w[f"attn.c_qkv.W_{letter}_{t}.weight"], s[rank or f"R_{t.upper()}"], s[size])


def mean_of_products(a, b):
    left = "rh" if a.ndim == 2 else "bnrh"
    right = "rd" if b.ndim == 2 else "bnrd"
    return np.einsum(f"{left},{right}->bnhd", a, b) / a.shape[-2]


def tpa_params(s, **more):
    params = {"attn.c_proj.weight": (s["C"], s["H"] * s["D"])}
    for t in "qkv":
        rank = s[f"R_{t.upper()}"]
        params[f"attn.c_qkv.W_A_{t}.weight"] = (s["H"] * rank, s["C"])
        params[f"attn.c_qkv.W_B_{t}.weight"] = (rank * s["D"], s["C"])
    return params | {name.replace("__", "."): shape for name, shape in more.items()}


def factors_or_heads(s):
    """The cut takes what is smaller."""
    return sum(min(s[rank] * (s["H"] + s["D"]), s["H"] * s["D"]) for rank in ("R_K", "R_V"))


def tpa(rope_q=rotate, rope_k=rotate, of_head_factor=lambda a: a, after=lambda o, x, w, s: o, extra=lambda s: {},
        options=lambda w: {}):
    """Contextual factors; what differs between mechanisms are functions."""

    def attention(x, w, s):
        q, k, v = (mean_of_products(of_head_factor(head_factor(x, w, s, t)), feature_factor(x, w, s, t)) for t in "qkv")
        return join(after(attend(rope_q(q), rope_k(k), v, **options(w)), x, w, s), w)

    return Variant(lambda s: tpa_params(s) | extra(s), attention, factors_or_heads)


def shifted(x, share):
    """Heads mixed with those of the token before, zero before the first: batch × token × head × feature."""
    before = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], 1)
    return share[:, None] * x + (1 - share[:, None]) * before


def kv_shift_attention(x, w, s, attend=attend):
    q, k, v = (mean_of_products(head_factor(x, w, s, t), feature_factor(x, w, s, t)) for t in "qkv")
    k, v = shifted(k, w["attn.shift_k"]), shifted(v, w["attn.shift_v"])
    return join(attend(rotate(q), rotate(k), v), w)


def unrotated(x):
    return x


def gate(o, x, w, s):
    return o * sigmoid(project(x, w["attn.c_gate.weight"], s["H"], s["D"]))


def sub_norm(o, x, w, s):
    return o / np.sqrt((o * o).mean(-1, keepdims=True) + 1e-5) * w["attn.subln.weight"]


def shared_b_attention(x, w, s, attend=attend):
    q = rotate(mean_of_products(head_factor(x, w, s, "q"), feature_factor(x, w, s, "q")))
    shared = rotate(feature_factor(x, w, s, "kv"))
    k, v = (mean_of_products(head_factor(x, w, s, t, "R_KV"), shared) for t in "kv")
    return join(attend(q, k, v), w)


def shared_b_params(s):
    return {"attn.c_proj.weight": (s["C"], s["H"] * s["D"]),
            "attn.c_qkv.W_A_q.weight": (s["H"] * s["R_Q"], s["C"]),
            "attn.c_qkv.W_B_q.weight": (s["R_Q"] * s["D"], s["C"]),
            "attn.c_qkv.W_A_k.weight": (s["H"] * s["R_KV"], s["C"]),
            "attn.c_qkv.W_A_v.weight": (s["H"] * s["R_KV"], s["C"]),
            "attn.c_qkv.W_B_kv.weight": (s["R_KV"] * s["D"], s["C"])}


def noncontextual_params(s, fixed):
    params = tpa_params(s)
    for t in "qkv":
        del params[f"attn.c_qkv.W_{fixed}_{t}.weight"]
        params[f"attn.c_qkv.{fixed}_{t}"] = (s[f"R_{t.upper()}"], s["H"] if fixed == "A" else s["D"])
    return params


def noncontextual_a_attention(x, w, s, attend=attend):
    q, k, v = (mean_of_products(w[f"attn.c_qkv.A_{t}"], feature_factor(x, w, s, t)) for t in "qkv")
    return join(attend(rotate(q), rotate(k), v), w)


def noncontextual_b_attention(x, w, s, attend=attend):
    q, k, v = (mean_of_products(head_factor(x, w, s, t), w[f"attn.c_qkv.B_{t}"]) for t in "qkv")
    return join(attend(q, k, v), w)


def third_order_params(s):
    params = {"attn.c_proj.weight": (s["C"], s["H"] * s["X"] * s["Y"])}
    for t in "qkv":
        rank = s[f"R_{t.upper()}"]
        params[f"attn.c_qkv.W_A_{t}.weight"] = (s["H"] * rank, s["C"])
        params[f"attn.c_qkv.W_B_{t}.weight"] = (rank * s["X"], s["C"])
        params[f"attn.c_qkv.W_C_{t}.weight"] = (s["Y"] * rank, s["C"])
    return params


def third_order_attention(x, w, s, attend=attend):
    def heads(t, rope):
        rank = s[f"R_{t.upper()}"]
        a, b = head_factor(x, w, s, t), rope(feature_factor(x, w, s, t, size="X"))
        c = project(x, w[f"attn.c_qkv.W_C_{t}.weight"], s["Y"], rank)
        product = np.einsum("bnrh,bnrx,bnyr->bnhxy", a, b, c) / rank
        return product.reshape(product.shape[:3] + (-1,))

    return join(attend(heads("q", rotate), heads("k", rotate), heads("v", unrotated)), w)


# The mechanisms that TPA is compared with.

def mla_params(s):
    return {"attn.q_a_proj.weight": (s["L_Q"], s["C"]), "attn.q_a_layernorm.weight": (s["L_Q"],),
            "attn.q_b_proj.weight": (s["H"] * (s["D"] + s["P"]), s["L_Q"]),
            "attn.kv_a_proj_with_mqa.weight": (s["L"] + s["P"], s["C"]), "attn.kv_a_layernorm.weight": (s["L"],),
            "attn.kv_b_proj.weight": (s["H"] * (s["D"] + s["E"]), s["L"]),
            "attn.c_proj.weight": (s["C"], s["H"] * s["E"])}


def mla_attention(x, w, s, attend=attend):
    d = s["D"]
    c_q = rms_norm(x @ w["attn.q_a_proj.weight"].T, 1e-6) * w["attn.q_a_layernorm.weight"]
    q = project(c_q, w["attn.q_b_proj.weight"], s["H"], d + s["P"])
    latent = x @ w["attn.kv_a_proj_with_mqa.weight"].T
    c = rms_norm(latent[..., : s["L"]], 1e-6) * w["attn.kv_a_layernorm.weight"]
    kv = project(c, w["attn.kv_b_proj.weight"], s["H"], d + s["E"])
    shared = np.repeat(rotate(latent[:, :, None, s["L"] :]), s["H"], axis=2)
    q = np.concatenate([q[..., :d], rotate(q[..., d:])], -1)
    k = np.concatenate([kv[..., :d], shared], -1)
    return join(attend(q, k, kv[..., d:]), w)


def kvonly_attention(x, w, s):
    q = project(x, w["attn.c_qkv.c_q.weight"], s["H"], s["D"])
    k, v = (mean_of_products(head_factor(x, w, s, t), feature_factor(x, w, s, t)) for t in "kv")
    return join(attend(rotate(q), rotate(k), v), w)


def kvonly_params(s):
    params = tpa_params(s | {"R_Q": 1})
    del params["attn.c_qkv.W_A_q.weight"], params["attn.c_qkv.W_B_q.weight"]
    return params | {"attn.c_qkv.c_q.weight": (s["H"] * s["D"], s["C"])}


def heads_attention(x, w, s, attend=attend):
    groups = s.get("G", s.get("H"))
    per_group = s.get("J", 1)
    q = project(x, w["attn.c_q.weight"], groups * per_group, s["D"])
    k, v = (np.repeat(project(x, w[f"attn.c_{t}.weight"], groups, s["D"]), per_group, axis=2) for t in "kv")
    return join(attend(rotate(q), rotate(k), v), w)


def heads_params(s):
    groups, per_group = s.get("G", s.get("H")), s.get("J", 1)
    return {"attn.c_q.weight": (groups * per_group * s["D"], s["C"]),
            "attn.c_k.weight": (groups * s["D"], s["C"]), "attn.c_v.weight": (groups * s["D"], s["C"]),
            "attn.c_proj.weight": (s["C"], groups * per_group * s["D"])}


VARIANTS = {
    "mla": Variant(mla_params, mla_attention, lambda s: s["L"] + s["P"]),
    "mha": Variant(heads_params, heads_attention, lambda s: 2 * s["H"] * s["D"]),
    "gqa": Variant(heads_params, heads_attention, lambda s: 2 * s["G"] * s["D"]),
    "tpa": tpa(),
    "tpa_kvonly": Variant(kvonly_params, kvonly_attention, factors_or_heads),
    "tpa_window": tpa(options=lambda w: {"window": 128}),
    "tpa_softcap": tpa(options=lambda w: {"softcap": 20}),
    "tpa_sigmoid": tpa(options=lambda w: {"normalizer": "sigmoid"}),
    "tpa_linear": tpa(options=lambda w: {"normalizer": "none"}),
    "tpa_kv_shift": Variant(lambda s: tpa_params(s) | {"attn.shift_k": (s["H"],), "attn.shift_v": (s["H"],)},
                            kv_shift_attention, lambda s: sum(
                                min(2 * s[rank] * (s["H"] + s["D"]), s["H"] * s["D"]) for rank in ("R_K", "R_V"))),
    "tpa_sinks": tpa(extra=lambda s: {"attn.sinks": (s["H"],)}, options=lambda w: {"sinks": w["attn.sinks"]}),
    "tpa_alibi": tpa(unrotated, unrotated, extra=lambda s: {"attn.slopes": (s["H"],)},
                     options=lambda w: {"slopes": w["attn.slopes"]}),
    "tpa_partial_rope": tpa(lambda q: rotate(q, 0.5), lambda k: rotate(k, 0.5)),
    "tpa_decay": tpa(lambda q: rotate(q, decay=0.4), lambda k: rotate(k, decay=0.4, reciprocal=True)),
    "tpa_sigmoid_a": tpa(of_head_factor=sigmoid),
    "tpa_softmax_a": tpa(of_head_factor=softmax),
    "tpa_gate": tpa(after=gate, extra=lambda s: {"attn.c_gate.weight": (s["H"] * s["D"], s["C"])}),
    "tpa_sub_norm": tpa(after=sub_norm, extra=lambda s: {"attn.subln.weight": (s["D"],)}),
    "tpa_shared_b": Variant(shared_b_params, shared_b_attention, lambda s: s["R_KV"] * (2 * s["H"] + s["D"])),
    "tpa_noncontextual_a": Variant(lambda s: noncontextual_params(s, "A"), noncontextual_a_attention,
                                   lambda s: (s["R_K"] + s["R_V"]) * s["D"]),
    "tpa_noncontextual_b": Variant(lambda s: noncontextual_params(s, "B"), noncontextual_b_attention,
                                   lambda s: (s["R_K"] + s["R_V"]) * s["H"]),
    "tpa_third_order": Variant(third_order_params, third_order_attention,
                               lambda s: (s["R_K"] + s["R_V"]) * (s["H"] + s["X"] + s["Y"])),
}

# The same scores without a normaliser.
LINEAR = {f"linear_{name}": dataclasses.replace(VARIANTS[name], attention=functools.partial(
              VARIANTS[name].attention, attend=functools.partial(attend, normalizer="none")))
          for name in ("mla", "mha", "gqa", "tpa_kv_shift", "tpa_shared_b", "tpa_noncontextual_a", "tpa_noncontextual_b",
                       "tpa_third_order")}


def llama_rotate(x):
    """The other way round than `rotate`, with exact cosines and sines of angles in f32."""
    half = x.shape[-1] // 2
    frequency = np.float32(1) / (1e4 ** (np.arange(half) / half)).astype(np.float32)
    angle = (np.arange(x.shape[1]).astype(np.float32)[:, None] * frequency).astype(np.float64)
    shape = (1, x.shape[1]) + (1,) * (x.ndim - 3) + (half,)
    cos, sin = np.cos(angle).reshape(shape), np.sin(angle).reshape(shape)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


def llama_attention(x, w, s):
    heads, groups = s["G"] * s["J"], s["G"]
    q = project(x, w["self_attn.q_proj.weight"], heads, s["D"])
    k, v = (np.repeat(project(x, w[f"self_attn.{t}_proj.weight"], groups, s["D"]), s["J"], axis=2) for t in "kv")
    o = attend(llama_rotate(q), llama_rotate(k), v)
    return o.reshape(o.shape[:2] + (-1,)) @ w["self_attn.o_proj.weight"].T


def llama_params(s):
    heads, groups = s["G"] * s["J"] * s["D"], s["G"] * s["D"]
    return {"self_attn.q_proj.weight": (heads, s["C"]), "self_attn.k_proj.weight": (groups, s["C"]),
            "self_attn.v_proj.weight": (groups, s["C"]), "self_attn.o_proj.weight": (s["C"], heads)}


# What has other names and conventions than a variant that is there.
RENAMED = {"llama": Variant(llama_params, llama_attention, VARIANTS["gqa"].cached)}


def variant_named(name):
    return (VARIANTS | LINEAR | RENAMED)[name]


# The model around an attention.

def parameters(variant, s, layers, vocab, ffn):
    """Names as checkpoints have them, and shapes."""
    layer = variant_named(variant).params(s) | {"mlp.c_fc1.weight": (ffn, s["C"]), "mlp.c_fc2.weight": (ffn, s["C"]),
                                           "mlp.c_proj.weight": (s["C"], ffn)}
    params = {"transformer.wte.weight": (vocab, s["C"])}
    for i in range(layers):
        params |= {f"transformer.h.{i}.{name}": shape for name, shape in layer.items()}
    return params


def rms_norm(x, eps=1e-5):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)


def forward(variant, s, layers, weights, tokens):
    """Logits, batch × token × vocabulary, of a model with tied embeddings."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x = w["transformer.wte.weight"][tokens]
    for i in range(layers):
        prefix = f"transformer.h.{i}."
        layer = {name[len(prefix):]: value for name, value in w.items() if name.startswith(prefix)}
        x = x + variant_named(variant).attention(rms_norm(x), layer, s)
        y = rms_norm(x)
        g = y @ layer["mlp.c_fc1.weight"].T
        x = x + (g * sigmoid(g) * (y @ layer["mlp.c_fc2.weight"].T)) @ layer["mlp.c_proj.weight"].T
    return rms_norm(x) @ w["transformer.wte.weight"].T
