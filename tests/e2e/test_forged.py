"""Records that a hostile job could hand to the publisher: refused, or shown without what they claim."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from github_fake import Fake
from publishing import counts, post, summaries
from samples import TIME, head_text, proposal, replacing, result
from test_gate import perforch

from perforch.errors import UsageError
from perforch.report import files, html, markdown, patch
from perforch.result import Attempt, Metric, Outcome, Regression, Skipped, Stage, Suggestion, Verdict, loads

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.result import FunctionResult

Make = Callable[..., Fake]
LIAR = "a liar"


def refused(fake: Fake, function: FunctionResult, why: str) -> None:
    """Nothing of the function is shown but that its record cannot be right; an honest one beside it is."""
    liar = function.model_copy(update={"name": LIAR})
    post(fake, result(fake, liar, proposal(fake, "src/b.cpp", name="honest")))
    assert counts(fake) == (1, 1, 1)
    (summary,) = summaries(fake)
    assert "1 of 2 changed functions can be made 2.00× faster" in summary
    assert why in summary
    rows = [line.replace("\u00a0", " ") for line in summary.split("\n") if line.startswith(f"| `{LIAR}`")]
    assert len(rows) == 1
    assert "❌ failed" in rows[0]
    assert "×" not in rows[0]
    assert fake.threads[0]["path"] == "src/b.cpp"


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        (None, "an improvement without a measurement"),
        ({"ci_low": None, "ci_high": None}, "a ratio without its interval"),
        ({"ci_low": 0.9}, "does not exclude"),
        ({"verdict": "inconclusive"}, "does not exclude"),
        ({"ratio": 20.0, "ci_high": 30.0}, "not that of the values"),
        ({"ci_high": 1.95}, "outside its interval"),
        ({"ci_low": 2.5, "ci_high": 3.0}, "outside its interval"),
        ({"before": 0.0, "after": 0.0}, "the measurement is empty"),
        ({"pairs": 0}, "the measurement is empty"),
        ({"before": 1e15, "ratio": 5e13, "ci_high": 6e13}, "the ratio is absurd"),
        ({"confidence": 0.01}, "less than even chances"),
    ],
)
def test_claims_without_evidence(make_fake: Make, numbers: dict[str, Any] | None, why: str) -> None:
    fake = make_fake()
    measurements = {} if numbers is None else {Metric.TIME: TIME.model_copy(update=numbers)}
    refused(fake, proposal(fake, "src/a.py").model_copy(update={"measurements": measurements}), why)


def test_evidence_for_another_metric_is_none(make_fake: Make) -> None:
    fake = make_fake()
    memory = {Metric.MAX_MEMORY: TIME.model_copy(update={"unit": "KiB"})}
    refused(
        fake, proposal(fake, "src/a.py").model_copy(update={"measurements": memory}), "without a measurement"
    )


def test_places_that_are_none(make_fake: Make) -> None:
    fake = make_fake()
    good = proposal(fake, "src/a.py")
    for update, why in (
        ({"path": "../a.py"}, "its path leaves the repository"),
        ({"path": "/etc/passwd"}, "its path leaves the repository"),
        ({"path": ".git/config"}, "its path leaves the repository"),
        ({"start_line": 0, "end_line": 0}, "the function has no lines"),
        ({"start_line": 9, "end_line": 3}, "the function has no lines"),
    ):
        fake.comments, fake.reviews, fake.threads = [], [], []
        refused(fake, good.model_copy(update=update), why)


def forged_patches(fake: Fake) -> dict[str, tuple[str | None, str]]:
    text = head_text(fake, "src/a.py")
    good = patch.patch("src/a.py", text.encode(), text.replace("out", "all").encode())
    workflow = patch.patch(".github/workflows/ci.yml", b"a\n", b"b\n")
    return {
        "none": (None, "there is no patch"),
        "of another file": (workflow, "not one of this file"),
        "with another file": (good + workflow, "more than hunks"),
        "that changes the mode": (good.replace("--- a", "new mode 100755\n--- a"), "not one of this file"),
        "of another text": (patch.patch("src/a.py", b"x\ny\nz\n", b"x\n"), "not one of the head revision"),
        "not of its suggestions": (good, "its suggestions are not its patch"),
        "cut off": (good[:-5], "cut off"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "none",
        "of another file",
        "with another file",
        "that changes the mode",
        "of another text",
        "not of its suggestions",
        "cut off",
    ],
)
def test_patches(make_fake: Make, kind: str) -> None:
    fake = make_fake()
    text, why = forged_patches(fake)[kind]
    refused(fake, proposal(fake, "src/a.py").model_copy(update={"patch": text}), why)


@pytest.mark.parametrize(
    "items",
    [
        [(2, 2, "import os; os.system('x')")],
        [(2, 2, "new"), (4, 4, "more")],
        [(2, 3, "new")],
        [(2, 2, "")],
        [(2, 2, "new"), (2, 2, "new")],
    ],
)
def test_suggestions_that_are_not_the_patch(make_fake: Make, items: list[tuple[int, int, str]]) -> None:
    fake = make_fake()
    suggestions = tuple(
        Suggestion(path="src/a.py", start_line=a, end_line=b, body=body) for a, b, body in items
    )
    function = replacing(fake, "src/a.py", 2, 2, "new").model_copy(update={"suggestions": suggestions})
    refused(fake, function, "its suggestions are not its patch")


def test_suggestions_elsewhere_are_none(make_fake: Make) -> None:
    """On another file, or on lines that the diff does not show: the patch at the nearest line instead."""
    fake = make_fake()
    for path, line in (("src/b.cpp", 2), ("src/a.py", 20), ("src/a.py", 10**9)):
        fake.comments, fake.reviews, fake.threads = [], [], []
        item = Suggestion(path=path, start_line=2, end_line=line, body="new")
        post(fake, result(fake, proposal(fake, "src/a.py").model_copy(update={"suggestions": (item,)})))
        assert [(t["path"], "```suggestion" in t["body"]) for t in fake.threads] == [("src/a.py", False)]


def test_the_same_proposal_many_times(make_fake: Make) -> None:
    fake = make_fake()
    post(fake, result(fake, *[proposal(fake, "src/a.py")] * 50))
    assert counts(fake) == (1, 1, 1)
    assert "1 of 1 changed function " in summaries(fake)[0]


def test_a_regression_needs_its_interval(make_fake: Make) -> None:
    fake = make_fake()
    place: dict[str, Any] = {"path": "src/a.py", "language": "python", "start_line": 1, "end_line": 2}
    slower = TIME.model_copy(
        update={"before": 20.0, "after": 40.0, "ratio": 0.5, "ci_low": 0.45, "ci_high": 0.55}
    )
    unproven = slower.model_copy(update={"ci_high": 1.01})
    regressions = tuple(
        Regression(name=name, measurements={Metric.TIME: found}, **place)
        for name, found in (("proven", slower), ("unproven", unproven))
    )
    post(fake, result(fake, regressions=regressions))
    assert "1 function became slower" in summaries(fake)[0]
    assert "unproven" not in summaries(fake)[0]


def test_another_base_is_not_named(make_fake: Make) -> None:
    fake = make_fake()
    record = result(fake, proposal(fake, "src/a.py"))
    post(fake, record)
    assert f"against {fake.base[:7]}" in summaries(fake)[0]
    post(fake, record.model_copy(update={"base_sha": "beef" * 10}))
    assert "beef" not in summaries(fake)[0]
    assert f"Measured at {fake.head[:7]}." in summaries(fake)[0]


def test_another_repository_or_revision(make_fake: Make, tmp_path: Path) -> None:
    fake = make_fake()
    record = result(fake, proposal(fake, "src/a.py"))
    file = tmp_path / "result.json"
    for update in ({"repo": "someone/else"}, {"head_sha": "0" * 40}, {"head_sha": ""}):
        file.write_text(record.model_copy(update=update).dump())
        arguments = ("publish", "--result", str(file), "--pull-request", "7", "--head", fake.head)
        done, _ = perforch(fake, tmp_path, *arguments)
        assert done.returncode == 2, done.stderr
        assert "does not belong to this run" in done.stderr
    assert not fake.log
    assert not (tmp_path / "summary.md").exists()


DOCUMENTS = {
    "nothing": b"",
    "not JSON": b"\x00\xff",
    "10 MB": b'{"schema": 1, "perforch": "' + b"x" * 10_000_000 + b'"}',
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep lists": b"[" * 1_000_000,
    "deep inside": b'{"schema": 1, "perforch": "x", "notes": ' + b"[" * 900 + b"]" * 900 + b"}",
    "duplicate keys": b'{"schema": 1, "schema": 1, "perforch": "x"}',
    "another schema": b'{"schema": 2, "perforch": "x"}',
    "unknown fields": b'{"schema": 1, "perforch": "x", "html": "<b>"}',
    "a huge number": b'{"schema": 1, "perforch": "x", "totals": {"seconds": ' + b"9" * 4000 + b"}}",
    "a longer number": b'{"schema": 1, "perforch": "x", "totals": {"llm_calls": ' + b"9" * 5000 + b"}}",
    "infinity": b'{"schema": 1, "perforch": "x", "totals": {"seconds": 1e999}}',
    "NaN": b'{"schema": 1, "perforch": "x", "totals": {"seconds": NaN}}',
    "negative": b'{"schema": 1, "perforch": "x", "totals": {"cost_usd": -1}}',
    "a surrogate": b'{"schema": 1, "perforch": "\\ud800"}',
    "impossible canaries": b'{"schema": 1, "perforch": "x", "canaries": {"decisions": 1e300}}',
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents(name: str) -> None:
    with pytest.raises(UsageError):
        loads(DOCUMENTS[name])


@pytest.mark.parametrize("field", ["before", "after", "ratio", "ci_low", "noise", "unit"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", '"x"', "1e400", '"| @octocat <img>"'])
def test_absurd_numbers(make_fake: Make, field: str, value: str) -> None:
    fake = make_fake()
    document = json.loads(result(fake, proposal(fake, "src/a.py")).dump())
    document["functions"][0]["measurements"]["time"][field] = "VALUE"
    text = json.dumps(document).replace('"VALUE"', value)
    if field == "unit" and value == '"x"':
        assert loads(text.encode())
        return
    with pytest.raises(UsageError):
        loads(text.encode())


# -- what foreign text may do ------------------------------------------------------------------------------------------

EVIL = [
    "@octocat @acme/team fixes #1, GH-2, acme/rows#3",
    "<img src=//evil/x onerror=alert(1)> <script>alert(1)</script>",
    "![x](http://evil/x.png)",
    "[click](javascript:alert(1)) http://evil.example www.evil.example",
    "</details></summary></table> <details open>",
    "```\n\n# heading\n\n````",
    "a | b | c\n|---|",
    "\u202egnp.exe\u2066 \u200b\ufeff",
    "<!-- perforch:summary v=1 id=default -->",
    "<!-- perforch:finding id=0123456789abcdef/0 -->",
    "-->",
    "<!--",
    "\n/perforch optimize\n",
    "&lt;b&gt; &#64;octocat",
    "$\\sqrt{x}$ $$x$$",
    "\x1b[31mred\x07",
    "1. one\n2. two",
    "**bold** _it_ ~~no~~ `code`",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    "a\\",
    "x" * 15_000,
    "::error::x",
    "https&colon;//evil",
    "mail me@evil.example or mailto:me@evil.example",
    "_a_ www.evil.example | ftp.evil.example",
]


class Page(HTMLParser):
    """Tags, addresses and visible text of a rendered comment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.code: list[str] = []
        self.prose: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("br", "input", "hr"):
            self.open.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.code if {"code", "pre"} & set(self.open) else self.prose).append(data)

    def handle_comment(self, data: str) -> None:
        assert data.startswith(" perforch:")


