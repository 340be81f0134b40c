"""A real interpreter and pytest in the real sandbox, on projects as people lay them out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.settings import LanguageSettings
from perforch.workloads.model import Exercise, Tree
from perforch.workloads.options import Options
from perforch.workloads.python import PythonRunner, discover
from perforch.workloads.unavailable import available

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.sandbox.spec import Sandbox

SLOW = """def unique(items):
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found
"""
FAST = "def unique(items):\n    return list(dict.fromkeys(items))\n"
TEST = """import pytest

from lists.core import unique


def test_small():
    assert unique([1, 2, 1]) == [1, 2]


@pytest.mark.parametrize("count", [3, 400])
def test_many(count):
    assert unique(list(range(count)) * 2) == list(range(count))


@pytest.mark.skip(reason="not now")
def test_later():
    assert unique([]) is None
"""
SMALL = "from lists.core import unique\n\n\ndef test_small():\n    assert unique([1, 2, 1]) == [1, 2]\n"


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    return Options(cache=tmp_path_factory.mktemp("cache"))


def planted(place: Path, files: dict[str, str]) -> Tree:
    for name, text in files.items():
        target = place / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (place / "out").mkdir()
    return Tree(place / "src", place / "out", place.name)


def function(path: str, name: str = "unique", start: int = 1, end: int = 6) -> Function:
    return Function(
        path=path, name=name, language=Language.PYTHON, start_line=start, end_line=end, start_byte=0, end_byte=1,
        signature="", change="modified", source="",
    )  # fmt: skip


def found(
    sandbox: Sandbox, of: Tree, options: Options, path: str, settings: LanguageSettings | None = None
) -> PythonRunner:
    runner = discover(sandbox, settings, of, path, options)
    assert runner is not None
    return runner


LAYOUTS: dict[str, tuple[str, dict[str, str]]] = {
    "flat": ("lists/core.py", {"test_core.py": TEST}),
    "tests folder": ("lists/core.py", {"tests/test_core.py": TEST, "tests/__init__.py": ""}),
    "tests inside": ("lists/core.py", {"lists/tests/test_core.py": TEST, "lists/tests/__init__.py": ""}),
    "src": ("src/lists/core.py", {"tests/test_core.py": TEST, "pyproject.toml": "[project]\nname = 'lists'\n"}),
    "lib": ("lib/lists/core.py", {"tests/test_core.py": TEST, "setup.py": ""}),
    "pythonpath": (
        "code/lists/core.py",
        {"tests/test_core.py": TEST, "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['code']\n"},
    ),
    "part": ("parts/one/lists/core.py", {"parts/one/tests/test_core.py": TEST, "parts/one/setup.cfg": ""}),
    "conftest": (
        "lists/core.py",
        {
            "tests/unit/test_core.py": TEST.replace("[1, 2, 1]) ==", "given) ==").replace("small()", "small(given)"),
            "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef given():\n    return [1, 2, 1]\n",
        },
    ),
    "strict": (
        "lists/core.py",
        {
            "tests/test_core.py": TEST,
            "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--strict-markers -n auto --cov=lists -x'\n"
            "filterwarnings = ['error']\nxfail_strict = true\ntestpaths = ['tests']\n",
        },
    ),
    "importlib": (
        "lists/core.py",
        {"tests/test_core.py": TEST, "pytest.ini": "[pytest]\naddopts = --import-mode=importlib --doctest-modules\n"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(sandbox: Sandbox, tmp_path: Path, options: Options, layout: str) -> None:
    path, files = LAYOUTS[layout]
    package = path.removesuffix("core.py") + "__init__.py"
    head = planted(tmp_path / "head", {path: SLOW, package: "", **files})
    runner = found(sandbox, head, options, path)
    named = runner.tests_naming(head, function(path))
    assert {test.rpartition("::")[2] for test in named} == {"test_small", "test_many", "test_later"}
    report = runner.test(head)
    told = {test.rpartition("::")[2]: outcome for test, outcome in report.outcomes.items() if "::" in test}
    assert told == {
        "test_small": "passed", "test_many[3]": "passed", "test_many[400]": "passed", "test_many": "passed",
        "test_later": "skipped",
    }  # fmt: skip
    assert not report.failures


UNITTEST = """import unittest

from lists.core import unique


class UniqueTests(unittest.TestCase):
    def setUp(self):
        self.items = list(range(900)) * 2

    def test_small(self):
        self.assertEqual(unique([1, 1]), [1])

    def test_large(self):
        for count in (3, 30):
            with self.subTest(count=count):
                self.assertEqual(unique(self.items[:count]), self.items[:count])
        self.assertEqual(len(unique(self.items)), 900)
