"""GitHub's rules, one by one: that the fake keeps them, and that the bot lives with them.

Each rule is shown twice: to a client that knows nothing of the bot (plain requests, or PyGithub), and to the bot. Both
wordings of GitHub's errors are tried, because decisions may rest on status and shape alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import github
import pytest
from conftest import CHANGED, FILES, commit
from github_answers import REPO, Limits
from github_fake import Fake, Fault, git
from github_talk import committed
from publishing import Time, ask, client, counts, post, summaries
from samples import head_text, improved, proposal, replacing, result

from perforch.errors import GitHubError
from perforch.github.client import Missing, PermissionDenied
from perforch.github.ladder import Rung
from perforch.report import inline
from perforch.report.patch import patch
from perforch.result import Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.result import FunctionResult

Make = Callable[..., Fake]
TEN = "".join(f"line {number}\n" for number in range(1, 61))


@pytest.fixture
def stranger() -> Iterator[Callable[[Fake], github.Github]]:
    """PyGithub, as a client that knows nothing of the bot."""
    opened: list[github.Github] = []

    def connect(fake: Fake) -> github.Github:
        opened.append(
            github.Github(
                auth=github.Auth.Token("secret"), base_url=fake.url, per_page=100, retry=None, lazy=True,
                seconds_between_requests=0, seconds_between_writes=0,
            )
        )  # fmt: skip
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def review(fake: Fake, *comments: dict[str, Any], event: str = "COMMENT") -> dict[str, Any]:
    return {
        "commit_id": fake.head,
        "event": event,
        "body": "words",
        "comments": [{"body": "b", **c} for c in comments],
    }


def claimed(fake: Fake, path: str, first: int, last: int, body: str = "new") -> FunctionResult:
    """A proposal that claims lines without asking whether a comment may stand there."""
    item = Suggestion(path=path, start_line=first, end_line=last, body=body)
    return replacing(fake, path, first, last, body).model_copy(update={"suggestions": (item,)})


def two_hunks(make_fake: Make, dialect: str) -> Fake:
    """A pull request with hunks at lines 1 to 8 and 46 to 53 of one file."""
    head = TEN.replace("line 5\n", "five\n").replace("line 50\n", "fifty\n")
    fake = make_fake({"src/a.py": TEN}, {"src/a.py": head}, dialect=dialect)
    assert fake.hunks("src/a.py") == [(2, 8), (47, 53)]
    return fake


def test_01_a_line_outside_the_diff(make_fake: Make, dialect: str) -> None:
    fake = two_hunks(make_fake, dialect)
    place = {"path": "src/a.py", "line": 20, "side": "RIGHT"}
    whole = ask(fake, "POST", "pulls/7/reviews", review(fake, place))
    assert whole.status_code == 422
    assert all(isinstance(item, str) for item in whole.json()["errors"])
    single = ask(fake, "POST", "pulls/7/comments", {"body": "b", "commit_id": fake.head, **place})
    assert single.json()["errors"][0]["field"] == "pull_request_review_thread.line"
    context = ask(fake, "POST", "pulls/7/reviews", review(fake, place | {"line": 53}))
    assert context.status_code == 200
    fake.reviews.clear()
    fake.threads.clear()
    report = post(fake, result(fake, claimed(fake, "src/a.py", 20, 20)))
    assert Rung.NEARBY in report.placed.values()
    assert [(t["line"], "git apply" in t["body"]) for t in fake.threads] == [(2, True)]


def test_02_a_path_outside_the_diff(make_fake: Make, dialect: str) -> None:
    fake = make_fake(dialect=dialect)
    answer = ask(fake, "POST", "pulls/7/reviews", review(fake, {"path": "no.py", "line": 1}))
    assert answer.status_code == 422
    text = patch("no.rs", b"a\n", b"b\n")
    elsewhere = proposal(fake, "src/d.rs").model_copy(
        update={"path": "no.rs", "suggestions": (), "patch": text}
    )
    report = post(fake, result(fake, elsewhere))
    assert report.placed == {"no.rs::f": Rung.SUMMARY}
    assert counts(fake) == (1, 0, 0)


def test_03_a_range_of_one_line_has_no_start(make_fake: Make, dialect: str) -> None:
    fake = make_fake(dialect=dialect)
    for start in (2, 3):
        place = {"path": "src/a.py", "start_line": start, "start_side": "RIGHT", "line": 2, "side": "RIGHT"}
        assert ask(fake, "POST", "pulls/7/reviews", review(fake, place)).status_code == 422
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert [(t["line"], "start_line" in t) for t in fake.threads] == [(2, False)]


def test_04_a_range_in_one_hunk(make_fake: Make, dialect: str) -> None:
    fake = two_hunks(make_fake, dialect)
    place = {"path": "src/a.py", "start_line": 5, "start_side": "RIGHT", "line": 50, "side": "RIGHT"}
    assert ask(fake, "POST", "pulls/7/reviews", review(fake, place)).status_code == 422
    post(fake, result(fake, claimed(fake, "src/a.py", 5, 50)))
    assert [("start_line" in t, "```suggestion" in t["body"]) for t in fake.threads] == [(False, False)]


def test_05_a_deleted_line_has_only_the_left_side(make_fake: Make, dialect: str) -> None:
    fake = make_fake(
        {"src/a.py": TEN, "src/d.rs": "a\nb\n"},
        {"src/a.py": TEN.replace("line 9\n", ""), "src/d.rs": ""},
        dialect=dialect,
    )
    place = {"path": "src/d.rs", "line": 2, "side": "LEFT"}
    assert (
        ask(
            fake, "POST", "pulls/7/reviews", review(fake, {**place, "body": "```suggestion\n```"})
        ).status_code
        == 200
    )
    with pytest.raises(AssertionError, match="a deleted line"):
        committed(fake, "src/d.rs", fake.threads)
    fake.reviews.clear()
    fake.threads.clear()
    # Of a file with no line left there is nothing to stand on, so the comment is on the file as a whole.
    emptied = claimed(fake, "src/d.rs", 1, 1)
    report = post(fake, result(fake, emptied, claimed(fake, "src/a.py", 8, 9)))
    assert {t["path"]: t.get("side", t.get("subject_type")) for t in fake.threads} == {
        "src/a.py": "RIGHT", "src/d.rs": "file",
    }  # fmt: skip
    assert Rung.FILE in report.placed.values()


@pytest.mark.parametrize("body", ["", "one", "one\n\ntwo\n```\n````", "\tone"])
@pytest.mark.parametrize("lines", [(47, 47), (48, 50), (47, 53)])
def test_06_exactly_the_lines_are_replaced(make_fake: Make, body: str, lines: tuple[int, int]) -> None:
    fake = two_hunks(make_fake, "2026")
    post(fake, result(fake, replacing(fake, "src/a.py", *lines, body)))
    old = head_text(fake, "src/a.py").split("\n")
    old[lines[0] - 1 : lines[1]] = body.split("\n") if body else []
    assert committed(fake, "src/a.py", fake.threads).decode() == "\n".join(old)


def test_07_a_review_is_all_or_nothing(make_fake: Make, dialect: str) -> None:
    """One comment of twelve is refused, unnamed: the other eleven arrive, and the summary has all twelve."""
    paths = [f"src/m{number}.py" for number in range(12)]
    text, head = FILES["src/a.py"], CHANGED["src/a.py"]
    fake = make_fake(dict.fromkeys(paths, text), dict.fromkeys(paths, head), dialect=dialect)
    fake.rejects = lambda comment: comment["path"] == "src/m4.py"
    two = [{"path": path, "line": 2} for path in ("src/m3.py", "src/m4.py")]
    assert ask(fake, "POST", "pulls/7/reviews", review(fake, *two)).status_code == 422
    assert not fake.threads + fake.reviews
    proposals = [proposal(fake, path, name=f"f{number}") for number, path in enumerate(paths)]
    report = post(fake, result(fake, *proposals), limit=12)
    assert {t["path"] for t in fake.threads} == {*paths} - {"src/m4.py"}
    assert len(fake.threads) == 11
    assert len(fake.reviews) == 1
    assert all(f"<code>f{number}</code>" in summaries(fake)[0] for number in range(12))
    assert sorted(report.placed.values()).count(Rung.SUMMARY) >= 1


def test_08_a_commit_outside_the_pull_request(make_fake: Make, dialect: str) -> None:
    """The merge commit that a `pull_request` event checks out is none of the pull request's."""
    fake = make_fake(dialect=dialect)
    merge = git(
        fake.repo, "commit-tree", f"{fake.head}^{{tree}}", "-p", fake.base, "-p", fake.head, text="merge"
    )
    body = review(fake) | {"commit_id": merge}
    assert ask(fake, "POST", "pulls/7/reviews", body).status_code == 422
    comment = {"body": "b", "path": "src/a.py", "line": 2, "commit_id": merge}
    assert ask(fake, "POST", "pulls/7/comments", comment).json()["errors"][0]["field"] == "commit_id"
    record = result(fake, proposal(fake, "src/a.py")).model_copy(update={"head_sha": merge})
    post(fake, record)
    assert counts(fake) == (1, 0, 0)


