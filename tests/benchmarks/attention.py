"""Decode attention alone, cold, against the read bandwidth of the same run and against other forms.

usage: attention.py <tpa-opt> <entry_benchmark> [keys]

Prints Markdown. A cache of [keys] keys (65536) is far larger than the processor's, so every run reads it from
memory. Every line is the best of its runs; lines that are compared are measured one after the other.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

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


def main():
    tpa_opt, entry_benchmark = sys.argv[1:3]
    keys = int(sys.argv[3]) if len(sys.argv) > 3 else 65536
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        def measure(template, heads, dtype, threads, *flags, position=keys - 1):
            source = pathlib.Path(folder, "attention.mlir")
            source.write_text(template.format(m=keys, h=heads, t=dtype))
            artifact = str(source.with_suffix(".t6x"))
            subprocess.run([tpa_opt, source, "--compile-from=entries", "-o", artifact, *flags], check=True)
            out = subprocess.run([entry_benchmark, artifact, "decode", str(position), str(threads), "15"],
                                 check=True, capture_output=True, text=True).stdout
            return json.loads(out)

        print(f"Decode attention over {keys} keys, D = 64, ranks (6, 2, 2), cold\n")
        print("| attention | cache | threads | ns a key | GB/s | of read bandwidth | GFLOP/s |")
        print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
        for dtype in "f32", "bf16":
            for name, template, heads in CASES:
                for threads in 1, 2:
                    run = measure(template, heads, dtype, threads)
                    seconds[name, dtype, threads] = run["seconds"]
                    print(f"| {name} | {dtype} | {threads} | {run['seconds'] / keys * 1e9:.1f} "
                          f"| {run['bytes'] / run['seconds'] / 1e9:.1f} | {100 * run['share']:.0f} % "
                          f"| {run['flops'] / run['seconds'] / 1e9:.0f} |", flush=True)
        print("\n| comparison, 2 threads | ratio |\n| --- | ---: |")
        for dtype in "f32", "bf16":
            ratio = seconds["MHA, 12 heads", dtype, 2] / seconds["TPA, H = 34", dtype, 2]
            print(f"| TPA (H = 34) against MHA (12 heads), {dtype} | {ratio:.2f} x |")
        half = min(keys, 32768) - 1
        fused = measure(TPA, 34, "f32", 2, position=half)["seconds"]
        unfused = measure(TPA, 34, "f32", 2, "--fuse=off", position=half)["seconds"]
        print(f"| fused against the einsum chain of the same compiler, f32, {half + 1} keys | {unfused / fused:.2f} x |")


if __name__ == "__main__":
    main()
