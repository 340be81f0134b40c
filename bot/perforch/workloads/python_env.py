"""The interpreter that runs a Python project's tests: found on the host, run only in the sandbox."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError
from perforch.sandbox.spec import SOURCE, Command, Limits, Mount
from perforch.workloads.model import Failure
from perforch.workloads.python_bytecode import compiled, is_compiled
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perforch.sandbox.spec import Sandbox
    from perforch.workloads.model import Tree
    from perforch.workloads.options import Options

HARNESS = "/perforch/harness"
FALLBACK = "/perforch/pytest"  # our own pytest, for interpreters that have none
_ENVIRONMENT = "/perforch/env"
_PYTEST = (
    "pytest",
    "_pytest",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "py",
)  # the last is a single file
_SYSTEM = (Path("/usr"), Path("/bin"), Path("/lib"))
_NAME = re.compile(r"(python|pypy)(\d+(\.\d+)*)?t?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python interpreter as the sandbox sees it.

    Attributes:
        path: inside the sandbox.
        mounts: what it needs beside the system's files.
        version: such as (3, 11).
        pytest: it has a pytest of its own.
        fallback: where our pytest is mounted, "" when this interpreter is too old for it.
    """

    path: str
    mounts: tuple[Mount, ...]
    version: tuple[int, int]
    pytest: bool
    fallback: str

    @property
    def shown(self) -> str:
        """How a person would type it."""
        return "python"


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    mounts: tuple[Mount, ...]


def is_python(word: str) -> bool:
    """Is this the name or path of a Python interpreter?"""
    return bool(_NAME.fullmatch(Path(word).name))


def find(sandbox: Sandbox, tree: Tree, root: str, options: Options, configured: str = "") -> Interpreter:
    """The first interpreter that works: configured, active environment, `.venv` or `venv` of the checkout, PATH, our own.

    Raises:
        ToolMissingError: there is none.
    """
    for place in _places(tree, root, options, configured):
        interpreter = _probe(sandbox, place, options.cache)
        if interpreter is not None:
            return interpreter
    message = f"no Python interpreter works in the sandbox{f' ({configured})' if configured else ''}"
    raise ToolMissingError(message, hint="Install Python 3, or make a .venv with the project's dependencies.")


def build(
    sandbox: Sandbox, interpreter: Interpreter, argv: Sequence[str], place: Path, limits: Limits
) -> Failure | None:
    """Run a configured build command in a writable copy of the tree, from its root; what went wrong.

    `python` without a folder is the project's interpreter.
    """
    first = interpreter.path if is_python(argv[0]) and "/" not in argv[0] else argv[0]
    mounts = (*interpreter.mounts, Mount(place, SOURCE, writable=True))
    done = sandbox.run(Command((first, *argv[1:]), cwd=SOURCE, mounts=mounts, limits=limits))
    if done.ok:
        return None
    words = trimmed(done.stderr or done.stdout) or f"the build ended with exit status {done.returncode}"
    return Failure("build", words)


def _places(tree: Tree, root: str, options: Options, configured: str) -> Iterator[_Place]:
    base = options.environment_root
    if configured:
        path = Path(configured)
        if not path.is_absolute() and len(path.parts) > 1:
            path = (base or tree.source) / path
        elif not path.is_absolute():
            path = Path(shutil.which(configured) or configured)
        yield from _at(path)
        return
    active = os.environ.get("VIRTUAL_ENV")
    if active and Path(active) != Path(sys.prefix):
        yield from _at(Path(active) / "bin" / "python")
    if base is not None:
        for folder in dict.fromkeys((base / root, base)):
            for name in (".venv", "venv"):
                # One that is committed is part of the pull request, and its links could point anywhere.
                inside = tree.source / folder.relative_to(base) / name
                if not inside.is_symlink() and not inside.exists():
                    yield from _at(folder / name / "bin" / "python")
    yield from _on_path()
    yield from _at(Path(sys.executable))


