#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a safetensors checkpoint of small pseudo-random numbers for the parameters of an artifact.

    random_checkpoint.py model.t6x weights.safetensors

Types and shapes are the artifact's, so the runtime maps all of it. Standard library only.
"""

import array
import json
import random
import struct
import sys
import zipfile

ALIGNMENT = 64
BLOCK = 1 << 20  # Numbers; the file repeats them.


def block(dtype):
    """The bytes of BLOCK numbers in [-0.05, 0.05); zeros and subnormals do not occur."""
    generator = random.Random(1)
    numbers = array.array("f", ((generator.random() + 1e-6) * 0.1 - 0.05 for _ in range(BLOCK)))
    if dtype == "f32":
        return numbers.tobytes()
    # bf16 is the upper half of f32.
    halves = array.array("H")
    halves.frombytes(numbers.tobytes())
    return halves[1::2].tobytes()


def main(artifact, path):
    with zipfile.ZipFile(artifact) as archive:
        program = json.loads(archive.read("program.json"))
    header, offset = {}, 0
    for buffer in program["buffers"]:
        if buffer["kind"] != "param":
            continue
        shape = buffer.get("stored_shape", buffer["shape"])
        size = {"f32": 4, "bf16": 2}[buffer["dtype"]]
        for extent in shape:
            size *= extent
        header[buffer["name"]] = {"dtype": buffer["dtype"].upper(), "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    dtype = program["options"]["dtype"]
    numbers = block(dtype)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        while offset > 0:
            file.write(numbers[:offset])
            offset -= len(numbers)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
