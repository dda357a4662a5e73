"""Compiles IR with tpa-opt and runs entries with t6, on numpy arrays. For tests."""

import json
import pathlib
import struct
import subprocess
import tempfile

import numpy as np

# numpy has no bfloat16: arrays of its bits stand for it.
_DTYPES = {"F32": np.float32, "I32": np.int32, "BF16": np.uint16}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}


def dtype_name(array):
    """As safetensors spell it."""
    return _NAMES[array.dtype]


def bfloat16(array):
    """The bits of each element in bfloat16, cut off."""
    return (array.view(np.uint32) >> 16).astype(np.uint16)


def widened(array):
    """What is no bfloat16 stays as it is."""
    return (array.astype(np.uint32) << 16).view(np.float32) if array.dtype == np.uint16 else array


def save(path, tensors):
    """Writes a dict of arrays as safetensors."""
    header, data = {}, b""
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": _NAMES[value.dtype], "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    """Reads safetensors as a dict of arrays."""
    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    result = {}
    for name, tensor in header.items():
        begin, end = tensor["data_offsets"]
        flat = np.frombuffer(raw[8 + size + begin : 8 + size + end], _DTYPES[tensor["dtype"]])
        result[name] = flat.reshape(tensor["shape"])
    return result


class Programs:
    """The two programs, and a folder for what they exchange."""

    def __init__(self, tpa_opt, t6):
        self.tpa_opt, self.t6 = tpa_opt, t6
        self.folder = tempfile.TemporaryDirectory()

    def path(self, name):
        return str(pathlib.Path(self.folder.name) / name)

    def compile(self, source, *flags):
        """Compiles a file to an artifact and returns its path."""
        artifact = self.path(f"{pathlib.Path(source).stem}.t6x")
        subprocess.run([self.tpa_opt, source, *flags, "-o", artifact], check=True)
        return artifact

    def run(self, artifact, entry, inputs, *flags):
        """Runs an entry; inputs and outputs are dicts of arrays."""
        save(self.path("in.safetensors"), inputs)
        subprocess.run([self.t6, "run", artifact, "--entry", entry, "--inputs", self.path("in.safetensors"),
                        "--outputs", self.path("out.safetensors"), *flags], check=True)
        return load(self.path("out.safetensors"))


def error(actual, expected):
    """||actual - expected|| / ||expected||; NaN counts as infinite."""
    difference = np.linalg.norm(actual.astype(np.float64) - expected) / np.linalg.norm(expected)
    return difference if np.isfinite(difference) else np.inf
