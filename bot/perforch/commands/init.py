"""`perforch init`: write workflows and a commented configuration into a repository."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import click

from perforch.commands import terminal
from perforch.github import workflow

COMMIT = Path(__file__).parents[1] / "commit.txt"  # the release puts it into the package


@click.command()
@click.option(
    "--repo", type=click.Path(path_type=Path), default=Path(), show_default="here", help="A git checkout."
)
@click.option(
    "--provider",
    type=click.Choice(sorted(workflow.KEYS)),
    default="anthropic",
    show_default=True,
    help="Of the model.",
)
@click.option("--reprofile", is_flag=True, help="Also profile the models every month, which costs money.")
@click.option("--pin", metavar="SHA", help="Commit of perforch to call.  [default: that of this release]")
@click.option("--force", is_flag=True, help="Replace files that are there and differ.")
@terminal.json_option
def init(repo: Path, provider: str, reprofile: bool, pin: str | None, force: bool, as_json: bool) -> int:
    """Write two workflows and a commented configuration; say what is left to do by hand.

    Nothing is asked: languages, test commands and the default branch are read from the repository. Files that are
    there stay as they are, unless --force says otherwise; either is said.
    """
    from perforch import __version__
    from perforch.errors import RepositoryError
    from perforch.github import detect

    listed = _git(repo, "ls-files", "-z", "--full-name", ":/")
    if listed is None:
        message = f"{repo} is not a git repository"
        raise RepositoryError(message, hint="Run perforch init inside a checkout.")
    paths = [path for path in listed.split("\0") if path]
    tests = {language: detect.tests(language, paths) for language in detect.languages(paths)}
    branch = _default_branch(repo)
    root = Path((_git(repo, "rev-parse", "--show-toplevel") or str(repo)).rstrip("\n"))
    files = workflow.files(tests, sha=_pin(pin), version=__version__, provider=provider, reprofile=reprofile)
    states = {name: _write(root, name, text, force=force) for name, text in files.items()}
    steps = workflow.steps(branch, provider)
    document = {
        "written": [name for name, state in states.items() if state in ("wrote", "replaced")],
        "files": states,
        "languages": list(tests),
        "tests": {language: list(command) for language, command in tests.items()},
        "branch": branch,
        "steps": list(steps),
    }
    lines = [f"{state} {name}{_REMARKS[state]}" for name, state in states.items()]
    lines += [
        "",
        f"Languages: {', '.join(tests) or 'none found'}. Default branch: {branch}. Three steps are left:",
    ]
    lines += [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
    terminal.emit(document, as_json=as_json, human=lambda console: console.print("\n".join(lines)))
    return 0


_REMARKS = {
    "wrote": "",
    "unchanged": ": it is there already, with the same content",
    "kept": ": it is there with other content; --force replaces it",
    "replaced": ", which had other content",
}


def _write(root: Path, name: str, text: str, *, force: bool) -> str:
    """Write one file, or say why not.

    Raises:
        UsageError: the place lies outside the repository by a link, or cannot be written.
    """
    from perforch.errors import UsageError

    path = root / name
    if not path.resolve().is_relative_to(root.resolve()) or path.is_symlink():
        message = f"{name} is a link, so nothing was written there"
        raise UsageError(message)
    try:
        present = path.read_bytes() if path.exists() else None
        if present == text.encode():
            return "unchanged"
        if present is not None and not force:
            return "kept"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{name} cannot be written: {error.strerror}"
        raise UsageError(message) from error
    return "wrote" if present is None else "replaced"


def _default_branch(repo: Path) -> str:
    remote = _git(repo, "symbolic-ref", "--short", "refs/remotes/origin/HEAD") or ""
    if remote.strip():
        return remote.strip().removeprefix("origin/")
    branches = (_git(repo, "for-each-ref", "--format=%(refname:short)", "refs/heads") or "").split()
    current = (_git(repo, "symbolic-ref", "--short", "HEAD") or "").strip()
    return next((name for name in ("main", "master") if name in branches), current or "main")


def _pin(given: str | None) -> str:
    """The commit of perforch that workflows are to call: as given, or the one that this copy was made from.

    Raises:
        UsageError: it is not 40 hexadecimal digits, or nothing says which one it is.
    """
    from perforch.errors import UsageError

    found = (given or _commit()).strip()
    if not re.fullmatch(r"[0-9a-f]{40}", found):
        message = (
            f"{given!r} is not a full commit id"
            if given
            else "this copy of perforch does not know its commit"
        )
        raise UsageError(message, hint="Give the 40 hexadecimal digits of a release with --pin.")
    return found


def _commit() -> str:
    """What the release wrote down, else what the installer did, else the commit of the source tree; "" if nothing did."""
    if COMMIT.is_file():
        return COMMIT.read_text(encoding="utf-8")
    source = COMMIT.parents[2]
    if (source / ".git").exists():
        return _git(source, "rev-parse", "HEAD") or ""
    try:
        return installed_from(metadata.distribution("perforch").read_text("direct_url.json"))
    except metadata.PackageNotFoundError:
        return ""


def installed_from(record: str | None) -> str:
    """The commit in an installer's record of a direct address (PEP 610); "" if it was no repository."""
    try:
        return str(json.loads(record or "{}")["vcs_info"]["commit_id"])
    except (ValueError, KeyError, TypeError):
        return ""


def _git(repo: Path, *arguments: str) -> str | None:
    """The output of a git command that only reads; None if it fails."""
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    done = subprocess.run(
        ["git", *safe, "-C", str(repo), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None
