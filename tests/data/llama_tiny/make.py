#!/usr/bin/env python3
"""Writes the llama_tiny case beside itself: a Hugging Face LLaMA of two layers with
grouped-query attention, random weights, and what it computes in float64.

An independent statement of the architecture: nothing here comes from the compiler or
from transformers. Needs numpy; the files in version control were made with 2.x.
"""
import json
import pathlib
import struct

import numpy as np

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 80,
    "hidden_size": 48,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 50000.0,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "bos_token_id": 1,
    "eos_token_id": [2, 3],
    "torch_dtype": "float32",
}
BATCH, LENGTH = 2, 25


def make_weights(rng):
    c, f, v = CONFIG["hidden_size"], CONFIG["intermediate_size"], CONFIG["vocab_size"]
    d = c // CONFIG["num_attention_heads"]
    kv = CONFIG["num_key_value_heads"] * d

    def matrix(rows, columns):
        return (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    def norm():
        return (1 + 0.3 * rng.standard_normal(c)).astype(np.float32)

    weights = {"model.embed_tokens.weight": rng.standard_normal((v, c)).astype(np.float32)}
    for i in range(CONFIG["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        weights[layer + "input_layernorm.weight"] = norm()
        weights[layer + "self_attn.q_proj.weight"] = matrix(c, c)
        weights[layer + "self_attn.k_proj.weight"] = matrix(kv, c)
        weights[layer + "self_attn.v_proj.weight"] = matrix(kv, c)
        weights[layer + "self_attn.o_proj.weight"] = matrix(c, c)
        weights[layer + "post_attention_layernorm.weight"] = norm()
        weights[layer + "mlp.gate_proj.weight"] = matrix(f, c)
        weights[layer + "mlp.up_proj.weight"] = matrix(f, c)
        weights[layer + "mlp.down_proj.weight"] = matrix(c, f)
    weights["model.norm.weight"] = norm()
    weights["lm_head.weight"] = matrix(v, c)
    return weights


def rms_norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + CONFIG["rms_norm_eps"]) * weight


def rotate(x):
    """x is batch × token × head × d; feature i turns with i + d/2, counter-clockwise."""
    half = x.shape[-1] // 2
    frequency = CONFIG["rope_theta"] ** (-np.arange(half) / half)
    angle = np.arange(x.shape[1])[:, None] * frequency
    cos, sin = np.cos(angle)[None, :, None], np.sin(angle)[None, :, None]
    x1, x2 = x[..., :half], x[..., half:]
    return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], -1)


def attention(x, weight):
    heads, groups = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"]
    b, n, c = x.shape
    d = c // heads
    q = rotate((x @ weight("q_proj").T).reshape(b, n, heads, d))
    k = rotate((x @ weight("k_proj").T).reshape(b, n, groups, d))
    v = (x @ weight("v_proj").T).reshape(b, n, groups, d)
    out = np.zeros_like(q)
    for h in range(heads):
        g = h // (heads // groups)
        scores = q[:, :, h] @ k[:, :, g].transpose(0, 2, 1) / np.sqrt(d)
        scores = np.where(np.tril(np.ones((n, n), bool)), scores, -np.inf)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        out[:, :, h] = p / p.sum(-1, keepdims=True) @ v[:, :, g]
    return out.reshape(b, n, c) @ weight("o_proj").T


def forward(weights, tokens):
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x = w["model.embed_tokens.weight"][tokens]
    for i in range(CONFIG["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        x = x + attention(rms_norm(x, w[layer + "input_layernorm.weight"]),
                          lambda name: w[f"{layer}self_attn.{name}.weight"])
        y = rms_norm(x, w[layer + "post_attention_layernorm.weight"])
        gate = y @ w[layer + "mlp.gate_proj.weight"].T
        up = y @ w[layer + "mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[layer + "mlp.down_proj.weight"].T
    return rms_norm(x, w["model.norm.weight"]) @ w["lm_head.weight"].T


def mean_loss(logits, targets):
    top = logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(-1)) + top[..., 0]
    return (total - np.take_along_axis(logits, targets[..., None], -1)[..., 0]).mean()


def save(path, tensors):
    header, data = {"__metadata__": {"source": "make.py"}}, b""
    for name, value in tensors.items():
        dtype = {"float32": "F32", "int32": "I32"}[str(value.dtype)]
        raw = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": dtype, "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    folder = pathlib.Path(__file__).resolve().parent
    rng = np.random.default_rng(7)
    weights = make_weights(rng)
    tokens = rng.integers(0, CONFIG["vocab_size"], (BATCH, LENGTH)).astype(np.int32)
    logits = forward(weights, tokens[:, :-1])
    loss = mean_loss(logits, tokens[:, 1:].astype(np.int64))
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    save(folder / "weights.safetensors", weights)
    save(folder / "reference.safetensors", {
        "tokens": tokens,
        "logits": logits.astype(np.float32),
        "loss": np.array([loss], np.float32),
    })
    print(f"loss {loss:.6f}, logits rms {np.sqrt((logits ** 2).mean()):.4f}")


if __name__ == "__main__":
    main()
