#!/bin/bash
# Installs what is missing, then runs every test. Arguments go to `bazel test`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/setup.sh
exec bazel test //... "$@"
