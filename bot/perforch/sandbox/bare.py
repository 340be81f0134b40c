"""No isolation at all: limits and an empty environment only. Chosen by the owner in two places, and said in every result."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError, UsageError
from perforch.sandbox import capture
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Completed, Launch
from perforch.sandbox.toolchains import toolchains

if TYPE_CHECKING:
    from collections.abc import Iterator


class Bare:
    """See `spec.Sandbox`. Mount targets become symbolic links, so only one tree can be worked on at a time."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="perforch-home-"))

    def __del__(self) -> None:
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def level(self) -> str:
        """Strength as every result shows it."""
        return "none"

    def run(self, command: Command) -> Completed:
        """Run to completion; see `spec.Sandbox.run`."""
        with self._places(command) as (argv, cwd):
            self._look_for(argv[0], cwd, command)
            wrapped = [
                "/bin/sh",
                "-c",
                'cd "$1" || exit 125; shift; exec "$@"',
                "cd",
                cwd,
                *self._limits(command),
                *argv,
            ]
            ended = capture.run(
                wrapped, env=self._env(command), stdin=command.stdin, limits=command.limits, watch_memory=True
            )
        code = ended.status if ended.status >= 0 else 128 - ended.status
        return Completed(code, ended.stdout, ended.stderr, ended.seconds, ended.cpu_seconds, ended.stopped)

    def launch(self, command: Command) -> Launch:
        """Measured runs need the same paths on both sides, which only a mount namespace gives."""
        message = (
            "benchmarks cannot run with sandbox: none, because both sides must be built at the same path"
        )
        raise UsageError(message, hint="Set sandbox: required; tests and repairs work without it.")

    def _look_for(self, program: str, cwd: str, command: Command) -> None:
        """What a program says of itself proves nothing, so it is looked for before it starts."""
        there = (
            Path(cwd, program).exists()
            if "/" in program
            else shutil.which(program, path=self._env(command)["PATH"])
        )
        if not there:
            message = f"{program} is not installed on this machine"
            raise ToolMissingError(message, hint="Install it, or change the command in .github/perforch.yml.")

    def _env(self, command: Command) -> dict[str, str]:
        tools = toolchains()
        base = {
            **tools.env,
            "PATH": tools.path,
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "LANG": "C.UTF-8",
        }
        return {**base, **command.env}

    @staticmethod
    def _limits(command: Command) -> tuple[str, ...]:
        return ("/usr/bin/prlimit", f"--fsize={command.limits.file_bytes}", "--core=0", "--")

    @contextlib.contextmanager
    def _places(self, command: Command) -> Iterator[tuple[list[str], str]]:
        made: list[Path] = []
        try:
            for mount in command.mounts:
                target = Path(mount.target)
                if (
                    target.parent != Path("/")
                    and not target.is_relative_to(OUTPUT)
                    and not target.is_relative_to(SOURCE)
                ):
                    target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists() and not target.is_symlink():
                    target.symlink_to(mount.source)
                    made.append(target)
            yield list(command.argv), command.cwd
        except OSError as error:
            message = f"{error.filename or 'a mount'} cannot be laid out without a sandbox: {error.strerror}"
            raise UsageError(message, hint="Set sandbox: required.") from error
        finally:
            for target in made:
                target.unlink(missing_ok=True)
