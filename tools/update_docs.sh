#!/bin/bash
# Writes the generated documentation of the dialects into the tree; each dialect's doc_test compares.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

targets=()
for name in tpa:Tpa t6:T6 exec:Exec; do
  targets+=("//dialects/${name}Dialect.gen.md")
done
# Without links to the build's outputs in the tree.
bazel build --experimental_convenience_symlinks=ignore "${targets[@]}"
bin=$(bazel info bazel-bin 2>/dev/null)
for target in "${targets[@]}"; do
  folder=${target#//} folder=${folder%:*} file=${target##*:}
  install -m 644 "$bin/$folder/$file" "$folder/${file/Dialect.gen/}"
done
