"""What bubblewrap says when it could not start the program, turned into the error with the right remedy.

Its words are trusted only when `--json-status-fd` holds no exit code: then nothing of ours ran, so nobody else wrote them.
"""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import dataclass

from perforch.errors import PerforchError, SandboxUnavailableError, ToolMissingError

MISSING = b"missing\n"  # what the inner shell writes beside bubblewrap's own JSON; no program can reach the descriptor
_EXEC = re.compile(rb"bwrap: execvp (.*): ([^:\n]+)$", re.MULTILINE)
_SOURCE = re.compile(rb"bwrap: Can't find source path (.*): ([^:\n]+)$", re.MULTILINE)
_FOLDER = re.compile(rb"bwrap: Can't chdir to (.*): ([^:\n]+)$", re.MULTILINE)
_NOT_THERE = os.strerror(errno.ENOENT)
_REMEDIES = (
    (b"setting up uid map", "This kernel keeps user namespaces to profiled programs (Ubuntu 24.04): apt-get install apparmor-profiles, copy "
     "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict to /etc/apparmor.d/ and load it with apparmor_parser -r."),
    (b"No permissions to creat", "User namespaces are switched off here: sysctl kernel.unprivileged_userns_clone=1, or give the container "
     "a seccomp profile that allows them."),
    (b"Creating new namespace failed", "User namespaces are switched off or used up: raise user.max_user_namespaces."),
    (b"mount proc", "A container that masks /proc cannot hold a sandbox: run on the host, set procMount: Unmasked, or accept "
     "programs without /proc with sandbox: weak-ok."),
    (b"prlimit:", "The limits of the login session are below what a sandbox needs: raise them (ulimit -a shows them)."),
    (b"nsenter:", "perforch doctor shows what is missing."),
    (b"Unknown option", "Install bubblewrap 0.8 or newer, or accept less with sandbox: weak-ok."),
    (b"No space left", "Free some disk space and inodes."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Status:
    """What bubblewrap wrote to its status descriptor.

    Attributes:
        first: pid of the first process of the namespace, None when it never got so far.
        code: exit code of the program as a shell says it, None when it never started or bubblewrap was killed.
        missing: the inner shell found no such program.
    """

    first: int | None = None
    code: int | None = None
    missing: bool = False


def read_status(data: bytes | bytearray) -> Status:
    """Read the lines of `bwrap --json-status-fd`, whole or cut off."""
    first = code = None
    for line in data.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            first = record.get("child-pid", first)
            code = record.get("exit-code", code)
    return Status(first, code, MISSING.strip() in data.splitlines())


def refused(stderr: bytes) -> tuple[str, str] | None:
    """The program and the reason when the kernel would not execute it though it is there; None for any other trouble."""
    found = _EXEC.search(stderr)
    reason = found.group(2).decode(errors="replace") if found else ""
    return (_text(found.group(1)), reason) if found and reason != _NOT_THERE else None


def not_started(stderr: bytes, program: str) -> PerforchError:
    """The error for a sandbox in which the program never began.

    Args:
        program: the first word of the command, for the message.
    """
    found = _EXEC.search(stderr)
    if found:
        return not_installed(program)
    found = _SOURCE.search(stderr)
    if found:
        return no_source(_text(found.group(1)), _text(found.group(2)))
    found = _FOLDER.search(stderr)
    if found:
        message = f"{program} cannot start in {_text(found.group(1))} of the sandbox: {_text(found.group(2))}"
        return SandboxUnavailableError(
            message, hint="Is the folder in the repository, and does no build step remove it?"
        )
    return unavailable(stderr)


def not_installed(program: str) -> ToolMissingError:
    """The error for a program that is not inside."""
    message = f"{program} is not installed on this machine"
    return ToolMissingError(message, hint="Install it, or change the command in .github/perforch.yml.")


def no_source(path: str, reason: str = _NOT_THERE) -> SandboxUnavailableError:
    """The error for a folder of the host that the sandbox was to show."""
    message = f"the sandbox cannot show {path}: {reason}"
    return SandboxUnavailableError(
        message, hint="Was it removed while perforch was running? Start again with a fresh --out."
    )


def unavailable(stderr: bytes) -> SandboxUnavailableError:
    """The error for a bubblewrap that could not start, with the remedy for this kind of host."""
    said = stderr.decode(errors="replace").strip().splitlines()
    reason = said[0][:300] if said else "bwrap ended without a word"
    hint = next(
        (text for mark, text in _REMEDIES if mark in stderr), "perforch doctor shows what is missing."
    )
    message = f"this machine has no working sandbox ({reason}); nothing was executed"
    return SandboxUnavailableError(message, hint=hint)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")[:300]
