#!/usr/bin/env bash
# Installs what perforch, its demo and its tests need on Debian and Ubuntu: only what is missing, and says what.
# With everything in place it needs neither root nor network.
#
#   install-packages.sh           install what is missing
#   install-packages.sh --check   list what is missing, install nothing; exit 1 if there is something
set -euo pipefail

check=false
case "${1:-}" in
  --check) check=true ;;
  '') ;;
  *) echo "usage: $0 [--check]" >&2; exit 2 ;;
esac

# shellcheck source=/dev/null
. /etc/os-release 2>/dev/null || ID=unknown
perf_package=linux-perf
[ "${ID:-}" = ubuntu ] && perf_package="linux-tools-generic"

missing=()
need() { # need PACKAGE PROGRAM...: the package is missing unless every program is on PATH
  local package=$1 program
  shift
  for program in "$@"; do
    if ! command -v "$program" >/dev/null 2>&1; then
      missing+=("$package")
      return
    fi
  done
}

export PATH="$PATH:/usr/sbin:/sbin:/usr/local/go/bin:$HOME/.cargo/bin"  # an ordinary user may lack some of these
need ca-certificates update-ca-certificates
need git git
need make make
need bubblewrap bwrap
need "$perf_package" perf
need valgrind valgrind
need util-linux prlimit taskset
need procps ps
need g++ g++
need cmake cmake
need openjdk-17-jdk-headless javac java
need maven mvn
need golang-go go
# GoogleTest is a library: repositories and the tests build against it.
[ -e /usr/include/gtest/gtest.h ] || missing+=(libgtest-dev)
[ -e /usr/include/doctest/doctest.h ] || missing+=(doctest-dev)
[ -e /usr/include/catch2 ] || missing+=(catch2)
need cargo cargo
need rustc rustc
# uv needs an interpreter with venv and ensurepip; Debian ships them apart.
if ! command -v uv >/dev/null 2>&1 && ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
  missing+=(python3-venv)
fi
# The sandbox proves itself with the system's interpreter.
[ -x /usr/bin/python3 ] || missing+=(python3)

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
if $check; then
  echo "missing: ${missing[*]}"
  exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "perforch needs these Debian packages, or what they hold: ${missing[*]}" >&2
  echo "This machine has no apt-get; install them in its own way and run the command again." >&2
  exit 2
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "perforch needs: ${missing[*]}. Run as root: apt-get install ${missing[*]}" >&2
    exit 2
  fi
  sudo=(sudo)
fi
echo "Installing system packages: ${missing[*]}"
"${sudo[@]}" apt-get update -qq
if [ "${ID:-}" = ubuntu ] && [[ " ${missing[*]} " == *" linux-tools-generic "* ]]; then
  missing+=("linux-tools-$(uname -r)")
  apt-cache show "linux-tools-$(uname -r)" >/dev/null 2>&1 || unset 'missing[-1]'
fi
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "System packages are in place."
