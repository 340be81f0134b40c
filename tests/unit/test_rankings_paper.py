"""Every figure of the seeded evidence against the paper's own text, which is read here anew."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from perforch import assets
from perforch.rankings import store

if TYPE_CHECKING:
    from perforch.rankings.evidence import Evidence

ROOT = Path(__file__).parents[2]
PAPER = ROOT.parent / "shared" / "paper"
LANGUAGES = ("python", "java", "cpp", "go", "rust")
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
METRICS = {"Exec Time": "time", "Avg Mem": "mean-memory", "Max Mem": "max-memory", "CPU Util": "cpu"}
SHIFTED = {"CodeGeeX": "CodeGeeX 4", "Grok": "Grok 3"}
RECORDS = [
    record for record in store.load_directories([assets.directory("rankings")]) if record.source == "paper"
]
INDEX = {(r.model, r.stage, r.metric, r.language, r.category, r.suite): r for r in RECORDS}


@pytest.fixture(scope="module")
def lines() -> list[str]:
    texts = sorted(PAPER.glob("*.txt"))
    if not texts:
        pytest.skip(f"the paper's text is not at {PAPER}")
    return max((text.read_text(encoding="utf-8") for text in texts), key=len).splitlines()


def rows(lines: list[str], number: int) -> list[list[str]]:
    start = next(i for i, line in enumerate(lines) if line.startswith(f"Table {number}. "))
    found: list[list[str]] = []
    for line in lines[start + 1 :]:
        if "\t" in line:
            found.append(line.split("\t"))
        elif line.strip() and found:
            break
    return [row for row in found if row[-1].replace(".", "").isdigit()]


def cell(model: str, stage: str, metric: str, language: str, category: str = "") -> Evidence:
    return INDEX[model, stage, metric, language, category, "humaneval-x"]


def test_no_two_records_are_about_the_same_thing() -> None:
    assert len(INDEX) == len(RECORDS) == 1980


@pytest.mark.parametrize(("number", "stage"), [(2, "generate"), (4, "fix")])
def test_tables_2_and_4(lines: list[str], number: int, stage: str) -> None:
    table = rows(lines, number)
    assert len(table) == 17
    for model, *values in table:
        for language, value in zip(LANGUAGES, values, strict=True):
            record = cell(model, stage, "correctness", language)
            assert record.attempts == 164
            assert f"{100 * record.successes / 164:.2f}" == value


@pytest.mark.parametrize(("number", "stage"), [(3, "generate"), (5, "fix")])
def test_tables_3_and_5(lines: list[str], number: int, stage: str) -> None:
    table = rows(lines, number)
    assert len(table) == 25
    for place, (_, model, *values) in enumerate(table):
        language = LANGUAGES[place // 5]
        for (category, size), value in zip(SIZES.items(), values, strict=True):
            record = cell(model, stage, "correctness", language, category)
            assert record.attempts == size
            assert abs(100 * record.successes / size - float(value)) < 0.00501


@pytest.mark.parametrize("number", [6, 7])
def test_tables_6_and_7(lines: list[str], number: int) -> None:
    table = rows(lines, number)
    assert len(table) == 17
    columns = [(metric, language) for metric in METRICS.values() for language in LANGUAGES]
    for model, *values in table:
        for (metric, language), value in zip(columns, values, strict=True):
            record = cell(model, "refine", metric, language)
            got = record.successes if number == 6 else round(100 * (record.improvement_median or 0), 4)
            assert got == float(value)


@pytest.mark.parametrize(("number", "language"), list(enumerate(LANGUAGES, start=10)))
def test_tables_10_to_14(lines: list[str], number: int, language: str) -> None:
    table = rows(lines, number)
    assert len(table) == 17
    for model, *values in table:
        for (category, size), value in zip(SIZES.items(), values, strict=True):
            record = cell(model, "refine", "time", language, category)
            assert (record.successes, record.attempts) == (int(value), size)


def test_table_15_with_its_two_damaged_rows_shifted_back(lines: list[str]) -> None:
    table = rows(lines, 15)
    assert len(table) == 17
    for model, *values in table:
        name = SHIFTED.get(model, model)
        printed: list[str | None] = [*values[1:], None] if model in SHIFTED else list(values)
        for category, value in zip(SIZES, printed, strict=True):
            record = cell(name, "refine", "time", "python", category)
            assert record.improvement_sum == (None if value is None else float(value))
            assert ("shifted back" in record.reference) == (model in SHIFTED)


def test_tables_16_and_17(lines: list[str]) -> None:
    columns = [(suite, language) for suite in ("humaneval-x", "effibench-x") for language in LANGUAGES]
    for number, length in ((16, 12), (17, 8)):
        metric = ""
        table = rows(lines, number)
        assert len(table) == length
        for label, agent, *values in table:
            metric = METRICS.get(label, metric)
            for (suite, language), value in zip(columns, values, strict=True):
                record = INDEX[agent, "refine", metric, language, "", suite]
                got = record.successes if number == 16 else round(100 * (record.improvement_median or 0), 4)
                assert got == float(value)
                assert record.attempts == (164 if suite == "humaneval-x" else 336)


def test_the_shipped_files_are_what_the_script_writes() -> None:
    path = ROOT / "tools" / "seed_rankings.py"
    spec = importlib.util.spec_from_file_location("seed_rankings", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["seed_rankings"] = module
    spec.loader.exec_module(module)
    assert {record.id for record in module.records()} == {record.id for record in RECORDS}