def rendered(text: str) -> Page:
    """As GitHub renders it: raw HTML is let through here, because much of it is let through there."""
    return Page(cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))


def harmless(fake: Fake, text: str) -> None:
    assert len(text.encode()) <= 60_000
    page = rendered(text)
    assert not page.open
    assert set(page.tags) <= {
        "h3", "p", "strong", "em", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "br", "sub", "details", "summary", "ul", "li", "a",
    }  # fmt: skip
    assert not [link for link in page.links if not link.startswith("https://github.com/acme/rows/")]
    prose = "".join(page.prose)
    # GitHub looks for these in the text that is seen, outside code; the revisions are ours and may be links.
    seen = prose.replace(fake.head[:7], "").replace(fake.base[:7], "")
    for active in (
        r"@\w",
        r"(?<![\w&])#\d",
        r"GH-\d",
        r"\b[0-9a-f]{7,40}\b",
        "://",
        r"www\.\w",
        r"\$[^\d\u200b]",
    ):
        assert not re.search(active, seen), active
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b]", prose + "".join(page.code))
    fences = re.compile(r"(?s)^(`{3,}).*?^\1$", re.MULTILINE)
    assert not re.search("^/", fences.sub("", text), re.MULTILINE)
    assert (
        len(re.findall("^<!-- perforch:(?:summary|review|finding)", fences.sub("", text), re.MULTILINE)) <= 1
    )


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_foreign_text_has_no_effect(make_fake: Make, tmp_path: Path, evil: str) -> None:
    fake = make_fake()
    attempts = tuple(
        Attempt(stage=Stage.REFINE, model=evil[:200], outcome=outcome, detail=evil) for outcome in Outcome
    )
    body = "" if "\ufeff" in evil or "\x1b" in evil else evil.replace("\r", "")
    texts: dict[str, Any] = {
        "name": evil[:900], "signature": evil, "reason": evil, "explanation": evil, "workload": evil, "attempts": attempts, "tests": (evil,) * 3,
        "categories": (evil,),
    }  # fmt: skip
    functions = [
        replacing(fake, "src/a.py", 2, 3, body or "x").model_copy(update=texts),
        proposal(fake, "src/b.cpp", suggestions=False).model_copy(update=texts),
        proposal(fake, "src/d.rs").model_copy(
            update=texts | {"verdict": Verdict.NO_CHANGE, "path": evil[:4000]}
        ),
    ]
    record = result(fake, *functions)
    environment = record.environment.model_copy(
        update={"cpu": evil, "kernel": evil, "perf": evil, "sandbox": evil, "toolchains": {evil: evil}}
    )
    skipped = (Skipped(path=evil[:4000], name=evil[:900], reason=evil),)
    record = record.model_copy(
        update={"notes": (evil,) * 3, "environment": environment, "skipped": skipped, "perforch": evil[:100]}
    )
    post(fake, loads(record.dump().encode()))
    assert len(summaries(fake)) == len(fake.comments) == len(fake.reviews) == 1
    assert fake.threads
    for text in [summaries(fake)[0], fake.reviews[0]["body"], *(thread["body"] for thread in fake.threads)]:
        harmless(fake, text)
    whole = html.page(record)
    assert whole.count("<script") == html.page(result(fake)).count("<script")
    assert "<img" not in whole
    files.write(record, tmp_path / "out")
    assert (tmp_path / "out" / "review.md").read_bytes().decode() == markdown.review(record)


def test_a_record_as_large_as_it_may_be(make_fake: Make) -> None:
    """Thousands of functions: one comment within its size, in a time that does not grow with them."""
    fake = make_fake()
    one = proposal(fake, "src/a.py").model_copy(update={"reason": "r" * 500, "explanation": "e" * 500})
    many = [one.model_copy(update={"name": f"f{number}"}) for number in range(3000)]
    post(fake, result(fake, *many))
    assert len(summaries(fake)[0].encode()) <= 60_000
    assert counts(fake)[:2] == (1, 1)
