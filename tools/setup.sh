#!/bin/bash
# Installs the Debian packages that the tree needs and that this machine lacks.
# `tools/setup.sh --check` only names them, and fails if there are any.
set -euo pipefail

packages=(
  # Build system, with the tools it calls.
  bazel-bootstrap bazel-platforms bazel-skylib python3 unzip zip
  # Numerics in float64, to test against.
  python3-numpy
  # Compiler, linker and sanitizers; LLVM and MLIR with their tools (from Debian's security archive).
  clang-22 lld-22 libclang-rt-22-dev llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools
  # Training on several ranks: mpirun, and the library, which is loaded at run time.
  openmpi-bin
  # Libraries.
  libabsl-dev libbenchmark-dev libcli11-dev libgmock-dev libgtest-dev libutf8proc-dev
  libxxhash-dev libzip-dev nlohmann-json3-dev zlib1g-dev
)

if ! command -v dpkg-query apt-get >/dev/null; then
  echo "setup: this machine has no apt-get. HINT: use Debian 12, or install yourself: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done

if ((${#missing[@]} == 0)); then
  exit 0
fi
if [[ ${1:-} == --check ]]; then
  echo "setup: missing: ${missing[*]}. HINT: run tools/setup.sh" >&2
  exit 1
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: missing: ${missing[*]}. HINT: as root, run apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")

echo "setup: installing ${missing[*]}" >&2
# A first try without the slow update of the package lists; they may be absent or too old.
if ! apt-get install --simulate --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
  "${as_root[@]}" apt-get update >&2
fi
if ! "${install[@]}" >&2; then
  "${as_root[@]}" apt-get update >&2
  if ! "${install[@]}" >&2; then
    echo "setup: apt-get could not install ${missing[*]}." \
      "HINT: Debian 12 with its security archive (bookworm-security) in the apt sources is needed" >&2
    exit 1
  fi
fi
