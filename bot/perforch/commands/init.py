"""`perforch init`: write workflows and a commented configuration into a repository."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import click

from perforch.commands import terminal

SUFFIXES = {
    ".py": "python",
    ".java": "java",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".hpp": "cpp",
    ".go": "go",
    ".rs": "rust",
}
# The released commit whose reusable workflows are called; the release replaces it.
PINNED = "0000000000000000000000000000000000000000"


@click.command()
@click.option(
    "--repo", type=click.Path(path_type=Path), default=Path(), show_default="here", help="A git checkout."
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@terminal.json_option
def init(repo: Path, force: bool, as_json: bool) -> int:
    """Write two workflows and a commented configuration; say what is left to do by hand.

    Nothing is asked: languages and the default branch are read from the repository.
    """
    from perforch import __version__
    from perforch.errors import RepositoryError, UsageError
    from perforch.github import workflow

    listed = _git(repo, "ls-files", "-z")
    if listed is None:
        message = f"{repo} is not a git repository"
        raise RepositoryError(message, hint="Run perforch init inside a checkout.")
    paths = listed.split("\0")
    languages = {SUFFIXES[suffix] for path in paths if (suffix := PurePosixPath(path).suffix) in SUFFIXES}
    remote = _git(repo, "symbolic-ref", "--short", "refs/remotes/origin/HEAD") or ""
    branch = (
        remote.strip().removeprefix("origin/")
        or (_git(repo, "symbolic-ref", "--short", "HEAD") or "main").strip()
    )
    root = Path((_git(repo, "rev-parse", "--show-toplevel") or str(repo)).strip())
    files = workflow.files(languages, sha=PINNED, version=__version__)
    present = [name for name in files if (root / name).exists()]
    if present and not force:
        message = f"{present[0]} is there already"
        raise UsageError(message, hint="Use --force to overwrite it; nothing was written.")
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    steps = workflow.steps(branch)
    document = {
        "written": list(files),
        "languages": sorted(languages),
        "branch": branch,
        "steps": list(steps),
    }
    lines = [f"wrote {name}" for name in files]
    lines += [
        "",
        f"Languages: {', '.join(sorted(languages)) or 'none found'}. Default branch: {branch}. Three steps are left:",
    ]
    lines += [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
    terminal.emit(document, as_json=as_json, human=lambda console: console.print("\n".join(lines)))
    return 0


def _git(repo: Path, *arguments: str) -> str | None:
    """The output of a git command that only reads; None if it fails."""
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    done = subprocess.run(
        ["git", *safe, "-C", str(repo), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None
