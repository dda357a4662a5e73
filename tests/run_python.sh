#!/bin/bash
# Runs a Python program with its arguments: a test without a Python toolchain.
exec /usr/bin/python3 "$@"
