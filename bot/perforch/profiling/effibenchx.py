"""EffiBench-X (Apache-2.0): competition problems with generated tests on standard input and output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.errors import UsageError
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from perforch.profiling.suite import Problem, Solutions

NAMES = {Language.PYTHON: "python3", Language.JAVA: "java", Language.CPP: "cpp", Language.GO: "golang"}
SOURCE = "https://huggingface.co/datasets/EffiBench/effibench-x"


class EffiBenchX:
    """The suite; it has no tests for Rust."""

    name = "effibench-x"
    languages = tuple(NAMES)

    def load(self, data: Path | None, languages: Sequence[Language]) -> tuple[Problem, ...]:
        """Read problems; see `Suite.load`."""
        hint = f"Get the data set from {SOURCE} as JSON Lines and give its directory with --data."
        place = str(data) if data is not None else "no --data"
        message = f"{place}: EffiBench-X problems are not at hand"
        raise UsageError(message, hint=hint)

    def known(self, solutions: Solutions) -> Mapping[str, str]:
        """See `Suite.known`."""
        return {}
