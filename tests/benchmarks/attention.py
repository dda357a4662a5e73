"""Decode attention alone, against bandwidth and peak of the same run, over many lengths and against other forms.

usage: attention.py <tpa-opt> <entry_benchmark> [keys]

Prints Markdown. A cache of [keys] keys (65536) is far larger than the processor's, so every run reads it from
memory. Every line is the best of its runs; lines that are compared are measured one after the other. The roofline
is the longer of bytes over bandwidth and FLOPs over the peak of f32 multiply-adds, measured on as many threads.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

TPA = """
exec.buffer input @decode.positions : tensor<1xi32> {{range = array<i64: 0, {m}>}}
exec.buffer input @decode.aq : tensor<1x1x6x{h}xf32>
exec.buffer input @decode.bq : tensor<1x1x6x64xf32>
exec.buffer state @ak : tensor<1x{m}x2x{h}x{t}>
exec.buffer state @bk : tensor<1x{m}x2x64x{t}>
exec.buffer state @av : tensor<1x{m}x2x{h}x{t}>
exec.buffer state @bv : tensor<1x{m}x2x64x{t}>
exec.buffer output @decode.o : tensor<1x1x{h}x64xf32>
exec.entry @decode scalars ["m"] maxima [{m}] {{
^bb0(%m: index):
  %at = exec.load @decode.positions : tensor<1xi32>
  %aq = exec.load @decode.aq : tensor<1x1x6x{h}xf32>
  %bq = exec.load @decode.bq : tensor<1x1x6x64xf32>
  %cak = exec.load @ak : tensor<1x{m}x2x{h}x{t}>
  %cbk = exec.load @bk : tensor<1x{m}x2x64x{t}>
  %cav = exec.load @av : tensor<1x{m}x2x{h}x{t}>
  %cbv = exec.load @bv : tensor<1x{m}x2x64x{t}>
  %ak = t6.cache_read %cak[%m] : tensor<1x{m}x2x{h}x{t}>
  %bk = t6.cache_read %cbk[%m] : tensor<1x{m}x2x64x{t}>
  %av = t6.cache_read %cav[%m] : tensor<1x{m}x2x{h}x{t}>
  %bv = t6.cache_read %cbv[%m] : tensor<1x{m}x2x64x{t}>
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk)
         value "bhnm,bmuh,bmue->bnhe"(%av, %bv) at %at {{scale = 1.0e-2 : f64, causal}}
      : (tensor<1x1x6x{h}xf32>, tensor<1x1x6x64xf32>, tensor<1x?x2x{h}x{t}>, tensor<1x?x2x64x{t}>),
        (tensor<1x?x2x{h}x{t}>, tensor<1x?x2x64x{t}>), tensor<1xi32>
  exec.store %o, @decode.o : tensor<1x1x{h}x64xf32>
}}
"""

PAGE = 64


def paged(template):
    """The same over pools of pages, which a table finds."""
    template = re.sub(r"tensor<1x\{m\}x", f"tensor<{{pages}}x{PAGE}x", template)
    template = re.sub(r"(cache_read \S+) : (\S+)", r"\1 pages %pages : \2, tensor<1x{slots}xi32>", template)
    table = "exec.buffer input @decode.pages : tensor<1x{slots}xi32> {{range = array<i64: 0, {pages}>}}\n"
    load = "^bb0(%m: index):\n  %pages = exec.load @decode.pages : tensor<1x{slots}xi32>\n"
    return table + template.lstrip().replace("^bb0(%m: index):\n", load)


MHA = """
exec.buffer input @decode.positions : tensor<1xi32> {{range = array<i64: 0, {m}>}}
exec.buffer input @decode.q : tensor<1x1x{h}x64xf32>
exec.buffer state @k : tensor<1x{m}x{h}x64x{t}>
exec.buffer state @v : tensor<1x{m}x{h}x64x{t}>
exec.buffer output @decode.o : tensor<1x1x{h}x64xf32>
exec.entry @decode scalars ["m"] maxima [{m}] {{
^bb0(%m: index):
  %at = exec.load @decode.positions : tensor<1xi32>
  %q = exec.load @decode.q : tensor<1x1x{h}x64xf32>
  %ck = exec.load @k : tensor<1x{m}x{h}x64x{t}>
  %cv = exec.load @v : tensor<1x{m}x{h}x64x{t}>
  %k = t6.cache_read %ck[%m] : tensor<1x{m}x{h}x64x{t}>
  %v = t6.cache_read %cv[%m] : tensor<1x{m}x{h}x64x{t}>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v) at %at {{scale = 0.125 : f64, causal}}
      : (tensor<1x1x{h}x64xf32>, tensor<1x?x{h}x64x{t}>), (tensor<1x?x{h}x64x{t}>), tensor<1xi32>
  exec.store %o, @decode.o : tensor<1x1x{h}x64xf32>
}}
"""

CASES = [("TPA, H = 34", TPA, 34), ("TPA, H = 47", TPA, 47), ("MHA, 12 heads", MHA, 12)]
LENGTHS = [1024, 4096, 16384, 65536, 131072]
ATTENTIONS = pathlib.Path(__file__).absolute().parents[2] / "models/attention"
COMPILE_BOUND = 10  # Seconds.
MODEL = """
t6.model @model uses @{attention} {{
  vocab = 50304, layers = 12, width = 768, ffn = 2048, context_length = 1024,
  sizes = {{H = 12, D = 64, R_Q = 6, R_K = 2, R_V = 2, R_KV = 2, X = 16, Y = 4, G = 4, J = 3, L = 128, L_Q = 96, P = 32,
           E = 64}}}}
