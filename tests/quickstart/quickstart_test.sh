#!/bin/bash
# quickstart_test.sh quickstart.sh tpa-opt t6: every step runs from any folder, and the output stays short.
set -euo pipefail

quickstart=$PWD/$1
export TPA_OPT=$PWD/$2 T6=$PWD/$3 TMPDIR=$TEST_TMPDIR
cd /

if ! output=$("$quickstart" 2>&1); then
  echo "quickstart.sh failed: $output"
  exit 1
fi
echo "$output"

expect() {
  if ! grep -qE "$1" <<<"$output"; then
    echo "not found in the output: $1"
    exit 1
  fi
}
expect '^model +t6_nano, attention tpa$'
expect '^iter 1199: loss [01]\.'
expect '^The validation loss, [01]\.[0-9]+, is below '
expect '^output: 120 tokens, '
# English prose, of which it has seen little.
expect '^loss +[1-3]\.'
expect '^loss     recorded 4\.6001062, computed 4\.60010'
expect '^logits   relative error [0-9.]+e-0[6-9]$'
expect 'What to try next'

# Without a terminal, how far the training is takes a line every ten seconds.
lines=$(grep -vc '^train: ' <<<"$output")
if ((lines > 60)); then
  echo "$lines lines of output are too many for a first look"
  exit 1
fi
