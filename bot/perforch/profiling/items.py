"""What is asked in a profile: one item is one model, stage and problem; shards share the items out by expected seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.changes.function import Function
from perforch.errors import UsageError
from perforch.languages import syntax
from perforch.result import Language, Stage
from perforch.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.profiling.suite import Problem

STAGES = (Stage.GENERATE, Stage.FIX)  # refine is measured one at a time, so it runs only when it is asked for
# Expected seconds of one item besides the model's answer: compiling and running it, measured on a shared
# 4-CPU machine.
_SECONDS = {
    Language.PYTHON: 0.05,
    Language.JAVA: 0.3,
    Language.CPP: 0.5,
    Language.GO: 0.3,
    Language.RUST: 0.4,
}
_ANSWER_SECONDS = 5.0
_MEASURE_SECONDS = 10.0  # of one refine item: about 15 pairs of 0.2 s a side, and finding the repetitions
_STUBS = {
    Language.PYTHON: "    raise NotImplementedError\n",
    Language.JAVA: "        throw new UnsupportedOperationException();\n    }\n}\n",
    Language.CPP: '    throw "not implemented";\n}\n',
    Language.GO: '    panic("not implemented")\n}\n',
    Language.RUST: "    todo!()\n}\n",
}


_NOBODY = ModelSettings(name="nobody", provider="openai")


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    Attributes:
        file: the whole source around the function that is asked about; function: its place in it.
    """

    model: ModelSettings
    stage: Stage
    problem: Problem
    file: bytes
    function: Function

    @property
    def key(self) -> str:
        """Names the item in progress files."""
        return f"{self.model.name}\t{self.stage}\t{self.problem.id}"


def items(
    models: Sequence[ModelSettings], stages: Sequence[Stage], problems: Sequence[Problem]
) -> tuple[Item, ...]:
    """Every combination, in a fixed order."""
    found: list[Item] = []
    for problem in problems:
        for stage in stages:
            if stage in problem.left_out:
                continue
            file = _file(problem, stage)
            place = function(problem, file)
            found.extend(Item(model, stage, problem, file, place) for model in models)
    return tuple(found)


def left_out(stages: Sequence[Stage], problems: Sequence[Problem]) -> dict[str, str]:
    """Problems that some stage cannot ask about, with the reason."""
    return {
        f"{stage} {problem.id}": problem.left_out[stage]
        for problem in problems
        for stage in stages
        if stage in problem.left_out
    }


def stub_item(problem: Problem) -> Item:
    """The question for a first solution; whom to ask is still open."""
    file = _file(problem, Stage.GENERATE)
    return Item(_NOBODY, Stage.GENERATE, problem, file, function(problem, file))


def _file(problem: Problem, stage: Stage) -> bytes:
    if stage is Stage.GENERATE and problem.stub:
        return problem.stub.encode()
    bodies = {
        Stage.GENERATE: _STUBS[problem.language],
        Stage.FIX: problem.buggy,
        Stage.REFINE: problem.canonical,
    }
    return (problem.head + problem.declaration + bodies[stage]).encode()


def function(problem: Problem, file: bytes) -> Function:
    """The problem's function as it stands in `file`.

    Raises:
        UsageError: it is not there.
    """
    parsed = syntax.definitions(problem.language, file)
    start = len(problem.head.encode())
    named = [
        one
        for one in parsed.definitions
        if one.simple_name == problem.name and one.declaration_start >= start
    ] or [one for one in parsed.definitions if one.simple_name == problem.name]
    if not named:
        message = f"{problem.id}: no function {problem.name!r} is found in its prompt"
        raise UsageError(message, hint="Is the data of the published schema?")
    one = named[-1]
    return Function(
        path=f"solution.{_SUFFIX[problem.language]}",
        name=one.name,
        language=problem.language,
        start_line=one.start_line,
        end_line=one.end_line,
        start_byte=one.start_byte,
        end_byte=one.end_byte,
        signature=one.signature,
        change="added",
        source=file[one.start_byte : one.end_byte].decode(),
        docstring=problem.description or one.docstring,
        is_stub=one.is_stub,
    )


_SUFFIX = {
    Language.PYTHON: "py",
    Language.JAVA: "java",
    Language.CPP: "cpp",
    Language.GO: "go",
    Language.RUST: "rs",
}


def seconds(item: Item, measured: Mapping[str, float]) -> float:
    """Expected seconds of an item: measured before, else by language."""
    measuring = _MEASURE_SECONDS if item.stage is Stage.REFINE else 0.0
    return measured.get(item.key, _ANSWER_SECONDS + _SECONDS[item.problem.language] + measuring)


def share(
    everything: Sequence[Item], count: int, measured: Mapping[str, float]
) -> tuple[tuple[Item, ...], ...]:
    """Share items out over `count` shards: longest first, each to the shard with least to do.

    Deterministic.
    """
    shards: list[list[Item]] = [[] for _ in range(count)]
    loads = [0.0] * count
    order = {item.key: place for place, item in enumerate(everything)}
    for item in sorted(everything, key=lambda item: (-seconds(item, measured), order[item.key])):
        least = loads.index(min(loads))
        shards[least].append(item)
        loads[least] += seconds(item, measured)
    return tuple(tuple(sorted(shard, key=lambda item: order[item.key])) for shard in shards)


def parse_shard(text: str) -> tuple[int, int]:
    """`I/N` with I from 1 to N.

    Raises:
        UsageError: it is not that.
    """
    first, _, second = text.partition("/")
    if first.isdigit() and second.isdigit() and 1 <= int(first) <= int(second) <= 1000:
        return int(first), int(second)
    message = f"--shard {text!r} is not I/N with I from 1 to N"
    raise UsageError(message, hint="For example --shard 3/20.")
