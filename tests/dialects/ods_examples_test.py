"""Every ```mlir example in the ODS descriptions parses, verifies and round-trips.

An example is a piece of IR or one attribute. Values that it uses without defining become arguments of
a function around it; their types are those that the parser says it wants.

usage: ods_examples_test.py TPA_OPT FILE.td...
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

DEFINITION = re.compile(r'^def \w+ : (\w+)<(?:"(\w+)")?', re.MULTILINE)
WANTED = re.compile(r"use of value '%(\w+)' expects different type than prior uses: '(.*)' vs 'none'")


def examples(text):
    """Pairs (definition, example); definitions of operations without one have the example None."""
    definitions = list(DEFINITION.finditer(text))
    for found, following in zip(definitions, definitions[1:] + [None]):
        body = text[found.end() : following.start() if following else len(text)]
        fenced = re.findall(r"```mlir\n(.*?)```", body, re.DOTALL)
        name = found.group(0).split()[1]
        if not fenced and found.group(1).endswith("Op"):
            yield name, None
        for example in fenced:
            yield name, textwrap.dedent(example)


def wrap(example, types):
    if example.startswith(("#", "[#")):
        return f"func.func private @example() attributes {{example = {example.strip()}}}\n"
    if not types:
        return example
    arguments = ", ".join(f"%{name}: {kind}" for name, kind in types.items())
    return f"func.func @example({arguments}) {{\n{example}  return\n}}\n"


def free_values(example):
    defined = set(re.findall(r"%(\w+):", example))
    for left in re.findall(r"^\s*((?:%\w+(?:, )?)+) =", example, re.MULTILINE):
        defined |= set(re.findall(r"%(\w+)", left))
    return [name for name in dict.fromkeys(re.findall(r"%(\w+)", example)) if name not in defined]


def check(tool, example):
    """The parser's complaint about the example, or an empty string."""
    types = {name: "none" for name in free_values(example)}
    for _ in range(len(types) + 1):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
            path = pathlib.Path(folder, "example.mlir")
            path.write_text(wrap(example, types))
            run = subprocess.run(
                [tool, str(path), "--verify-roundtrip"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        if run.returncode == 0:
            return ""
        wanted = WANTED.search(run.stderr)
        if not wanted:
            break
        types[wanted.group(1)] = wanted.group(2)
    return run.stderr or f"exit status {run.returncode}"


def main(tool, paths):
    count = failures = 0
    for path in map(pathlib.Path, paths):
        for name, example in examples(path.read_text()):
            if example is None:
                error = "an operation needs an example\n"
            else:
                count += 1
                error = check(tool, example)
            if error:
                failures += 1
                print(f"{path}: {name}:\n{example or ''}{error}", file=sys.stderr)
    print(f"{count} examples, {failures} failures")
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
