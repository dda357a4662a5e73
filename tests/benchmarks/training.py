# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The training step of t6_small: speed against PyTorch and sgemm, memory against the plan, two ranks against one.

usage: training.py <tpa-opt> <t6> [rounds]

Prints Markdown; run from the root of the tree, with two CPUs. Speeds are medians over rounds (3) in which what is
compared takes turns. Needs what matmul.py does; PyTorch (Debian's python3-torch, or T6_TORCH_PYTHON=<command> for an
interpreter that has it) and mpirun (openmpi-bin) for their rows, which otherwise say that they were not measured.
"""

import array
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

import matmul
import measure
import random_checkpoint

VOCABULARY, WIDTH, HIDDEN, LAYERS, HEADS, HEAD_SIZE = 50304, 768, 2048, 12, 34, 64
RANKS = 6 + 2 + 2
BATCH, LENGTH = 4, 256
THREADS = 2
STEPS = 3  # of a process, the first of which is not counted
MEMORY_LENGTHS = (256, 512, 1024, 2048)


def log(text):
    print(f"benchmark: {text}", file=sys.stderr, flush=True)


def model_flops(batch, length):
    """Of a step, without what is computed again; the half of the scores that the mask hides is not counted."""
    factors = RANKS * (HEADS + HEAD_SIZE) * WIDTH
    matrices = factors + HEADS * HEAD_SIZE * WIDTH + 3 * WIDTH * HIDDEN
    heads = RANKS * HEADS * HEAD_SIZE  # products that form q, k and v
    attention = 2 * HEADS * HEAD_SIZE * (length + 1) / 2
    forward = 2 * (LAYERS * (matrices + heads + attention) + WIDTH * VOCABULARY)
    return 3 * forward * batch * length


def write_tokens(path):
    generator = random.Random(1)
    tokens = array.array("H", (generator.randrange(VOCABULARY) for _ in range(1 << 16)))
    with open(path, "wb") as file:
        file.write(tokens.tobytes())
    return tokens


def write_batch(path, tokens):
    """The batch of plain_t6.py, as safetensors of i32."""
    rows = [tokens[i * (LENGTH + 1) : (i + 1) * (LENGTH + 1)] for i in range(BATCH)]
    size = 4 * BATCH * LENGTH
    header = {name: {"dtype": "I32", "shape": [BATCH, LENGTH], "data_offsets": [i * size, (i + 1) * size]}
              for i, name in enumerate(("tokens", "targets"))}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shift in (0, 1):
            for row in rows:
                file.write(array.array("i", row[shift : LENGTH + shift]).tobytes())


class Training:
    """Runs of `t6 train` on an artifact of t6_small."""

    def __init__(self, tpa_opt, t6, folder, length):
        self.t6, self.folder, self.length = t6, folder, length
        self.artifact = f"{folder}/train{length}.t6x"
        log(f"compile t6_small to train on {BATCH} x {length}")
        measure.run(tpa_opt, "models/t6_small.mlir", "--train", f"--batch={BATCH}", f"--max-length={length}", "-o", self.artifact)

    def info(self):
        return json.loads(measure.run(self.t6, "info", self.artifact, "--json").stdout)

    def arena(self):
        return next(e["memory_bytes"] for e in self.info()["entries"] if e["name"] == "accumulate_gradients")

    def run(self, launcher, options, steps):
        """(metrics of each step, peak memory)."""
        out = f"{self.folder}/run"
        shutil.rmtree(out, ignore_errors=True)
        command = [*launcher, self.t6, "train", self.artifact, "--data", f"{self.folder}/tokens.bin", "--out", out, "--steps", str(steps),
                   "--eval-interval", "0", "--log-interval", "1", "--plot", "false", *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"benchmark: {' '.join(command)} failed: {errors}")
        with open(f"{out}/metrics.jsonl") as file:
            lines = [json.loads(line) for line in file]
        return [line for line in lines if "train/iter_time_ms" in line], usage.ru_maxrss * 1024

    def step_seconds(self, launcher, options):
        lines, _ = self.run(launcher, options, STEPS)
        return [line["train/iter_time_ms"] / 1000 for line in lines[1:]]


def torch_python():
    """The command of an interpreter with PyTorch, or none."""
    command = os.environ.get("T6_TORCH_PYTHON", "/usr/bin/python3").split()
    found = subprocess.run([*command, "-c", "import torch, numpy"], capture_output=True)
    return command if found.returncode == 0 else None


def torch_seconds(python, folder):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plain_t6.py")
    process = subprocess.run([*python, "-B", script, f"{folder}/weights.safetensors", f"{folder}/batch.safetensors", str(STEPS)],
                             capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": str(THREADS)})
    result = json.loads(measure.check(process).stdout)
    return result["seconds"][1:], result


def own_loss(training):
    folder = training.folder
    measure.run(training.t6, "run", training.artifact, "--entry", "loss", "--weights", f"{folder}/weights.safetensors",
                "--inputs", f"{folder}/batch.safetensors", "--outputs", f"{folder}/loss.safetensors")
    with open(f"{folder}/loss.safetensors", "rb") as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    begin, end = json.loads(data[8 : 8 + size])["loss"]["data_offsets"]
    return array.array("f", data[8 + size + begin : 8 + size + end])[0]


def best_sgemm():
    """FLOP/s of the better library on the best of the shapes of matmul.py."""
    libraries = matmul.Libraries()
    libraries.set_threads(THREADS)
    flops = 0
    for form, m, n, k in matmul.SHAPES:
        for call in libraries.calls(form, m, n, k):
            flops = max(flops, 2 * m * n * k / matmul.best(call, 3))
    return flops


def speed_table(training, rounds):
    folder = training.folder
    random_checkpoint.main(training.artifact, f"{folder}/weights.safetensors")
    python = torch_python()
    own, peer, sgemm, about = [], [], 0, None
    for i in range(rounds):
        log(f"round {i + 1} of {rounds}: t6 train")
        own += training.step_seconds([], ["--accumulation", "1", "-t", str(THREADS)])
        log("sgemm")
        sgemm = max(sgemm, best_sgemm())
        if python:
            log("PyTorch")
            seconds, about = torch_seconds(python, folder)
            peer += seconds
    seconds, flops = statistics.median(own), model_flops(BATCH, LENGTH)
    rows = [["t6 train", f"{seconds:.2f}", f"{BATCH * LENGTH / seconds:.0f}", f"{flops / seconds / 1e9:.0f}", f"{flops / seconds / sgemm:.0%}", "1.00"]]
    if python:
        other = statistics.median(peer)
        rows.append([f"PyTorch {about['version']}", f"{other:.2f}", f"{BATCH * LENGTH / other:.0f}", f"{flops / other / 1e9:.0f}",
                     f"{flops / other / sgemm:.0%}", f"{other / seconds:.2f}"])
    print(measure.table([f"t6_small step, {BATCH} x {LENGTH}, f32, {THREADS} threads", "s", "tokens/s", "GFLOP/s", "of the best sgemm", "times ours"], rows))
    print(f"A step is the gradients of {BATCH} windows, the clip and AdamW, from reading the batch on; {flops / 1e9:.0f} GFLOP without what is "
          f"computed again; the best sgemm, of OpenBLAS and oneDNN on matmul.py's shapes, had {sgemm / 1e9:.0f} GFLOP/s.")
    if python:
        print(f"Both have the same weights and batch: losses {own_loss(training):.6f} and {about['loss']:.6f}.\n")
    else:
        print("PyTorch: not measured, there is none; HINT: apt-get install python3-torch.\n")


def memory_table(tpa_opt, t6, folder):
    training = Training(tpa_opt, t6, folder, 1024)
    log("peak memory at 1024 tokens")
    _, peak = training.run([], ["--accumulation", "1", "-t", str(THREADS)], 1)
    plan = training.info()["training_bytes"]
    print(measure.table([f"t6_small, memory of a process that trains, {BATCH} x 1024", "MiB"],
                        [["planned (t6 info)", f"{plan / 2**20:.0f}"], ["peak resident", f"{peak / 2**20:.0f}"],
                         ["peak / planned", f"{peak / plan:.3f}"]]))
    rows, last = [], None
    for length in MEMORY_LENGTHS:
        bytes_ = Training(tpa_opt, t6, folder, length).arena()
        growth = "" if last is None else f"{(bytes_ - last[1]) / (length - last[0]) / BATCH / 2**10:.0f}"
        rows.append([str(length), f"{bytes_ / 2**20:.0f}", growth])
        last = length, bytes_
    print(measure.table(["tokens a window", "MiB for the gradients", "KiB more a token"], rows))


def ranks_table(training, rounds):
    if not shutil.which("mpirun"):
        print("Two ranks: not measured, there is no mpirun; HINT: apt-get install openmpi-bin.\n")
        return
    launcher = ["mpirun", "--allow-run-as-root", "--bind-to", "core", "-n", str(THREADS)]
    tokens = ["--tokens-per-step", str(THREADS * BATCH * LENGTH)]
    one, two = [], []
    for i in range(rounds):
        log(f"ranks, round {i + 1} of {rounds}")
        one += training.step_seconds([], [*tokens, "-t", str(THREADS)])
        two += training.step_seconds(launcher, [*tokens, "-t", "1"])
    one, two = statistics.median(one), statistics.median(two)
    print(measure.table([f"t6_small step of {THREADS * BATCH * LENGTH} tokens", "s", "speed"],
                        [[f"1 rank, {THREADS} threads", f"{one:.2f}", "1.00"], [f"{THREADS} ranks of 1 thread", f"{two:.2f}", f"{one / two:.2f}"]]))


def main(tpa_opt, t6, rounds=3):
    with tempfile.TemporaryDirectory(prefix="t6-benchmark.") as folder:
        write_batch(f"{folder}/batch.safetensors", write_tokens(f"{folder}/tokens.bin"))
        training = Training(tpa_opt, t6, folder, LENGTH)
        speed_table(training, rounds)
        ranks_table(training, rounds)
        memory_table(tpa_opt, t6, folder)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
