# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints go to the T6 reference's trainer and come back, and compile again from their config.json.

usage: reference_exchange_test.py <tpa-opt> <t6> <folder of a model's data> <corpus>

What PyTorch would load is read here by a pickle reader of a few lines, which knows tensors and nothing else.
"""

import json
import pathlib
import pickle
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

TPA_OPT, T6, MODEL, CORPUS = sys.argv[1:5]
STEPS = 6
ATTENTION = [f"attn.c_qkv.W_{factor}_{which}" for factor in "AB" for which in "qkv"] + ["attn.c_proj"]
# The order in which the reference's classes register their parameters.
ORDER = ["transformer.wte.weight"] + [
    f"transformer.h.{layer}.{name}.weight"
    for layer in range(2) for name in ATTENTION + ["mlp.c_fc1", "mlp.c_fc2", "mlp.c_proj"]]


class Tensors(pickle.Unpickler):
    """A tensor becomes (key of its storage, shape, floats)."""

    def __init__(self, archive):
        super().__init__(archive.open("archive/data.pkl"))
        self.archive = archive

    def find_class(self, module, name):
        if name == "_rebuild_tensor_v2":
            return lambda storage, offset, shape, *rest: (*storage[:1], shape, storage[1])
        return {"OrderedDict": dict, "FloatStorage": "float"}[name]

    def persistent_load(self, ident):
        _, _, key, device, count = ident
        assert device == "cpu", ident
        return key, struct.unpack(f"<{count}f", self.archive.read(f"archive/data/{key}"))


def torch_load(path):
    with zipfile.ZipFile(path) as archive:
        return Tensors(archive).load()


def safetensors(path):
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, spec in header.items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in spec["data_offsets"])
            tensors[name] = tuple(spec["shape"]), struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
    return tensors


class ExchangeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.artifact = cls.compile(f"{MODEL}/config.json", "tiny.t6x")
        cls.run_folder = cls.path("run")
        cls.latest = f"{cls.run_folder}/latest"
        cls.exported = cls.path("exported")
        cls.tokens = cls.path("tokens.bin")
        text = pathlib.Path(CORPUS).read_bytes()
        pathlib.Path(cls.tokens).write_bytes(b"".join((byte % 96).to_bytes(2, "little") for byte in text))
        done = cls.train(cls.run_folder)
        assert done.returncode == 0, done.stderr
        cls.converted = subprocess.run([T6, "convert", cls.latest, cls.exported], capture_output=True, text=True)
        assert cls.converted.returncode == 0, cls.converted.stderr

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return str(pathlib.Path(cls.folder.name, name))

    @classmethod
    def compile(cls, definition, name, *flags):
        artifact = cls.path(name)
        subprocess.run([TPA_OPT, definition, "--train", "--batch=2", "--max-length=32", "--strip", *flags, "-o",
                        artifact], check=True)
        return artifact

    @classmethod
    def train(cls, out, *flags, artifact=None, steps=STEPS):
        return subprocess.run(
            [T6, "train", artifact or cls.artifact, "--data", cls.tokens, "--out", out, f"--steps={steps}",
             "--decay-steps=20", "--warmup=2", "--learning-rate=3e-3", "--eval-interval=4", "--eval-batches=2",
             "--log-interval=1", "--threads=1", "--decay=all", *flags],
            capture_output=True, text=True)

    def losses(self, out):
        records = map(json.loads, pathlib.Path(out, "metrics.jsonl").read_text().splitlines())
        return {r["iter"]: r["loss_mean"] for r in records if "loss_mean" in r}

    def fails(self, *flags, code=3, artifact=None):
        done = self.train(self.path("refused"), *flags, artifact=artifact, steps=STEPS + 2)
        self.assertEqual(done.returncode, code, done.stderr)
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        self.assertEqual(len(errors), 1, done.stderr)
        return errors[0]

    def damaged(self, name, change):
        folder = self.path("damaged")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.exported, folder)
        change(pathlib.Path(folder, name))
        return f"--resume={folder}"

    def test_config_has_the_reference_s_keys(self):
        recorded = json.loads(pathlib.Path(MODEL, "config.json").read_text())
        for folder in self.latest, self.exported:
            written = json.loads(pathlib.Path(folder, "config.json").read_text())
            self.assertEqual({key: written[key] for key in recorded}, recorded)
            self.assertEqual((written["model_type"], written["using_groupnorm"]), ("gpt2", False))

    def test_weights_are_named_ordered_and_tied_as_the_reference_s(self):
        saved = safetensors(f"{self.latest}/model.safetensors")
        loaded = torch_load(f"{self.exported}/pytorch_model.bin")
        self.assertEqual(list(loaded), ORDER + ["lm_head.weight"])
        for name in ORDER:
            self.assertEqual(loaded[name][1:], saved[name])
        self.assertEqual(loaded["lm_head.weight"], loaded["transformer.wte.weight"], "one storage")

    def test_optimizer_is_adamw_s_state_dict(self):
        saved = safetensors(f"{self.latest}/optimizer.safetensors")
        loaded = torch_load(f"{self.exported}/optimizer.pt")
        self.assertEqual(loaded["iter_num"], STEPS)
        self.assertAlmostEqual(loaded["best_val_loss"], self.best_loss(), places=5)
        (group,) = loaded["optimizer"]["param_groups"]
        self.assertEqual((group["lr"], group["betas"], group["eps"], group["weight_decay"], group["amsgrad"]),
                         (3e-3, (0.9, 0.95), 1e-8, 0.1, False))
        self.assertEqual(group["params"], list(range(len(ORDER))))
        state = loaded["optimizer"]["state"]
        self.assertEqual(list(state), group["params"])
        for number, name in enumerate(ORDER):
            self.assertEqual(state[number]["step"][1:], ((), (STEPS,)))
            self.assertEqual(state[number]["exp_avg"][1:], saved[f"adamw.m.{name}"])
            self.assertEqual(state[number]["exp_avg_sq"][1:], saved[f"adamw.v.{name}"])
        steps = {state[number]["step"][0] for number in state}
        self.assertEqual(len(steps), len(ORDER), "each its own storage")
        self.assertIn("have no place in the reference's format", self.converted.stderr)

    def best_loss(self):
        records = map(json.loads, pathlib.Path(self.run_folder, "metrics.jsonl").read_text().splitlines())
        return min(r["val/loss"] for r in records if "val/loss" in r)

    def test_goes_on_from_the_reference_s_format(self):
        """As from our own, where that, too, begins the data again: bit for bit."""
        own, imported = self.path("own"), self.path("imported")
        done = self.train(own, f"--resume={self.latest}", "--resume-position=off", steps=STEPS + 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.train(imported, f"--resume={self.exported}", steps=STEPS + 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        for said in (f"goes on after step {STEPS}", "no position in the data", "no tokens trained"):
            self.assertIn(said, done.stderr)
        self.assertEqual(list(self.losses(own)), list(range(STEPS, STEPS + 4)))
        self.assertEqual(self.losses(own), self.losses(imported))
        for file in "model.safetensors", "optimizer.safetensors":
            self.assertEqual(*(pathlib.Path(out, "latest", file).read_bytes() for out in (own, imported)))

    def test_is_not_passed_over(self):
        """A folder of the reference's as --out is no place for a new run."""
        folder = self.path("theirs")
        shutil.copytree(self.exported, folder)
        for resume in "never", "auto":
            done = self.train(folder, f"--resume={resume}")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"HINT: go on with --resume={folder}", done.stderr)
        done = self.train(folder, f"--resume={folder}", steps=STEPS + 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.train(folder, "--resume=auto", steps=STEPS + 2)
        self.assertIn(f"goes on after step {STEPS + 1}", done.stderr)

    def test_weights_alone_begin_a_run(self):
        folder = self.path("alone")
        shutil.copytree(self.exported, folder)
        pathlib.Path(folder, "optimizer.pt").unlink()
        out = self.path("from_weights")
        done = self.train(out, f"--resume={folder}", steps=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no optimizer.pt: begins at step 0 with moments of zero", done.stderr)
        self.assertEqual(list(self.losses(out)), [0, 1])
        fresh = self.path("fresh")
        self.train(fresh, steps=2)
        self.assertLess(self.losses(out)[0], self.losses(fresh)[0], "they are trained weights")

    def test_config_of_a_checkpoint_compiles_the_same_model(self):
        again = self.compile(f"{self.latest}/config.json", "again.t6x")
        evaluated = [
            json.loads(subprocess.run([T6, "eval", artifact, "--weights", f"{self.latest}/model.safetensors", "--data",
                                       self.tokens, "--max-tokens", "256", "--json"], check=True, capture_output=True,
                                      text=True).stdout)
            for artifact in (self.artifact, again)]
        self.assertEqual(evaluated[0]["loss"], evaluated[1]["loss"])
        # It is no other model to a run, though called after another folder.
        first, second = self.path("first"), self.path("second")
        for out, artifact in ((first, self.artifact), (second, again)):
            done = self.train(out, f"--resume={self.latest}", artifact=artifact, steps=STEPS + 2)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.losses(first), self.losses(second))

    def test_refuses_another_model(self):
        config = json.loads(pathlib.Path(MODEL, "config.json").read_text())
        other = self.path("config_other.json")
        pathlib.Path(other).write_text(json.dumps({**config, "n_layer": 3}))
        artifact = self.compile(other, "other.t6x")
        error = self.fails(f"--resume={self.exported}", artifact=artifact)
        self.assertIn('"n_layer" is 2 there and 3 in the model', error)
        mine = self.path("mine.mlir")
        pathlib.Path(mine).write_text(
            "t6.model @mine uses @tpa_gate {vocab = 96, layers = 2, width = 48, ffn = 128, context_length = 64, "
            "sizes = {H = 6, D = 16, R_Q = 3, R_K = 2, R_V = 2}}")
        artifact = self.compile(mine, "mine.t6x")
        self.assertIn("none of its models", self.fails(f"--resume={self.exported}", artifact=artifact))
        # Nor is it exported as one.
        out = self.path("mine")
        self.assertEqual(self.train(out, artifact=artifact, steps=1).returncode, 0)
        done = subprocess.run([T6, "convert", f"{out}/latest", self.path("mine_exported")], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, "no model of the T6 reference|the T6 reference has no model")

    def test_refuses_damage_and_a_full_folder(self):
        half = lambda path: path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
        for name in "pytorch_model.bin", "optimizer.pt", "config.json":
            self.assertIn(name, self.fails(self.damaged(name, half)))
        self.assertIn("config.json", self.fails(self.damaged("config.json", pathlib.Path.unlink), code=1))
        done = subprocess.run([T6, "convert", self.latest, self.exported], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("not empty", done.stderr)
        done = subprocess.run([T6, "convert", self.run_folder, self.path("x")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("state.json", done.stderr)

    def test_a_full_disk_leaves_nothing(self):
        def limit():
            # Less than the moments, more than the weights.
            resource.setrlimit(resource.RLIMIT_FSIZE, (300 << 10, 300 << 10))

        folder = self.path("full")
        command = [T6, "convert", self.latest, folder]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("optimizer.pt", done.stderr)
        self.assertEqual(list(pathlib.Path(folder).iterdir()), [])
        subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
