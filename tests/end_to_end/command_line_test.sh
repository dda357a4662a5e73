#!/bin/bash
# What a newcomer does, with the real programs on a small model: compile, look, run, generate, evaluate, convert.
source tests/end_to_end/shell_test.sh

# output <regular expression>: the last command printed it.
output() { grep -Eq -- "$1" "$log/out" || { fail "no '$1' on stdout"; cat "$log/out"; }; }
errors() { grep -Eq -- "$1" "$log/err" || { fail "no '$1' on stderr"; cat "$log/err"; }; }

tiny=$data/t6_tiny
weights=(--weights "$tiny/weights.safetensors")

echo "== compile"
succeed "$tpa_opt" "$tiny/config.json" --batch=2 -o tiny.t6x
[[ ! -s $log/out && ! -s $log/err ]] || fail "compilation is not silent"
succeed "$tpa_opt" "$tiny/config.json" --batch=2 -o again.t6x
cmp tiny.t6x again.t6x || fail "compiling twice gives two artifacts"
succeed "$tpa_opt" "$root/models/t6_nano.mlir" --check-kernels -o nano.t6x
succeed "$tpa_opt" "$tiny/config.json" --compile-to=linalg
output 'linalg.generic'
[[ $(ls) == $'again.t6x\nnano.t6x\ntiny.t6x' ]] || fail "other files beside the artifacts: $(ls)"
unzip -l tiny.t6x >"$log/zip" 2>/dev/null || python3 -m zipfile -l tiny.t6x >"$log/zip"
grep -q program.json "$log/zip" || fail "the artifact is no zip"

echo "== info"
succeed "$t6" info tiny.t6x
output '^entry decode'
output 'batch 2, maximum length 64, prefill chunk 64'
succeed "$t6" info tiny.t6x --json --dispatches
python3 -c '
import json, sys
info = json.load(sys.stdin)
assert info["schema"] == 1 and info["model"]["attention"] == "tpa", info["model"]
assert [entry["name"] for entry in info["entries"]] == ["prefill", "decode", "loss"]
assert all(entry["dispatches"] for entry in info["entries"])
parameters = {item["name"]: item for item in info["parameters"]}
assert len(parameters) == info["buffers"]["param"]["count"] and all("init" in item for item in parameters.values())
assert parameters["transformer.h.0.attn.c_proj.weight"]["init"] == {"kind": "constant", "value": 0.0}
' <"$log/out" || fail "info --json"

echo "== run"
python3 "$here/loss_inputs.py" "$tiny/reference.safetensors" inputs.safetensors
succeed "$t6" run tiny.t6x --entry loss "${weights[@]}" --inputs inputs.safetensors --outputs outputs.safetensors
python3 - "$tiny/reference.safetensors" outputs.safetensors <<'P' || fail "run --entry loss disagrees with the reference"
import json, math, struct, sys
def read(path, name):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8 : 8 + size])[name]["data_offsets"]
    return struct.unpack(f"<{(end - begin) // 4}f", data[8 + size + begin : 8 + size + end])
for name in "loss", "logits":
    expected, actual = (read(path, name) for path in sys.argv[1:])
    error = math.dist(expected, actual) / math.hypot(*expected)
    print(f"{name}: {error:.2g}")
    assert error <= 1e-5
P

echo "== generate"
prompt=("$t6" generate tiny.t6x "${weights[@]}" --tokens 5,17,9)
generate=("${prompt[@]}" --max-tokens 12)
succeed "${generate[@]}" --seed 1
output '^[0-9]+(,[0-9]+){11}$'
errors '^output: 12 tokens'
cp "$log/out" first
for threads in 1 2 3; do
  succeed "${generate[@]}" --seed 1 --threads "$threads"
  cmp -s "$log/out" first || fail "the same seed gives other tokens with $threads threads"
done
succeed "${generate[@]}" --seed 2
cmp -s "$log/out" first && fail "another seed gives the same tokens"
# A row does not depend on what is beside it.
succeed "${generate[@]}" --tokens 1,2,3,4,5,6,7 --seed 1
head -n 1 "$log/out" | cmp -s - first || fail "a second row changes the first"
succeed "${generate[@]}" --temperature 0
cp "$log/out" greedy
succeed "$t6" generate again.t6x "${weights[@]}" --tokens "5,17,9,$(cut -d, -f1-4 greedy)" --max-tokens 8 --temperature 0
[[ $(cat "$log/out") == "$(cut -d, -f5- greedy)" ]] || fail "continuing the continuation goes elsewhere"
succeed "${prompt[@]}" --seed 1 --max-tokens -1
errors 'stopped at the maximum length, 64 tokens'
# Where the cache is in pages nothing else changes. Rows of 40 tokens and more take two, in turn.
succeed "$tpa_opt" "$tiny/config.json" --batch=2 --page-tokens=32 --strip -o paged.t6x
succeed "$t6" info paged.t6x
output 'in all: 4 pages of 32 tokens, 128 for all rows'
two=("${weights[@]}" --tokens 5,17,9 --tokens "$(seq -s, 1 30)" --max-tokens 40 --seed 1)
succeed "$t6" generate tiny.t6x "${two[@]}"
cp "$log/out" whole
succeed "$t6" generate paged.t6x "${two[@]}"
cmp -s "$log/out" whole || fail "pages change what is generated"
succeed "$t6" bench paged.t6x --random-weights -p 8 -n 2 -d 0,40
# Rows share fewer pages than they would all take. The first ends soon, and lends its four to the second.
pooled=("$tpa_opt" "$tiny/config.json" --batch=2 --page-tokens=16 --strip)
succeed "${pooled[@]}" -o big.t6x
succeed "${pooled[@]}" --cache-tokens=65 -o pool.t6x
succeed "$t6" info pool.t6x
output ': 5 pages of 16 tokens, 80 for all rows'
succeed "$t6" info pool.t6x --json
python3 -c '
import json, sys
cache, big = (json.load(open(path))["cache"] for path in sys.argv[1:])
assert (cache["page_tokens"], cache["pages"], cache["tokens"]) == (16, 5, 80), cache
assert (big["page_tokens"], big["pages"], big["tokens"]) == (16, 8, 128), big
# One more page than rows share.
assert cache["bytes"] * 9 == big["bytes"] * 6, (cache, big)
' "$log/out" <("$t6" info big.t6x --json) || fail "info on pages"
two=("${weights[@]}" --tokens "$(seq -s, 1 60)" --tokens 5,17,9 --max-tokens -1 --seed 1)
succeed "$t6" generate big.t6x "${two[@]}"
cp "$log/out" whole
[[ $(head -n 1 whole | tr , '\n' | wc -l) == 5 && $(tail -n 1 whole | tr , '\n' | wc -l) == 62 ]] ||
  fail "rows end elsewhere than at the maximum length"
