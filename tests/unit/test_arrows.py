"""Imports go downwards only, and the publishing side knows nothing of stages, models or measuring."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "bot" / "perforch"

FLOORS = (
    {"cli", "commands", "__main__"},
    {"github", "profiling"},
    {"stages"},
    {"workloads", "llm", "prompts", "rankings", "categories", "measure"},
    {"report"},
    {"languages", "changes", "sandbox"},
    {"settings", "result", "errors", "assets"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Rooms of one floor that may know each other, each with its reason.
SAME_FLOOR = {
    ("cli", "commands"),  # one room in two places
    ("commands", "cli"),
    ("__main__", "cli"),
    ("changes", "languages"),  # functions are found by grammar
    ("prompts", "llm"),  # a template renders to llm.model.Prompt
    ("prompts", "workloads"),  # failures are shown to the fixer
    ("categories", "llm"),  # annotator models
    ("categories", "prompts"),
    ("categories", "rankings"),  # evidence on annotators
    ("rankings", "categories"),  # evidence is keyed by category
    ("settings", "result"),
    ("settings", "errors"),
    ("result", "errors"),
}
# What a room must never know, whatever the floors say.
NEVER = {
    "measure": {"llm", "github", "workloads", "rankings"},
    "report": {"stages", "llm", "measure", "workloads", "changes", "languages", "sandbox"},
}


def modules() -> list[Path]:
    # What lies under `harness` is data: programs that run inside the sandbox, beside the tests they drive.
    return sorted(path for path in PACKAGE.rglob("*.py") if "harness" not in path.parts)


def room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_rooms(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path}: relative import")
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("perforch.")}
    return found - {"__version__"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    for there in imported_rooms(path) - {here}:
        assert there in FLOOR, f"{path}: {there} is on no floor"
        if (here, there) in SAME_FLOOR:
            continue
        assert FLOOR[here] < FLOOR[there], f"{path}: {here} must not import {there}"
        assert there not in NEVER.get(here, set()), f"{path}: {here} must never know {there}"


def test_publishing_knows_only_the_result() -> None:
    for path in (PACKAGE / "github").glob("publish*.py"):
        assert imported_rooms(path) <= {"github", "report", "result", "errors", "settings"}, path


def test_only_the_command_line_catches_everything_and_prints() -> None:
    for path in modules():
        if room(path) in {"cli", "commands", "__main__"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                names = (
                    {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
                    if node.type
                    else {"bare"}
                )
                assert not names & {"bare", "Exception", "BaseException"}, (
                    f"{path}:{node.lineno}: broad except"
                )
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno}: print"


def test_modules_are_small() -> None:
    long = {
        str(path.relative_to(PACKAGE)): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > 350
    }
    assert not long
