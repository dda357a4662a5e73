"""Talks to TrainingSession.cpp: runs entries of an artifact, and reads the states that they leave. For tests."""

import subprocess

import numpy as np
import programs


class TrainingSession:
    """An artifact that stays open with its state; inputs and outputs are arrays."""

    def __init__(self, program, artifact, weights):
        """`weights` is a file of safetensors."""
        self.process = subprocess.Popen([program, artifact, weights], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def answer(self):
        self.process.stdin.flush()
        return self.line()

    def line(self):
        text = self.process.stdout.readline().split()
        if not text:
            raise AssertionError(f"the session ended: exit code {self.process.wait()}")
        return text

    def numbers(self, size):
        return np.frombuffer(self.process.stdout.read(int(size)), np.float32)

    def run(self, entry, inputs):
        """All outputs by name, which are f32."""
        send = self.process.stdin
        send.write(f"run {entry} {len(inputs)}\n".encode())
        for name, value in inputs.items():
            shape = " ".join(map(str, value.shape))
            send.write(f"{name} {programs.dtype_name(value)} {value.nbytes} {value.ndim} {shape}\n".encode())
            send.write(np.ascontiguousarray(value).tobytes())
        outputs = {}
        for _ in range(int(self.answer()[0])):
            name, size, _, *shape = self.line()
            outputs[name.decode()] = self.numbers(size).reshape(list(map(int, shape)))
        return outputs

    def state(self, name):
        """The numbers of a state of f32, in one dimension."""
        self.process.stdin.write(f"state {name}\n".encode())
        return self.numbers(self.answer()[0])

    def reset(self):
        """Zeroes all states."""
        self.process.stdin.write(b"reset\n")
