# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Generated matrix products and prefill against OpenBLAS and oneDNN in the same run.

usage: matmul.py <tpa-opt> <entry_benchmark> <t6> [rounds]

Prints Markdown; run from the root of the tree. Nine products of training t6_small: outputs (NT), gradients of inputs
(NN) and of weights (TN) of three linear maps on 1024 tokens; six of them again with both factors in bf16, the sums in
f32. Everything is the best over rounds (3) in which what is compared takes turns. Needs numpy, OpenBLAS and oneDNN: Debian's python3-numpy, libopenblas0-pthread and libdnnl2.
"""

import ctypes
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

PROGRAM = """
exec.buffer input @product.left : tensor<{left}x{dtype}>
exec.buffer input @product.right : tensor<{right}x{dtype}>
exec.buffer output @product.result : tensor<{m}x{n}xf32>
exec.entry @product scalars [] maxima [] {{
^bb0:
  %left = exec.load @product.left : tensor<{left}x{dtype}>
  %right = exec.load @product.right : tensor<{right}x{dtype}>
  %result = tpa.einsum "{equation}"(%left, %right) : tensor<{left}x{dtype}>, tensor<{right}x{dtype}>
  exec.store %result, @product.result : tensor<{m}x{n}xf32>
}}
"""

SHAPES = [
    ("NT", 1024, 768, 768), ("NN", 1024, 768, 768), ("TN", 768, 768, 1024),
    ("NT", 1024, 2048, 768), ("NN", 1024, 768, 2048), ("TN", 2048, 768, 1024),
    ("NT", 1024, 50304, 768), ("NN", 1024, 768, 50304), ("TN", 50304, 768, 1024),
]

TOKENS = 1024


def load(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        sys.exit(f"matmul.py: no {name}; HINT: apt-get install libopenblas0-pthread libdnnl2")


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


class Bf16Matmul:
    """oneDNN's product of two bf16 matrices into f32. Declarations and numbers: oneapi/dnnl/dnnl.h and dnnl_types.h of
    version 2.7, which Debian 12 has."""

    CPU, IN_ORDER, F32, BF16, SOURCE, WEIGHTS, DESTINATION = 1, 1, 3, 2, 1, 33, 17
    DESCRIPTOR_BYTES = 1 << 16  # more than any descriptor has

    class Argument(ctypes.Structure):
        _fields_ = [("index", ctypes.c_int), ("memory", ctypes.c_void_p)]

    def __init__(self):
        self.library = load("libdnnl.so.2")
        self.engine = self.create("engine", self.CPU, ctypes.c_size_t(0))
        self.stream = self.create("stream", self.engine, self.IN_ORDER)

    def do(self, function, *arguments):
        status = getattr(self.library, "dnnl_" + function)(*arguments)
        if status:
            sys.exit(f"matmul.py: dnnl_{function} returned {status}")

    def create(self, kind, *arguments):
        created = ctypes.c_void_p()
        self.do(kind + "_create", ctypes.byref(created), *arguments)
        return created

    def describe(self, rows, columns, transposed, dtype):
        sizes = ctypes.c_int64 * 12
        strides = (1, rows) if transposed else (columns, 1)
        descriptor = ctypes.create_string_buffer(self.DESCRIPTOR_BYTES)
        self.do("memory_desc_init_by_strides", descriptor, 2, sizes(rows, columns), dtype, sizes(*strides))
        return descriptor

    def call(self, form, m, n, k):
        descriptors = [self.describe(m, k, form[0] == "T", self.BF16), self.describe(k, n, form[1] == "T", self.BF16),
                       self.describe(m, n, False, self.F32)]
        operation = ctypes.create_string_buffer(self.DESCRIPTOR_BYTES)
        self.do("matmul_desc_init", operation, *descriptors[:2], None, descriptors[2])
        primitive = self.create("primitive", self.create("primitive_desc", operation, None, self.engine, None))
        rng = np.random.default_rng(1)
        # The upper halves of f32 are bf16.
        arrays = [(rng.random(size, np.float32).view(np.uint32) >> 16).astype(np.uint16) for size in (m * k, k * n)]
        arrays.append(np.zeros(m * n, np.float32))
        memories = [self.create("memory", descriptor, self.engine, pointer(array))
                    for descriptor, array in zip(descriptors, arrays)]
        arguments = (self.Argument * 3)(*zip((self.SOURCE, self.WEIGHTS, self.DESTINATION), memories))

        def matmul(_=arrays):  # holds what the library only points to
            self.do("primitive_execute", primitive, self.stream, 3, arguments)
            self.do("stream_wait", self.stream)

        return matmul


class Libraries:
    """sgemm of both libraries on arrays of a shape."""

    def __init__(self):
        folder = "/usr/lib/x86_64-linux-gnu/openblas-pthread/"
        self.openblas = load(folder + "libopenblas.so.0" if pathlib.Path(folder).exists() else "libopenblas.so.0")
        self.onednn = load("libdnnl.so.2")
        self.openmp = load("libgomp.so.1")

    def set_threads(self, threads):
        self.openblas.openblas_set_num_threads(threads)
        self.openmp.omp_set_num_threads(threads)

    def calls(self, form, m, n, k):
        transposed = [letter == "T" for letter in form]
        rng = np.random.default_rng(1)
        left = rng.random((k, m) if transposed[0] else (m, k), np.float32)
        right = rng.random((n, k) if transposed[1] else (k, n), np.float32)
        result = np.zeros((m, n), np.float32)
        one, zero = ctypes.c_float(1), ctypes.c_float(0)
        size, flag = ctypes.c_int64, [ctypes.c_char(letter.encode()) for letter in form]

        def openblas():
            self.openblas.cblas_sgemm(101, *(112 if t else 111 for t in transposed), m, n, k, one, pointer(left),
                                      left.shape[1], pointer(right), right.shape[1], zero, pointer(result), n)

        def onednn():
            self.onednn.dnnl_sgemm(*flag, size(m), size(n), size(k), one, pointer(left), size(left.shape[1]),
                                   pointer(right), size(right.shape[1]), zero, pointer(result), size(n))

        return openblas, onednn


def best(call, repetitions):
    call()
    seconds = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def prefill(tpa_opt, t6, folder, rounds, peak):
    """The model's own floating-point operations a second, attention included."""
    artifact = str(pathlib.Path(folder, "t6_small.t6x"))
    run(tpa_opt, "models/t6_small.mlir", f"--prefill-chunk={TOKENS}", "-o", artifact)
    print(f"\n| prefill of {TOKENS} tokens, t6_small f32 | tokens/s | GF/s | of the best sgemm |")
    print("| --- | ---: | ---: | ---: |")
    for threads in 1, 2:
        out = run(t6, "bench", artifact, "--random-weights", "-t", str(threads), "-p", str(TOKENS), "-n", "0",
                  "-r", str(rounds), "-o", "md,jsonl", "--profile")
        samples = json.loads(re.search(r"\"samples_seconds\":\s*(\[[^]]*\])", out)[1])
        seconds, rate = re.search(r"^\| all \|[^|]*\| ([\d.]+) \|.*\| ([\d.]+) \|$", out, re.MULTILINE).groups()
        flops = float(seconds) * float(rate) / min(samples)
        print(f"| {threads} thread{'s' if threads > 1 else ''} | {TOKENS / min(samples):.0f} | {flops:.0f} "
              f"| {100 * flops / peak[threads]:.0f} % |", flush=True)


