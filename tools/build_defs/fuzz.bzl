"""Fuzz targets that run for a moment with every test run, over their seed corpus.

The target and all it links are built with ASan and libFuzzer's coverage, whatever the
configuration of the rest. To look for new failures, run the program itself:
bazel build //path:x_fuzz && bazel-bin/path/x_fuzz.fuzzer a_folder_of_inputs
"""

load("@rules_cc//cc:defs.bzl", "cc_binary")

_COPT = "//command_line_option:copt"
_LINKOPT = "//command_line_option:linkopt"

def _instrument_impl(settings, _attr):
    # fuzzer-no-link: coverage in every object, libFuzzer's main in the target alone.
    flags = ["-fsanitize=address,fuzzer-no-link"]
    return {
        _COPT: settings[_COPT] + flags + ["-O1", "-gline-tables-only", "-fno-omit-frame-pointer"],
        _LINKOPT: settings[_LINKOPT] + ["-fsanitize=address"],
    }

_instrument = transition(
    implementation = _instrument_impl,
    inputs = [_COPT, _LINKOPT],
    outputs = [_COPT, _LINKOPT],
)

_SCRIPT = """#!/bin/bash
# Runs every seed once, then mutations of them for a bounded time.
set -euo pipefail
export ASAN_OPTIONS="allocator_may_return_null=1:${{ASAN_OPTIONS:-}}"
seeds="$TEST_TMPDIR/seeds"
mkdir -p "$seeds" "$TEST_TMPDIR/found"
count=0
for file in {seeds}; do
  cp -L "$file" "$seeds/$count-$(basename "$file")"
  count=$((count + 1))
done
exec {program} -seed=1 -runs={runs} -max_total_time={seconds} -max_len={max_len} -len_control=0 -rss_limit_mb=2048 \\
  -timeout=10 -artifact_prefix="${{TEST_UNDECLARED_OUTPUTS_DIR:-$TEST_TMPDIR}}/" -print_final_stats=1 \\
  {flags} "$TEST_TMPDIR/found" "$seeds"
"""

def _fuzz_test_impl(ctx):
    # A transition turns a label into a list.
    binary = ctx.attr.binary[0][DefaultInfo]
    source = binary.files_to_run.executable
    program = ctx.actions.declare_file(ctx.label.name + ".fuzzer")
    ctx.actions.symlink(output = program, target_file = source, is_executable = True)
    script = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(script, is_executable = True, content = _SCRIPT.format(
        flags = " ".join(["-dict=" + ctx.file.dictionary.short_path] if ctx.file.dictionary else []),
        max_len = ctx.attr.max_len,
        program = program.short_path,
        runs = ctx.attr.runs,
        seconds = ctx.attr.seconds,
        seeds = " ".join(["'" + file.short_path + "'" for file in ctx.files.corpus]),
    ))
    dictionary = [ctx.file.dictionary] if ctx.file.dictionary else []
    runfiles = ctx.runfiles(files = [program, source] + ctx.files.corpus + dictionary)
    return [DefaultInfo(
        executable = script,
        files = depset([script, program]),
        runfiles = runfiles.merge(binary.default_runfiles),
    )]

_fuzz_test = rule(
    implementation = _fuzz_test_impl,
    test = True,
    attrs = {
        "binary": attr.label(mandatory = True, cfg = _instrument),
        "corpus": attr.label_list(allow_files = True, mandatory = True),
        "dictionary": attr.label(allow_single_file = True),
        "max_len": attr.int(default = 65536),
        "runs": attr.int(default = 100000),
        "seconds": attr.int(default = 10),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)

def fuzz_test(name, srcs, corpus, deps = [], copts = [], runs = 100000, seconds = 10, max_len = 65536, dictionary = None, size = "small", tags = [], **kwargs):
    """Builds a libFuzzer target and runs it briefly as a test.

    Args:
      name: of the test; the program alone is bazel-bin/<package>/<name>.fuzzer.
      srcs: sources that define LLVMFuzzerTestOneInput.
      corpus: seed files, usually glob(["corpus/x/**"]).
      deps: cc_library targets; they are instrumented too.
      copts: as for cc_binary.
      runs: stop after so many inputs, or
      seconds: after so long, whichever is first.
      max_len: longest input tried, in bytes.
      dictionary: a libFuzzer dictionary file, or None.
      size: as for every test.
      tags: as everywhere.
      **kwargs: passed on to the test.
    """
    if not corpus:
        fail("fuzz_test(name = \"%s\"): the seed corpus is empty" % name)
    cc_binary(
        name = name + "_program",
        testonly = True,
        srcs = srcs,
        copts = copts,
        linkopts = ["-fsanitize=fuzzer,address"],
        tags = tags + ["manual"],  # Only the instrumented build of it links.
        deps = deps,
    )
    _fuzz_test(
        name = name,
        binary = ":" + name + "_program",
        corpus = corpus,
        dictionary = dictionary,
        max_len = max_len,
        runs = runs,
        seconds = seconds,
        size = size,
        tags = tags + ["fuzz"],
        **kwargs
    )
