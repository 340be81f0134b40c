"""One tree of errors. Each kind has an exit code; each instance says what is wrong, where, and the remedy.

Exit codes are a contract of the command line: 0 fine, 1 unexpected, 2 usage or configuration, 3 no sandbox,
4 budget exhausted with nothing done, 5 GitHub refused.
"""

from __future__ import annotations

from typing import ClassVar


class PerforchError(Exception):
    """Something a person can act on.

    Args:
        message: one sentence that names the thing and the place.
        hint: one sentence that names the remedy; printed on its own line.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PerforchError):
    """The command line, an input file or the repository is not what the command needs."""

    exit_code = 2


class ConfigError(UsageError):
    """`.github/perforch.yml` or an action input is wrong; the message names the key and the nearest known one."""


class RepositoryError(UsageError):
    """Not a git repository, an unknown revision, or history that is not there."""


class SandboxUnavailableError(PerforchError):
    """No sandbox of the required strength works on this machine, so nothing untrusted was run."""

    exit_code = 3


class BudgetExhaustedError(PerforchError):
    """The budget ended before anything was done."""

    exit_code = 4


class GitHubError(PerforchError):
    """GitHub refused a request, or could not be reached."""

    exit_code = 5


class ToolMissingError(PerforchError):
    """A compiler, interpreter or measuring tool that this step needs is not installed."""

    exit_code = 2