def compile_product(tpa_opt, folder, form, m, n, k, dtype="f32"):
    left, right = ("mk", "km")[form[0] == "T"], ("kn", "nk")[form[1] == "T"]
    sizes = {"m": m, "n": n, "k": k}
    source = pathlib.Path(folder, f"{form}_{m}_{n}_{k}_{dtype}.mlir")
    source.write_text(PROGRAM.format(m=m, n=n, dtype=dtype, equation=f"{left},{right}->mn", **{
        name: "x".join(str(sizes[label]) for label in labels) for name, labels in (("left", left), ("right", right))}))
    artifact = str(source.with_suffix(".t6x"))
    run(tpa_opt, str(source), "--compile-from=entries", "-o", artifact)
    return artifact


def rates(entry_benchmark, artifact, calls, flops, threads, rounds):
    """FLOP/s of each call and of the artifact's product, which take turns."""
    repetitions = max(3, int(4e10 / flops))
    seconds = [float("inf")] * (len(calls) + 1)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            seconds[i] = min(seconds[i], best(call, repetitions))
        out = run(entry_benchmark, artifact, "product", "0", str(threads), str(repetitions))
        # The product alone: an entry also copies its inputs, which no library is asked to do.
        seconds[-1] = min(seconds[-1], json.loads(out)["dispatches"][0][1])
    return [flops / s / 1e9 for s in seconds]


def print_row(form, m, n, k, threads, rates):
    print(f"| {form} | {m}, {n}, {k} | {threads} | " + " | ".join(f"{rate:.0f}" for rate in rates)
          + f" | {100 * rates[-1] / max(rates[:-1]):.0f} % |", flush=True)


def main():
    tpa_opt, entry_benchmark, t6 = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    libraries, bf16 = Libraries(), Bf16Matmul()
    peak = {1: 0, 2: 0}
    with tempfile.TemporaryDirectory() as folder:
        print("| f32 product | M, N, K | threads | OpenBLAS GF/s | oneDNN GF/s | generated GF/s | of the better |")
        print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
        for form, m, n, k in SHAPES:
            artifact = compile_product(tpa_opt, folder, form, m, n, k)
            calls = libraries.calls(form, m, n, k)
            for threads in 1, 2:
                libraries.set_threads(threads)
                row = rates(entry_benchmark, artifact, calls, 2 * m * n * k, threads, rounds)
                peak[threads] = max(peak[threads], *row[:2])
                print_row(form, m, n, k, threads, row)
        print("\n| bf16 product | M, N, K | threads | oneDNN GF/s | generated GF/s | of oneDNN |")
        print("| --- | --- | ---: | ---: | ---: | ---: |")
        for form, m, n, k in SHAPES[:6]:
            artifact = compile_product(tpa_opt, folder, form, m, n, k, "bf16")
            call = bf16.call(form, m, n, k)
            for threads in 1, 2:
                libraries.set_threads(threads)
                print_row(form, m, n, k, threads,
                          rates(entry_benchmark, artifact, [call], 2 * m * n * k, threads, rounds))
        prefill(tpa_opt, t6, folder, rounds, peak)


if __name__ == "__main__":
    main()
