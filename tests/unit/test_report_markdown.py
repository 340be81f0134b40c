from __future__ import annotations

import re

import cmarkgfm
from cmarkgfm.cmark import Options
from hypothesis import given, settings
from hypothesis import strategies as st

from perforch.report import markdown, words
from perforch.report.links import Links
from perforch.result import (
    Attempt,
    FunctionResult,
    Language,
    Measurement,
    Metric,
    Outcome,
    Regression,
    Result,
    Skipped,
    Stage,
    Verdict,
)

LINKS = Links(
    repository="acme/rows", run="https://github.com/acme/rows/actions/runs/1", artifact="https://github.com/a"
)
WILD = st.sampled_from(
    [
        "",
        "f",
        "`",
        "```",
        "a | b",
        "</details>",
        "<!--",
        "@octocat",
        "é🚀" * 40,
        "x" * 900,
        "\n\n# h\n",
        "~~~\n",
    ]
) | st.text(max_size=40)
TIMES = st.builds(
    Measurement,
    unit=st.sampled_from(["ms", "s", "KiB", "CPUs", ""]),
    before=st.floats(0, 1e12),
    after=st.floats(0, 1e12),
    ratio=st.floats(0, 1e6),
    ci_low=st.none() | st.floats(0, 1e6),
    ci_high=st.none() | st.floats(0, 1e6),
    pairs=st.integers(0, 10**6),
    noise=st.none() | st.floats(0, 10),
    confidence=st.none() | st.floats(0, 1),
)
MEASURED = st.dictionaries(st.sampled_from(Metric), TIMES, max_size=2)
ATTEMPTS = st.builds(
    Attempt,
    stage=st.sampled_from(Stage),
    model=WILD.map(lambda text: text[:200]),
    outcome=st.sampled_from(Outcome),
    detail=WILD,
)
FUNCTIONS = st.builds(
    FunctionResult,
    path=WILD,
    name=WILD,
    language=st.sampled_from(Language),
    start_line=st.integers(0, 10**6),
    end_line=st.integers(0, 10**6),
    verdict=st.sampled_from(Verdict),
    reason=WILD,
    attempts=st.lists(ATTEMPTS, max_size=2).map(tuple),
    measurements=MEASURED,
    tests=st.lists(WILD, max_size=3).map(tuple),
    explanation=WILD,
    workload=WILD,
    patch=st.none() | WILD | st.integers(1, 9).map(lambda n: "+ line\n" * 1000 * n),
)
REGRESSIONS = st.builds(
    Regression,
    path=WILD,
    name=WILD,
    language=st.sampled_from(Language),
    start_line=st.just(1),
    end_line=st.just(2),
    measurements=MEASURED,
)
RESULTS = st.builds(
    Result,
    perforch=st.just("0.1.0"),
    head_sha=st.just("a" * 40),
    base_sha=st.sampled_from(["", "b" * 40]),
    metric=st.sampled_from(Metric),
    functions=st.lists(FUNCTIONS, max_size=4).map(tuple),
    regressions=st.lists(REGRESSIONS, max_size=2).map(tuple),
    skipped=st.lists(st.builds(Skipped, path=WILD, name=WILD, reason=WILD), max_size=3).map(tuple),
    notes=st.lists(WILD, max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=200)
@given(RESULTS, st.sampled_from([markdown.BUDGET, 6000, 2500]))
def test_any_record_is_one_whole_comment(result: Result, budget: int) -> None:
    text = markdown.review(result, links=LINKS, budget=budget)
    assert len(text.encode()) <= max(budget, 1500)
    assert text.startswith(markdown.MARKER + "\n")
    assert markdown.read_data_line(text)["head"] == "a" * 40
    page = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
    opened = []
    for close, tag in re.findall(r"<(/?)([a-z][a-z0-9]*)\b[^>]*>", page):
        if tag == "br":
            continue
        if close:
            assert opened.pop() == tag
        else:
            opened.append(tag)
    assert not opened
    rows = page.count("<td>") + page.count('<td align="right">')
    assert rows % 7 == 0 or "<th>Stage</th>" in page  # no cell of the table was split
    assert "\n" not in words.headline(result)


@settings(deadline=None, max_examples=100)
@given(RESULTS)
def test_no_gain_without_its_bound(result: Result) -> None:
    """Every factor in the headline stands beside the bound of the weakest, where there is one."""
    text = words.headline(result)
    improved = [f for f in result.functions if f.verdict is Verdict.IMPROVED]
    known = [found for f in improved if (found := words.main_measurement(f.measurements, result.metric))]
    if "×" in text and known and all(m.ci_low and m.ci_low >= 1 and m.ratio >= 1 for _, m in known):
        assert "≥" in text


def test_data_lines_survive_what_they_hold() -> None:
    extra: dict[str, object] = {"ignored": ["a-->b", "--", "<!--", "é\n"]}
    line = markdown.data_line(head="h", run="1", extra=extra)
    assert line.count("--") == 2
    assert markdown.read_data_line(f"x\n{line}\ny")["ignored"] == extra["ignored"]
    assert markdown.read_data_line("<!-- perforch:data {broken} -->") == {}
