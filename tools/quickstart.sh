#!/bin/bash
# From a fresh Debian 12 to generated text: installs what is missing, builds, compiles a model, runs it.
# With TPA_OPT and T6 set to the two programs, only the steps after the build run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

if [[ -z ${TPA_OPT:-} || -z ${T6:-} ]]; then
  say "1. Install what is missing"
  tools/setup.sh
  say "2. Build the compiler and the runtime"
  run bazel build //tools/tpa-opt //tools/t6
  bin=$(bazel info bazel-bin 2>/dev/null)
  TPA_OPT=$bin/tools/tpa-opt/tpa-opt
  T6=$bin/tools/t6/t6
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

say "3. Compile a model definition"
run "$TPA_OPT" models/t6_nano.mlir -o "$out/t6_nano.t6x"

say "4. Look at the artifact"
run "$T6" info "$out/t6_nano.t6x"
