#!/usr/bin/env bash
# Prints the path of uv; installs it from the package index into perforch's cache folder where it is missing.
set -euo pipefail

version=0.8.0  # at least; any newer one on PATH will do

if command -v uv >/dev/null 2>&1; then
  command -v uv
  exit 0
fi
home="${XDG_CACHE_HOME:-$HOME/.cache}/perforch/uv"
if [ ! -x "$home/bin/uv" ]; then
  echo "Installing uv into $home" >&2
  python3 -m venv "$home" >&2
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check "uv>=$version" >&2
fi
echo "$home/bin/uv"
