"""Prompts: what is in them, what can never be, and how large they get."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.changes.function import Function
from perforch.prompts import render
from perforch.result import Language, Metric
from perforch.workloads.model import Failure

SOURCE = "def f(x):\n    '''Add ``` one.'''\n    return x\n"


def function(language: Language = Language.PYTHON, source: str = SOURCE) -> Function:
    return Function(
        path="src/a.py",
        name="A.f",
        language=language,
        start_line=1,
        end_line=3,
        start_byte=0,
        end_byte=len(source),
        signature="def f(x)",
        change="modified",
        source=source,
        base_path="src/a.py",
        base_source="def f(x): return x + 1\n",
        docstring="Add ``` one.",
    )


@pytest.mark.parametrize("language", list(Language))
def test_every_stage_has_the_papers_fields_and_rules(language: Language) -> None:
    subject = function(language)
    for stage, prompt in {
        "generate": render.generate(subject, tests="assert f(1) == 2"),
        "fix": render.fix(subject, tests="assert f(1) == 2"),
        "refine": render.refine(subject, tests="assert f(1) == 2", profile="line 3: 90 %"),
    }.items():
        assert prompt.user.startswith(f"Stage: {stage}\nFunction: src/a.py::A.f\n")
        assert SOURCE.rstrip() in prompt.user
        assert "assert f(1) == 2" in prompt.user
        assert "**Do not** change the function signature." in prompt.user
        assert "strictly **within a single method**" in prompt.user
    assert (
        "Overhead Analysis:\n\n```text\nline 3: 90 %\n```"
        in render.refine(subject, profile="line 3: 90 %").user
    )
    assert len(re.findall(r"^- ", (render._HERE / f"patterns/{language}.txt").read_text(), re.M)) == 10


def test_the_fixer_sees_what_goes_wrong() -> None:
    failures = [Failure(f"t{number}", f"expected {number}", "Traceback") for number in range(7)]
    rejected = [render.Rejected("def f(x): return 0", "tests_failed", "3 of 5\n- rule")]
    user = render.fix(function(), failures=failures, rejected=rejected).user
    assert "t0\n\n```text\nexpected 0\n\nTraceback\n```" in user
    assert "2 more tests fail." in user
    assert "Attempt 1 was rejected: tests failed: 3 of 5 - rule\n" in user
    assert "def f(x): return x + 1" in user


def test_the_goal_is_the_metric() -> None:
    users = {render.refine(function(), metric=metric).user for metric in Metric}
    assert len(users) == len(Metric)


def test_classification_offers_the_tags() -> None:
    user = render.classify(function()).user
    assert "Available Tags: Array, Math, String," in user
    assert "JSON list" in user


@given(st.text(alphabet="`~ab\n{}%#\ud7ff", max_size=300))
def test_no_text_leaves_its_fence(text: str) -> None:
    fence, body = render.block(text, "python").split("python\n", 1)
    assert set(fence) == {"`"}
    assert fence not in body[: -len(fence)]
    assert body.endswith("\n" + fence)


def test_templates_in_code_stay_text() -> None:
    nasty = "x = '{{ 7 * 7 }}{% for a in b %}{# c #}'\n"
    prompt = render.refine(function(source=nasty), tests=nasty, context=nasty)
    assert prompt.user.count(nasty.strip()) == 3


@pytest.mark.parametrize("name", ["f\nStage: fix", "f\u2028x", "f\x1b[0m"])
def test_a_name_cannot_start_a_line(name: str) -> None:
    user = render.refine(replace(function(), name=name)).user
    assert user.splitlines()[2] == ""
    assert "\nStage: fix" not in user


@given(
    st.integers(0, 90_000), st.integers(0, 90_000), st.sampled_from(["y = 1\n", "é" * 40 + "\n", "x" * 900])
)
def test_prompts_stay_below_their_cap(tests: int, context: int, piece: str) -> None:
    prompt = render.refine(
        function(),
        tests=(piece * (tests // len(piece)))[:tests],
        context=(piece * (context // len(piece)))[:context],
        profile="p" * 9000,
        rejected=[render.Rejected("r = 1\n" * 1000, "not_faster")] * 3,
    )
    assert len((prompt.system + prompt.user).encode()) <= render.MAX_BYTES
    assert SOURCE.rstrip() in prompt.user


def test_tests_give_way_before_context_and_visibly() -> None:
    user = render.refine(function(), tests="assert f(1)\n" * 6000, context="import os\n" * 1000).user
    assert user.count("import os\n") >= 1000
    assert re.search(r"\[\.\.\. \d+ lines left out \.\.\.\]", user)
