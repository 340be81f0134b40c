"""From the harness's JSON lines to a test report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perforch.workloads.model import Failure, TestReport
from perforch.workloads.text import trimmed
from perforch.workloads.unavailable import python_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from perforch.sandbox.spec import Completed
    from perforch.workloads.model import TestOutcome

_SHOWN = 50  # failures told in detail


@dataclass(slots=True)
class Lines:
    """What the harness said, line by line; lines of anyone else are ignored."""

    ended: int | None = None
    collected: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    outcomes: dict[str, TestOutcome] = field(default_factory=dict)
    broken: list[Failure] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)


def read(stdout: bytes, nonce: str) -> Lines:
    """Parse the harness's report. Never raises: whatever is malformed did not happen."""
    said = Lines()
    mark = nonce.encode() + b" "
    for line in stdout.split(b"\n"):
        if not line.startswith(mark):
            continue
        try:
            record = json.loads(line[len(mark) :])
            _take(said, record)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return said


def _take(said: Lines, record: dict[str, Any]) -> None:
    if "test" in record:
        test, outcome = str(record["test"]), record["outcome"]
        if outcome not in {"passed", "failed", "skipped"}:
            return
        said.outcomes[test] = outcome
        if outcome == "failed":
            said.failures.append(_failure(test, record))
    elif "broken" in record:
        said.broken.append(_failure(str(record["broken"]), record))
    elif "started" in record:
        said.started.append(str(record["started"]))
    elif "collected" in record:
        said.collected = [str(test) for test in record["collected"]]
    elif "profile" in record:
        said.profile = dict(record["profile"])
    elif "end" in record:
        said.ended = int(record["end"])
        said.files = [str(file) for file in record["files"]]


def _failure(test: str, record: dict[str, Any]) -> Failure:
    return Failure(test, trimmed(str(record["message"]), limit=1024), trimmed(str(record["trace"])))


def parent(test: str) -> str:
    """Id of a parametrised test without its parameters; other ids as they are."""
    return test.partition("[")[0] if test.endswith("]") and "::" in test.partition("[")[0] else test


def report(
    said: Lines,
    done: Completed,
    wanted: Sequence[str] | None,
    ours: Callable[[str], bool] = lambda _: False,
) -> TestReport:
    """The report of one run.

    Every collected or wanted test has an outcome: one that did not run to its end is a failure. Parametrised tests also
    appear under their id without parameters, which fails when any of them does.

    Args:
        ours: does a top-level module of this name belong to the project?
    """
    outcomes = dict(said.outcomes)
    failures = [*said.broken, *said.failures]
    known = {failure.test for failure in failures}
    last = said.started[-1] if said.started else ""
    unfinished = [test for test in said.collected if test not in outcomes]
    for test in unfinished:
        outcomes[test] = "failed"
        failures.append(Failure(test, _unfinished(done, reached=test in said.started, last=last)))
    for failure in said.broken:
        outcomes[failure.test or "collection"] = "failed"
    for group, members in _groups(outcomes).items():
        outcomes[group] = _worst(members)
    for test in wanted or ():
        if test not in outcomes:
            outcomes[test] = "failed"
            if test.partition("::")[0] not in known:
                failures.append(Failure(test, "this test was not found"))
    built = bool(said.outcomes or said.collected) or (said.ended in {0, 5} and not said.broken and not wanted)
    if not built and not failures_of(said):
        words = trimmed(done.stderr)
        failures.insert(0, Failure("collection", words or _unfinished(done, reached=False, last="")))
    return TestReport(
        built=built,
        outcomes=outcomes,
        failures=tuple(failures[:_SHOWN]),
        stopped=done.stopped,
        seconds=done.seconds,
        unavailable=_unavailable(failures, outcomes, ours),
    )


def _unavailable(
    failures: Sequence[Failure], outcomes: Mapping[str, TestOutcome], ours: Callable[[str], bool]
) -> dict[str, str]:
    found = {failure.test: python_reason(f"{failure.message}\n{failure.trace}", ours) for failure in failures}
    found = {test: reason for test, reason in found.items() if reason}
    for test, reason in list(found.items()):
        group = parent(test)
        members = [one for one, outcome in outcomes.items() if parent(one) == group and one != group]
        if all(found.get(one) for one in members if outcomes[one] == "failed"):
            found.setdefault(group, reason)
    everything = found.pop("collection", "")
    return {**found, **({"": everything} if everything else {})}


def failures_of(said: Lines) -> bool:
    """Did pytest itself say what is wrong?"""
    return bool(said.broken or said.failures)


def _unfinished(done: Completed, *, reached: bool, last: str) -> str:
    if done.stopped == "timeout":
        return f"did not finish in {done.seconds:.0f} s" if reached else "not reached before the time limit"
    if done.stopped:
        return f"the run was stopped: {done.stopped} limit"
    if done.returncode > 128:
        how = f"the process was ended by signal {done.returncode - 128}"
    else:
        how = f"the process ended early with exit status {done.returncode}"
    return how if reached or not last else f"{how} in {last}"


def _groups(outcomes: dict[str, TestOutcome]) -> dict[str, list[TestOutcome]]:
    groups: dict[str, list[TestOutcome]] = {}
    for test, outcome in outcomes.items():
        if parent(test) != test:
            groups.setdefault(parent(test), []).append(outcome)
    return groups


def _worst(outcomes: Iterable[TestOutcome]) -> TestOutcome:
    seen = set(outcomes)
    if "failed" in seen:
        return "failed"
    return "passed" if "passed" in seen else "skipped"


def profile_text(data: Mapping[str, Any], source: bytes) -> str:
    """What the tracer saw of the function, for the refine prompt."""
    if not data.get("calls"):
        return ""
    lines = source.decode("utf-8", "replace").split("\n")
    text = [f"called {int(data['calls'])} times by the tests; line: share of time, executions, source"]
    for number, count, share in data["lines"]:
        code = lines[number - 1].strip() if 0 < number <= len(lines) else ""
        text.append(f"{number}: {share:.0%}, {count}x, {code[:120]}")
    text += [
        f"{name}: median {middle}, largest {largest}" for name, (middle, largest) in data["sizes"].items()
    ]
    return trimmed("\n".join(text))
