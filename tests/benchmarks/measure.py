# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The measurements of run.sh: compile time, decoding against the read bandwidth, start-up.

    measure.py tpa-opt t6

Every figure is a ratio of two that are measured in the same run, so that it says something on another machine.
"""

import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import random_checkpoint

REPETITIONS = 3
DEPTH, TOKENS = 128, 32  # In the cache before decoding, and decoded.
PROMPT = ",".join(str(i) for i in range(1, 17))


def log(text):
    print(f"benchmark: {text}", file=sys.stderr, flush=True)


def check(process):
    if process.returncode != 0:
        sys.exit(f"benchmark: {' '.join(process.args)} failed: {process.stderr}")
    return process


def run(*command):
    return check(subprocess.run(command, capture_output=True, text=True))


def seconds(*command):
    start = time.monotonic()
    run(*command)
    return time.monotonic() - start


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)] + rows
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def describe_machine(t6, artifact, load):
    with open("/proc/cpuinfo") as file:
        cpu = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", file.read().split("\n\n")[0], re.MULTILINE))
    features = [f for f in cpu["flags"].split() if re.match(r"avx2$|fma$|f16c$|avx512(f|bw|_bf16|_fp16)$|avx_vnni$|amx", f)]
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal:\s*(\d+)", file.read())[1]) / 2**20
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    # The compiler knows the CPU by its features, where a virtual machine hides its name.
    known = json.loads(run(t6, "info", artifact, "--json").stdout)["cpu"]["name"]
    return "\n".join([
        f"- CPU: {cpu['model name']} ({known}), {len(os.sched_getaffinity(0))} of its threads to run on",
        f"- features: {' '.join(features)}" + ("" if any(f.startswith("amx") for f in features) else "; no amx"),
        f"- last-level cache {cpu.get('cache size', 'unknown')}, memory {memory:.0f} GiB, Linux {os.uname().release}",
        f"- {datetime.date.today()}, commit {commit or 'unknown'}, load before the start {load:.2f}",
    ]) + "\n"


def compile_times(tpa_opt, folder):
    """Medians, the two models alternating."""
    times = {"t6_small": [], "t6_xl": []}
    for _ in range(REPETITIONS):
        for name in times:
            log(f"compile {name}")
            times[name].append(seconds(tpa_opt, f"models/{name}.mlir", "-o", f"{folder}/{name}.t6x"))
    median = {name: statistics.median(values) for name, values in times.items()}
    rows = [[name, f"{value:.2f}", f"{value / median['t6_small']:.2f}"] for name, value in median.items()]
    return table(["compile", "seconds", "of t6_small"], rows)


MEMORY = {"mapped": [], "copied": ["--copy-weights"]}  # Where weights are, and the option that says so.


def decode_row(t6, dtype, threads, memory, artifact, weights):
    log(f"decode {dtype}, threads: {threads}, weights {memory}")
    out = run(t6, "bench", artifact, "--weights", weights, *MEMORY[memory], "-t", str(threads), "-p", "0", "-n", str(TOKENS),
              "-d", str(DEPTH), "-r", str(REPETITIONS + 2), "-o", "jsonl", "--profile").stdout
    lines = [json.loads(line) for line in out.splitlines()]
    bench, bandwidth = lines[0], lines[1]["read_bandwidth"]
    info = json.loads(run(t6, "info", artifact, "--json").stdout)
    # Step i reads the weights once and DEPTH + i + 1 tokens of cache.
    cached = info["model"]["cache_bytes_per_token"] * (DEPTH + (TOKENS + 1) / 2)
    token = bench["param_bytes"] + cached
    rate = TOKENS / statistics.median(bench["samples_seconds"])
    return [f"{dtype}, {threads} thread{'s' if threads > 1 else ''}, {memory}", f"{rate:.2f}", f"{token / 1e6:.1f}",
            f"{rate * token / 1e9:.2f}", f"{bandwidth / 1e9:.2f}", f"{rate * token / bandwidth:.0%}"]


def start_row(t6, dtype, memory, artifact, weights):
    """Medians of whole processes; memory is the peak of resident pages, less the weights' file."""
    firsts, beyond = [], []
    for i in range(REPETITIONS + 1):
        log(f"start {dtype}, weights {memory}")
        command = [t6, "generate", artifact, "--weights", weights, *MEMORY[memory], "--tokens", PROMPT, "-n", "1", "--temperature", "0"]
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.read(1)
        first = time.monotonic() - start
        _, summary = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"benchmark: {' '.join(command)} failed: {summary}")
        if i == 0:
            continue  # Warms the file cache.
        firsts.append(first)
        other = "copied" if memory == "mapped" else "mapped"
        if not re.search(rf"\b0 B {other}", summary):
            sys.exit(f"benchmark: the weights of {artifact} were not {memory}: {summary}")
        beyond.append(usage.ru_maxrss * 1024 - os.path.getsize(weights))
    size = os.path.getsize(weights)
    extra = statistics.median(beyond)
    return [f"{dtype}, {memory}", f"{statistics.median(firsts):.3f}", f"{size / 2**20:.0f}", f"{extra / 2**20:.1f}", f"{extra / size:.1%}"]


def main(tpa_opt, t6):
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="t6-benchmark.") as folder:
        compiled = compile_times(tpa_opt, folder)
        machine = describe_machine(t6, f"{folder}/t6_small.t6x", load)
        decode, start = [], []
        for dtype in ("f32", "bf16"):
            artifact, weights = f"{folder}/small_{dtype}.t6x", f"{folder}/small_{dtype}.safetensors"
            run(tpa_opt, "models/t6_small.mlir", f"--dtype={dtype}", "-o", artifact)
            log(f"write {dtype} weights")
            random_checkpoint.main(artifact, weights)
            for memory in MEMORY:
                start.append(start_row(t6, dtype, memory, artifact, weights))
                decode += [decode_row(t6, dtype, threads, memory, artifact, weights) for threads in (1, 2)]
            if dtype == "f32":  # Rounded to 8 bits as they are loaded.
                artifact = f"{folder}/small_int8.t6x"
                run(tpa_opt, "models/t6_small.mlir", "--weights=int8", "-o", artifact)
                start.append(start_row(t6, "int8", "copied", artifact, weights))
                decode += [decode_row(t6, "int8", threads, "copied", artifact, weights) for threads in (1, 2)]
            os.remove(weights)
    print("# Benchmark\n\n" + machine + "\n" + compiled)
    print(table(["t6_small decode", "tokens/s", "MB a token", "GB/s", "read bandwidth GB/s", "share"], decode))
    print(f"After {DEPTH} tokens, over {TOKENS}; a token reads all weights and its cache. "
          "The bandwidth is that of the same number of threads. Weights are mapped from their file, or copied into huge pages "
          "(--copy-weights); int8 weights are made from f32, over an f32 cache.\n")
    print(table(["t6_small start", "s to first token", "weights MiB", "memory beyond MiB", "of weights"], start))
    print(f"From the start of the process, file cache warm, prompt of {PROMPT.count(',') + 1} tokens, all threads.")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
