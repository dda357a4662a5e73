"""Training on several ranks under mpirun: the losses of one rank, checkpoints for any number, and ends of a rank.

Usage: ranks_test.py <tpa-opt> <t6>
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MODEL = """
t6.model @ranks uses @tpa {
  vocab = 257, layers = 2, width = 32, ffn = 48, context_length = 64,
  sizes = {H = 2, D = 16, R_Q = 3, R_K = 2, R_V = 2}}
"""
FLAGS = ["--train", "--batch=2", "--max-length=32"]
# Sums of f32 in another order differ in the last bits, and a step carries that on.
RELATIVE_BOUND = 1e-5
# "Within a minute" is promised; what is not alive is noticed at once on one machine.
SECONDS_TO_END = 20


class Ranks:
    def __init__(self, tpa_opt, t6, folder):
        self.tpa_opt, self.t6, self.folder = tpa_opt, os.path.abspath(t6), pathlib.Path(folder)
        (self.folder / "model.mlir").write_text(MODEL)
        self.artifact = self.folder / "model.t6x"
        self.started = []
        subprocess.run([tpa_opt, self.folder / "model.mlir", *FLAGS, "-o", self.artifact], check=True)
        # Words in an order that has something to learn and does not repeat.
        words = [f"word{i * i % 97}" for i in range(3000)]
        (self.folder / "text.txt").write_text(" ".join(words))

    def command(self, ranks, out, *flags, launcher=()):
        train = [self.t6, "train", self.artifact, "--data", self.folder / "text.txt", "--tokenizer", "bytes",
                 "--out", self.folder / out, "--tokens-per-step", "384", "--log-interval", "1", "--eval-interval",
                 "3", "--schedule", "constant", "--warmup", "2", "--threads", "1", *flags]
        if ranks == 1:
            return [str(word) for word in train]
        return [str(word) for word in
                ["mpirun", "--allow-run-as-root", "--oversubscribe", *launcher, "-n", ranks, *train]]

    def two_kinds(self, out, first, second, artifact=None):
        """A job whose two ranks have different flags, and perhaps artifacts."""
        job = self.command(2, out, *first)
        job[job.index("-n") + 1] = "1"
        other = self.command(1, out, *second)
        other[2] = str(artifact or self.artifact)
        return subprocess.run([*job, ":", "-n", "1", *other], capture_output=True, text=True, timeout=60)

    def train(self, ranks, out, *flags):
        """The losses of the steps and of the evaluations."""
        done = subprocess.run(self.command(ranks, out, *flags), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.losses(out)

    def losses(self, out):
        losses = {}
        for line in (self.folder / out / "metrics.jsonl").read_text().splitlines():
            record = json.loads(line)
            for kind in ("train/loss", "val/loss"):
                if kind in record:
                    assert (kind, record["iter"]) not in losses, "written twice"
                    losses[kind, record["iter"]] = record[kind]
        return losses

    def stop(self):
        """What a failed test leaves behind; mpirun ends its ranks."""
        for running in self.started:
            if running.poll() is None:
                running.terminate()
                running.communicate()

    def start(self, out, *flags, launcher=()):
        """Two ranks that train for long; returns them and the process of each rank, when there is a checkpoint."""
        running = subprocess.Popen(self.command(2, out, "--steps", "1000000", *flags, launcher=launcher),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.started.append(running)
        end = time.monotonic() + 60
        while not (self.folder / out / "latest").exists():
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < end, "no checkpoint"
            time.sleep(0.05)
        processes = {}
        for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                variables = environment.read_bytes().split(b"\0")
                words = (environment.parent / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(self.folder / out).encode() in words and words[0] == self.t6.encode():
                for rank in (0, 1):
                    if f"OMPI_COMM_WORLD_RANK={rank}".encode() in variables:
                        processes[rank] = int(environment.parent.name)
        assert len(processes) == 2, processes
        return running, processes


def alive(process):
    """Whether it still runs; what nobody has waited for does not."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def close(left, right):
    assert left.keys() == right.keys(), (left.keys(), right.keys())
    worst = max(abs(left[key] - right[key]) / right[key] for key in right)
    assert worst <= RELATIVE_BOUND, worst
    return worst


def same_losses(ranks):
    one = ranks.train(1, "one", "--steps", "12")
    for count in (2, 3):
        worst = close(ranks.train(count, f"of{count}", "--steps", "12"), one)
        print(f"{count} ranks: losses differ by {worst:.1e} from those of one")
    first, last = one["train/loss", 0], one["train/loss", 11]
    assert last < first - 0.1, (first, last)


def sum_reduction(ranks):
    """The reference's: the sum over a rank's micro-batches, the mean over ranks: a third of them, a third of it."""
    flags = ["--steps", "6", "--grad-accum", "sum", "--clip", "0", "--learning-rate", "1e-3"]
    norms = {}
    for count in (1, 3):
        ranks.train(count, f"sum{count}", *flags)
        first = json.loads((ranks.folder / f"sum{count}" / "metrics.jsonl").read_text().splitlines()[1])
        norms[count] = first["train/grad_norm"]
    assert abs(norms[1] / norms[3] - 3) < 1e-3, norms


