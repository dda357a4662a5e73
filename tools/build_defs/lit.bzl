"""lit tests: one Bazel test for each file, named <file>.test.

Each test runs in a copy of the tree that holds only what it declares, so a file that is not in
`data` is not found. See tests/lit.cfg.py for the substitutions.
"""

_DEFAULT_TOOLS = [
    "//tools/tpa-opt",
    "@llvm-project//llvm:FileCheck",
    "@llvm-project//llvm:not",
]

_SCRIPT = """#!/bin/bash
# Runs lit on {test} in a tree of its own.
set -euo pipefail
runfiles="$PWD"
tree="$TEST_TMPDIR/tree"
place() {{  # command file: puts a declared file at its path below the tree
  mkdir -p "$tree/$(dirname "$2")"
  $1 "$(readlink -f "$runfiles/$2")" "$tree/$2"
}}
# lit resolves links to find a test's folder: the test and its configuration must be real files.
place cp {config}
place cp {test}
{data}
export TPA_TEST_ROOT="$tree"
exec /usr/bin/python3 {lit} --verbose --no-progress-bar --path "$runfiles/{bin}" "$tree/{test}"
"""

def _lit_test_impl(ctx):
    bin_folder = ctx.label.name + ".tools/bin"
    tools = []
    names = {}
    runfiles = ctx.runfiles(files = [ctx.file.src, ctx.file._config, ctx.file._lit] + ctx.files.data)
    for target in ctx.attr.tools:
        info = target[DefaultInfo]
        program = info.files_to_run.executable
        if not program:
            # A source file of the LLVM installation.
            files = info.files.to_list()
            if len(files) != 1:
                fail("lit_test: %s in tools is not one program" % target.label)
            program = files[0]
        if program.basename in names:
            fail("lit_test: two tools are named %s" % program.basename)
        names[program.basename] = True
        link = ctx.actions.declare_file(bin_folder + "/" + program.basename)
        ctx.actions.symlink(output = link, target_file = program, is_executable = True)
        tools.append(link)
        runfiles = runfiles.merge(ctx.runfiles(files = [program])).merge(info.default_runfiles)
    for target in ctx.attr.data:
        runfiles = runfiles.merge(target[DefaultInfo].default_runfiles)

    script = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(script, is_executable = True, content = _SCRIPT.format(
        bin = "/".join([part for part in [ctx.label.package, bin_folder] if part]),
        config = ctx.file._config.short_path,
        data = "\n".join(["place 'ln -s' " + file.short_path for file in ctx.files.data]),
        lit = ctx.file._lit.short_path,
        test = ctx.file.src.short_path,
    ))
    return [DefaultInfo(executable = script, runfiles = runfiles.merge(ctx.runfiles(files = tools)))]

_lit_test = rule(
    implementation = _lit_test_impl,
    test = True,
    attrs = {
        "data": attr.label_list(allow_files = True),
        "src": attr.label(mandatory = True, allow_single_file = True),
        "tools": attr.label_list(allow_files = True),
        "_config": attr.label(default = "//tests:lit.cfg.py", allow_single_file = True),
        "_lit": attr.label(default = "@llvm-project//llvm:lit", allow_single_file = True),
    },
)

def lit_test(name, src, tools = None, data = [], size = "small", tags = [], **kwargs):
    """Runs one file through lit.

    Args:
      name: of the test.
      src: the file with RUN lines.
      tools: programs that the RUN lines call, by base name; tpa-opt, FileCheck and not when absent.
      data: files that the RUN lines read, found at %S, %data, %models or %root.
      size: as for every test.
      tags: as everywhere.
      **kwargs: passed on (timeout, visibility).
    """
    _lit_test(
        name = name,
        src = src,
        tools = _DEFAULT_TOOLS if tools == None else tools,
        data = data,
        size = size,
        tags = tags + ["lit"],
        **kwargs
    )

def lit_tests(name = "lit", srcs = None, exclude = [], tools = None, extra_tools = [], data = [], tags = [], **kwargs):
    """One lit_test named <file>.test for each file of this folder, and a test_suite of all.

    Args:
      name: of the suite.
      srcs: the files; all .mlir files of the folder when absent.
      exclude: files to leave out of that glob.
      tools: replaces the default tools.
      extra_tools: programs besides those.
      data: files that the tests read.
      tags: as everywhere.
      **kwargs: passed on to each test.
    """
    files = srcs
    if files == None:
        files = native.glob(["*.mlir"], exclude = exclude)
    if not files:
        fail("lit_tests(name = \"%s\"): no test files" % name)
    all_tools = (_DEFAULT_TOOLS if tools == None else tools) + extra_tools
    for file in files:
        lit_test(name = file + ".test", src = file, tools = all_tools, data = data, tags = tags, **kwargs)
    native.test_suite(name = name, tests = [":" + file + ".test" for file in files])
