"""Finds what is installed on this machine: LLVM and MLIR, system libraries, CUDA headers.

This is the only file that knows where things lie. Every repository rule here fails with one
sentence that names the Debian package to install; nothing is ever downloaded. The Starlark is
kept to what Bazel 4 to 8 accept.
"""

_LLVM_VERSION = "22.1"
_LIB_DIR = "/usr/lib/x86_64-linux-gnu"
_INSTALL_HINT = "HINT: run tools/setup.sh, or apt-get install "

# ---- LLVM and MLIR -----------------------------------------------------------------------------

# Command-line tools: package in the repository -> programs of <prefix>/bin.
_LLVM_TOOLS = {
    "llvm": ["FileCheck", "not", "lit", "ld.lld", "llvm-objdump", "llvm-readelf", "llvm-symbolizer", "split-file"],
    "mlir": ["mlir-opt", "mlir-tblgen", "mlir-translate", "mlir-lsp-server", "tblgen-lsp-server"],
}

_LLVM_CONFIG_BUILD = """
# Chosen by --config=static.
config_setting(
    name = "static_link",
    values = {"define": "tpa_link=static"},
    visibility = ["//visibility:public"],
)
"""

_LLVM_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

# Headers of LLVM alone, for code that includes no MLIR.
cc_library(
    name = "headers",
    hdrs = glob(["include/llvm/**", "include/llvm-c/**"]),
    includes = ["include"],
)

cc_library(
    name = "LLVM",
    linkopts = select({{
        "//:static_link": {static},
        "//conditions:default": {shared},
    }}),
    deps = [":headers"],
)

exports_files({tools})
"""

_MLIR_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

cc_library(
    name = "headers",
    hdrs = glob(["include/mlir/**", "include/mlir-c/**"], exclude = ["**/*.td"]),
    includes = ["include"],
)

# All of MLIR and LLVM.
cc_library(
    name = "mlir",
    linkopts = select({{
        "//:static_link": {static},
        "//conditions:default": {shared},
    }}),
    deps = [
        ":headers",
        "//llvm:headers",
    ],
)

# What a .td file may include: `include "mlir/IR/OpBase.td"`.
filegroup(
    name = "td_files",
    srcs = glob(["include/**/*.td"]),
)

exports_files({tools} + ["include"])
"""

def _entries(rctx, directory):
    """Names of the files in an absolute directory, sorted."""
    return sorted([entry.basename for entry in rctx.path(directory).readdir()])

def _archives(rctx, lib_dir, prefix, unwanted):
    """Paths of <lib_dir>/<prefix>*.a, without names that contain a word of `unwanted`."""
    found = []
    for name in _entries(rctx, lib_dir):
        if not name.startswith(prefix) or not name.endswith(".a"):
            continue
        if [word for word in unwanted if word in name]:
            continue
        found.append(lib_dir + "/" + name)
    return found

def _group(archives, others):
    return ["-Wl,--start-group"] + archives + ["-Wl,--end-group"] + others

def _llvm_prefix_impl(rctx):
    prefix = rctx.os.environ.get("TPA_LLVM_PREFIX", "") or rctx.attr.default
    where = "in {} (set TPA_LLVM_PREFIX to use another installation). ".format(prefix)
    hint = _INSTALL_HINT + "libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22"
    config = rctx.path(prefix + "/bin/llvm-config")
    if not config.exists:
        fail("LLVM and MLIR {} were not found {}{}".format(_LLVM_VERSION, where, hint))
    result = rctx.execute([config, "--version"])
    version = result.stdout.strip()
    if result.return_code != 0 or not (version + ".").startswith(_LLVM_VERSION + "."):
        fail("LLVM {} is needed, but version {} was found {}{}".format(_LLVM_VERSION, version or "unknown", where, hint))
    for needed in ["include/mlir/IR/MLIRContext.h", "lib/libMLIR.so", "bin/mlir-tblgen", "bin/FileCheck", "bin/ld.lld"]:
        if not rctx.path(prefix + "/" + needed).exists:
            fail("{} of LLVM {} was not found {}{}".format(needed, _LLVM_VERSION, where, hint))

    for package, folders in {"llvm": ["llvm", "llvm-c"], "mlir": ["mlir", "mlir-c"]}.items():
        for folder in folders:
            rctx.symlink(prefix + "/include/" + folder, package + "/include/" + folder)
    tools = {}
    for package, names in _LLVM_TOOLS.items():
        tools[package] = [name for name in names if rctx.path(prefix + "/bin/" + name).exists]
        for name in tools[package]:
            rctx.symlink(prefix + "/bin/" + name, package + "/" + name)

    lib = prefix + "/lib"
    llvm_archives = _archives(rctx, lib, "libLLVM", ["BOLT"])
    mlir_archives = _archives(rctx, lib, "libMLIR", ["MLIRCAPI", "MLIRTest", "MLIRPythonC"])

    # libzstd has no -dev package installed, so its run-time name is used.
    system = ["-l:libzstd.so.1", "-lz", "-lpthread", "-ldl", "-lm"]
    shared = ["-L" + lib, "-Wl,-rpath," + lib, "-lLLVM"]
    rctx.file("WORKSPACE", "workspace(name = \"{}\")\n".format(rctx.name))
    rctx.file("BUILD", _LLVM_CONFIG_BUILD)
    rctx.file("llvm/BUILD", _LLVM_BUILD.format(
        static = repr(_group(llvm_archives, system)),
        shared = repr(shared),
        tools = repr(tools["llvm"]),
    ))
    rctx.file("mlir/BUILD", _MLIR_BUILD.format(
        static = repr(_group(mlir_archives + llvm_archives, system)),
        shared = repr(shared[:-1] + ["-lMLIR", "-lLLVM"]),
        tools = repr(tools["mlir"]),
    ))

