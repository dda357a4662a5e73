# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`t6 train` as its users run it: losses fall, runs go on where they stopped, bad input is answered.

usage: train_test.py <tpa-opt> <t6> <model.mlir> <corpus>
"""

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
        found = re.findall(r"^iter (\d+): loss \d+\.\d{4}, time \d+\.\d\dms, mfu -100\.00%, tps \(M\) \d+\.\d\d, "
                           r"tokens trained \d+\.\d\dB, ", stdout, re.MULTILINE)
        self.assertEqual(found, [str(i) for i in range(STEPS)])

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
        self.assertIn("learning-rate", self.fails(self.path("z"), "--learning-rate=fast", code=2))

    def test_reference_config(self):
        config = pathlib.Path(self.path("config.py"))
        config.write_text("# as upstream\nlearning_rate = 6e-4 / 2\nmax_iters = 7\nwandb_log = False\n")
        out = subprocess.run([T6, "train", self.artifact, "--preset=reference", "--reference-config", str(config),
                              "--beta2=0.9", "--print-settings"], check=True, capture_output=True, text=True)
        settings = json.loads(out.stdout)
        self.assertEqual((settings["learning-rate"], settings["steps"], settings["beta2"], settings["decay"]),
                         (3e-4, 7, 0.9, "all"))
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

    def test_checkpoint_is_in_f32(self):
        """As that of a run in f32, which can go on from it."""
        for file in "model.safetensors", "optimizer.safetensors":
            raw = pathlib.Path(self.whole, "latest", file).read_bytes()
            header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
            self.assertEqual({tensor["dtype"] for name, tensor in header.items() if name != "__metadata__"}, {"F32"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
