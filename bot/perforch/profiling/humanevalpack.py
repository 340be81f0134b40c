"""HumanEvalPack (OctoPack, MIT): 164 problems in each of the five languages, with prompt, canonical and buggy solution."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perforch.errors import UsageError
from perforch.profiling.suite import Problem
from perforch.result import Language, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.profiling.suite import Solutions

URL = (
    "https://raw.githubusercontent.com/bigcode-project/octopack/e17a8f64/"
    "evaluation/create/humaneval-x/data/{folder}/data/humanevalpack.jsonl"
)
FOLDERS = {
    Language.PYTHON: "python",
    Language.JAVA: "java",
    Language.CPP: "cpp",
    Language.GO: "go",
    Language.RUST: "rust",
}
SHA256 = {
    Language.PYTHON: "b1376d72be4bd016a62ad043d9de3846edb8d63edf1222da802a31330c14c3a7",
    Language.JAVA: "a8d077d300bbdc2eda91e1a733deb2944678bce8fcc7eb272214626516768cc1",
    Language.CPP: "891a390c1b9d2cb85dd8fbebcf1d88dbdd565734a6b2b3259f9ddb3fe95e33d7",
    Language.GO: "0ee2cdca46d70afb33d913a0d4b205624fe4ded2f28c2efdb241727221837993",
    Language.RUST: "01ece28eaf490d7af037ce53095083dacfd38022cf5b82662ccb78024dc269a1",
}
PROBLEMS = 164
# Outcome differs from run to run, so it is run several times.
VARYING = {"Go/95": 6}
_KNOWN: dict[str, dict[str, str]] = {
    "canonical": {
        "Go/95": "stops after two keys of a randomly ordered map: about a quarter of its runs fail",
        "Rust/32": "Newton iteration on random polynomials: passes with the seed that is set, hangs with others",
        "CPP/32": "passes because rand() is not seeded",
    },
    "buggy": {
        **dict.fromkeys(
            (f"Go/{number}" for number in (9, 10, 127, 130, 140, 144, 158)),
            "does not compile, so it tests the repair of a compile error",
        ),
        **dict.fromkeys(("Python/10", "Python/156", "Python/160"), "hangs"),
        **dict.fromkeys(("Java/10", "Java/39", "Java/76"), "hangs"),
        **dict.fromkeys(("CPP/22", "CPP/123", "CPP/137", "CPP/156"), "hangs or takes all memory"),
        **dict.fromkeys(("Go/50", "Go/76"), "overflows the stack"),
        "Rust/156": "hangs",
        "Rust/123": "aborts or hangs, depending on optimisation",
        "CPP/23": "passes when a prelude includes <cstring>; none is included here",
    },
}


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    task_id: Annotated[str, Field(pattern=r"^[A-Za-z+]+/\d+$")]
    prompt: str
    declaration: str
    canonical_solution: str
    buggy_solution: str = ""
    test: str
    signature: str
    entry_point: str
    docstring: str = ""
    example_test: str = ""
    test_setup: str = ""


class HumanEvalPack:
    """The suite; its data is read from `python.jsonl`, `java.jsonl`, ... of a directory, or fetched.

    Args:
        address: where a language's file is, with `{folder}` for the language; its content is checked by sha256.
        cache: where fetched files are kept.
    """

    name = "humanevalpack"
    languages = tuple(Language)

    def __init__(self, address: str = URL, cache: Path | None = None) -> None:
        self._address = address
        self._cache = cache

    def load(self, data: Path | None, languages: Sequence[Language]) -> tuple[Problem, ...]:
        """Read problems; see `Suite.load`."""
        return tuple(problem for language in languages for problem in self._read(data, language))

    def known(self, solutions: Solutions) -> Mapping[str, str]:
        """See `Suite.known`."""
        return _KNOWN[solutions]

    def _read(self, data: Path | None, language: Language) -> list[Problem]:
        address = self._address.format(folder=FOLDERS[language])
        hint = f"Fetch {address} as {language}.jsonl (sha256 {SHA256[language]}) and give its directory with --data."
        path = self._fetched(address, language, hint) if data is None else _given(data, language, hint)
        problems = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                row = _Row.model_validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                message = f"{path}:{number}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
                raise UsageError(message, hint="Is it humanevalpack.jsonl of OctoPack?") from error
            problems.append(_problem(row, language))
        return problems

    def _fetched(self, address: str, language: Language, hint: str) -> Path:
        from perforch.profiling.checking import default_cache
        from perforch.profiling.download import fetch

        place = (self._cache or default_cache() / self.name) / f"{language}.jsonl"
        return fetch(address, SHA256[language], place, hint=hint)


def _given(data: Path, language: Language, hint: str) -> Path:
    for place in (data / f"{language}.jsonl", data / language / "data" / "humanevalpack.jsonl"):
        if place.is_file():
            return place
    message = f"{data / f'{language}.jsonl'} is not there"
    raise UsageError(message, hint=hint)


def _problem(row: _Row, language: Language) -> Problem:
    number = int(row.task_id.rpartition("/")[2])
    start = _start(row, language)
    return Problem(
        id=row.task_id,
        number=number,
        language=language,
        head=row.prompt[:start],
        declaration=row.prompt[start:],
        signature=row.signature,
        name=_name(row.signature, row.entry_point),
        description=row.docstring,
        canonical=row.canonical_solution,
        buggy=row.buggy_solution,
        test=row.test,
        setup=row.test_setup,
        examples="" if row.example_test.strip() in ("", "None") else row.example_test,
        categories=labels().get(number, ()),
        left_out={} if row.buggy_solution else {Stage.FIX: "it has no buggy solution"},
    )


def _start(row: _Row, language: Language) -> int:
    """Where the function itself begins in the prompt; comments above it belong to it."""
    if language is Language.JAVA:
        return row.prompt.index("class Solution")
    # A docstring may repeat the signature, so Python's is looked for with its keyword.
    at = row.prompt.rfind(f"def {row.signature}" if language is Language.PYTHON else row.signature)
    if at < 0:
        at = row.prompt.rfind(row.entry_point)
    at = row.prompt.rfind("\n", 0, max(at, 0)) + 1
    if language is Language.GO:
        above = row.prompt[:at].rstrip("\n").split("\n")
        while above and above[-1].startswith("//"):
            at -= len(above.pop()) + 1
    return max(at, 0)


def _name(signature: str, entry_point: str) -> str:
    """The function's name; `entry_point` is wrong in 14 rows, the signature is right in all."""
    if re.search(rf"\b{re.escape(entry_point)}\s*\(", signature):
        return entry_point
    found = re.findall(r"(\w+)\s*(?:<[^()]*>)?\(", signature)
    return found[0] if found else entry_point


@cache
def labels() -> dict[int, tuple[str, ...]]:
    """Categories by problem number, the same in every language."""
    document = json.loads((Path(__file__).parent / "humanevalpack_labels.json").read_text(encoding="utf-8"))
    return {int(key.rpartition("/")[2]): tuple(value) for key, value in document.items()}
