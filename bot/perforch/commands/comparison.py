"""What `functions` and `optimize` begin with: the repository, its two revisions and the configuration of the base."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.changes.git import Git
    from perforch.settings import Settings


@dataclass(frozen=True, slots=True)
class Comparison:
    """One repository and two commits in it."""

    git: Git
    base: str
    head: str
    settings: Settings


def begin(repo: Path, base: str | None, head: str, config: Path | None) -> Comparison:
    """Open the repository, resolve both revisions and read the configuration; say what will not be looked at.

    Raises:
        RepositoryError: there is no repository, a revision is unknown, the two have nothing in common.
        ConfigError: the configuration is wrong.
    """
    from perforch.changes.git import Git
    from perforch.commands.terminal import stderr
    from perforch.errors import RepositoryError

    git = Git.open(repo)
    start = base if base is not None else git.default_branch()
    base_sha, head_sha = git.resolve(start), git.resolve(head)
    git.merge_base(start, head)  # fails here, where the names are known
    settings = read_settings(git, base_sha, config)
    with suppress(RepositoryError):  # a broken index or work tree is no hindrance to comparing commits
        if head_sha == git.checked_out() and git.is_dirty():
            stderr().print(f"note: uncommitted changes in {git.root} are not looked at")
    return Comparison(git, base_sha, head_sha, settings)


def read_settings(git: Git, base: str, config: Path | None) -> Settings:
    """The configuration: the file named on the command line, else that of the base, never that of the head.

    Raises:
        ConfigError: it cannot be read, or is wrong.
    """
    from perforch import settings
    from perforch.errors import ConfigError

    if config is not None:
        try:
            return settings.parse(config.read_bytes(), source=str(config))
        except OSError as error:
            message = f"{config} cannot be read: {error.strerror}"
            raise ConfigError(message) from error
    entry = git.tree(base).get(settings.PATH)
    if entry is None:
        return settings.Settings()
    data = git.read(base, [settings.PATH]).get(settings.PATH)
    if data is None:
        message = f"{settings.PATH} of the base {base[:12]} is not a regular file of readable size"
        raise ConfigError(message, hint=f"It must be a file of at most {settings.MAX_BYTES >> 10} KiB.")
    return settings.parse(data)