"""


class Benchmark:
    def __init__(self, tpa_opt, entry_benchmark, folder):
        self.tpa_opt, self.entry_benchmark, self.folder = tpa_opt, entry_benchmark, folder

    def compile(self, text, *flags, name="attention"):
        source = pathlib.Path(self.folder, "attention.mlir")
        source.write_text(text)
        artifact = str(pathlib.Path(self.folder, name + ".t6x"))
        subprocess.run([self.tpa_opt, source, "-o", artifact, *flags], check=True)
        return artifact

    def attention(self, template, heads, dtype, keys, *flags, name="attention"):
        slots = keys // PAGE
        text = template.format(m=keys, h=heads, t=dtype, slots=slots, pages=slots + 1)
        return self.compile(text, "--compile-from=entries", *flags, name=name)

    def measure(self, artifact, position, threads):
        out = subprocess.run([self.entry_benchmark, artifact, "decode", str(position), str(threads), "15"],
                             check=True, capture_output=True, text=True).stdout
        return json.loads(out)


def forms(bench, keys):
    seconds = {}
    print(f"Decode attention over {keys} keys, D = 64, ranks (6, 2, 2), cold\n")
    print("| attention | cache | threads | ns a key | GB/s | of read bandwidth | GFLOP/s | of peak | of roofline |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for dtype in "f32", "bf16":
        for name, template, heads in CASES:
            artifact = bench.attention(template, heads, dtype, keys)
            for threads in 1, 2:
                run = bench.measure(artifact, keys - 1, threads)
                seconds[name, dtype, threads] = run["seconds"]
                rate = run["flops"] / run["seconds"]
                print(f"| {name} | {dtype} | {threads} | {run['seconds'] / keys * 1e9:.1f} "
                      f"| {run['bytes'] / run['seconds'] / 1e9:.1f} | {run['share']:.0%} "
                      f"| {rate / 1e9:.0f} | {rate / run['peak']:.0%} | {run['roofline_share']:.0%} |", flush=True)
    print("\n| comparison, 2 threads | ratio |\n| --- | ---: |")
    for dtype in "f32", "bf16":
        ratio = seconds["MHA, 12 heads", dtype, 2] / seconds["TPA, H = 34", dtype, 2]
        print(f"| TPA (H = 34) against MHA (12 heads), {dtype} | {ratio:.2f} x |")
    half = min(keys, 32768)
    fused, unfused = (bench.measure(bench.attention(TPA, 34, "f32", keys, f"--fuse={fuse}"), half - 1, 2)["seconds"]
                      for fuse in ("on", "off"))
    print(f"| fused against the einsum chain of the same compiler, f32, {half} keys | {unfused / fused:.2f} x |")


def pages(bench, keys):
    """Pages in no order against one piece a row, in turn."""
    print(f"\nTPA, H = 34, over {keys} cold keys: ns a key\n")
    print(f"| cache | threads | one piece | scattered pages of {PAGE} tokens | ratio |\n| --- | ---: | ---: | ---: | ---: |")
    for dtype in "f32", "bf16":
        artifacts = [bench.attention(TPA, 34, dtype, keys, name="whole"),
                     bench.attention(paged(TPA), 34, dtype, keys, name="paged")]
        for threads in 1, 2:
            rounds = [[bench.measure(artifact, keys - 1, threads)["seconds"] for artifact in artifacts] for _ in range(3)]
            whole, scattered = (min(times) / keys * 1e9 for times in zip(*rounds))
            print(f"| {dtype} | {threads} | {whole:.1f} | {scattered:.1f} | {scattered / whole:.2f} x |", flush=True)


def lengths(bench):
    """One artifact, its cache filled to other lengths: time should be linear in them, without a cliff."""
    print("\nTPA, H = 34: ns a key, over how many keys there are; short caches stay in the processor's\n")
    print("| cache | threads | " + " | ".join(map(str, LENGTHS)) + " |\n| --- |" + " ---: |" * (1 + len(LENGTHS)))
    for dtype in "f32", "bf16":
        artifact = bench.attention(TPA, 34, dtype, LENGTHS[-1])
        for threads in 1, 2:
            cells = [f"{bench.measure(artifact, keys - 1, threads)['seconds'] / keys * 1e9:.1f}" for keys in LENGTHS]
            print(f"| {dtype} | {threads} | {' | '.join(cells)} |", flush=True)


def compile_times(bench):
    print(f"\nSeconds to compile a model of 12 layers with each function of models/attention, at most {COMPILE_BOUND}\n")
    print("| function | seconds |\n| --- | ---: |")
    for path in sorted(ATTENTIONS.glob("*.mlir")):
        start = time.monotonic()
        bench.compile(MODEL.format(attention=path.stem))
        seconds = time.monotonic() - start
        print(f"| {path.stem} | {seconds:.2f}{' (too long)' if seconds > COMPILE_BOUND else ''} |", flush=True)


def main():
    keys = int(sys.argv[3]) if len(sys.argv) > 3 else 65536
    with tempfile.TemporaryDirectory() as folder:
        bench = Benchmark(*sys.argv[1:3], folder)
        forms(bench, keys)
        pages(bench, keys)
        lengths(bench)
        compile_times(bench)


if __name__ == "__main__":
    main()
