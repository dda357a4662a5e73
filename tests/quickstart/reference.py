#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Puts a recorded reference (tests/data/README.md) into the form of `t6 run --entry loss`, and compares.

    reference.py inputs reference.safetensors inputs.safetensors
    reference.py compare reference.safetensors outputs.safetensors

The comparison is of loss and logits; it fails beyond a relative error of 1e-5. Standard library only.
"""

import array
import json
import math
import struct
import sys

TOLERANCE = 1e-5


def read(path):
    """name -> (dtype, shape, data)."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def write(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


def inputs(reference, out):
    """Tokens [batch, length + 1] to the loss entry's: all but the last, and all but the first as targets."""
    _, (batch, length), data = read(reference)["tokens"]
    row = 4 * length
    rows = [data[i * row : (i + 1) * row] for i in range(batch)]
    shape = [batch, length - 1]
    write(out, {
        "tokens": ("I32", shape, b"".join(r[:-4] for r in rows)),
        "targets": ("I32", shape, b"".join(r[4:] for r in rows)),
    })


def compare(reference, outputs):
    expected, actual = read(reference), read(outputs)
    worst = 0.0
    for name in ("loss", "logits"):
        dtype, shape, data = actual[name]
        if (dtype, shape) != expected[name][:2]:
            sys.exit(f"{outputs}: {name} is {dtype} {shape}, but {expected[name][:2]} was recorded")
        want, have = array.array("f", expected[name][2]), array.array("f", data)
        distance = math.sqrt(sum((a - b) ** 2 for a, b in zip(have, want)))
        worst = max(worst, distance / math.sqrt(sum(b * b for b in want)))
        if name == "loss":
            print(f"loss     recorded {want[0]:.7f}, computed {have[0]:.7f}")
        else:
            print(f"logits   relative error {distance / math.sqrt(sum(b * b for b in want)):.1e}")
    if not worst <= TOLERANCE:
        sys.exit(f"{outputs} differs from {reference} by {worst:.1e}, more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    actions = {"inputs": inputs, "compare": compare}
    if len(sys.argv) != 4 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]](*sys.argv[2:])
