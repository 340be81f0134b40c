"""The publisher against a stateful GitHub: what people see, and what it survives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import FILES, commit
from github_fake import Fake, Fault, git
from github_talk import committed
from publishing import client, counts, post, summaries
from samples import head_text, improved, proposal, result

from perforch.errors import UsageError
from perforch.github.client import PermissionDenied
from perforch.github.publish import Task, publish
from perforch.report import inline, markdown
from perforch.report.links import Links
from perforch.report.patch import patch

Make = Callable[..., Fake]


def test_applied_suggestions_are_the_benchmarked_files(make_fake: Make, dialect: str) -> None:
    fake = make_fake(dialect=dialect)
    report = post(fake, result(fake, *(proposal(fake, path) for path in FILES)))
    assert len(summaries(fake)) == 1
    assert [review["state"] for review in fake.reviews] == ["COMMENTED"]
    assert report.review
    for path in FILES:
        text = head_text(fake, path)
        assert committed(fake, path, [t for t in fake.threads if t["path"] == path]).decode() == improved(
            text
        )


def test_a_second_push_edits_and_never_repeats(make_fake: Make) -> None:
    fake = make_fake()
    post(fake, result(fake, proposal(fake, "src/a.py")))
    first = fake.head
    commit(fake.repo, {"docs/notes.txt": "x\n"}, "more")
    fake.head = git(fake.repo, "rev-parse", "HEAD")
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert len(summaries(fake)) == 1
    assert markdown.read_data_line(summaries(fake)[0])["head"] == fake.head != first
    assert len(fake.reviews) == 1
    assert len(fake.threads) == 1


def test_running_again_changes_nothing(make_fake: Make) -> None:
    fake = make_fake()
    record = result(fake, proposal(fake, "src/a.py"))
    post(fake, record)
    fake.log.clear()
    post(fake, record)
    assert [line for line in fake.log if not line.startswith("GET") and "graphql" not in line] == []


def test_nothing_proven_and_nobody_asked(make_fake: Make) -> None:
    fake = make_fake()
    post(fake, result(fake))
    assert not fake.comments
    post(fake, result(fake), asked=True)
    assert len(summaries(fake)) == 1
    assert not fake.reviews


@pytest.mark.parametrize("how", ["deleted", "hidden"])
def test_a_removed_summary_comes_back_only_when_asked(make_fake: Make, how: str) -> None:
    fake = make_fake()
    record = result(fake, proposal(fake, "src/a.py"))
    post(fake, record)
    if how == "deleted":
        fake.comments.clear()
    else:
        fake.comments[0]["minimized"] = True
        fake.reviews.clear()
    before = len(fake.comments)
    report = post(fake, record)
    assert "removed" in report.remarks[0]
    assert len(fake.comments) == before
    post(fake, record, asked=True)
    assert len(fake.comments) == before + 1


def test_a_moved_head_gets_no_review(make_fake: Make) -> None:
    fake = make_fake()
    record = result(fake, proposal(fake, "src/a.py"))
    commit(fake.repo, {"src/a.py": "pass\n"}, "more")
    fake.head = git(fake.repo, "rev-parse", "HEAD")
    post(fake, record)
    assert fake.head[:7] in summaries(fake)[0]
    assert not fake.reviews


def test_a_result_of_another_commit_is_refused(make_fake: Make) -> None:
    fake = make_fake()
    with pytest.raises(UsageError):
        publish(client(fake), result(fake), Task(fake.pull, "0" * 40, Links()))
    assert not fake.log


@pytest.mark.parametrize("state", [{"state": "closed"}, {"locked": True}, {"labels": ["skip-perforch"]}])
def test_silence(make_fake: Make, state: dict[str, Any]) -> None:
    fake = make_fake(**state)
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert not fake.comments + fake.reviews


def test_a_foreign_comment_with_our_marker_is_left_alone(make_fake: Make) -> None:
    fake = make_fake(page=2)
    for number in range(5):
        fake.add_comment(f"{markdown.MARKER}\n{number}")
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert [c["body"][-1] for c in fake.comments[:5]] == list("01234")
    assert len(summaries(fake)) == 1


def test_a_pending_review_of_ours_is_removed_and_a_foreign_one_is_not(make_fake: Make) -> None:
    fake = make_fake()
    fake.reviews.append(
        {"id": 1, "body": inline.marker(fake.head), "state": "PENDING", "mine": True, "html_url": ""}
    )
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert [review["state"] for review in fake.reviews] == ["COMMENTED"]


def test_one_bad_comment_of_many_costs_only_itself(make_fake: Make) -> None:
    fake = make_fake(rejects=lambda comment: comment["path"] == "src/c.go")
    post(fake, result(fake, *(proposal(fake, path) for path in FILES)))
    assert {t["path"] for t in fake.threads} == set(FILES) - {"src/c.go"}
    assert len(fake.reviews) == 1
    assert "src&#47;c.go" in summaries(fake)[0] or "c.go" in summaries(fake)[0]


def test_all_bad_comments_end_in_the_body_of_the_review(make_fake: Make) -> None:
    fake = make_fake(rejects=lambda comment: True)
    post(fake, result(fake, *(proposal(fake, path) for path in ("src/a.py", "src/d.rs"))))
    assert len(fake.reviews) == 1
    assert not fake.threads
    assert fake.reviews[0]["body"].count("perforch:finding") == 2


def test_the_ladder_below_suggestions(make_fake: Make) -> None:
    fake = make_fake()
    outside = proposal(fake, "src/a.py", suggestions=False).model_copy(
        update={"start_line": 20, "end_line": 24}
    )
    path = "src/not-in-the-diff.rs"
    elsewhere = proposal(fake, "src/d.rs").model_copy(
        update={"path": path, "suggestions": (), "patch": patch(path, b"a\n", b"b\n"), "name": "elsewhere"}
    )
    report = post(fake, result(fake, outside, elsewhere))
    assert [(t["path"], "git apply" in t["body"]) for t in fake.threads] == [("src/a.py", True)]
    assert report.placed[f"{path}::elsewhere"] == "summary"
    assert "`elsewhere`" in summaries(fake)[0]


def test_a_token_without_rights_names_the_right(make_fake: Make) -> None:
    fake = make_fake(permissions={"pull_requests": "read"})
    with pytest.raises(PermissionDenied) as caught:
        post(fake, result(fake, proposal(fake, "src/a.py")))
    assert "issues: write" in caught.value.hint
    assert not fake.comments


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, {"Retry-After": "7"}),
        Fault(403, {"Retry-After": "7"}),
        Fault(403),
        Fault(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000050"}),
        Fault(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"}),
        Fault(422, body={"message": "x", "errors": [{"code": "abuse"}]}),
        Fault(502),
        Fault(502, after=True),
        Fault(0),
        Fault(0, after=True),
    ],
)
@pytest.mark.parametrize("position", [0, 3, 8, 9])
def test_a_passing_fault(make_fake: Make, fault: Fault, position: int) -> None:
    fake = make_fake()
    fake.faults = [*[None] * position, fault]
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert counts(fake) == (1, 1, 1)