@pytest.mark.parametrize("moment", range(1, 9))
def test_09_an_older_commit_is_accepted_and_outdated(make_fake: Make, dialect: str, moment: int) -> None:
    """GitHub takes a review of a commit that is no longer the head, so the bot looks again just before it posts."""
    fake = make_fake(dialect=dialect)
    old = fake.head
    record = result(fake, proposal(fake, "src/a.py"))
    new = commit(fake.repo, {"src/a.py": "pass\n"}, "meanwhile")

    def move() -> None:
        if len(fake.log) == moment:
            fake.head = new

    fake.before = move
    post(fake, record)
    assert len(summaries(fake)) == 1
    if moment <= 5:  # the last look at the head is the sixth request
        assert not fake.reviews
    fake.before = lambda: None
    fake.head = new
    assert ask(fake, "POST", "pulls/7/reviews", review(fake) | {"commit_id": old}).status_code == 200


def test_10_one_pending_review(
    make_fake: Make, dialect: str, stranger: Callable[[Fake], github.Github]
) -> None:
    fake = make_fake(dialect=dialect)
    left = ask(fake, "POST", "pulls/7/reviews", {"body": inline.marker("0" * 40), "comments": []})
    assert left.json()["state"] == "PENDING"
    assert ask(fake, "POST", "pulls/7/reviews", review(fake)).status_code == 422
    # Someone else's pending review is invisible and in nobody's way.
    fake.reviews.append({"id": 1, "body": "", "state": "PENDING", "commit_id": fake.head, "mine": False})
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert [r["state"] for r in fake.reviews] == ["PENDING", "COMMENTED"]
    assert [r.state for r in stranger(fake).get_repo(REPO).get_pull(7).get_reviews()] == ["COMMENTED"]


