# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`t6 train` as its users run it: losses fall, runs go on where they stopped, bad input is answered.

usage: train_test.py <tpa-opt> <t6> <model.mlir> <corpus>
"""

import array
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TPA_OPT, T6, MODEL, CORPUS = sys.argv[1:5]
STEPS = 14


def lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def tensors(path):
    """The f32 tensors of a safetensors file."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    return {name: array.array("f", data[start + spec["data_offsets"][0]:start + spec["data_offsets"][1]])
            for name, spec in json.loads(data[8:start]).items() if name != "__metadata__"}


class Run:
    """A run without an interruption, and what starts others."""
    FLAGS = []
    KILLS = 3

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.artifact = cls.path("model.t6x")
        subprocess.run([TPA_OPT, MODEL, "--train", "--batch=2", "--max-length=32", "--strip", *cls.FLAGS, "-o",
                        cls.artifact], check=True)
        cls.whole = cls.path("whole")
        done = cls.start(cls.whole).communicate()
        assert done[1].endswith("model.safetensors\n"), done

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return str(pathlib.Path(cls.folder.name, name))

    @classmethod
    def start(cls, out, *flags, artifact=None, **options):
        """A run of STEPS steps with a checkpoint every third."""
        settings = {"data": CORPUS, "tokenizer": "bytes", "out": out, "steps": STEPS, "save-interval": 3,
                    "eval-interval": 5, "eval-batches": 2, "log-interval": 1, "learning-rate": 3e-3, "threads": 1}
        settings.update(flag.removeprefix("--").split("=", 1) for flag in flags)
        command = [T6, "train", artifact or cls.artifact, *(f"--{name}={value}" for name, value in settings.items())]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def train(self, out, *flags, code=0, **options):
        process = self.start(out, *flags, **options)
        stdout, stderr = process.communicate()
        self.assertEqual(process.returncode, code, stderr)
        return stdout, stderr

    def fails(self, out, *flags, code=1, **options):
        """The one sentence of an error."""
        _, stderr = self.train(out, *flags, code=code, **options)
        errors = [line for line in stderr.splitlines() if "error:" in line]
        self.assertEqual(len(errors), 1, stderr)
        return errors[0]

    def same_run(self, out):
        """Whether a run's losses and weights are those of the uninterrupted one."""
        for key in "loss_mean", "val/loss":
            self.assertEqual(*({r["iter"]: r[key] for r in lines(f"{run}/metrics.jsonl") if key in r}
                               for run in (self.whole, out)))
        for file in "model.safetensors", "optimizer.safetensors":
            self.assertEqual(*(pathlib.Path(run, "latest", file).read_bytes() for run in (self.whole, out)))

    def losses(self, run, key="loss_mean"):
        return [r[key] for r in lines(f"{run}/metrics.jsonl") if key in r]

    def test_loss_falls(self):
        losses = self.losses(self.whole, "val/loss")
        self.assertEqual(len(losses), 4)  # Before steps 0, 5 and 10, and at the end.
        self.assertLess(losses[-1], losses[0] - 1)
        self.assertIn("<svg", pathlib.Path(self.whole, "loss.svg").read_text())

    def test_goes_on_after_kill(self):
        rng = random.Random(1)
        for i in range(self.KILLS):
            out = self.path(f"killed{i}")
            process = self.start(out)
            seen = rng.randrange(4, STEPS)
            for line in process.stdout:
                if line.startswith(f"iter {seen}:"):
                    break
            time.sleep(rng.random() * 0.02)
            process.kill()
            process.communicate()
            self.train(out, "--resume=auto")
            self.same_run(out)

    def test_weights_are_a_checkpoint_like_any(self):
        out = subprocess.run([T6, "generate", self.artifact, "--weights", f"{self.whole}/latest/model.safetensors",
                              "--tokenizer", "bytes", "--prompt", "t", "--max-tokens", "4", "--seed", "1"],
                             check=True, capture_output=True)
        self.assertTrue(out.stdout)


