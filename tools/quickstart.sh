#!/bin/bash
# From a fresh Debian 12 to a model trained on text: installs what is missing, builds, trains, generates, compares.
# With TPA_OPT and T6 set to the two programs, only the steps after the build run.
set -euo pipefail
[[ -z ${TPA_OPT:-} ]] || TPA_OPT=$(realpath -s "$TPA_OPT")
[[ -z ${T6:-} ]] || T6=$(realpath -s "$T6")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mktemp -d "${TMPDIR:-/tmp}/t6-quickstart.XXXXXX")
say() { printf '\n== %s\n' "$*"; }
# Shows a command, also where its output goes elsewhere, and runs it.
exec 3>&1
run() {
  printf '$ %s\n' "${*@Q}" | sed "s/'\([A-Za-z0-9_=.,:/-]*\)'/\1/g" >&3
  "$@"
}

# Runs a command that talks much, and shows what it said only if it fails.
quietly() {
  if ! "$@" >"$out/log" 2>&1; then
    cat "$out/log" >&2
    exit 1
  fi
}

if [[ -z ${TPA_OPT:-} || -z ${T6:-} ]]; then
  say "1. Install what is missing (minutes on a fresh machine, where sudo may ask for a password)"
  tools/setup.sh --check 2>/dev/null || quietly tools/setup.sh
  say "2. Build the compiler and the runtime (some minutes on two cores, seconds the second time)"
  progress=$([[ -t 2 ]] || echo --noshow_progress)
  run bazel build ${progress:+"$progress"} --ui_event_filters=-info,-debug --show_result=0 //tools/tpa-opt //tools/t6
  bin=$(bazel info bazel-bin 2>/dev/null)
  # The short name, unless it leads elsewhere.
  [[ $(realpath -q bazel-bin) != "$(realpath "$bin")" ]] || bin=bazel-bin
  TPA_OPT=$bin/tools/tpa-opt/tpa-opt
  T6=$bin/tools/t6/t6
fi

say "3. Compile a model definition with its training step, and look at the artifact"
run "$TPA_OPT" models/t6_nano.mlir --train --batch=8 --max-length=128 -o "$out/t6_nano.t6x"
run "$T6" info "$out/t6_nano.t6x" | sed -n 1,5p

say "4. Train it on the TableGen files of MLIR, byte by byte (two minutes on two cores that do nothing else)"
# Guessing among 257 byte tokens has a loss of ln 257 = 5.55.
steps=1200 bound=1.5
find /usr/lib/llvm-22/include/mlir -name '*.td' -print0 | LC_ALL=C sort -z | xargs -0 cat >"$out/corpus.txt"
run "$T6" train "$out/t6_nano.t6x" --data "$out/corpus.txt" --tokenizer bytes --out "$out/run" --steps "$steps" \
  --learning-rate 4e-3 --eval-interval 400 --log-interval 200 | sed 's/, time .*loss_mean/, loss_mean/'
loss=$(sed -n 's/.*"val\/loss":\([0-9.]*\).*/\1/p' "$out/run/metrics.jsonl" | tail -1)
awk -v loss="$loss" -v bound="$bound" 'BEGIN { exit !(loss < bound) }' || {
  echo "quickstart: the validation loss is $loss, not below $bound" >&2
  exit 1
}
echo "The validation loss, $loss, is below $bound; its curve is in $out/run/loss.svg"

say "5. Generate from it: compare with the files that it has read"
# Bytes that are no text could be a terminal's control sequences.
run "$T6" generate "$out/t6_nano.t6x" --weights "$out/run/latest/model.safetensors" --tokenizer bytes \
  --prompt "def " --max-tokens 120 --temperature 0.5 --seed 1 | LC_ALL=C tr -c '[:print:]\n' '?'
run "$T6" tokenize bytes README.md "$out/readme.bin"
run "$T6" eval "$out/t6_nano.t6x" --weights "$out/run/best/model.safetensors" --data "$out/readme.bin"

say "6. The same numbers as the paper's PyTorch code: a checkpoint and what it computed, recorded"
data=tests/data/t6_tiny
run "$TPA_OPT" "$data/config.json" --batch=2 -o "$out/t6_tiny.t6x"
/usr/bin/python3 tests/quickstart/reference.py inputs "$data/reference.safetensors" "$out/inputs.safetensors"
run "$T6" run "$out/t6_tiny.t6x" --entry loss --weights "$data/weights.safetensors" \
  --inputs "$out/inputs.safetensors" --outputs "$out/outputs.safetensors"
/usr/bin/python3 tests/quickstart/reference.py compare "$data/reference.safetensors" "$out/outputs.safetensors"

say "All of it works. What to try next, in $PWD (artifacts are in $out)"
cat <<NEXT
   See attention become einsums       $TPA_OPT models/t6_nano.mlir --compile-to=einsum
   See what decoding a token costs    $T6 info $out/t6_nano.t6x --dispatches
   Measure the 124M-parameter model   $TPA_OPT models/t6_small.mlir -o $out/t6_small.t6x
                                      $T6 bench $out/t6_small.t6x -p 128 -n 32
   Run a checkpoint of your own       $TPA_OPT folder/config.json -o mine.t6x
                                      $T6 generate mine.t6x --weights folder --tokenizer folder --prompt "..."
   Write an attention of your own     "Add an attention" in CONTRIBUTING.md
NEXT
rm -f "$out/log"
