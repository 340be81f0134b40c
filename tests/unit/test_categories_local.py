"""The local classifier: on small functions, and against labels made by reading all 164 HumanEval problems."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.categories.local import classify, split_name
from perforch.categories.names import Category
from perforch.changes.function import Function
from perforch.result import Language

DATA = Path(__file__).parents[3] / "shared" / "data"


def function(
    source: str, language: Language = Language.PYTHON, *, name: str = "f", doc: str = ""
) -> Function:
    return Function(
        path="a",
        name=name,
        language=language,
        start_line=1,
        end_line=1,
        start_byte=0,
        end_byte=len(source),
        signature=source.partition("{")[0].partition(":")[0],
        change="added",
        source=source,
        docstring=doc,
    )


@pytest.mark.parametrize(
    ("language", "name", "source", "expected"),
    [
        ("python", "top", "def top(xs):\n    return sorted(xs)[0]\n", {"Sorting"}),
        ("go", "Top", "func Top(xs []int) int {\n\tsort.Ints(xs)\n\treturn xs[0]\n}\n", {"Sorting", "Array"}),
        ("rust", "top", "fn top(xs: &mut Vec<i32>) -> i32 { xs.sort(); xs[0] }", {"Sorting", "Array"}),
        (
            "cpp",
            "top",
            "int top(std::vector<int> v) { std::sort(v.begin(), v.end()); return v[0]; }",
            {"Sorting"},
        ),
        ("java", "top", "int top(int[] v) { java.util.Arrays.sort(v); return v[0]; }", {"Sorting", "Array"}),
        (
            "python",
            "countWords",
            "def countWords(text):\n    seen = {}\n    for word in text.split():\n"
            "        seen[word] = seen.get(word, 0) + 1\n    return seen\n",
            {"Counting", "String", "Hash Table"},
        ),
        (
            "cpp",
            "is_prime",
            "int is_prime(int n) { for (int i = 2; i * i <= n; i++) { if (n % i == 0) return 0; } return n; }",
            {"Number Theory", "Math"},
        ),
        (
            "java",
            "seen",
            "boolean seen(String s) { HashSet<Character> q = new HashSet<>(); return q.add(s.charAt(0)); }",
            {"Hash Table", "String"},
        ),
    ],
)
def test_what_a_reader_would_say(language: str, name: str, source: str, expected: set[str]) -> None:
    assert expected <= set(classify(function(source, Language(language), name=name)))


def test_comments_and_strings_are_not_code() -> None:
    source = 'def f(x):\n    # sort by gcd, count primes in a HashMap\n    return "sorted gcd"\n'
    assert "Sorting" not in classify(function(source))
    assert "Number Theory" not in classify(function(source))


def test_documentation_counts() -> None:
    assert "Greedy" in classify(function("def f(x): ...\n", doc="Greedily pick intervals."))


@given(st.text(max_size=300), st.sampled_from(list(Language)))
def test_any_text_gives_the_same_known_labels(source: str, language: Language) -> None:
    one = function(source.encode("utf-8", "replace").decode(), language)
    assert classify(one) == classify(one)
    assert set(classify(one)) <= set(Category)


def test_names_are_split() -> None:
    assert split_name("countEvenDigits_fast") == "count even digits fast"


@pytest.mark.parametrize("language", list(Language))
def test_agreement_with_labels_made_by_reading(language: Language) -> None:
    """F1 over all (problem, category) decisions."""
    if not DATA.is_dir():
        pytest.skip(f"HumanEvalPack is not at {DATA}")
    labels = json.loads((DATA / "humanevalpack-labels.json").read_text())
    hits = misses = extra = 0
    for number, line in enumerate((DATA / "humanevalpack" / f"{language}.jsonl").read_text().splitlines()):
        row = json.loads(line)
        head = row["prompt"] if language is Language.PYTHON else row["declaration"]
        body = re.sub(r"(?m)^(#include|using|import|use|from) .*$", "", head) + row["canonical_solution"]
        one = function(body, language, name=row["entry_point"], doc=row["docstring"])
        found, truth = set(classify(one)), set(labels[f"HumanEval/{number}"])
        hits, misses, extra = (
            hits + len(found & truth),
            misses + len(truth - found),
            extra + len(found - truth),
        )
    assert 2 * hits / (2 * hits + misses + extra) > 0.75