class TrainTest(Run, unittest.TestCase):
    def test_log_is_the_reference_s(self):
        stdout, _ = self.train(self.path("log"))
        found = re.findall(r"^iter (\d+): loss \d+\.\d{4}, time \d+\.\d\dms, mfu (-?\d+\.\d\d)%, tps \(M\) \d+\.\d\d, "
                           r"tokens trained \d+\.\d\dB, ", stdout, re.MULTILINE)
        self.assertEqual([int(number) for number, _ in found], list(range(STEPS)))
        # The first five do not count.
        self.assertEqual([use for _, use in found[:5]], ["-100.00"] * 5)
        self.assertTrue(all(0 < float(use) < 100 for _, use in found[5:]), found)

    def test_mfu_is_of_the_measured_peak_unless_told(self):
        out = self.path("mfu")
        _, stderr = self.train(out)
        measured = float(re.search(r"the MFU is a share of (\d+\.\d) GFLOP/s, measured: .* on 1 thread; "
                                   r"--peak-flops", stderr)[1])
        self.assertGreater(measured, 5)
        last = lines(f"{out}/metrics.jsonl")[-2]
        self.assertGreater(last["train/mfu"], 0)
        # The reference's reckoning, for an A100: far less of it.
        self.assertLess(0, last["mfu_ref"])
        self.assertLess(last["mfu_ref"], last["train/mfu"])
        told = self.path("mfu_told")
        _, stderr = self.train(told, "--peak-flops=1e15")
        self.assertNotIn("measured", stderr)
        self.assertLess(lines(f"{told}/metrics.jsonl")[-2]["train/mfu"], 1e-1)

    def test_mfu_does_not_count_what_is_computed_again(self):
        artifact, flops = self.path("full.t6x"), []
        subprocess.run([TPA_OPT, MODEL, "--train", "--batch=2", "--max-length=32", "--strip", "--recompute=full", "-o",
                        artifact], check=True)
        for i, which in enumerate((self.artifact, artifact)):
            out = self.path(f"use{i}")
            self.train(out, "--steps=6", "--eval-interval=0", "--peak-flops=1e12", artifact=which)
            first = lines(f"{out}/metrics.jsonl")[5]  # The first that counts is no average yet.
            flops.append(first["train/mfu"] * first["train/iter_time_ms"])
        self.assertAlmostEqual(flops[0], flops[1], delta=1e-6 * flops[0])

    def test_milestones_stay(self):
        out = self.path("milestones")
        self.train(out, "--save-interval=0", "--eval-interval=2", "--milestones=3", "--keep-last=1", "--keep-best=off")
        found = sorted(path.name for path in pathlib.Path(out).glob("checkpoint-*"))
        self.assertEqual(found, ["checkpoint-0", "checkpoint-12", "checkpoint-6"])
        for name in found:
            state = json.loads(pathlib.Path(out, name, "state.json").read_text())
            self.assertIn(f'"step": {name.split("-")[1]},', json.dumps(state))
        # One that stays is a checkpoint like any other: the run goes on from it.
        self.train(out, f"--resume={out}/checkpoint-6", "--save-interval=0", "--eval-interval=2", "--milestones=3",
                   "--keep-last=1", "--keep-best=off")
        self.assertEqual(sorted(path.name for path in pathlib.Path(out, "checkpoints").glob("step-*")),
                         ["step-000000", "step-000006", "step-000012", f"step-{STEPS:06}"])

    def test_seed_of_a_configuration(self):
        """It is that of the weights too, whichever way it is given."""
        losses = []
        for i, flags in enumerate((["--seed=7"], ["--reference-config=--seed=7"], [])):
            out = self.path(f"seed{i}")
            self.train(out, *flags, "--precision=f32", "--batch=0", "--length=0", "--accumulation=1", "--steps=1",
                       "--warmup=0", "--decay-steps=9", "--grad-accum=mean", "--decay=all", "--sampler=epochs",
                       "--eval-interval=0", "--keep-best=off", "--min-rate=0")
            losses.append(lines(f"{out}/metrics.jsonl")[0]["loss_mean"])
        self.assertEqual(losses[0], losses[1])
        self.assertNotEqual(losses[0], losses[2])

    def test_plots_on_request(self):
        out = self.path("plot")
        self.train(out, "--plot=off")
        self.assertFalse(pathlib.Path(out, "loss.svg").exists())
        for flags, file in ((), f"{out}/loss.svg"), (("-o", self.path("other.svg")), self.path("other.svg")):
            subprocess.run([T6, "plot", out, *flags], check=True, capture_output=True)
            self.assertIn("<svg", pathlib.Path(file).read_text())
        failed = subprocess.run([T6, "plot", self.path("nowhere")], capture_output=True, text=True)
        self.assertEqual(failed.returncode, 1, failed.stderr)
        self.assertIn("nowhere/metrics.jsonl", failed.stderr)

    def test_evaluates_what_training_does(self):
        """The last evaluation of the run again, on the share that it kept apart."""
        out = subprocess.run(
            [T6, "eval", self.artifact, "--weights", f"{self.whole}/latest/model.safetensors", "--data", CORPUS,
             "--tokenizer", "bytes", "--validation-share", "0.05", "--json"], capture_output=True, text=True)
        self.assertEqual(out.returncode, 0, out.stderr)
        whole = self.path("evaluated")
        self.train(whole, "--eval-batches=0")
        self.assertAlmostEqual(json.loads(out.stdout)["loss"], lines(f"{whole}/metrics.jsonl")[-1]["val/loss"],
                               places=4)

    def test_the_reference_s_steps(self):
        """Sums of gradients, a first step without effect, a last one too many, eight times the accumulation."""
        out = self.path("reference")
        stdout, _ = self.train(out, "--preset=reference", "--precision=f32", "--batch=0", "--length=0",
                               "--accumulation=1", "--warmup=4", "--decay-steps=12", "--eval-batches=2",
                               "--save-interval=0", "--min-rate=1e-4")
        self.assertIn("512 tokens a step: 8 micro-batches of 2 x 32", stdout)
        records = lines(f"{out}/metrics.jsonl")
        steps = [r for r in records if "loss_mean" in r]
        self.assertEqual([r["iter"] for r in steps], list(range(STEPS + 1)))
        self.assertEqual([r["lr"] for r in steps[:5]], [3e-3 * step / 4 for step in range(5)])
        # The first checkpoint has the reference's initial values: of t6_nano, 8 heads of 32, width 128, ranks 3 and 2.
        first, after = (tensors(f"{out}/{name}/model.safetensors") for name in ("checkpoint-0", "latest"))
        layer = "transformer.h.1."
        for name, bound in (("transformer.wte.weight", 128 ** -0.5), (f"{layer}mlp.c_fc1.weight", 128 ** -0.5),
                            (f"{layer}attn.c_qkv.W_A_q.weight", (6 / (8 * 3 + 128 * 3)) ** 0.5),
                            (f"{layer}attn.c_qkv.W_B_k.weight", (6 / (2 * 32 + 128 * 32)) ** 0.5)):
            largest = max(map(abs, first[name]))
            self.assertLessEqual(largest, bound * 1.000001, name)
            self.assertGreater(largest, bound * 0.99, name)
        for name in f"{layer}attn.c_proj.weight", f"{layer}mlp.c_proj.weight":
            self.assertEqual((max(first[name]), min(first[name])), (0, 0))
            self.assertGreater(max(after[name]), 0)
        for step in steps:
            self.assertAlmostEqual(step["train/grad_norm"], 8 * step["grad_norm_mean"], delta=1e-5)
        # train/loss is the last micro-batch's, loss_mean that of all.
        self.assertTrue(any(abs(r["train/loss"] - r["loss_mean"]) > 1e-3 for r in steps))
        evaluations = [r for r in records if "val/loss" in r]
        self.assertEqual([r["iter"] for r in evaluations], [0, 5, 10, STEPS + 1])
        self.assertTrue(all("train/loss" in r for r in evaluations))
        state = json.loads(pathlib.Path(out, "checkpoint-0", "state.json").read_text())
        self.assertIn('"step": 0,', json.dumps(state))

        # The data after an evaluation depends on how much it drew: a mistake that `fixed` does not make.
        other = self.path("reference_other")
        self.train(other, "--preset=reference", "--precision=f32", "--batch=0", "--length=0", "--accumulation=1",
                   "--warmup=4", "--decay-steps=12", "--eval-batches=3", "--save-interval=0", "--min-rate=1e-4")
        self.assertNotEqual(*([r["loss_mean"] for r in lines(f"{run}/metrics.jsonl") if "loss_mean" in r]
                              for run in (out, other)))

        fixed = []
        for batches in 2, 3:
            run = self.path(f"fixed{batches}")
            stdout, _ = self.train(run, "--preset=fixed", "--precision=f32", "--batch=0", "--length=0",
                                   "--tokens-per-step=512", "--warmup=4", "--decay-steps=12",
                                   f"--eval-batches={batches}", "--save-interval=0", "--min-rate=1e-4")
            self.assertIn("512 tokens a step", stdout)
            fixed.append([r for r in lines(f"{run}/metrics.jsonl") if "loss_mean" in r])
        self.assertEqual(*([r["loss_mean"] for r in run] for run in fixed))
        self.assertEqual(len(fixed[0]), STEPS)
        self.assertEqual(fixed[0][0]["lr"], 3e-3 / 4)
        self.assertEqual(fixed[0][0]["train/grad_norm"], fixed[0][0]["grad_norm_mean"])
        self.assertEqual(fixed[0][0]["train/loss"], fixed[0][0]["loss_mean"])

    def test_torchrun_is_left_to_mpirun(self):
        environment = {**os.environ, "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}
        error = self.fails(self.path("torchrun"), code=3, env=environment)
        self.assertIn("HINT: mpirun -n 2 t6 train ...", error)
        # On one machine, rank 0 becomes mpirun, and the others have nothing to do.
        if shutil.which("mpirun"):
            self.train(self.path("pair"), "--accumulation=2")
            out = self.path("torchrun2")
            local = {**environment, "LOCAL_WORLD_SIZE": "2"}
            self.assertEqual(self.train(out, env=local), ("", ""))
            stdout, stderr = self.train(out, env={**local, "RANK": "0", "LOCAL_RANK": "0"})
            self.assertIn("torchrun's 2 ranks are left to mpirun", stderr)
            self.assertIn("on each of 2 ranks", stdout)
            for one, two in zip(self.losses(self.path("pair")), self.losses(out), strict=True):
                self.assertAlmostEqual(one, two, delta=1e-4 * one)
        # One rank needs nobody to talk to.
        self.train(self.path("torchrun1"), env={**environment, "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"})

    def test_signals_save(self):
        for number in signal.SIGINT, signal.SIGTERM:
            out = self.path(f"signal{number}")
            process = self.start(out)
            for line in process.stdout:
                if line.startswith("iter 4:"):
                    process.send_signal(number)
                    break
            _, stderr = process.communicate()
            self.assertEqual(process.returncode, 130, stderr)
            self.assertIn("interrupted and saved", stderr)
            state = json.loads(pathlib.Path(out, "latest", "state.json").read_text())
            self.assertGreater(int(re.search(r'"step": ?(\d+)', json.dumps(state))[1]), 4)
            self.train(out, "--resume=auto")
            self.same_run(out)

    def test_accumulation_is_a_larger_batch(self):
        """Two micro-batches are one of twice the rows."""
        artifact = self.path("four.t6x")
        subprocess.run([TPA_OPT, MODEL, "--train", "--batch=4", "--max-length=32", "--strip", "-o", artifact],
                       check=True)
        one, two = self.path("one"), self.path("two")
        self.train(one, artifact=artifact)
        self.train(two, "--accumulation=2")
        for first, second in zip(self.losses(one), self.losses(two), strict=True):
            self.assertAlmostEqual(first, second, delta=2e-3 * first)

    def test_refuses_an_old_run(self):
        self.assertIn("--resume=auto", self.fails(self.whole, code=2))

    def test_says_that_a_run_is_done(self):
        _, stderr = self.train(self.whole, "--resume=auto")
        self.assertIn(f"has done its {STEPS} steps: nothing was trained", stderr)

    def test_refuses_another_model(self):
        other = self.path("other.mlir")
        text = pathlib.Path(MODEL).read_text()
        pathlib.Path(other).write_text(text.replace("layers = 4", "layers = 3"))
        artifact = self.path("other.t6x")
        subprocess.run([TPA_OPT, other, "--train", "--batch=2", "--max-length=32", "--strip", "-o", artifact],
                       check=True)
        self.assertIn("layers", self.fails(self.whole, "--resume=auto", code=3, artifact=artifact))

    def test_refuses_damage(self):
        out = self.path("damaged")
        shutil.copytree(self.whole, out, symlinks=True)
        file = pathlib.Path(out, "latest", "optimizer.safetensors")
        damaged = bytearray(file.read_bytes())
        damaged[-5] ^= 1
        file.write_bytes(damaged)
        self.assertIn("optimizer.safetensors", self.fails(out, "--resume=auto", code=3))

    def test_stops_at_nan(self):
        out = self.path("nan")
        error = self.fails(out, "--learning-rate=1e15", "--min-rate=0", "--clip=0", "--warmup=0")
        self.assertRegex(error, r"step \d+: the loss is .*'(gradient\.)?transformer\.\S+' is the first tensor that is not finite; "
                                r"no checkpoint was saved before")

    def test_full_disk(self):
        def limit():
            # Less than the optimiser's file, more than the log.
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        self.assertIn("safetensors", self.fails(self.path("full"), preexec_fn=limit))
        out = self.path("full_on")
        _, stderr = self.train(out, "--save-failure=continue", preexec_fn=limit)
        self.assertIn("was not saved", stderr)
        self.assertFalse(os.path.lexists(f"{out}/latest"))

    def test_bad_data(self):
        short = pathlib.Path(self.path("short.txt"))
        short.write_text("too short")
        self.assertIn("window", self.fails(self.path("x"), f"--data={short}", code=2))
        beyond = pathlib.Path(self.path("beyond.bin"))
        beyond.write_bytes((300).to_bytes(2, "little") * 4000)
        self.assertIn("beyond.bin", self.fails(self.path("y"), f"--data={beyond}", code=3))
        self.assertIn("--batch", self.fails(self.path("z"), "--batch=5", code=2))
        self.assertIn("HINT: --precision=compiled",
                      self.fails(self.path("z"), "--preset=reference", "--batch=0", "--length=0", code=2))
        self.assertIn("learning-rate", self.fails(self.path("z"), "--learning-rate=fast", code=2))

    def test_reference_config(self):
        config = pathlib.Path(self.path("config.py"))
        config.write_text("# as upstream\nlearning_rate = 6e-4 / 2\nmax_iters = 7\nwandb_log = False\n")
        out = subprocess.run([T6, "train", self.artifact, "--preset=reference", "--reference-config", str(config),
                              "--beta2=0.9", "--print-settings"], check=True, capture_output=True, text=True)
        settings = json.loads(out.stdout)
        self.assertEqual((settings["learning-rate"], settings["steps"], settings["beta2"], settings["decay"]),
                         (3e-4, 7, 0.9, "all"))
        config.write_text("n_head = 8\nbatch_size = 2\nblock_size = 32\ndropout = 0.1\n")
        stdout, stderr = self.train(self.path("config_run"), f"--reference-config={config}", "--precision=f32")
        self.assertIn("Overriding: n_head = 8\nOverriding: batch_size = 2\n", stdout)
        self.assertIn("accepted but without effect: dropout", stderr)
        config.write_text("n_head = 6\nbatch_size = 2\nblock_size = 32\n")
        self.assertIn("n_head is 6 in the configuration and 8 in the compiled model",
                      self.fails(self.path("config_run2"), f"--reference-config={config}", "--precision=f32", code=3))
        config.write_text("import subprocess\n")
        failed = subprocess.run([T6, "train", self.artifact, "--reference-config", str(config), "--print-settings"],
                                capture_output=True, text=True)
        self.assertEqual(failed.returncode, 2, failed.stderr)
        self.assertIn("config.py:1", failed.stderr)


class RoundedTrainTest(Run, unittest.TestCase):
    """Products of bf16, weights of f32."""
    FLAGS = ["--dtype=bf16"]
    KILLS = 1

    def test_loss_falls_as_in_f32(self):
        exact, artifact = self.path("exact"), self.path("exact.t6x")
        subprocess.run([TPA_OPT, MODEL, "--train", "--batch=2", "--max-length=32", "--strip", "-o", artifact], check=True)
        self.train(exact, artifact=artifact)
        for key in "loss_mean", "val/loss":
            self.assertNotEqual(self.losses(self.whole, key), self.losses(exact, key))
            for rounded, expected in zip(self.losses(self.whole, key), self.losses(exact, key), strict=True):
                self.assertAlmostEqual(rounded, expected, delta=1e-2 * expected)

    def test_precision_is_that_of_the_artifact(self):
        self.train(self.path("asked"), "--precision=bf16", "--steps=1")
        self.assertIn("compiled for bf16", self.fails(self.path("z"), "--precision=f32", code=2))

    def test_checkpoint_is_in_f32(self):
        """As that of a run in f32, which can go on from it."""
        for file in "model.safetensors", "optimizer.safetensors":
            raw = pathlib.Path(self.whole, "latest", file).read_bytes()
            header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
            self.assertEqual({tensor["dtype"] for name, tensor in header.items() if name != "__metadata__"}, {"F32"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
