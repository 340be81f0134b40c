"""Write `rankings/paper/*.jsonl` from the paper's tables in `rankings/paper-tables/`.

Run `uv run python tools/seed_rankings.py` after a change to the tables; the output is byte for byte
reproducible.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perforch.rankings import store
from perforch.rankings.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1] / "rankings"
LANGUAGES = ("python", "java", "cpp", "go", "rust")
PROBLEMS = {"humaneval-x": 164, "effibench-x": 336}
# Table 1: problems of a category.
SIZES = {
    "Array": 77,
    "Math": 76,
    "String": 74,
    "Counting": 50,
    "Number Theory": 33,
    "Simulation": 32,
    "Sorting": 29,
    "Enumeration": 12,
    "Greedy": 11,
    "Hash Table": 11,
}
REFINE_BY_CATEGORY = {10: "python", 11: "java", 12: "cpp", 13: "go", 14: "rust"}
COMMON = {
    "source": "paper",
    "date": "2025-10-01",
    "harness": "PerfOrch paper v1",
    "machine": "Intel i5-8250U",
}
SHIFTED = ("CodeGeeX 4", "Grok 3")  # rows of table 15 whose model number was printed as the first value


def table(number: int) -> list[dict[str, str]]:
    """Rows of one table by column name."""
    with (ROOT / "paper-tables" / f"table-{number:02d}.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def count(percent: str, total: int) -> int:
    """The count that a percentage with two decimals was printed from.

    Raises:
        ValueError: no count of `total` gives this percentage back.
    """
    successes = round(float(percent) * total / 100)
    if abs(100 * successes / total - float(percent)) > 0.00501:
        message = f"{percent} % of {total} is not a count"
        raise ValueError(message)
    return successes


def record(number: int | str, **fields: Any) -> Evidence:
    """One record with what all of them share."""
    return Evidence(**{"suite": "humaneval-x", "reference": f"table {number}", **COMMON, **fields})


def correctness() -> Iterator[Evidence]:
    """Tables 2 and 4 (languages), 3 and 5 (categories of the five best)."""
    for stage, whole, detail in (("generate", 2, 3), ("fix", 4, 5)):
        base = {"stage": stage, "metric": "correctness"}
        for row in table(whole):
            for language in LANGUAGES:
                successes = count(row[language], 164)
                yield record(
                    whole, model=row["model"], language=language, attempts=164, successes=successes, **base
                )
        for row in table(detail):
            for category, size in SIZES.items():
                yield record(
                    detail,
                    model=row["model"],
                    language=row["language"],
                    category=category,
                    attempts=size,
                    successes=count(row[category], size),
                    **base,
                )


def refinement() -> Iterator[Evidence]:
    """Tables 6 and 7 (languages and metrics) joined."""
    medians = {row["model"]: row for row in table(7)}
    for row in table(6):
        for column in list(row)[1:]:
            metric, language = column.split("/")
            yield record(
                "6 and 7",
                model=row["model"],
                stage="refine",
                metric=metric,
                language=language,
                attempts=164,
                successes=int(row[column]),
                improvement_median=round(float(medians[row["model"]][column]) / 100, 6),
            )


def refinement_by_category() -> Iterator[Evidence]:
    """Tables 10 to 14, for Python joined with table 15; time only."""
    sums = {row["model"]: row for row in table(15)}
    for number, language in REFINE_BY_CATEGORY.items():
        for row in table(number):
            for category, size in SIZES.items():
                base = {"model": row["model"], "stage": "refine", "metric": "time", "language": language}
                text = sums[row["model"]][category] if language == "python" else ""
                reference = f"table {number} and 15" if text else f"table {number}"
                if language == "python" and row["model"] in SHIFTED:
                    reference += (
                        "; row of table 15 printed one column too far right: shifted back, Hash Table lost"
                    )
                yield record(
                    number,
                    category=category,
                    attempts=size,
                    successes=int(row[category]),
                    improvement_sum=float(text) if text else None,
                    **{**base, "reference": reference},
                )


def agents() -> Iterator[Evidence]:
    """Tables 16 and 17: configurations of the paper's agent."""
    medians = {(row["metric"], row["agent"]): row for row in table(17)}
    for row in table(16):
        median = medians.get((row["metric"], row["agent"]))
        for suite, problems in PROBLEMS.items():
            for language in LANGUAGES:
                column = f"{suite}/{language}"
                yield record(
                    "16 and 17" if median else 16,
                    model=row["agent"],
                    stage="refine",
                    metric=row["metric"],
                    language=language,
                    attempts=problems,
                    successes=int(row[column]),
                    improvement_median=round(float(median[column]) / 100, 6) if median else None,
                    suite=suite,
                )


def records() -> tuple[Evidence, ...]:
    """Everything."""
    return (*correctness(), *refinement(), *refinement_by_category(), *agents())


if __name__ == "__main__":
    kept = [item for item in store.load_directories([ROOT]) if item.source != "paper"]
    store.write([*records(), *kept], ROOT)
    sys.stderr.write(f"{len(records())} records from the paper\n")
