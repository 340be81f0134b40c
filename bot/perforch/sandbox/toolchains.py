"""Compilers and interpreters of this machine as the sandbox shows them: read-only roots, a PATH, a few variables.

They are found on the PATH that perforch itself was started with. A home directory is never mounted, only the
folders inside it that hold toolchains or download caches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from perforch.sandbox import isolation

# What ends up in `environment.toolchains` of a result: program and the arguments that make it say its version.
_VERSIONS = {
    "python": ("python3", "--version"),
    "java": ("java", "-version"),
    "cpp": ("g++", "--version"),
    "go": ("go", "version"),
    "rust": ("rustc", "--version"),
}
_PROGRAMS = (
    "python3",
    "go",
    "cargo",
    "rustc",
    "java",
    "javac",
    "mvn",
    "gradle",
    "g++",
    "cmake",
    "make",
    "node",
)
# Files under /etc that toolchains read. No account data, no host names, no keys.
_ETC = (
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "mime.types", "maven", "gradle",
    "java-11-openjdk", "java-17-openjdk", "java-21-openjdk", "java-25-openjdk", "ssl/certs", "ca-certificates.conf",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Toolchains:
    """What the sandbox shows of them.

    Attributes:
        roots: mounted read-only at the same place.
        stores: download caches, mounted read-only under the private HOME: (path, place below HOME).
        path: PATH inside.
        env: variables that they need.
    """

    roots: tuple[Path, ...]
    stores: tuple[tuple[Path, str], ...]
    path: str
    env: dict[str, str]


@cache
def toolchains() -> Toolchains:
    """Look once."""
    home = Path.home()
    roots = [Path("/etc") / name for name in _ETC if (Path("/etc") / name).exists()]
    roots += [root for root in (Path("/nix/store"),) if root.is_dir()]
    env = {
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-buildvcs=false",
        "CARGO_NET_OFFLINE": "true",
    }
    folders: list[Path] = []
    for program in _PROGRAMS:
        found = _real(program)
        if found is None:
            continue
        folder, root = found
        if folder not in folders:
            folders.append(folder)
        roots += [root] if root is not None else []
    # rustup keeps toolchains beside the folder of its proxies, whoever's home that is.
    proxy = shutil.which("cargo") or str(home / ".cargo/bin/cargo")
    homes = (os.environ.get("RUSTUP_HOME"), home / ".rustup", Path(proxy).parents[2] / ".rustup")
    rustup = next(
        (Path(one) for one in homes if one and (Path(one) / "toolchains").is_dir()), home / ".rustup"
    )
    if (rustup / "toolchains").is_dir():
        roots.append(rustup)
        env["RUSTUP_HOME"] = str(rustup)
    cargo = Path(os.environ.get("CARGO_HOME", home / ".cargo"))
    modules = Path(os.environ.get("GOMODCACHE", home / "go/pkg/mod"))
    roots += [folder for folder in (cargo / "bin", modules) if folder.is_dir()]
    if modules.is_dir():
        env["GOMODCACHE"] = str(modules)
    places = ((cargo / "registry", ".cargo/registry"), (home / ".m2/repository", ".m2/repository"))
    stores = tuple((store, place) for store, place in places if store.is_dir())
    path = [*map(str, folders), "/usr/local/bin", "/usr/bin", "/bin"]
    return Toolchains(_outermost(roots), stores, os.pathsep.join(dict.fromkeys(path)), env)


def _real(program: str) -> tuple[Path, Path | None] | None:
    """The folder to put on PATH and the root to mount for it; no root for what lies under /usr."""
    name = shutil.which(program)
    if name is None:
        return None
    path = Path(name)
    if ".pyenv" in path.parts and "shims" in path.parts:
        # A shim is a script that needs the whole of pyenv; the interpreter it would start is enough.
        path = _behind_shim(path) or path
    if path.is_relative_to("/usr") and not path.is_relative_to("/usr/local"):
        return path.parent, None
    folder = path.parent
    if path.is_relative_to("/usr"):
        real = path.resolve().parent
        return folder, None if real.is_relative_to("/usr") else real.parent
    return folder, folder.parent if folder.name == "bin" and folder.parent.name not in {
        ".cargo",
        ".local",
    } else folder


def _behind_shim(shim: Path) -> Path | None:
    try:
        done = subprocess.run(
            ["pyenv", "which", shim.name],
            env=isolation.allowed(os.environ),
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(done.stdout.strip())


def _outermost(roots: list[Path]) -> tuple[Path, ...]:
    """Without repetitions, without what lies inside another root, and never a home directory itself."""
    home = Path.home()
    kept: list[Path] = []
    for root in sorted(set(roots)):
        if home == root or home.is_relative_to(root):
            continue
        if not any(root.is_relative_to(other) for other in kept):
            kept.append(root)
    return tuple(kept)


def versions(languages: frozenset[str] | set[str]) -> dict[str, str]:
    """The toolchains' own words about their versions, one line each, for the languages asked about."""
    found: dict[str, str] = {}
    for language in sorted(languages):
        program, argument = _VERSIONS[language]
        try:
            done = subprocess.run(
                [program, argument],
                env=isolation.allowed(os.environ),
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        lines = (done.stdout or done.stderr).splitlines()
        if lines:
            found[language] = lines[0][:200]
    return found
