"""Each constraint (Cn) of an operation or attribute is stated, enforced and tested.

Stated: "(Cn)" in the ODS description. Enforced: the label op_cN in a comment of the dialect's C++ or
ODS. Tested: a function or symbol @op_cN... in an invalid*.mlir of the dialect. Attributes are
labelled <mnemonic>_attr. A label that is used but not stated is wrong too.

usage: constraint_triangle_test.py FILE... (.td, .cpp, .mlir; the folder names the dialect)
"""

import pathlib
import re
import sys

DEFINITION = re.compile(r"^def \w+ : (\w+)<(.*)$", re.MULTILINE)
LABEL = r"[a-z][a-z0-9_]*_c[0-9]+"


def owner(base, rest, body):
    """The name by which the labels of a definition begin, or None where it has none."""
    if base.endswith("Op"):
        return re.search(r'"(\w+)"', rest).group(1)
    if base == "AttrDef":
        return re.search(r'let mnemonic = "(\w+)"', body).group(1) + "_attr"
    return None


def stated(text):
    labels = []
    definitions = list(DEFINITION.finditer(text))
    for found, following in zip(definitions, definitions[1:] + [None]):
        body = text[found.end() : following.start() if following else len(text)]
        name = owner(found.group(1), found.group(2), body)
        numbers = re.findall(r"^\s*- \(C([0-9]+)\) ", body, re.MULTILINE)
        if name and numbers != [str(i + 1) for i in range(len(numbers))]:
            sys.exit(f"{name}: constraints are numbered {numbers}")
        labels += [f"{name}_c{number}" for number in numbers if name]
    return labels


def comments(text):
    return "\n".join(re.findall(r"//.*|/\*.*?\*/", text))


def main(paths):
    dialects = {}
    for path in map(pathlib.Path, paths):
        dialects.setdefault(path.parent.name, []).append(path)
    errors = []
    for dialect, files in sorted(dialects.items()):
        text = {path: path.read_text() for path in files}
        ods = [text[path] for path in files if path.suffix == ".td"]
        code = [text[path] for path in files if path.suffix in (".td", ".cpp")]
        tests = [text[path] for path in files if path.name.startswith("invalid")]
        rules = [label for part in ods for label in stated(part)]
        enforced = set(re.findall(rf"\b{LABEL}\b", "\n".join(map(comments, code))))
        tested = set(re.findall(rf"@({LABEL})(?![0-9])", "\n".join(tests)))
        if not rules:
            errors.append(f"{dialect}: no constraints found")
        for label in rules:
            if label not in enforced:
                errors.append(f"{dialect}: {label} is stated, but no comment names its check")
            if label not in tested:
                errors.append(f"{dialect}: {label} is stated, but no test is named @{label}")
        for label in sorted((enforced | tested) - set(rules)):
            errors.append(f"{dialect}: {label} is used, but no description states it")
        print(f"{dialect}: {len(rules)} constraints")
    for error in errors:
        print("error:", error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