llvm_prefix = repository_rule(
    implementation = _llvm_prefix_impl,
    doc = "An installed LLVM with MLIR, as @<name>//llvm:... and @<name>//mlir:... labels.",
    attrs = {"default": attr.string(default = "/usr/lib/llvm-22", doc = "Used unless TPA_LLVM_PREFIX is set.")},
    environ = ["TPA_LLVM_PREFIX"],
    local = True,
)

# ---- System libraries --------------------------------------------------------------------------

_LIBRARY_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")

cc_library(
    name = "{name}",
    defines = {defines},
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
    deps = {deps},
)
"""

_ALIAS_BUILD = """
alias(
    name = "{name}",
    actual = "{actual}",
    visibility = ["//visibility:public"],
)
"""

def _require(rctx, what, path, debian):
    if not rctx.path(path).exists:
        fail("{} was not found ({} is missing). {}{}".format(what, path, _INSTALL_HINT, debian))

def _system_library_impl(rctx):
    _require(rctx, rctx.attr.name_shown, rctx.attr.header, rctx.attr.debian)
    text = ""
    for target, flags in rctx.attr.targets.items():
        text += _LIBRARY_BUILD.format(
            name = target,
            defines = repr(rctx.attr.defines),
            linkopts = repr(flags),
            deps = repr(rctx.attr.target_deps.get(target, [])),
        )
    rctx.file("WORKSPACE", "workspace(name = \"{}\")\n".format(rctx.name))
    rctx.file("BUILD", text)

# Headers lie in /usr/include, where the compiler looks anyway: a target is link flags and a check.
_system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {
        "name_shown": attr.string(mandatory = True),
        "header": attr.string(mandatory = True, doc = "A file whose presence shows that the package is installed."),
        "debian": attr.string(mandatory = True),
        "targets": attr.string_list_dict(mandatory = True, doc = "Target name -> link flags."),
        "target_deps": attr.string_list_dict(),
        "defines": attr.string_list(),
    },
    local = True,
)

# Abseil's labels that may be used; all name the one target that links what is needed of abseil.
_ABSL_TARGETS = {
    "algorithm": ["algorithm", "container"],
    "base": ["base", "config", "core_headers", "endian", "log_severity", "no_destructor"],
    "cleanup": ["cleanup"],
    "container": ["btree", "fixed_array", "flat_hash_map", "flat_hash_set", "inlined_vector", "node_hash_map", "node_hash_set"],
    "functional": ["any_invocable", "bind_front", "function_ref"],
    "hash": ["hash"],
    "memory": ["memory"],
    "meta": ["type_traits"],
    "numeric": ["bits", "int128"],
    "random": ["random"],
    "status": ["status", "statusor"],
    "strings": ["cord", "str_format", "strings"],
    "synchronization": ["synchronization"],
    "time": ["time"],
    "types": ["any", "optional", "span", "variant"],
    "utility": ["utility"],
}

_ABSL_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")

cc_library(
    name = "absl",
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
)
"""

def _absl_impl(rctx):
    _require(rctx, "abseil", "/usr/include/absl/status/statusor.h", "libabsl-dev")

    # Abseil has 80 small shared libraries, slow to load; of the archives a program takes what it uses.
    archives = _archives(rctx, _LIB_DIR, "libabsl_", [])
    if not archives:
        fail("abseil's libraries were not found in {}. {}libabsl-dev".format(_LIB_DIR, _INSTALL_HINT))
    rctx.file("WORKSPACE", "workspace(name = \"{}\")\n".format(rctx.name))
    rctx.file("BUILD", _ABSL_BUILD.format(linkopts = repr(_group(archives, ["-lpthread"]))))
    for package, targets in _ABSL_TARGETS.items():
        rctx.file("absl/{}/BUILD".format(package), "".join([
            _ALIAS_BUILD.format(name = target, actual = "//:absl")
            for target in targets
        ]))

_absl = repository_rule(implementation = _absl_impl, local = True)

