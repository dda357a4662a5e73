#!/bin/bash
# Builds, measures, and prints the benchmark's tables as Markdown. Takes about twenty-five minutes; nothing else should run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

bazel build --ui_event_filters=-info --show_result=0 //tools/tpa-opt //tools/t6 //tests/benchmarks:entry_benchmark >&2
bin=$(bazel info bazel-bin 2>/dev/null)
/usr/bin/python3 -B tests/benchmarks/measure.py "$bin/tools/tpa-opt/tpa-opt" "$bin/tools/t6/t6"
echo
/usr/bin/python3 -B tests/benchmarks/attention.py "$bin/tools/tpa-opt/tpa-opt" "$bin/tests/benchmarks/entry_benchmark"
echo
# These need other libraries to compare with, and say which.
/usr/bin/python3 -B tests/benchmarks/matmul.py "$bin/tools/tpa-opt/tpa-opt" "$bin/tests/benchmarks/entry_benchmark" "$bin/tools/t6/t6"
echo
/usr/bin/python3 -B tests/benchmarks/training.py "$bin/tools/tpa-opt/tpa-opt" "$bin/tools/t6/t6"
