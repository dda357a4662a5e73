"""Thin macros over mlir-tblgen: C++ declarations and definitions (.inc) and documentation (.gen.md)."""

load("@rules_cc//cc:defs.bzl", "cc_library")

# kind -> output suffix -> mlir-tblgen's action.
_KINDS = {
    "dialect": {".h.inc": "-gen-dialect-decls", ".cpp.inc": "-gen-dialect-defs", ".gen.md": "-gen-dialect-doc"},
    "op": {".h.inc": "-gen-op-decls", ".cpp.inc": "-gen-op-defs", ".gen.md": "-gen-op-doc"},
    "type": {".h.inc": "-gen-typedef-decls", ".cpp.inc": "-gen-typedef-defs", ".gen.md": "-gen-typedef-doc"},
    "attr": {".h.inc": "-gen-attrdef-decls", ".cpp.inc": "-gen-attrdef-defs", ".gen.md": "-gen-attrdef-doc"},
    "enum": {".h.inc": "-gen-enum-decls", ".cpp.inc": "-gen-enum-defs", ".gen.md": "-gen-enum-doc"},
    "interface": {".h.inc": "-gen-op-interface-decls", ".cpp.inc": "-gen-op-interface-defs", ".gen.md": "-gen-op-interface-docs"},
    "type_interface": {".h.inc": "-gen-type-interface-decls", ".cpp.inc": "-gen-type-interface-defs", ".gen.md": "-gen-type-interface-docs"},
    "attr_interface": {".h.inc": "-gen-attr-interface-decls", ".cpp.inc": "-gen-attr-interface-defs", ".gen.md": "-gen-attr-interface-docs"},
}

# Kinds whose generator takes the name of the dialect, and one that cannot do without.
_TAKE_DIALECT = ["dialect", "op", "type", "attr"]

def _tblgen_impl(ctx):
    # Includes are looked up from the repository's root, then among LLVM's.
    includes = ["-I", "."]
    for file in ctx.files._llvm_td:
        root = file.path.split("/include/")[0] + "/include"
        if root not in includes:
            includes += ["-I", root]
    ctx.actions.run(
        executable = ctx.executable._tblgen,
        arguments = ctx.attr.flags + includes + [ctx.file.td_file.path, "-o", ctx.outputs.out.path],
        inputs = [ctx.file.td_file] + ctx.files.deps + ctx.files._llvm_td,
        outputs = [ctx.outputs.out],
        mnemonic = "MlirTblgen",
        progress_message = "Generating %s" % ctx.outputs.out.short_path,
    )
    return [DefaultInfo(files = depset([ctx.outputs.out]))]

_tblgen = rule(
    implementation = _tblgen_impl,
    attrs = {
        "deps": attr.label_list(allow_files = [".td"]),
        "flags": attr.string_list(mandatory = True),
        "out": attr.output(mandatory = True),
        "td_file": attr.label(mandatory = True, allow_single_file = [".td"]),
        "_llvm_td": attr.label(default = "@llvm-project//mlir:td_files"),
        "_tblgen": attr.label(
            default = "@llvm-project//mlir:mlir-tblgen",
            allow_single_file = True,
            executable = True,
            cfg = "exec",
        ),
    },
)

def _gentbl(name, stem, outs, td_file, deps, visibility, tags):
    for suffix, flags in outs.items():
        _tblgen(
            name = name + suffix,
            out = stem + suffix,
            td_file = td_file,
            deps = deps,
            flags = flags,
            visibility = visibility,
            tags = tags,
        )
    cc_library(
        name = name,
        textual_hdrs = [stem + suffix for suffix in outs if suffix.endswith(".inc")],
        visibility = visibility,
        tags = tags,
    )
    native.filegroup(
        name = name + "_doc",
        srcs = [stem + suffix for suffix in outs if suffix.endswith(".md")],
        visibility = visibility,
        tags = tags,
    )

def _stem(rule, name, td_file, stem):
    if not td_file.endswith(".td"):
        fail("%s(name = \"%s\"): td_file must end in .td, but is \"%s\"" % (rule, name, td_file))
    return stem or td_file[:-len(".td")].split(":")[-1]

def td_library(name, srcs, deps = [], visibility = None):
    """.td files that other .td files include, with everything those include in turn."""
    native.filegroup(name = name, srcs = srcs + deps, visibility = visibility)

def tpa_dialect_gen(name, kind, td_file, deps = [], dialect = None, stem = None, visibility = None, tags = []):
    """Generates <stem>.h.inc, <stem>.cpp.inc and <stem>.gen.md from the ODS of one dialect part.

    Args:
      name: a cc_library with the .inc files; <name>_doc holds the Markdown.
      kind: dialect, op, type, attr, enum, interface, type_interface or attr_interface.
      td_file: the .td file to read.
      deps: td_library targets that it includes (LLVM's own are always there).
      dialect: passed as -dialect=; needed where the .td file sees several dialects.
      stem: of the outputs' names; td_file without .td when absent.
      visibility: as everywhere.
      tags: as everywhere.
    """
    if kind not in _KINDS:
        fail("tpa_dialect_gen(name = \"%s\"): kind must be one of %s, but is \"%s\"" % (name, ", ".join(_KINDS.keys()), kind))
    if dialect and kind not in _TAKE_DIALECT:
        fail("tpa_dialect_gen(name = \"%s\"): kind \"%s\" takes no dialect" % (name, kind))
    option = {
        "dialect": "-dialect=",
        "op": "-dialect=",
        "type": "-typedefs-dialect=",
        "attr": "-attrdefs-dialect=",
    }
    outs = {}
    for suffix, action in _KINDS[kind].items():
        flag = "-dialect=" if suffix == ".gen.md" else option.get(kind, "")
        outs[suffix] = [action] + ([flag + dialect] if dialect else [])
    _gentbl(name, _stem("tpa_dialect_gen", name, td_file, stem), outs, td_file, deps, visibility, tags)

def tpa_pass_gen(name, group, td_file = "Passes.td", deps = [], stem = None, visibility = None, tags = []):
    """Generates <stem>.h.inc and <stem>.gen.md from a Passes.td.

    Args:
      name: a cc_library with the .inc file; <name>_doc holds the Markdown.
      group: names the generated registration function, register<group>Passes().
      td_file: the .td file to read.
      deps: td_library targets that it includes (LLVM's own are always there).
      stem: of the outputs' names; td_file without .td when absent.
      visibility: as everywhere.
      tags: as everywhere.
    """
    if not group or not group[0].isupper():
        fail("tpa_pass_gen(name = \"%s\"): group must be a CamelCase name, but is \"%s\"" % (name, group))
    outs = {".h.inc": ["-gen-pass-decls", "-name=" + group], ".gen.md": ["-gen-pass-doc"]}
    _gentbl(name, _stem("tpa_pass_gen", name, td_file, stem), outs, td_file, deps, visibility, tags)
