"""Writes a damaged copy of an artifact: break_artifact.py artifact.t6x kind out.t6x"""

import json
import sys
import zipfile


def rewrite(path, out, change, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files:
            if name == "program.json" and change:
                program = json.loads(data)
                change(program)
                data = json.dumps(program).encode()
            archive.writestr(name, data)


def flip(path, out):
    with zipfile.ZipFile(path) as archive:
        kernels = archive.read("kernels.so")
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[data.index(kernels) + len(kernels) // 2] ^= 1
    with open(out, "wb") as file:
        file.write(data)


def truncate(path, out):
    with open(path, "rb") as file:
        data = file.read()
    with open(out, "wb") as file:
        file.write(data[: len(data) // 2])


def set_schema(program):
    program["schema"] = 99


def set_offset(program):
    dispatch = program["entries"][0]["dispatches"][0]
    dispatch["bindings"][0]["offset"] = 1 << 40


def set_cpu(program):
    program["cpu"]["features"].append("avx9000")


def main():
    path, kind, out = sys.argv[1:]
    if kind == "flipped":
        flip(path, out)
    elif kind == "truncated":
        truncate(path, out)
    elif kind == "compressed":
        rewrite(path, out, None, zipfile.ZIP_DEFLATED)
    elif kind == "rewritten":
        rewrite(path, out, lambda program: None)
    else:
        changes = {"schema": set_schema, "offset": set_offset, "cpu": set_cpu}
        rewrite(path, out, changes[kind])


main()
