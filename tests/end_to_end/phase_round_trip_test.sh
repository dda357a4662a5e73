#!/bin/bash
# A compilation that stops after any phase, prints the IR and goes on from the text computes the same bits.
#   phase_round_trip_test.sh <tpa-opt> <t6> <case> <dtype> [flag of tpa-opt]...
set -euo pipefail

tpa_opt=$PWD/$1
t6=$PWD/$2
here=$PWD/tests/end_to_end
data=$PWD/tests/data/$3
dtype=$4
more=("${@:5}")
cd "$TEST_TMPDIR"

# The list that the compiler itself gives.
phases=$({ "$tpa_opt" --compile-to=none "$data/config.json" 2>&1 || true; } | sed -n 's/.*the phases are //p' | tr -d ,)
phases=$(echo $phases)
[[ $phases == "input "*" llvm" ]] || {
  echo "FAIL: no list of phases: '$phases'"
  exit 1
}

python3 "$here/loss_inputs.py" "$data/reference.safetensors" inputs.safetensors
outputs() { # artifact: its outputs, in <artifact>.safetensors
  "$t6" run "$1" --entry loss --weights "$data/weights.safetensors" --inputs inputs.safetensors \
    --outputs "$1.safetensors"
}
parts() { # artifact: everything but the IR that it keeps, in <artifact>.parts
  python3 -c 'import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
with open(sys.argv[1] + ".parts", "wb") as out:
    for name in "program.json", "kernels.so", "constants.bin":
        out.write(archive.read(name))' "$1"
}

flags=(--batch=2 "--dtype=$dtype" --max-length=48 --prefill-chunk=24 "${more[@]}")
"$tpa_opt" "$data/config.json" "${flags[@]}" -o whole.t6x
"$tpa_opt" "$data/config.json" "${flags[@]}" --entries=loss -o direct.t6x
outputs direct.t6x

failures=0
fail() { echo "FAIL: $*"; failures=$((failures + 1)); }
# Through every boundary, one after the other, with the names that locations carry: the same artifact.
previous=$data/config.json from=()
for phase in $phases; do
  # What is printed says no more where the options are in it.
  "$tpa_opt" "$previous" "${from[@]}" "${flags[@]}" --compile-to="$phase" --mlir-print-debuginfo -o "chain.$phase.mlir" ||
    fail "$phase does not follow from the text of the phase before it"
  previous=chain.$phase.mlir from=("--compile-from=$phase")
  [[ $phase == input || $phase == model ]] || flags=()
done
"$tpa_opt" "$previous" "${from[@]}" -o chain.t6x
parts whole.t6x
parts chain.t6x
cmp whole.t6x.parts chain.t6x.parts || fail "phase by phase gives another artifact"

# Across each boundary as people print it: kernels may have other names, the outputs have the same bits.
for phase in $phases; do
  flags=(--batch=2 "--dtype=$dtype" --max-length=48 --prefill-chunk=24 --entries=loss)
  "$tpa_opt" "$data/config.json" "${flags[@]}" --compile-to="$phase" -o "$phase.mlir"
  [[ $phase == input || $phase == model ]] || flags=()
  if "$tpa_opt" "$phase.mlir" --compile-from="$phase" "${flags[@]}" -o "$phase.t6x"; then
    outputs "$phase.t6x"
    cmp direct.t6x.safetensors "$phase.t6x.safetensors" || fail "$phase: other outputs"
  else
    fail "$phase: its text does not compile"
  fi
done
exit $((failures != 0))