def test_11_nobody_approves_an_own_pull_request(make_fake: Make, dialect: str) -> None:
    fake = make_fake(dialect=dialect)
    fake.author = fake.viewer
    for event in ("APPROVE", "REQUEST_CHANGES"):
        answer = ask(fake, "POST", "pulls/7/reviews", review(fake, event=event))
        assert answer.status_code == 422
        assert "own pull request" in answer.json()["errors"][0]
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert [r["state"] for r in fake.reviews] == ["COMMENTED"]


@pytest.mark.parametrize("letter", ["x", "é", "🚀", "`", "@", "<"])
def test_12_a_body_has_65536_characters(make_fake: Make, dialect: str, letter: str) -> None:
    fake = make_fake(dialect=dialect)
    assert ask(fake, "POST", "issues/7/comments", {"body": "🚀" * 65_536}).status_code == 201
    for tail, body in (
        ("issues/7/comments", {}),
        ("pulls/7/reviews", {"event": "COMMENT", "commit_id": fake.head}),
    ):
        answer = ask(fake, "POST", tail, body | {"body": "x" * 65_537})
        assert answer.status_code == 422
        assert "65536" in answer.json()["errors"][0]["message"]
    long = [
        proposal(fake, path, name=f"f{number}").model_copy(
            update={"explanation": letter * 19_000, "reason": letter * 19_000}
        )
        for number in range(8)
        for path in FILES
    ]
    post(fake, result(fake, *long))
    assert len(summaries(fake)) == 1
    assert 20_000 < len(summaries(fake)[0].encode()) <= 60_000
    assert all(len(t["body"].encode()) <= 60_000 for t in fake.threads)
    assert fake.threads


