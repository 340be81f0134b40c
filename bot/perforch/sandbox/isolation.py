"""One process that holds API keys and starts untrusted programs: what it must not leave lying about, checked at its start.

The environment that a process was started with stays readable at /proc/<pid>/environ, whatever the process does to it. So a command that
works with keys starts itself anew: the first process only moves its environment into an anonymous file, and becomes, by execve(2),
a second one whose environment holds a few harmless names. That one cannot be looked into (PR_SET_DUMPABLE, prctl(2)), reads
the file once, closes it, and keeps nothing but the keys of the models that are configured. What it starts inherits no secret.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import stat
import sys
from typing import TYPE_CHECKING, NoReturn

from perforch.errors import ConfigError, SandboxUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

HOLDING_KEYS = frozenset({"optimize", "profile", "evaluate"})
ISOLATED = HOLDING_KEYS | {"demo", "validate"}  # these need no key, and start untrusted programs too

_NAMES = frozenset(
    "PATH HOME USER LOGNAME SHELL PWD LANG LANGUAGE TZ TERM COLORTERM COLUMNS LINES NO_COLOR FORCE_COLOR TMPDIR TMP TEMP "
    "XDG_CACHE_HOME XDG_CONFIG_HOME VIRTUAL_ENV PYENV_ROOT PYENV_VERSION RUSTUP_HOME RUSTUP_TOOLCHAIN CARGO_HOME GOMODCACHE GOPATH "
    "GOROOT JAVA_HOME MPLBACKEND MPLCONFIGDIR LD_LIBRARY_PATH CI GITHUB_ACTIONS".split()
)
_PREFIXES = ("PERFORCH_", "LC_")
_SECRETIVE = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|_FILE$")
_PROXIES = ("HTTPS_PROXY", "https_proxy")  # their address may hold a password
# What may write to GitHub, or speak to the services of a workflow run.
_TOKEN_NAMES = re.compile(
    r"GITHUB_TOKEN|GH_TOKEN|(GITHUB|GH)_ENTERPRISE_TOKEN|ACTIONS_\w*TOKEN\w*|INPUT_\w*TOKEN\w*", re.ASCII
)
_TOKEN_VALUES = re.compile(r"gh[pousr]_[A-Za-z0-9_]{30,}|github_pat_[A-Za-z0-9_]{40,}")
_SHORTEST = 8  # of a value that is looked for; "none" and "local" are no secrets
_LONGEST_FILE = 1 << 16
_START = (
    "import sys; places, vault = sys.argv[1:3]; del sys.argv[1:3]; "
    "sys.path[:0] = [place for place in places.split(':') if place not in sys.path]; "
    "from perforch.sandbox import isolation; isolation.enter(int(vault)); from perforch.cli import main; main()"
)
_GET_DUMPABLE, _SET_DUMPABLE = 3, 4  # prctl(2)

_vault: dict[str, str] | None = None  # None: this process was not started anew
_initial: frozenset[str] = frozenset()


def allowed(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that programs started by perforch may see."""
    return {
        name: value
        for name, value in environment.items()
        if name in _NAMES or (name.startswith(_PREFIXES) and not _SECRETIVE.search(name))
    }


def begin(arguments: Sequence[str]) -> None:
    """Start this command anew with a clean environment; returns when that is not needed, or done already, or when this process is
    somebody else's who calls the command line as a library.

    Raises:
        SandboxUnavailableError: in a workflow, with a token of it in the environment; or the new process cannot be started.
    """
    command = arguments[0] if arguments else ""
    if _vault is not None or command not in ISOLATED or {"-h", "--help"}.intersection(arguments):
        return
    if command in HOLDING_KEYS and os.environ.get("GITHUB_ACTIONS") == "true":
        refuse_tokens(os.environ)
    if _is_ours():
        _start_anew(arguments)


def _is_ours() -> bool:
    """Was this process started to be perforch: by its script, by `python -m perforch` or by `python -c` with its name?"""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name) == "perforch.__main__"
    script = getattr(main, "__file__", None)
    if script is not None:
        return os.path.basename(str(script)).startswith("perforch")  # noqa: PTH119
    words = sys.orig_argv[1:]
    return "-c" in words and "perforch" in words[words.index("-c") + 1]


def refuse_tokens(environment: Mapping[str, str]) -> None:
    """Raise when a token that can write to GitHub is in the environment.

    Raises:
        SandboxUnavailableError: it names the variable, never the value.
    """
    for name, value in sorted(environment.items()):
        if value and (_TOKEN_NAMES.fullmatch(name.upper()) or _TOKEN_VALUES.search(value)):
            message = (
                f"the environment variable {name} holds a token of this workflow, and this process runs code "
                "of pull requests; nothing was executed"
            )
            raise SandboxUnavailableError(
                message,
                hint=f"Remove {name} from the `env:` of this step and its job; give it to the publishing job alone.",
            )


