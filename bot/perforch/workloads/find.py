"""What to run for one function: a configured workload, or the tests that name it in the nearest project above its file."""

from __future__ import annotations

import importlib
import shlex
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol, cast

from perforch.errors import ToolMissingError
from perforch.result import Language
from perforch.workloads.configured import ConfiguredRunner, CustomTestRunner, recognised
from perforch.workloads.model import Exercise
from perforch.workloads.options import DEFAULT, Options

if TYPE_CHECKING:
    from perforch.changes.function import Function
    from perforch.sandbox.spec import Sandbox
    from perforch.settings import LanguageSettings, Settings, WorkloadSettings
    from perforch.workloads.model import Runner, Tree

MODULES = {
    Language.PYTHON: "perforch.workloads.python",
    Language.JAVA: "perforch.workloads.java",
    Language.CPP: "perforch.workloads.cpp",
    Language.GO: "perforch.workloads.go",
    Language.RUST: "perforch.workloads.rust",
}


class _LanguageModule(Protocol):
    def discover(
        self,
        sandbox: Sandbox,
        settings: LanguageSettings | None,
        tree: Tree,
        path: str,
        options: Options = ...,
    ) -> Runner | None: ...


_runners: dict[tuple[int, Language, str], Runner | None] = {}
_kept: dict[int, Sandbox] = {}  # keeps the ids in `_runners` from being given to another sandbox
_guard = threading.Lock()
_discovering = threading.Lock()


def exercise(
    sandbox: Sandbox, settings: Settings, tree: Tree, function: Function, *, options: Options = DEFAULT
) -> Exercise:
    """How `function` is tested and timed in this tree, or why it cannot be. Reads files; may probe a toolchain."""
    section = settings.languages.get(function.language)
    if section is not None and not section.enabled:
        return Exercise(None, reason=f"{function.language.value} is switched off in .github/perforch.yml")
    entry = configured(settings.workloads, function)
    if entry is not None:
        runner = ConfiguredRunner(sandbox, entry, _tested(sandbox, section, tree, function, options), options)
        tests = runner.tests_naming(tree, function)
        shown = shlex.join(entry.command)
        reason = f"the workload of {entry.function} in .github/perforch.yml, `{shown}`, does not build or run to its end on the head revision"
        return Exercise(runner, tests=tests, configured=True, reason=reason)
    try:
        return _by_tests(sandbox, section, tree, function, options)
    except ToolMissingError as error:
        return Exercise(None, reason=f"{error.message}; {error.hint}" if error.hint else error.message)


def _by_tests(
    sandbox: Sandbox, section: LanguageSettings | None, tree: Tree, function: Function, options: Options
) -> Exercise:
    remedy = f"add a workloads entry for it in .github/perforch.yml: {{function: {function.key!r}, command: [...]}}"
    reason = f"no test names `{function.simple_name}`; {remedy}"
    if section is not None and section.test and not recognised(function.language, section.test):
        custom = CustomTestRunner(sandbox, section, "", options)
        return Exercise(custom, tests=custom.tests_naming(tree, function))
    for path in _upwards(function.path):
        runner = _runner(sandbox, section, tree, function.language, path, options)
        if runner is None:
            reason = (
                f"no {function.language.value} build or test system was found above {function.path}; {remedy}"
            )
            continue
        tests = runner.tests_naming(tree, function)
        if tests:
            return Exercise(runner, tests=tests)
        reason = f"no test names `{function.simple_name}`; {remedy}"
    return Exercise(None, reason=reason)


def _upwards(path: str) -> tuple[str, ...]:
    """The file itself, then the same name in every directory above: what a project further up would be asked about."""
    pure = PurePosixPath(path)
    return path, *(str(parent / pure.name) for parent in pure.parents if parent != pure.parent)


def _tested(
    sandbox: Sandbox, section: LanguageSettings | None, tree: Tree, function: Function, options: Options
) -> Exercise:
    """The tests that guard a function whose workload is configured; the workload alone when there are none."""
    try:
        return _by_tests(sandbox, section, tree, function, options)
    except ToolMissingError as error:
        return Exercise(None, reason=error.message)


def _runner(
    sandbox: Sandbox,
    section: LanguageSettings | None,
    tree: Tree,
    language: Language,
    path: str,
    options: Options,
) -> Runner | None:
    module = cast("_LanguageModule", importlib.import_module(MODULES[language]))
    with _discovering:  # two functions of one project must share one runner, whose tests run once
        found = module.discover(sandbox, section, tree, path, options)
    if found is None:
        return None
    root = getattr(found, "root", None)
    if root is None:
        return found
    with _guard:
        _kept[id(sandbox)] = sandbox
        return _runners.setdefault((id(sandbox), language, f"{root}\0{section!r}\0{options!r}"), found)


def configured(entries: tuple[WorkloadSettings, ...], function: Function) -> WorkloadSettings | None:
    """The entry for this function: `path::name` exactly, or a unique one whose name is the end of the qualified name."""
    same = [entry for entry in entries if entry.function == function.key]
    if same:
        return same[0]
    fitting = [entry for entry in entries if _fits(entry.function, function)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(wanted: str, function: Function) -> bool:
    path, _, name = wanted.partition("::")
    if PurePosixPath(path) != PurePosixPath(function.path):
        return False
    parts = function.name.replace("::", ".").split(".")
    asked = name.replace("::", ".").split(".")
    return parts[-len(asked) :] == asked