def resume(ranks):
    """From two ranks on one, and back on two and three."""
    whole = ranks.train(1, "whole", "--steps", "12")
    ranks.train(2, "parts", "--steps", "3")
    ranks.train(1, "parts", "--steps", "6", "--resume", "auto")
    ranks.train(3, "parts", "--steps", "9", "--resume", "auto")
    parts = ranks.train(2, "parts", "--steps", "12", "--resume", "auto")
    close(parts, whole)


def killed(ranks, who, launcher):
    running, processes = ranks.start(f"killed{who}{len(launcher)}", launcher=launcher)
    os.kill(processes[who], signal.SIGKILL)
    before = time.monotonic()
    _, errors = running.communicate(timeout=60)
    assert time.monotonic() - before < SECONDS_TO_END
    other = 1 - who
    while alive(processes[other]):
        assert time.monotonic() - before < SECONDS_TO_END, errors
        time.sleep(0.05)
    if launcher:  # Else mpirun may kill the other before it can speak.
        assert f"rank {other}: rank {who} failed: it has ended without a word" in errors, errors


def interrupted(ranks):
    """SIGTERM to rank 1 ends both, after a save that can be gone on from."""
    running, processes = ranks.start("interrupted")
    os.kill(processes[1], signal.SIGTERM)
    _, errors = running.communicate(timeout=60)
    assert "interrupted and saved" in errors, errors
    step = max(step for kind, step in ranks.losses("interrupted") if kind == "train/loss") + 1
    losses = ranks.train(2, "interrupted", "--steps", str(step + 1), "--resume", "auto")
    assert ("train/loss", step) in losses


def not_finite(ranks):
    """A loss that is not finite on one rank ends all, and each says so: here an epsilon of rank 1 is NaN."""
    text = subprocess.run([ranks.tpa_opt, ranks.folder / "model.mlir", *FLAGS, "--compile-to=linalg"], check=True,
                          capture_output=True, text=True).stdout
    sound, block, training = text.partition("@accumulate_gradients.forward.block(")
    epsilon = "constant 1.1920929E-7 : f32"
    assert epsilon in training
    (ranks.folder / "broken.mlir").write_text(sound + block + training.replace(epsilon, "constant 0x7FC00000 : f32"))
    broken = ranks.folder / "broken.t6x"
    subprocess.run([ranks.tpa_opt, ranks.folder / "broken.mlir", "--compile-from=linalg", *FLAGS, "-o", broken],
                   check=True)
    done = ranks.two_kinds("infinite", ["--steps", "5"], ["--steps", "5"], broken)
    assert done.returncode != 0
    for rank in (0, 1):
        assert re.search(rf"rank {rank}: step 0: the loss is nan, and '\S+' is the first tensor", done.stderr), done.stderr


def refused(ranks):
    """What one rank finds wrong ends all, and the reason is that rank's."""
    done = subprocess.run(ranks.command(2, "one", "--steps", "13"), capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "rank 0:" in done.stderr and "holds the run up to step 12" in done.stderr, done.stderr
    done = ranks.two_kinds("differs", ["--steps", "5"], ["--steps", "5", "--learning-rate", "1"])
    assert done.returncode != 0
    assert "rank 1 has not the same settings as rank 0" in done.stderr, done.stderr


def without_mpi(ranks):
    """torchrun's variables get a hint, and no run of several ranks that know nothing of each other."""
    done = subprocess.run(ranks.command(1, "torchrun", "--steps", "1"), capture_output=True, text=True, timeout=60,
                          env={**os.environ, "RANK": "0", "WORLD_SIZE": "2"})
    assert done.returncode != 0 and "HINT: mpirun -n 2" in done.stderr, done.stderr
    assert not (ranks.folder / "torchrun").exists()


def main():
    if not shutil.which("mpirun"):
        print("SKIPPED: there is no mpirun. HINT: tools/setup.sh")
        return
    # Open MPI keeps sockets there, whose names must be short.
    os.environ["TMPDIR"] = "/tmp"
    with tempfile.TemporaryDirectory() as folder:
        ranks = Ranks(*sys.argv[1:3], folder)
        tests = [(same_losses,), (sum_reduction,), (resume,), (killed, 1, ()), (killed, 0, ()),
                 (killed, 1, ("--enable-recovery",)), (killed, 0, ("--enable-recovery",)), (interrupted,),
                 (not_finite,), (refused,), (without_mpi,)]
        try:
            for test, *arguments in tests:
                before = time.monotonic()
                test(ranks, *arguments)
                print(f"{test.__name__}{arguments}: {time.monotonic() - before:.1f} s", flush=True)
        finally:
            ranks.stop()


if __name__ == "__main__":
    main()
