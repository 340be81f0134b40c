"""How git is run: nothing that a repository configures is ever executed.

The environment is built from nothing, system and user configuration are shut out, hooks, file system monitors,
filters, submodules and every transport are off, and the repository is named explicitly: none is discovered.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NoReturn

from perforch.errors import RepositoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_TIMEOUT_SECONDS = 600
_SETTINGS = (
    (b"core.hooksPath", b"/dev/null"),
    (b"core.fsmonitor", b"false"),
    (b"core.splitIndex", b"false"),
    (b"core.sparseCheckout", b"false"),
    (b"index.sparse", b"false"),
    (b"safe.bareRepository", b"explicit"),
    (b"protocol.allow", b"never"),
    (b"core.quotePath", b"false"),
    # These run nothing, but change what a diff says.
    (b"core.attributesFile", b"/dev/null"),
    (b"core.bigFileThreshold", b"512m"),
    (b"diff.suppressBlankEmpty", b"false"),
    (b"diff.orderFile", b"/dev/null"),
)
_PATH = "/usr/local/bin:/usr/bin:/bin"


class Runner:
    """Runs one git binary on one repository."""

    def __init__(self, root: Path, *, binary: str) -> None:
        self.root = root
        self._binary = binary
        self._settings = list(_SETTINGS)
        # A filter of .git/config would otherwise run when the working tree is compared.
        listed = self.call("config", "--null", "--name-only", "--get-regexp", r"^filter\..*", ok=(0, 1))
        names = [name for name in listed.split(b"\0") if name.count(b".") >= 2]
        for driver in sorted({name.rpartition(b".")[0] for name in names}):
            self._settings += [(driver + b"." + what, b"") for what in (b"clean", b"smudge", b"process")]
            self._settings.append((driver + b".required", b"false"))

    def call(
        self,
        *arguments: str,
        send: bytes = b"",
        ok: Sequence[int] = (0,),
        extra: Mapping[str, str] | None = None,
    ) -> bytes:
        """Standard output of one git command.

        Raises:
            RepositoryError: an exit code that is not in `ok`, or no end in ten minutes.
        """
        try:
            done = subprocess.run(
                self._command(arguments),
                input=send,
                capture_output=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
                env={**self._environment(), **(extra or {})},
                cwd=self.root,
            )
        except subprocess.TimeoutExpired as error:
            message = f"git {arguments[0]} took longer than {_TIMEOUT_SECONDS} s in {self.root}"
            raise RepositoryError(message) from error
        if done.returncode not in ok:
            self.fail(arguments[0], done.stderr)
        return done.stdout

    @contextmanager
    def stream(self, *arguments: str, send: bytes = b"") -> Iterator[IO[bytes]]:
        """Standard output of one git command while it runs; leaving early ends the command.

        Raises:
            RepositoryError: all was read and git reports failure.
        """
        with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as said:
            request.write(send)
            request.seek(0)
            with subprocess.Popen(
                self._command(arguments),
                stdin=request,
                stdout=subprocess.PIPE,
                stderr=said,
                env=self._environment(),
                cwd=self.root,
            ) as process:
                assert process.stdout is not None
                try:
                    yield process.stdout
                    ended = not process.stdout.read(1)
                finally:
                    process.stdout.close()
                    if process.poll() is None:
                        process.terminate()
            if ended and process.returncode > 0:
                said.seek(0)
                self.fail(arguments[0], said.read())

    def fail(self, command: str, said: bytes = b"") -> NoReturn:
        """Raise what git complained about."""
        words = said.decode("utf-8", "replace").strip().splitlines()
        message = f"git {command} failed in {self.root}: {words[-1][:300] if words else 'no reason given'}"
        hint = "Check the repository with: git fsck"
        config = self.root / ".git" / "config"
        if config.is_file() and b"promisor" in config.read_bytes():
            hint = "Parts of the history are not here (partial clone): clone without --filter."
        raise RepositoryError(message, hint=hint)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [self._binary, "--no-pager", *arguments]

    def _environment(self) -> dict[str, str]:
        # Settings go by variables: names given with -c end at their first equals sign, and a driver may have one.
        settings = {
            f"GIT_CONFIG_{part}_{index}": os.fsdecode(value)
            for index, pair in enumerate(self._settings)
            for part, value in zip(("KEY", "VALUE"), pair, strict=True)
        }
        return {
            **settings,
            "GIT_CONFIG_COUNT": str(len(self._settings)),
            "PATH": _PATH,
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_DIR": str(self.root / ".git"),
            "GIT_WORK_TREE": str(self.root),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_INDEX_FILE": "/nonexistent/index",  # commits are compared; what is staged has no say
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_GRAFT_FILE": os.devnull,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_ALLOW_PROTOCOL": "",
        }