succeed "$t6" generate pool.t6x "${two[@]}"
cmp -s "$log/out" whole || fail "a small pool changes what is generated"
text=("$t6" generate nano.t6x --random-weights --tokenizer bytes --prompt "Once upon a time" -n 20 --seed 3)
succeed "${text[@]}"
cp "$log/out" text
python3 -c 'import sys; open(sys.argv[1], encoding="utf-8").read()' text || fail "generated text is not UTF-8"
succeed "${text[@]}" --threads 1
cmp "$log/out" text || fail "text is not deterministic"

echo "== tokenize, eval"
for i in $(seq 40); do echo "Line $i of a text that is longer than the context of the model."; done >text.txt
succeed "$t6" tokenize bytes text.txt text.bin
succeed "$t6" tokenize --decode bytes text.bin back.txt
cmp text.txt back.txt || fail "tokenize and back"
succeed "$t6" eval nano.t6x --random-weights --data text.bin --json
python3 -c '
import json, math, sys
result = json.load(sys.stdin)
# Random weights know little more than that there are 257 tokens.
assert abs(result["loss"] - math.log(257)) < 0.5, result
assert result["tokens"] == int(sys.argv[1]) - 1 and result["windows"] > 1, result
' "$(wc -c <text.txt)" <"$log/out" || fail "eval"
succeed "$t6" tokenize "$data/tokenizer/tokenizer.json" text.txt bpe.bin
succeed "$t6" tokenize --decode "$data/tokenizer/tokenizer.json" bpe.bin back.txt
cmp text.txt back.txt || fail "tokenize with a tokenizer.json and back"

echo "== weights of 8 bits"
succeed "$tpa_opt" "$tiny/config.json" --batch=2 --weights=int8 -o tiny8.t6x
succeed "$t6" info tiny8.t6x
output '^compiled .* f32, int8 weights, by'
succeed "$t6" info tiny.t6x
output '^compiled .* f32, by'
generate8=("$t6" generate tiny8.t6x "${weights[@]}" --tokens 5,17,9 --max-tokens 12 --seed 1)
succeed "${generate8[@]}" --threads 1
output '^[0-9]+(,[0-9]+){11}$'
cp "$log/out" first8
succeed "${generate8[@]}" --threads 2
cmp "$log/out" first8 || fail "int8: the same seed gives other tokens with 2 threads"
# The text as tokens of the small model, of which there are 96.
python3 -c '
import struct
data = open("text.bin", "rb").read()
tokens = struct.unpack(f"<{(len(data) - 1024) // 2}H", data[1024:])
open("small.bin", "wb").write(data[:1024] + struct.pack(f"<{len(tokens)}H", *(token % 96 for token in tokens)))
'
for model in tiny tiny8; do
  succeed "$t6" eval "$model.t6x" "${weights[@]}" --data small.bin --json
  cp "$log/out" "$model.json"
done
python3 -c '
import json
full, rounded = (json.load(open(path)) for path in ("tiny.json", "tiny8.json"))
assert full["tokens"] == rounded["tokens"], (full, rounded)
difference = abs(full["loss"] - rounded["loss"])
print("difference of losses", difference)
assert 0 < difference < 0.01 * full["loss"], (full, rounded)
' || fail "eval with int8 weights"

echo "== check, bench, convert"
succeed "$t6" check nano.t6x
succeed "$tpa_opt" "$root/models/t6_nano.mlir" --dtype=bf16 --check-kernels -o nano_bf16.t6x
succeed "$t6" check nano_bf16.t6x
output '^ok: [0-9]+ dispatches agree'
for dtype in f32 bf16; do
  succeed "$tpa_opt" "$root/models/t6_nano.mlir" --train --dtype=$dtype --batch=2 --max-length=40 --check-kernels -o train.t6x
  succeed "$t6" check train.t6x
  output '^ok: [0-9]+ dispatches agree'
done
succeed "$t6" bench nano.t6x -p 16 -n 4 -r 1 -o jsonl
python3 -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin]
assert [line["test"] for line in lines] == ["pp16", "tg4"], lines
' <"$log/out" || fail "bench"
succeed "$t6" convert "$root/runtime/io/testdata/state_dict.bin" converted.safetensors
python3 -c '
import json, struct
data = open("converted.safetensors", "rb").read()
header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
assert len([name for name in header if name != "__metadata__"]) == 4, header
' || fail "convert"

finish
