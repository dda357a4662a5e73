# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Metrics of a run as other programs read them."""

import csv
import importlib.util
import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

SCRIPT = sys.argv[1]
RECORDS = [
    {"iter": 0, "train/loss": 5.5, "lr": 0.25, "train/iter_time_ms": 2000.0, "train/mfu": None},
    {"iter": 300, "val/loss": 4.0},
    {"iter": 300, "train/loss": 4.5, "lr": 0.125, "train/iter_time_ms": 500.0},
]


def load():
    spec = importlib.util.spec_from_file_location("export_metrics", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def message(data):
    """(number, value) of each field of a protocol buffer."""
    fields, at = [], 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        fields.append((key >> 3, value))
    return fields


class ExportTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.metrics = pathlib.Path(self.folder.name, "metrics.jsonl")
        self.metrics.write_text("".join(json.dumps(r) + "\n" for r in RECORDS))

    def run_script(self, *arguments, code=0):
        done = subprocess.run([sys.executable, "-B", SCRIPT, *arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_csv(self):
        text = self.run_script(self.folder.name, "--to", "csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual(list(rows[0]), ["iter", "lr", "train/iter_time_ms", "train/loss", "val/loss"])
        self.assertEqual([row["train/loss"] for row in rows], ["5.5", "", "4.5"])
        out = str(pathlib.Path(self.folder.name, "out.csv"))
        self.assertEqual(self.run_script(str(self.metrics), "--to", "csv", "--out", out), "")
        with open(out) as file:
            self.assertEqual(list(csv.DictReader(file)), rows)

    def test_checksum(self):
        """CRC-32C of "123456789" is e3069283 (RFC 3720, B.4 has the polynomial)."""
        crc = 0xE3069283
        self.assertEqual(load().masked_crc(b"123456789"), ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    def test_tensorboard(self):
        self.run_script(self.folder.name, "--to", "tensorboard")
        (path,) = pathlib.Path(self.folder.name, "tensorboard").iterdir()
        data, events, crc = path.read_bytes(), [], load().masked_crc
        while data:
            (size,), check = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])[0]
            self.assertEqual(check, crc(data[:8]))
            event, data = data[12 : 12 + size], data[12 + size :]
            self.assertEqual(struct.unpack("<I", data[:4])[0], crc(event))
            events.append(dict(message(event)))
            data = data[4:]
        self.assertEqual(events[0][3], b"brain.Event:2")
        found = []
        for event in events[1:]:
            values = {}
            for _, value in message(event[5]):
                parts = dict(message(value))
                values[parts[1].decode()] = struct.unpack("<f", parts[2])[0]
            found.append((struct.unpack("<d", event[1])[0], event[2], values))
        self.assertEqual(found, [
            (2.0, 0, {"train/loss": 5.5, "lr": 0.25, "train/iter_time_ms": 2000.0}),
            (2.0, 300, {"val/loss": 4.0}),
            (2.5, 300, {"train/loss": 4.5, "lr": 0.125, "train/iter_time_ms": 500.0}),
        ])

    def test_bad_input(self):
        self.assertIn("cannot read", self.run_script(self.folder.name + "/none", "--to", "csv", code=1))
        with self.metrics.open("a") as file:
            file.write('{"iter": 301, "tra')  # Killed while it wrote.
        self.assertEqual(self.run_script(self.folder.name, "--to", "csv").count("\n"), 4)
        with self.metrics.open("a") as file:
            file.write("\n" + json.dumps(RECORDS[0]) + "\n")
        self.assertIn("metrics.jsonl:4: is no record", self.run_script(self.folder.name, "--to", "csv", code=1))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
