# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training steps of t6_small in PyTorch, written plainly: the peer of training.py, in a process of its own.

    plain_t6.py <weights> <tokens> <steps>

weights: safetensors with the names of the compiled model; tokens: safetensors with `tokens` and `targets`, i32 [B, T].
Each step is forward, backward, the clip of the gradient's norm and AdamW, on the same batch. Prints a line of JSON:
the first loss, the seconds of each step, the version of PyTorch. Needs Debian's python3-torch and python3-numpy.
"""

import json
import math
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

H, D, RANKS, LAYERS = 34, 64, {"q": 6, "k": 2, "v": 2}, 12
EPSILON = 1.1920928955078125e-07  # of f32, as the reference's norms have it


def read(path):
    """name -> tensor, of a safetensors file of f32 and i32."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        start = 8 + length
    header.pop("__metadata__", None)
    types = {"F32": np.float32, "I32": np.int32}
    return {
        name: torch.from_numpy(np.fromfile(path, types[t["dtype"]], math.prod(t["shape"]), offset=start + t["data_offsets"][0])
                               .reshape(t["shape"]))
        for name, t in header.items()
    }


def norm(x):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)


def rotation(length):
    """cos and sin [T, 1, D/2] of all positions, rounded to bf16 as the reference's tables are."""
    rates = 10000.0 ** -(torch.arange(0, D, 2) / D)
    angles = torch.outer(torch.arange(length).float(), rates)[:, None]
    return [table.bfloat16().float() for table in (angles.cos(), angles.sin())]


def rotate(x, cos, sin):
    a, b = x[..., : D // 2], x[..., D // 2 :]
    return torch.cat((a * cos + b * sin, b * cos - a * sin), -1)


def heads(x, weights, prefix, name, turn):
    """1/R sum_r A[b,n,h,r] B[b,n,r,d], B rotated for queries and keys (eq. 3.1 of the paper)."""
    batch, length, _ = x.shape
    rank = RANKS[name]
    a = F.linear(x, weights[f"{prefix}W_A_{name}.weight"]).view(batch, length, H, rank)
    b = F.linear(x, weights[f"{prefix}W_B_{name}.weight"]).view(batch, length, rank, D)
    return torch.matmul(a, turn(b)) / rank


def loss(weights, tokens, targets):
    batch, length = tokens.shape
    cos, sin = rotation(length)
    future = torch.full((length, length), -math.inf).triu(1)
    x = F.embedding(tokens, weights["transformer.wte.weight"])
    for i in range(LAYERS):
        layer = f"transformer.h.{i}."
        normed, qkv = norm(x), layer + "attn.c_qkv."
        q, k = (heads(normed, weights, qkv, name, lambda b: rotate(b, cos, sin)).transpose(1, 2) for name in "qk")
        v = heads(normed, weights, qkv, "v", lambda b: b).transpose(1, 2)
        scores = q @ k.transpose(2, 3) / math.sqrt(D) + future
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, H * D)
        x = x + F.linear(mixed, weights[layer + "attn.c_proj.weight"])
        normed, mlp = norm(x), layer + "mlp."
        gate, up = (F.linear(normed, weights[mlp + name + ".weight"]) for name in ("c_fc1", "c_fc2"))
        x = x + F.linear(F.silu(gate) * up, weights[mlp + "c_proj.weight"])
    logits = F.linear(norm(x), weights["transformer.wte.weight"])
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def main(weights_path, tokens_path, steps):
    weights = {name: tensor.requires_grad_() for name, tensor in read(weights_path).items()}
    batch = read(tokens_path)
    tokens, targets = batch["tokens"].long(), batch["targets"].long()
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
    losses, seconds = [], []
    for _ in range(steps):
        start = time.monotonic()
        value = loss(weights, tokens, targets)
        value.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.monotonic() - start)
        losses.append(value.item())
    print(json.dumps({"loss": losses[0], "seconds": seconds, "version": torch.__version__}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    torch.set_num_threads(int(__import__("os").environ.get("OMP_NUM_THREADS", "2")))
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
