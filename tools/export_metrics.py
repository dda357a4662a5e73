#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hands the metrics of a run to other programs.

    export_metrics.py RUN --to csv|tensorboard|wandb [--out PATH]

RUN is the folder of a `t6 train`, or its metrics.jsonl. csv goes to stdout or PATH; tensorboard writes a file of events
into the folder PATH (RUN/tensorboard); wandb logs to the project PATH (t6) and needs that package. Names are those of
metrics.jsonl. Standard library only, but for wandb.
"""

import argparse
import csv
import json
import os
import struct
import sys

STEP = "iter"


def fail(text, hint):
    sys.exit(f"export_metrics.py: error: {text}; HINT: {hint}")


def read(run):
    """The records in order, each a dict of numbers; what a killed run left of a last line is no record."""
    path = os.path.join(run, "metrics.jsonl") if os.path.isdir(run) else run
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}", "give the folder of a run of t6 train")
    records = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = json.loads(line)
            if not isinstance(record.get(STEP), int):
                raise ValueError
        except (ValueError, AttributeError):
            if number == len(lines):
                continue
            fail(f"{path}:{number}: is no record of a step", "give the metrics.jsonl of a run of t6 train")
        records.append({name: value for name, value in record.items() if isinstance(value, (int, float))})
    return records


def to_csv(records, out):
    names = [STEP] + sorted({name for record in records for name in record} - {STEP})
    file = open(out, "w", newline="", encoding="utf-8") if out else sys.stdout
    with file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(records)


def crc_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    return table


CRC = crc_table()


def masked_crc(data):
    """CRC-32C, rotated and shifted as the format of TFRecord files has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def framed(event):
    size = struct.pack("<Q", len(event))
    return size + struct.pack("<I", masked_crc(size)) + event + struct.pack("<I", masked_crc(event))


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, payload):
    """A length-delimited field of a protocol buffer."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def event(seconds, step, values):
    """tensorflow.Event: wall_time = 1, step = 2, summary = 5 of values with tag = 1 and simple_value = 2."""
    summary = b"".join(
        field(1, field(1, name.encode()) + struct.pack("<Bf", 2 << 3 | 5, value)) for name, value in values.items())
    return struct.pack("<Bd", 1 << 3 | 1, seconds) + struct.pack("<B", 2 << 3) + varint(step) + field(5, summary)


def to_tensorboard(records, out):
    """Wall time is what steps took, from the beginning of the run."""
    os.makedirs(out, exist_ok=True)
    seconds = 0.0
    with open(os.path.join(out, "events.out.tfevents.0.t6"), "wb") as file:
        file.write(framed(struct.pack("<Bd", 1 << 3 | 1, 0.0) + field(3, b"brain.Event:2")))
        for record in records:
            seconds += record.get("train/iter_time_ms", 0) / 1000
            values = {name: value for name, value in record.items() if name != STEP}
            file.write(framed(event(seconds, record[STEP], values)))


def to_wandb(records, project):
    try:
        import wandb
    except ImportError:
        fail("there is no package wandb", "pip install wandb")
    with wandb.init(project=project) as run:
        for record in records:
            run.log(record, step=record[STEP])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--to", required=True, choices=("csv", "tensorboard", "wandb"))
    parser.add_argument("--out", metavar="PATH")
    options = parser.parse_args()
    records = read(options.run)
    if options.to == "csv":
        to_csv(records, options.out)
    elif options.to == "tensorboard":
        folder = options.run if os.path.isdir(options.run) else os.path.dirname(options.run) or "."
        to_tensorboard(records, options.out or os.path.join(folder, "tensorboard"))
    else:
        to_wandb(records, options.out or "t6")


if __name__ == "__main__":
    main()