def _start_anew(arguments: Sequence[str]) -> NoReturn:
    try:
        vault = os.memfd_create("vault", 0)  # inherited by this one execve
        _write(vault, json.dumps(dict(os.environ)).encode("utf-8", "surrogateescape"))
        os.lseek(vault, 0, os.SEEK_SET)
        flags = ["-I"] if not _user_site() else ["-E", "-P"]
        flags += ["-B"] if sys.dont_write_bytecode else []
        flags += ["-u"] if os.environ.get("PYTHONUNBUFFERED") else []
        sys.stdout.flush()
        sys.stderr.flush()
        argv = [sys.executable, *flags, "-c", _START, ":".join(_places()), str(vault), *arguments]
        os.execve(sys.executable, argv, allowed(os.environ))
    except OSError as error:
        message = f"perforch cannot start itself with a clean environment: {error.strerror}"
        raise SandboxUnavailableError(
            message, hint="perforch needs Linux 3.17 or newer, with /proc."
        ) from error


def _places() -> list[str]:
    """Where modules are looked for beside the interpreter's own places: never the working directory."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    own = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    return [root, *(place for place in own.split(os.pathsep) if place.startswith("/"))]


def _user_site() -> bool:
    site = sys.modules.get("site")
    return bool(getattr(site, "ENABLE_USER_SITE", False))


def enter(vault: int) -> None:
    """Take over in the process that `begin` made; before anything else is imported.

    Raises:
        SandboxUnavailableError: the kernel does not close this process to others.
    """
    global _vault, _initial  # noqa: PLW0603 - what this process was started with is a fact of the process
    hide()
    content = bytearray()
    while chunk := os.read(vault, 1 << 20):
        content += chunk
    os.close(vault)
    _vault = dict(json.loads(content.decode("utf-8", "surrogateescape")))
    _initial = frozenset(os.environ)


def hide() -> None:
    """Close this process to everybody of the same user: memory, environment, descriptors, core dumps.

    Raises:
        SandboxUnavailableError: the kernel refuses.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_SET_DUMPABLE, 0, 0, 0, 0) != 0 or prctl(_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        message = "the kernel does not close this process to others of the same user (prctl, PR_SET_DUMPABLE)"
        raise SandboxUnavailableError(message, hint="Allow prctl in the container's seccomp profile.")


def keyring(names: Iterable[str]) -> dict[str, str]:
    """The keys of these names, and the proxy's address; everything else that came with the environment is forgotten.

    A key may come in a file instead: NAME_FILE names one that only its owner may read (mode 0400); it is removed after reading.

    Raises:
        ConfigError: such a file is open to others or cannot be removed, or the variable is one that other programs see.
    """
    global _vault  # noqa: PLW0603
    source: dict[str, str] = dict(os.environ) if _vault is None else {**os.environ, **_vault}
    wanted = tuple(dict.fromkeys(names))
    found = {name: source[name] for name in (*wanted, *_PROXIES) if name in source}
    for name in wanted:
        place = source.get(f"{name}_FILE", "")
        if place and not found.get(name):
            found[name] = key_file(name, place)
    if _vault is not None:
        for name in wanted:
            if name in _initial and len(found.get(name, "")) >= _SHORTEST:
                message = f"{name} holds an API key, and is a variable that every program started by perforch can read"
                raise ConfigError(message, hint=f"Name another one with api_key_env, such as {name}_API_KEY.")
        _vault = dict(found)
    return found


def key_file(name: str, place: str) -> str:
    """Read a key from a private file and remove the file.

    Raises:
        ConfigError: it is not there, is not private, or stays.
    """
    variable = f"{name}_FILE"
    try:
        file = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(file)
            private = stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == stat.S_IRUSR
            if not private or found.st_uid != os.geteuid() or found.st_nlink != 1:
                message = f"the key file that {variable} names is not a private file of mode 0400"
                raise ConfigError(message, hint=f"Run: chmod 400 {place}")
            content = os.read(file, _LONGEST_FILE)
        finally:
            os.close(file)
        os.unlink(place)  # noqa: PTH108
    except OSError as error:
        message = f"the key file that {variable} names cannot be read and removed: {error.strerror}"
        raise ConfigError(
            message, hint="Write the key to a file of its own, with mode 0400, in a folder you own."
        ) from error
    return content.decode("utf-8", "replace").strip()


def refuse_own_code_in(checkout: Path) -> None:
    """In a workflow, perforch itself must not come from the tree whose code it runs.

    Raises:
        SandboxUnavailableError: it does.
    """
    own = os.path.realpath(__file__)
    if os.environ.get("GITHUB_ACTIONS") == "true" and own.startswith(f"{os.path.realpath(checkout)}{os.sep}"):
        message = (
            f"perforch's own code lies in the checkout it is to work on, {checkout}; nothing was executed"
        )
        raise SandboxUnavailableError(
            message, hint="Use the released action by its commit, not one from the pull request."
        )


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
