# How lit runs a test file; tools/build_defs/lit.bzl prepares the tree and the tools.
import os

import lit.formats

root = os.environ["TPA_TEST_ROOT"]

config.name = "tpa"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".json", ".test"]
config.substitutions += [("%data", root + "/tests/data"), ("%models", root + "/models"), ("%root", root)]
config.environment["FILECHECK_OPTS"] = "--enable-var-scope"
for name in ("ASAN_OPTIONS", "ASAN_SYMBOLIZER_PATH", "UBSAN_OPTIONS", "LC_ALL"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
