"""Writes a damaged copy of an artifact: break_artifact.py artifact.t6x kind out.t6x"""

import json
import sys
import zipfile


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def rewrite(path, out, change=None, compression=zipfile.ZIP_STORED, kernels=lambda data: data):
    """Packs the files anew, with a changed program or changed kernels."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    program = json.loads(files["program.json"])
    if change:
        change(program)
        files["program.json"] = json.dumps(program).encode()
    files["kernels.so"] = kernels(files["kernels.so"])
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def flip(path, out):
    """Changes the kernels and nothing else, so that the zip's own checksum is wrong, too."""
    with zipfile.ZipFile(path) as archive:
        kernels = archive.read("kernels.so")
    with open(path, "rb") as file:
        data = file.read()
    at = data.index(kernels)
    with open(out, "wb") as file:
        file.write(data[:at] + flipped(kernels) + data[at + len(kernels) :])


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
        rewrite(path, out, compression=zipfile.ZIP_DEFLATED)
    elif kind == "hash":
        rewrite(path, out, kernels=flipped)
    elif kind == "rewritten":
        rewrite(path, out)
    else:
        changes = {"schema": set_schema, "offset": set_offset, "cpu": set_cpu}
        rewrite(path, out, changes[kind])


main()