def system_libraries():
    """Declares the repositories of all libraries that come from Debian packages."""
    _absl(name = "absl")
    _system_library(
        name = "com_google_googletest",
        name_shown = "GoogleTest",
        header = "/usr/include/gmock/gmock.h",
        debian = "libgtest-dev libgmock-dev",
        targets = {
            "gtest": ["-lgmock", "-lgtest", "-lpthread"],
            "gtest_main": ["-lgtest_main"],
        },
        target_deps = {"gtest_main": [":gtest"]},
    )
    _system_library(
        name = "nlohmann_json",
        name_shown = "nlohmann json",
        header = "/usr/include/nlohmann/json.hpp",
        debian = "nlohmann-json3-dev",
        targets = {"json": []},
        # The tree is built without exceptions; a defect in our use of the library ends the program.
        defines = ["JSON_NOEXCEPTION"],
    )
    _system_library(
        name = "libzip",
        name_shown = "libzip",
        header = "/usr/include/zip.h",
        debian = "libzip-dev",
        targets = {"zip": ["-lzip"]},
    )
    _system_library(
        name = "xxhash",
        name_shown = "xxHash",
        header = "/usr/include/xxhash.h",
        debian = "libxxhash-dev",
        targets = {"xxhash": ["-lxxhash"]},
    )
    _system_library(
        name = "cli11",
        name_shown = "CLI11",
        header = "/usr/include/CLI/CLI.hpp",
        debian = "libcli11-dev",
        # Its users need copts = ["-fexceptions"].
        targets = {"cli11": []},
    )
    _system_library(
        name = "com_github_google_benchmark",
        name_shown = "Google Benchmark",
        header = "/usr/include/benchmark/benchmark.h",
        debian = "libbenchmark-dev",
        targets = {
            "benchmark": ["-lbenchmark", "-lpthread"],
            "benchmark_main": ["-lbenchmark_main"],
        },
        target_deps = {"benchmark_main": [":benchmark"]},
    )
    _system_library(
        name = "utf8proc",
        name_shown = "utf8proc",
        header = "/usr/include/utf8proc.h",
        debian = "libutf8proc-dev",
        targets = {"utf8proc": ["-lutf8proc"]},
    )

# ---- CUDA headers ------------------------------------------------------------------------------

_CUDA_BUILD = """
load("@bazel_skylib//rules:common_settings.bzl", "bool_flag")
load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

# True where the headers were found; select() on :available.
bool_flag(
    name = "found",
    build_setting_default = {found},
)

config_setting(
    name = "available",
    flag_values = {{":found": "True"}},
)

# Empty where the headers are absent; the driver itself is opened at run time.
cc_library(
    name = "headers",
    hdrs = glob(["include/**/*.h"], allow_empty = True),
    defines = {defines},
    includes = ["include"],
)
"""

def _cuda_headers_impl(rctx):
    folders = [rctx.os.environ.get("CUDA_PATH", ""), "/usr/local/cuda", "/usr"]
    found = [folder for folder in folders if folder and rctx.path(folder + "/include/cuda.h").exists]
    if found:
        rctx.symlink(found[0] + "/include/cuda.h", "include/cuda.h")
    rctx.file("WORKSPACE", "workspace(name = \"{}\")\n".format(rctx.name))
    rctx.file("BUILD", _CUDA_BUILD.format(
        found = repr(bool(found)),
        defines = repr(["T6_HAVE_CUDA_HEADERS"] if found else []),
    ))

cuda_headers = repository_rule(
    implementation = _cuda_headers_impl,
    doc = "cuda.h of an installed CUDA toolkit; never fails.",
    environ = ["CUDA_PATH"],
    local = True,
)

# ---- Repositories that Bazel itself asks for ---------------------------------------------------

# repository -> (folder of its defs.bzl, the native rules that it gives under their own names).
_NATIVE_RULES = {
    "rules_cc": ("cc", ["cc_binary", "cc_import", "cc_library", "cc_proto_library", "cc_test", "cc_toolchain", "cc_toolchain_suite"]),
    "rules_java": ("java", ["java_binary", "java_import", "java_library", "java_runtime", "java_test", "java_toolchain"]),
    "rules_proto": ("proto", ["proto_lang_toolchain", "proto_library"]),
}

_COVERAGE_TOOLS = """
filegroup(
    name = "coverage_report_generator",
    srcs = [],
    visibility = ["//visibility:public"],
)

filegroup(
    name = "lcov_merger",
    srcs = [],
    visibility = ["//visibility:public"],
)
"""

def _stub_impl(rctx):
    rctx.file("WORKSPACE", "workspace(name = \"{}\")\n".format(rctx.name))
    for path, text in rctx.attr.files.items():
        rctx.file(path, text)

_stub = repository_rule(
    implementation = _stub_impl,
    attrs = {"files": attr.string_dict(mandatory = True)},
    local = True,
)

def stub_repositories():
    """Local stand-ins for what Bazel would download: rule wrappers, and the coverage tools that tests name."""
    for name, (folder, rules) in _NATIVE_RULES.items():
        lines = ["{0} = getattr(native, \"{0}\", None)\n".format(rule) for rule in rules]
        _stub(name = name, files = {
            "BUILD": "",
            folder + "/BUILD": "",
            folder + "/defs.bzl": "".join(lines),
        })
    _stub(name = "remote_coverage_tools", files = {"BUILD": _COVERAGE_TOOLS})
