"""Writes the inputs of the entry `loss` for a recorded case: loss_inputs.py reference.safetensors out.safetensors"""

import json
import struct
import sys


def main():
    reference, out = sys.argv[1:]
    with open(reference, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    record = json.loads(data[8 : 8 + size])["tokens"]
    rows, length = record["shape"]
    begin, end = (8 + size + offset for offset in record["data_offsets"])
    ids = struct.unpack(f"<{rows * length}i", data[begin:end])

    def columns(first, last):
        kept = [ids[row * length + i] for row in range(rows) for i in range(first, last)]
        return struct.pack(f"<{len(kept)}i", *kept)

    tensors = {"tokens": columns(0, length - 1), "targets": columns(1, length)}
    header, offset = {}, 0
    for name, values in tensors.items():
        header[name] = {
            "dtype": "I32",
            "shape": [rows, length - 1],
            "data_offsets": [offset, offset + len(values)],
        }
        offset += len(values)
    text = json.dumps(header).encode()
    with open(out, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(tensors.values()))


main()
