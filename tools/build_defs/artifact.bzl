"""Compiles model definitions during the build, for tests and benchmarks."""

def _t6_artifact_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".t6x")
    ctx.actions.run(
        executable = ctx.executable._compiler,
        arguments = [ctx.file.src.path, "-o", out.path] + ctx.attr.flags,
        inputs = [ctx.file.src] + ctx.files.data,
        outputs = [out],
        # As in .bazelrc: the installed libLLVM knows nothing of ASan.
        env = {"ASAN_OPTIONS": "allow_user_poisoning=0:detect_leaks=0"},
        mnemonic = "TpaOpt",
        progress_message = "Compiling model %s" % ctx.label,
    )
    return [DefaultInfo(files = depset([out]), runfiles = ctx.runfiles(files = [out]))]

t6_artifact = rule(
    implementation = _t6_artifact_impl,
    doc = """<name>.t6x, compiled by tpa-opt from a model definition.

    tpa-opt is the one that the tests use (no second build of it for the host). Without --cpu in `flags`
    the result is for the machine that built it.""",
    attrs = {
        "data": attr.label_list(allow_files = True, doc = "Files that src refers to."),
        "flags": attr.string_list(doc = "Further flags for tpa-opt."),
        "src": attr.label(mandatory = True, allow_single_file = [".mlir", ".json"]),
        "_compiler": attr.label(default = "//tools/tpa-opt", executable = True, cfg = "target"),
    },
)
