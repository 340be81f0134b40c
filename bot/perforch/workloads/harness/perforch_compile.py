"""Compile the named source files to byte code; runs none of them. Reads a JSON list of paths from stdin."""

import json
import py_compile
import sys

for path in json.load(sys.stdin):
    try:
        py_compile.compile(path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    except (OSError, ValueError, RecursionError, py_compile.PyCompileError):
        continue
