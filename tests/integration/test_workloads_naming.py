"""Tests of functions that only other files call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.result import Language
from perforch.workloads import go_project, go_tests, python_tests, rust_tests
from perforch.workloads.model import Tree
from perforch.workloads.rust_project import Project

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "go.mod": "module example.com/m\n\ngo 1.18\n",
    "deep.go": "package m\n\nfunc squeezed(n int) int { return n }\n",
    "shape.go": "package m\n\nfunc shape(n int) int { return squeezed(n) }\n",
    "front.go": "package m\n\nfunc Front(n int) int { return shape(n) }\n",
    "front_test.go": 'package m\n\nimport "testing"\n\nfunc TestFront(t *testing.T) { Front(1) }\n\nfunc TestElse(t *testing.T) {}\n',
    "src/deep.rs": "pub fn squeezed(n: u32) -> u32 { n }\n",
    "src/lib.rs": "mod deep;\npub fn front(n: u32) -> u32 { deep::squeezed(n) }\n",
    "tests/it.rs": "#[test]\nfn fronts() { m::front(1); }\n#[test]\nfn other() {}\n",
    "pack/deep.py": "def squeezed(n):\n    return n\n",
    "pack/api.py": "from pack import deep\n\n\ndef front(n):\n    return deep.squeezed(n)\n",
    "pack/alien.py": "def strange(n):\n    return squeezed(n)\n",
    "test_api.py": "from pack.api import front\nfrom pack.alien import strange\n\n\ndef test_front():\n    assert front(1)\n\n\n"
    "def test_strange():\n    assert strange(1)\n",
}  # fmt: skip


def function(language: Language, path: str) -> Function:
    return Function(
        path=path, name="squeezed", language=language, start_line=1, end_line=2, start_byte=0, end_byte=1,
        signature="", change="modified", source="",
    )  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for name, text in FILES.items():
        target = tmp_path / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return Tree(tmp_path / "src", tmp_path / "out", "head")


def test_callers_in_other_files_lead_to_tests(tree: Tree) -> None:
    module = go_project.find(tree, "deep.go")
    assert module is not None
    assert go_tests.named(tree, module, function(Language.GO, "deep.go")) == ("example.com/m.TestFront",)
    named = list(rust_tests.named(tree, Project(""), function(Language.RUST, "src/deep.rs")))
    assert named == [("tests/it.rs", "fronts")]
    assert python_tests.named(tree, "", function(Language.PYTHON, "pack/deep.py")) == (
        "test_api.py::test_front",
    )
