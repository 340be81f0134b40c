"""`perforch functions`: the functions that a change touches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perforch.commands import comparison
from perforch.commands.terminal import emit, json_option, stderr

if TYPE_CHECKING:
    from rich.console import Console

    from perforch.changes.function import Changes, Function


@click.command()
@click.option("--repo", default=".", type=click.Path(path_type=Path), help="A git checkout; default: here.")
@click.option("--base", default=None, help="Where the change went off from; default: the default branch.")
@click.option("--head", default="HEAD", show_default=True, help="The change.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Instead of .github/perforch.yml of the base."
)
@json_option
def functions(repo: Path, base: str | None, head: str, config: Path | None, as_json: bool) -> None:
    """List the functions that a change adds or modifies, and what was left alone and why."""
    from perforch.changes.find import find

    compared = comparison.begin(repo, base, head, config)
    include, exclude = compared.settings.include, compared.settings.exclude
    changes = find(compared.git, compared.base, compared.head, include=include, exclude=exclude)
    for warning in changes.warnings:
        stderr().print(f"warning: {_visible(warning)}")
    document = _document(changes)
    emit(document, as_json=as_json, human=lambda console: _show(console, changes, document))


def _document(changes: Changes) -> dict[str, Any]:
    from perforch.categories import local
    from perforch.changes.spread import spread

    size = sum(len(function.source) for function in changes.functions)
    categories = spread(local.classify, changes.functions, size=size)

    def entry(function: Function, found: tuple[str, ...]) -> dict[str, Any]:
        return {
            "path": _printable(function.path),
            "name": function.name,
            "language": function.language.value,
            "start_line": function.start_line,
            "end_line": function.end_line,
            "signature": function.signature,
            "change": function.change,
            "categories": list(found),
        }

    return {
        "functions": list(map(entry, changes.functions, categories)),
        "skipped": [
            {"path": _printable(skip.path), "name": skip.name, "reason": skip.reason}
            for skip in changes.skipped
        ],
    }


def _printable(path: str) -> str:
    """Names of files are bytes; what is not UTF-8 in them cannot be in JSON."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _visible(path: str) -> str:
    """For people: what would move the cursor, break the line or turn the text around is written out."""
    shown = (mark if mark.isprintable() else ascii(mark)[1:-1] for mark in _printable(path))
    return "".join(shown)


def _show(console: Console, changes: Changes, document: dict[str, Any]) -> None:
    if not changes.functions:
        console.print("No function in a supported language was added or modified.")
    for entry in document["functions"]:
        place = f"{_visible(entry['path'])}:{entry['start_line']}-{entry['end_line']}"
        categories = ", ".join(entry["categories"])
        console.print(
            f"{entry['change']:8}  {place}  {entry['name']}" + (f"  [{categories}]" if categories else "")
        )
    for entry in document["skipped"]:
        console.print(
            f"skipped   {_visible(entry['path'])}  {entry['name']}".rstrip() + f"  ({entry['reason']})"
        )