def test_13_14_check_runs(make_fake: Make, stranger: Callable[[Fake], github.Github]) -> None:
    """Not applicable to the bot, which makes no check runs; the fake keeps the rules for those who will."""
    fake = make_fake(permissions={"checks": "write", "pull_requests": "write", "issues": "write"})
    repository = stranger(fake).get_repo(REPO)
    note = {"path": "src/a.py", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
    check = repository.create_check_run(
        "perforch", fake.head, output={"title": "t", "summary": "s", "annotations": [note] * 50}
    )
    check.edit(output={"title": "t", "summary": "s", "annotations": [note] * 50})
    assert fake.checks[0]["annotations"] == 100
    for output, text in (
        ({"annotations": [note] * 143}, "143 were supplied"),
        ({"text": "x" * 65_536}, "Only 65535 characters are allowed; 65536 were supplied"),
        ({"summary": "é" * 40_000}, "maximum bytesize"),
    ):
        with pytest.raises(github.GithubException, match=text) as caught:
            check.edit(output={"title": "t", "summary": "s", **output})
        assert caught.value.status == 422
    assert "output.annotations" in fake.problems[0]  # 143 annotations break GitHub's own description, too
    fake.problems.clear()
    fake.log.clear()
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert not [line for line in fake.log if "check-runs" in line]


def test_15_a_token_that_may_not_write(make_fake: Make, dialect: str) -> None:
    fake = make_fake(dialect=dialect, permissions={"pull_requests": "read", "issues": "read"})
    answer = ask(fake, "POST", "pulls/7/reviews", review(fake))
    assert (answer.status_code, answer.headers["x-accepted-github-permissions"]) == (
        403,
        "pull_requests=write",
    )
    time = Time()
    with pytest.raises(PermissionDenied) as caught:
        post(fake, result(fake, proposal(fake, "src/a.py")), time=time)
    assert "pull-requests: write" in caught.value.hint
    assert time.slept == 1  # the pause after any write
    fake.permissions = {}
    with pytest.raises(PermissionDenied):
        post(fake, result(fake, proposal(fake, "src/a.py")))
    assert counts(fake) == (0, 0, 0)


def test_16_which_right_is_for_what(make_fake: Make, dialect: str) -> None:
    fake = make_fake(dialect=dialect, permissions={"pull_requests": "write"})
    assert ask(fake, "GET", "issues/7").status_code == 403
    assert ask(fake, "POST", "issues/comments/55/reactions", {"content": "eyes"}).status_code == 403
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert counts(fake) == (1, 1, 1)
    fake.permissions = {"issues": "write"}
    assert ask(fake, "GET", "issues/7").status_code == 200
    assert ask(fake, "POST", "issues/7/comments", {"body": "b"}).status_code == 201
    assert ask(fake, "POST", "issues/comments/55/reactions", {"content": "eyes"}).status_code == 201


def test_17_a_workflow_token_is_nobody(make_fake: Make, dialect: str) -> None:
    """Own comments are found by marker and authorship, whoever holds the token."""
    fake = make_fake(dialect=dialect)
    assert ask(fake, "GET", "/user").status_code == 403
    record = result(fake, proposal(fake, "src/a.py"))
    post(fake, record)
    fake.workflow_token, fake.viewer = False, {"login": "octo-app", "id": 9, "type": "Bot"}
    assert ask(fake, "GET", "/user").status_code == 200
    post(fake, record)
    assert counts(fake) == (1, 1, 1)
    assert fake.log.count("GET /user") == 2


def test_18_27_28_branches_and_files(make_fake: Make, stranger: Callable[[Fake], github.Github]) -> None:
    """Pull requests, references and files over the API: the bot opens, writes and reads none; others can.

    A second run of a schedule finds its branch and its pull request there and is told so.
    """
    fake = make_fake(permissions={"contents": "write", "pull_requests": "write", "issues": "write"})
    git(fake.repo, "checkout", "--quiet", "-B", "main", fake.base)
    repository = stranger(fake).get_repo(REPO)
    repository.create_git_ref("refs/heads/evidence", fake.base)
    with pytest.raises(github.GithubException, match="Reference already exists"):
        repository.create_git_ref("refs/heads/evidence", fake.base)
    opening = {"base": "main", "head": "evidence", "title": "Evidence", "body": "New evidence"}
    with pytest.raises(github.GithubException, match="not permitted to create or approve pull requests"):
        repository.create_pull(**opening)
    fake.may_open = True
    with pytest.raises(github.GithubException, match="No commits between main and evidence"):
        repository.create_pull(**opening)
    repository.create_file("rankings/e.json", "evidence", "{}\n", branch="evidence")
    reference = repository.get_git_ref("heads/evidence")
    tip = reference.object.sha
    with pytest.raises(github.GithubException, match="not a fast forward"):
        reference.edit(fake.head)
    assert repository.create_pull(**opening).number == 8
    with pytest.raises(github.GithubException, match="already exists for acme:evidence"):
        repository.create_pull(**opening)
    assert [p.title for p in repository.get_pulls(state="open", head="acme:evidence", base="main")] == [
        "Evidence"
    ]
    found = repository.get_contents("rankings/e.json", ref="evidence")
    assert not isinstance(found, list)
    assert found.decoded_content == b"{}\n"
    repository.update_file("rankings/e.json", "more", "x" * (1024 * 1024 + 1), found.sha, branch="evidence")
    large = repository.get_contents("rankings/e.json", ref="evidence")
    assert not isinstance(large, list)
    assert (large.content, large.encoding, large.size) == ("", "none", 1024 * 1024 + 1)
    tree = repository.create_git_tree([github.InputGitTreeElement("a.txt", "100644", "blob", content="a\n")])
    made = repository.create_git_commit("words", tree, [repository.get_git_commit(tip)])
    reference.edit(made.sha, force=True)
    assert git(fake.repo, "show", "evidence:a.txt") == "a"
    fake.log.clear()
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert not [
        line for line in fake.log if "/git/" in line or "/contents/" in line or line.endswith("/pulls")
    ]


def test_19_bad_token_absent_thing_bad_json(make_fake: Make, dialect: str) -> None:
    fake = make_fake(dialect=dialect)
    assert ask(fake, "GET", "pulls/7", Authorization="Bearer wrong").status_code == 401
    for tail in ("pulls/8", "pulls/7/", "/repos/acme/private/pulls/7"):
        assert ask(fake, "GET", tail).status_code == 404
    assert len(fake.problems) == 1  # no operation ends with a slash
    fake.problems.clear()
    ours = client(fake)
    assert ask(fake, "POST", "issues/7/comments", content="{").status_code == 400
    with pytest.raises(Missing):
        ours.get("pulls/8")
    ours.token = "wrong"
    with pytest.raises(GitHubError, match="401") as caught:
        ours.get("pulls/7")
    assert "token" in caught.value.hint
    ours.close()


@pytest.mark.parametrize("told", ["403 with Retry-After", "403", "429 with Retry-After", "429", "422 abuse"])
def test_20_secondary_limits(make_fake: Make, told: str) -> None:
    fake = make_fake(limits=Limits(created_a_minute=1, told=told))
    fake.now = lambda: 1_000_000.0
    assert ask(fake, "POST", "issues/7/comments", {"body": "b"}).status_code == 201
    assert ask(fake, "POST", "issues/7/comments", {"body": "b"}).status_code == int(told[:3])
    fake.comments.clear()
    fake.limits.created.clear()
    time = Time()
    fake.rejects = lambda comment: "line" in comment and comment["path"] == "src/c.go"
    post(fake, result(fake, *(proposal(fake, path) for path in FILES)), time=time)
    assert counts(fake) == (1, 1, len(FILES) - 1)
    assert time.slept >= 60


def test_20_the_bot_stays_below_the_limits_by_itself(make_fake: Make) -> None:
    fake = make_fake(rejects=lambda comment: "line" in comment and comment["path"] == "src/c.go")
    time = Time()
    post(fake, result(fake, *(proposal(fake, path) for path in FILES)), time=time)
    assert time.slept == len(fake.limits.created) > len(FILES) / 2
    assert counts(fake) == (1, 1, len(FILES) - 1)


def test_21_requests_an_hour(make_fake: Make) -> None:
    fake = make_fake(limits=Limits(hourly=20))
    record = result(fake, proposal(fake, "src/a.py"))
    time = Time()
    ours = client(fake, time)
    for _ in range(15):
        list(ours.pages("pulls/7/files"))
    ours.close()
    with pytest.raises(GitHubError, match="60 minutes") as caught:
        post(fake, record, time=time)
    assert "nothing is posted twice" in caught.value.hint
    assert time.slept < 60
    fake.limits.ends = time.seconds + 600  # ten minutes are worth waiting for
    post(fake, record, time=time)
    assert counts(fake) == (1, 1, 1)
    assert 600 <= time.slept < 660
    answer = ask(fake, "GET", "pulls/7")
    assert int(answer.headers["x-ratelimit-remaining"]) < 20


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("status", [502, 504, 0])
def test_22_an_error_may_have_taken_effect(make_fake: Make, after: bool, status: int) -> None:
    """At each request of a whole run."""
    fake = make_fake()
    record = result(fake, proposal(fake, "src/a.py"))
    post(fake, record)
    for position in range(len(fake.log)):
        fake.comments, fake.reviews, fake.threads = [], [], []
        fake.faults = [*[None] * position, Fault(status, after=after)]
        post(fake, record)
        assert counts(fake) == (1, 1, 1), position


def test_23_what_has_not_changed_is_free(make_fake: Make) -> None:
    fake = make_fake()
    first = ask(fake, "GET", "pulls/7")
    again = ask(fake, "GET", "pulls/7", If_None_Match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    ours = client(fake)
    list(ours.pages("pulls/7/files"))
    used = fake.limits.used
    assert ours.get("pulls/7") == ours.get("pulls/7")
    assert fake.limits.used == used + 1
    fake.state = "closed"
    assert ours.get("pulls/7")["state"] == "closed"
    fake.faults = [Fault(304)]  # unasked, as a broken proxy might
    assert len(list(ours.pages("pulls/7/files"))) == len(FILES)
    ours.close()


def test_24_25_lists_and_large_pull_requests(make_fake: Make) -> None:
    """301 files: the diff is refused, the list has four pages, and the file on the last one gets its suggestion."""
    paths = [f"src/m{number:03}.py" for number in range(301)]
    fake = make_fake(dict.fromkeys(paths, FILES["src/a.py"]), dict.fromkeys(paths, CHANGED["src/a.py"]))
    assert ask(fake, "GET", "pulls/7", Accept="application/vnd.github.v3.diff").status_code == 406
    short = ask(fake, "GET", "pulls/7/files")
    assert len(short.json()) == 30
    assert "/repositories/1/" in short.links["next"]["url"]
    assert len(ask(fake, "GET", "pulls/7/files?per_page=1000").json()) == 100
    fake.log.clear()
    post(fake, result(fake, proposal(fake, paths[300])))
    assert [t["path"] for t in fake.threads] == [paths[300]]
    assert sum("/files" in line for line in fake.log) == 4


@pytest.mark.parametrize("content", [b"\x00binary", None])
def test_25_a_file_without_its_patch(make_fake: Make, content: bytes | None) -> None:
    """A binary or very large file is listed without its patch: the comment is on the file as a whole."""
    after = {**CHANGED, "src/d.rs": content or CHANGED["src/d.rs"] + "// pad\n" * 2000}
    fake = make_fake(FILES, after, max_patch=10_000)
    listed = {file["filename"]: "patch" in file for file in ask(fake, "GET", "pulls/7/files").json()}
    assert listed == {path: path != "src/d.rs" for path in FILES}
    report = post(fake, result(fake, claimed(fake, "src/d.rs", 1, 1)))
    assert [t["subject_type"] for t in fake.threads] == ["file"]
    assert Rung.FILE in report.placed.values()


def test_26_a_reaction_is_there_once(make_fake: Make, dialect: str) -> None:
    fake = make_fake(dialect=dialect)
    answers = [ask(fake, "POST", "issues/comments/55/reactions", {"content": "eyes"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["id"] == answers[1].json()["id"]


@pytest.mark.parametrize("header", [{"Retry-After": "1"}, {}])
def test_waiting_is_as_long_as_github_says(make_fake: Make, header: dict[str, str]) -> None:
    fake = make_fake()
    for status in (403, 429):
        time = Time()
        ours = client(fake, time)
        fake.faults = [Fault(status, header)]
        assert ours.get("pulls/7")
        assert time.slept == (1 if header else 60)
        ours.close()


def test_odd_names_and_renames(make_fake: Make) -> None:
    names = ["a b.py", "dir é/ü x.py", "quo\"te'.py", "日本.py", "new name.py"]
    before = dict.fromkeys(names[:-1], FILES["src/a.py"]) | {"old.py": FILES["src/a.py"]}
    after = dict.fromkeys(names, CHANGED["src/a.py"]) | {"old.py": None}
    fake = make_fake(before, after)
    post(fake, result(fake, *(proposal(fake, name) for name in names)))
    assert counts(fake) == (1, 1, len(names))
    for name in names:
        threads = [t for t in fake.threads if t["path"] == name]
        assert committed(fake, name, threads).decode() == improved(head_text(fake, name))


def test_why_the_publisher_is_no_pygithub(make_fake: Make) -> None:
    """Its own retries repeat a POST whose answer was an error although it took effect; ours look first."""
    fake = make_fake()
    theirs = github.Github(
        auth=github.Auth.Token("secret"), base_url=fake.url, lazy=True, retry=github.GithubRetry(total=2, backoff_factor=0),
        seconds_between_requests=0, seconds_between_writes=0,
    )  # fmt: skip
    issue = theirs.get_repo(REPO).get_issue(7)
    fake.log.clear()
    fake.faults = [Fault(502, after=True)]
    issue.create_comment("twice")
    theirs.close()
    assert [comment["body"] for comment in fake.comments] == ["twice", "twice"]
    fake.comments.clear()
    fake.faults = [*[None] * 5, Fault(502, after=True)]
    post(fake, result(fake, proposal(fake, "src/a.py")))
    assert counts(fake) == (1, 1, 1)


def test_a_renamed_repository_is_followed(make_fake: Make) -> None:
    """301, 307 and 308 to an address by number, which keeps method and body; and never to another host."""
    fake = make_fake()
    here = f"{fake.url}/repositories/1"
    ours = client(fake)
    fake.faults = [Fault(301, {"Location": f"{here}/pulls/7"})]
    assert ours.get("pulls/7")["number"] == 7
    for status in (307, 308):
        fake.faults = [Fault(status, {"Location": "/repositories/1/issues/7/comments"})]
        assert ours.write("POST", "issues/7/comments", {"body": str(status)})["body"] == str(status)
    assert [comment["body"] for comment in fake.comments] == ["307", "308"]
    fake.faults = [Fault(302, {"Location": "https://evil.example/repos"})]
    with pytest.raises(GitHubError, match="another host"):
        ours.get("pulls/7/files")
    links = {"Link": '<https://evil.example/next>; rel="next"'}
    fake.faults = [Fault(200, links, body=[{}])]
    with pytest.raises(GitHubError, match="another host"):
        list(ours.pages("pulls/7/files"))
    ours.close()


def test_what_a_stranger_reads(make_fake: Make, stranger: Callable[[Fake], github.Github]) -> None:
    """PyGithub, page by page, sees one comment, one review, and a review comment a proposal on the lines that were meant."""
    fake = make_fake(page=2)
    for number in range(5):
        fake.add_comment(f"chat {number}")
    post(fake, result(fake, *(proposal(fake, path) for path in FILES)))
    pull = stranger(fake).get_repo(REPO).get_pull(7)
    assert (pull.head.sha, pull.state, pull.changed_files > 0) == (fake.head, "open", True)
    comments = [comment.body for comment in pull.get_issue_comments()]
    assert len(comments) == 6
    assert [body.startswith("<!-- perforch:summary") for body in comments] == [False] * 5 + [True]
    assert [(r.state, r.commit_id) for r in pull.get_reviews()] == [("COMMENTED", fake.head)]
    placed = {comment.path: (comment.line, comment.start_line) for comment in pull.get_review_comments()}
    assert placed == dict.fromkeys(FILES, (2, None))
    assert [commit.sha for commit in pull.get_commits()] == [fake.head]
    assert {file.filename for file in pull.get_files()} == set(FILES)
