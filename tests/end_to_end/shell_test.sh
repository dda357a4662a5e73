# What the command-line tests share. Sourced with the programs as arguments: <tpa-opt> <t6>.
set -euo pipefail

root=$PWD
tpa_opt=$root/$1
t6=$root/$2
here=$root/tests/end_to_end
data=$root/tests/data
log=$TEST_TMPDIR/log
mkdir -p "$log" "$TEST_TMPDIR/work"
cd "$TEST_TMPDIR/work"

failures=0
fail() {
  printf 'FAIL: %s\n' "$*"
  failures=$((failures + 1))
}
finish() {
  printf '%d failures\n' "$failures"
  exit $((failures != 0))
}

# Runs a command; its streams are in $log/out and $log/err.
run() {
  code=0
  "$@" >"$log/out" 2>"$log/err" || code=$?
}

# Runs a command that must succeed.
succeed() {
  run "$@"
  [[ $code == 0 ]] || {
    fail "exit code $code: $*"
    cat "$log/err"
  }
}

# What is in the folder, to see that nothing was written.
listing() { find . -type f -exec md5sum {} + | sort -k 2; }

# refuse <exit code> <regular expression> <command...>: the command must end with the code and one sentence that
# matches, without output and without a trace in the folder.
refuse() {
  local expected=$1 pattern=$2 before
  shift 2
  before=$(listing)
  run "$@"
  [[ $code == "$expected" ]] || fail "exit code $code, not $expected: $*"
  grep -Eq -- "$pattern" "$log/err" || fail "the error is not '$pattern': $*"
  [[ $(grep -c 'error: ' "$log/err") == 1 ]] || fail "not one error: $*"
  # A diagnostic of the compiler shows the line of the source, too.
  [[ $1 != "$t6" || $(wc -l <"$log/err") == 1 ]] || fail "more than a sentence: $*"
  [[ ! -s $log/out ]] || fail "wrote to stdout: $*"
  [[ $(listing) == "$before" ]] || fail "left something behind: $*"
  if [[ $failures != "${reported:-0}" ]]; then
    head -c 2000 "$log/err"
    reported=$failures
  fi
}

# limited <KiB> <as refuse>: the same where files may not grow beyond a size, as on a full disk. The logs of refuse
# are files, too: 8 is enough for them.
limited() {
  local kilobytes=$1
  shift
  (
    failures=0
    ulimit -f "$kilobytes"
    refuse "$@"
    exit $((failures != 0))
  ) || fail "with files of at most $kilobytes KiB: ${*:3}"
}