"""


def test_unittest_is_timed_and_told_apart(sandbox: Sandbox, tmp_path: Path, options: Options) -> None:
    files = {"lists/__init__.py": "", "tests/test_core.py": UNITTEST}
    slow = planted(tmp_path / "slow", {**files, "lists/core.py": SLOW})
    fast = planted(tmp_path / "fast", {**files, "lists/core.py": FAST})
    settings = LanguageSettings(test=("python", "-m", "unittest", "discover", "-s", "tests"))
    runner = found(sandbox, slow, options, "lists/core.py", settings)
    tests = runner.tests_naming(slow, function("lists/core.py"))
    assert set(tests) == {f"tests/test_core.py::UniqueTests::{name}" for name in ("test_small", "test_large")}
    before = runner.timed(slow, tests, min_ms=300)
    assert before is not None
    assert before.repeat > 1
    after = runner.timed(fast, tests, repeat=before.repeat)
    assert after is not None
    assert sandbox.run(before.command).cpu_seconds > 1.3 * sandbox.run(after.command).cpu_seconds
    told = runner.profile(slow, tests, function("lists/core.py"))
    assert "items: median" in told
    # On a busy machine any line can be the one that waits for the CPU.
    assert any("if item not in found:" in line for line in told.splitlines())


LACKING: dict[str, tuple[dict[str, str], str]] = {
    "module": (
        {"tests/test_core.py": "import no_such_package\n" + SMALL},
        "the module no_such_package is not installed",
    ),
    "module of the code": (
        {"tests/test_core.py": SMALL, "lists/core.py": "import no_such_package\n\n\n" + SLOW},
        "the module no_such_package is not installed",
    ),
    "conftest": (
        {"tests/test_core.py": SMALL, "tests/conftest.py": "import no_such_plugin\n"},
        "the module no_such_plugin is not installed",
    ),
    "plugin": (
        {"tests/test_core.py": SMALL, "pytest.ini": "[pytest]\nrequired_plugins = pytest-no-such\n"},
        "the tests need pytest-no-such, which is not installed",
    ),
    "version": (
        {"tests/test_core.py": SMALL, "pytest.ini": "[pytest]\nminversion = 99.0\n"},
        "the tests need pytest-99.0",
    ),
    "fixture": (
        {"tests/test_core.py": SMALL.replace("small()", "small(no_such_fixture)")},
        "the pytest fixture no_such_fixture",
    ),
    "named plugin": (
        {"tests/test_core.py": SMALL, "conftest.py": "pytest_plugins = ['no_such_plugin']\n"},
        "the module no_such_plugin is not installed",
    ),
}


@pytest.mark.parametrize("lacking", LACKING)
def test_what_is_not_installed_is_said_in_one_sentence(
    sandbox: Sandbox, tmp_path: Path, options: Options, lacking: str
) -> None:
    files, words = LACKING[lacking]
    head = planted(tmp_path / "head", {"lists/__init__.py": "", "lists/core.py": SLOW, **files})
    runner = found(sandbox, head, options, "lists/core.py")
    named = runner.tests_naming(head, function("lists/core.py"))
    assert named
    gone = available(Exercise(runner, named), runner.test(head), function("lists/core.py"))
    assert gone.runner is None
    assert words in gone.reason
    assert "install" in gone.reason


def test_the_configured_command_and_build_are_used(
    sandbox: Sandbox, tmp_path: Path, options: Options
) -> None:
    files = {
        "lists/__init__.py": "",
        "lists/core.py": SLOW,
        "tests/test_core.py": SMALL.replace("\n\n\n", "\nfrom lists.made import LIMIT\n\n\n", 1)
        + "    assert LIMIT == 3\n",
        "tests/test_slow.py": SMALL.replace("[1, 2, 1]", "[]"),
    }
    head = planted(tmp_path / "head", files)
    settings = LanguageSettings(
        test=(sys.executable, "-m", "pytest", "-q", "--ignore=tests/test_slow.py", "-k", "small"),
        build=("python", "-c", "open('lists/made.py', 'w').write('LIMIT = 3\\n')"),
    )
    runner = found(sandbox, head, options, "lists/core.py", settings)
    report = runner.test(head)
    assert report.outcomes == {"tests/test_core.py::test_small": "passed"}
    assert runner.timed(head, ["tests/test_core.py::test_small"], min_ms=5) is not None
    assert not (head.source / "lists/made.py").exists()
    failing = LanguageSettings(build=("python", "-c", "raise SystemExit('no luck')"))
    report = found(sandbox, head, options, "lists/core.py", failing).test(head)
    assert not report.built
    assert "no luck" in report.failures[0].message