def _on_path() -> Iterator[_Place]:
    # Not our own environment: `uv run` and activation put it first.
    own = Path(sys.prefix) / "bin"
    folders = [
        folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder) != own
    ]
    found = shutil.which("python3", path=os.pathsep.join(folders))
    if found is None:
        return
    if _is_script(Path(found)):  # a version manager's shim: ask it, outside every checkout
        answer = subprocess.run(
            [found, "-I", "-c", "import sys; print(sys.executable)"],
            cwd="/", env={name: os.environ[name] for name in ("PATH", "HOME", "PYENV_ROOT") if name in os.environ},
            capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found = answer.stdout.strip() or found
    if not _is_script(Path(found)):
        yield from _at(Path(found))
    yield from _at(Path("/usr/bin/python3"))


def _is_script(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True


def _at(path: Path) -> Iterator[_Place]:
    """The interpreter at this path of the host with the mounts it needs; nothing when it does not look like one."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return
    if not _NAME.fullmatch(real.name):
        return
    mounts = list(_installation(real))
    environment = path.parent.parent
    if (environment / "pyvenv.cfg").is_file() and path.parent.name == "bin":
        mounts.append(Mount(environment.resolve(), _ENVIRONMENT))
        yield _Place(f"{_ENVIRONMENT}/bin/{path.name}", tuple(mounts))
    else:
        yield _Place(str(real), tuple(mounts))


def _installation(real: Path) -> Iterator[Mount]:
    """Program, libraries and standard library of an interpreter outside the system's directories; nothing else of its prefix.

    A prefix may be a home directory, so it is never mounted whole.
    """
    if any(real.is_relative_to(place) for place in _SYSTEM):
        return
    prefix = real.parent.parent
    for name in {real.name, "python", "python3"}:
        if (real.parent / name).exists():
            yield Mount((real.parent / name).resolve(), str(real.parent / name))
    for library in sorted((prefix / "lib").glob("*")) if (prefix / "lib").is_dir() else ():
        if library.name.startswith(("python3", "pypy3")) or ".so" in library.name:
            yield Mount(library.resolve(), str(library))


def _pytest_sources() -> tuple[Path, ...]:
    """Folders and files of our own pytest and what it needs; () when something is missing."""
    found = []
    for name in _PYTEST:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            return ()
        places = spec.submodule_search_locations
        found.append(Path(next(iter(places))) if places else Path(spec.origin))
    return tuple(found)


def _with_bytecode(
    sandbox: Sandbox, place: _Place, version: tuple[int, int], cache: Path | None
) -> tuple[Mount, ...]:
    """The environment's packages with byte code, where the installer left none."""
    environment = next((mount for mount in place.mounts if mount.target == _ENVIRONMENT), None)
    if environment is None:
        return ()
    inside = f"lib/python{version[0]}.{version[1]}/site-packages"
    packages = environment.source / inside
    if not packages.is_dir() or is_compiled(packages, version):
        return ()
    copy = compiled(sandbox, place.path, place.mounts, (packages,), cache)
    return () if copy is None else (Mount(copy, f"{_ENVIRONMENT}/{inside}"),)


def _probe(sandbox: Sandbox, place: _Place, cache: Path | None) -> Interpreter | None:
    program = (
        "import sys, json, importlib.util as u; "
        "print(json.dumps([sys.version_info[:2], u.find_spec('pytest') is not None]))"
    )
    try:
        done = sandbox.run(
            Command(
                (place.path, "-I", "-c", program),
                cwd="/",
                mounts=place.mounts,
                limits=Limits(wall_seconds=30.0),
            )
        )
    except ToolMissingError:
        return None
    try:
        (major, minor), has_pytest = json.loads(done.stdout)
        version = (int(major), int(minor))
    except (ValueError, TypeError):
        return None
    if version < (3, 8):
        return None
    ours: tuple[Mount, ...] = ()
    if not has_pytest and version >= (3, 11) and (sources := _pytest_sources()):
        copy = compiled(sandbox, place.path, place.mounts, sources, cache)
        ours = () if copy is None else (Mount(copy, FALLBACK),)
    packages = _with_bytecode(sandbox, place, version, cache)
    return Interpreter(
        path=place.path,
        mounts=(*place.mounts, *packages, *ours, Mount(Path(__file__).parent / "harness", HARNESS)),
        version=version,
        pytest=bool(has_pytest),
        fallback=FALLBACK if ours else "",
    )
