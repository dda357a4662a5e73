#!/bin/bash
# Builds, measures, and prints the benchmark's tables as Markdown. Takes about three minutes; nothing else should run.
# With TPA_OPT and T6 set to the two programs, nothing is built.
set -euo pipefail
[[ -z ${TPA_OPT:-} ]] || TPA_OPT=$(realpath -s "$TPA_OPT")
[[ -z ${T6:-} ]] || T6=$(realpath -s "$T6")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [[ -z ${TPA_OPT:-} || -z ${T6:-} ]]; then
  bazel build --ui_event_filters=-info --show_result=0 //tools/tpa-opt //tools/t6 >&2
  bin=$(bazel info bazel-bin 2>/dev/null)
  TPA_OPT=$bin/tools/tpa-opt/tpa-opt
  T6=$bin/tools/t6/t6
fi
exec /usr/bin/python3 -B tests/benchmarks/measure.py "$TPA_OPT" "$T6"
