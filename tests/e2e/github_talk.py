"""Comments, reviews, review comments and reactions of the fake, with GitHub's rules about where they may stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from github_answers import REPO, Answer, account, error, invalid, paged
from github_diff import git_bytes

import contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from github_fake import Fake

PENDING = "User can only have one pending review per pull request"
STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}


def misplaced(fake: Fake, comment: dict[str, Any]) -> str:
    """GitHub's complaint about where a comment sits; "" if it may sit there."""
    new, thread = fake.dialect == "2026", "Pull request review thread "
    side = comment.get("side", "RIGHT")
    spans = fake.hunks(comment["path"], side)
    if spans is None:
        return "Path could not be resolved" if new else f"{thread}path is invalid"
    if fake.rejects and fake.rejects(comment):
        return "Line could not be resolved"
    if comment.get("subject_type") == "file":
        return ""
    line, start = comment.get("line"), comment.get("start_line")
    home = next((span for span in spans if line is not None and span[0] <= line <= span[1]), None)
    if home is None:
        old = f"{thread}line must be part of the diff and {thread}diff hunk can't be blank"
        return "Line could not be resolved" if new else old
    if start is not None and start >= line:
        return f"{thread}start line must precede the end line."
    if start is not None and not home[0] <= start:
        return f"{thread}start_line must be part of the same hunk as the line."
    return ""


def too_long(fake: Fake, body: str, resource: str) -> Answer | None:
    """A body may have 65,536 characters."""
    if len(body) <= 65_536:
        return None
    text = "Body is too long (maximum is 65536 characters)"
    if fake.dialect == "2026":
        return invalid({"resource": resource, "code": "unprocessable", "field": "data", "message": text})
    return invalid({"resource": resource, "code": "custom", "field": "body", "message": text.lower()})


def post_review(fake: Fake, number: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """All or nothing. Without an event the review stays pending, seen by its author alone."""
    unprocessable = "Unprocessable Entity"
    if refused := fake.denied("pull_requests=write") or too_long(
        fake, body.get("body", ""), "PullRequestReview"
    ):
        return refused
    if any(review["state"] == "PENDING" and review["mine"] for review in fake.reviews):
        return invalid(PENDING, message=unprocessable)
    event, comments = body.get("event"), body.get("comments", [])
    if event in ("APPROVE", "REQUEST_CHANGES") and fake.author["login"] == fake.viewer["login"]:
        what = "request changes on" if event == "REQUEST_CHANGES" else "approve"
        return invalid(f"Review Can not {what} your own pull request", message=unprocessable)
    if event in ("COMMENT", "REQUEST_CHANGES") and not body.get("body"):
        return invalid("Review body can't be blank", message=unprocessable)
    if body.get("commit_id", fake.head) not in fake.commits():
        return invalid("The commitOID is not part of the pull request", message=unprocessable)
    complaints = [text for comment in comments if (text := misplaced(fake, comment))]
    if complaints:
        return invalid(complaints[0], message=unprocessable)
    review = {
        "id": fake.new_id(), "body": body.get("body", ""), "state": STATES.get(str(event), "PENDING"),
        "commit_id": body.get("commit_id", fake.head), "mine": True,
    }  # fmt: skip
    fake.reviews.append(review)
    for comment in comments:
        if (refused := too_long(fake, comment["body"], "PullRequestReviewComment")) is not None:
            fake.reviews.pop()
            return refused
    fake.threads += [thread(fake, comment, review["commit_id"]) for comment in comments]
    return Answer(200, shown_review(fake, review))


def thread(fake: Fake, comment: dict[str, Any], commit: str) -> dict[str, Any]:
    """A new thread; on an older commit of the pull request it is outdated from the start."""
    state = {"mine": True, "outdated": commit != fake.head, "minimized": False, "resolved": False}
    return {"id": fake.new_id(), "commit_id": commit, **state, **comment}


def delete_review(fake: Fake, number: str, review: str, **_: Any) -> Answer:
    """Only a pending review can be deleted."""
    found = next((r for r in fake.reviews if r["id"] == int(review)), None)
    if denied := fake.denied("pull_requests=write"):
        return denied
    if found is None:
        return error(404, "Not Found")
    if found["state"] != "PENDING":
        return invalid("Can not delete a non-pending pull request review", message="Unprocessable Entity")
    fake.reviews.remove(found)
    return Answer(200, shown_review(fake, found))


def post_review_comment(fake: Fake, number: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """One comment of its own."""
    resource = "PullRequestReviewComment"
    if refused := fake.denied("pull_requests=write") or too_long(fake, body["body"], resource):
        return refused
    if body.get("commit_id") not in fake.commits():
        return invalid(
            {"resource": resource, "code": "custom", "field": "commit_id", "message": "is not part of it"}
        )
    if complaint := misplaced(fake, body):
        field = "pull_request_review_thread.line" if "line" in complaint.lower() else "path"
        return invalid({"resource": resource, "code": "custom", "field": field, "message": complaint})
    if any(review["state"] == "PENDING" and review["mine"] for review in fake.reviews):
        return invalid({"resource": resource, "code": "custom", "field": "user_id", "message": PENDING})
    fake.threads.append(thread(fake, body, body["commit_id"]))
    return Answer(201, shown_thread(fake, fake.threads[-1]))


def post_comment(fake: Fake, number: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """A comment on the pull request."""
    denied = fake.denied("issues=write", "pull_requests=write") or too_long(
        fake, body["body"], "IssueComment"
    )
    return denied or Answer(201, shown_comment(fake, add_comment(fake, body["body"], mine=True)))


def add_comment(fake: Fake, body: str, *, mine: bool = False) -> dict[str, Any]:
    """A comment by the token's account or by someone else."""
    comment = {"id": fake.new_id(), "body": body, "mine": mine, "minimized": False}
    fake.comments.append(comment)
    return comment


def patch_comment(fake: Fake, number: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """Edit a comment; whose it is matters only to tokens without write access, so it is not asked here."""
    denied = fake.denied("issues=write", "pull_requests=write") or too_long(
        fake, body["body"], "IssueComment"
    )
    comment = next((c for c in fake.comments if c["id"] == int(number)), None)
    if denied or comment is None:
        return denied or error(404, "Not Found")
    comment["body"] = body["body"]
    return Answer(200, shown_comment(fake, comment))


def post_reaction(fake: Fake, number: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """201 the first time, 200 with the same reaction after that."""
    if denied := fake.denied("issues=write"):
        return denied
    reaction = (int(number), body["content"])
    known = reaction in fake.reactions
    if not known:
        fake.reactions.append(reaction)
    return Answer(200 if known else 201, shown_reaction(fake, reaction))


def get_issue(fake: Fake, number: str, **_: Any) -> Answer:
    """An issue; unlike comments it is never readable with `pull_requests` alone."""
    if denied := fake.denied("issues=read"):
        return denied
    document = {
        key: value
        for key, value in contract.example("GET", "pulls/{pull_number}").items()
        if key in {"id", "node_id", "url", "title", "body", "user", "labels", "assignee", "assignees", "milestone",
                   "closed_at", "created_at", "updated_at", "html_url", "comments_url", "author_association"}
    }  # fmt: skip
    address = f"{fake.url}/repos/{REPO}/issues/{number}"
    document |= {
        "number": int(number), "state": fake.state, "locked": fake.locked, "comments": len(fake.comments),
        "events_url": f"{address}/events", "labels_url": address, "repository_url": address,
    }  # fmt: skip
    return Answer(200, document)


# -- lists -------------------------------------------------------------------------------------------------------------


def _list(fake: Fake, tail: str, items: Iterable[Any], query: dict[str, str], *needs: str) -> Answer:
    return fake.denied(*needs) or paged(list(items), query, f"{fake.url}/repositories/1/{tail}", fake.page)


def list_comments(fake: Fake, number: str, *, query: dict[str, str], **_: Any) -> Answer:
    items = [shown_comment(fake, comment) for comment in fake.comments]
    return _list(fake, f"issues/{number}/comments", items, query, "issues=read", "pull_requests=read")


def list_reviews(fake: Fake, number: str, *, query: dict[str, str], **_: Any) -> Answer:
    items = [
        shown_review(fake, review)
        for review in fake.reviews
        if review["state"] != "PENDING" or review["mine"]
    ]
    return _list(fake, f"pulls/{number}/reviews", items, query, "pull_requests=read")


def list_review_comments(fake: Fake, number: str, *, query: dict[str, str], **_: Any) -> Answer:
    items = [shown_thread(fake, item) for item in fake.threads]
    return _list(fake, f"pulls/{number}/comments", items, query, "pull_requests=read")


def list_reactions(fake: Fake, number: str, *, query: dict[str, str], **_: Any) -> Answer:
    items = [shown_reaction(fake, reaction) for reaction in fake.reactions if reaction[0] == int(number)]
    return _list(fake, f"issues/comments/{number}/reactions", items, query, "issues=read")


# -- GitHub's form of each ---------------------------------------------------------------------------------------------


def shown_comment(fake: Fake, comment: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = contract.example("POST", "issues/{issue_number}/comments")
    user = fake.viewer if comment["mine"] else {"login": "someone", "id": 3, "type": "User"}
    address = f"https://github.com/{REPO}/pull/{fake.pull}#issuecomment-{comment['id']}"
    return document | {
        "id": comment["id"],
        "body": comment["body"],
        "html_url": address,
        "user": account(user, document["user"]),
    }


def shown_review(fake: Fake, review: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = contract.example("POST", "pulls/{pull_number}/reviews")
    address = f"https://github.com/{REPO}/pull/{fake.pull}#pullrequestreview-{review['id']}"
    kept = {key: value for key, value in review.items() if key in {"id", "body", "state", "commit_id"}}
    user = account(fake.viewer if review["mine"] else {"login": "someone"}, document["user"])
    return document | kept | {"html_url": address, "user": user}


def shown_thread(fake: Fake, item: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = contract.example("POST", "pulls/{pull_number}/comments")
    names = {"id", "body", "path", "line", "side", "start_line", "start_side", "commit_id", "subject_type"}
    given = {key: value for key, value in item.items() if key in names}
    return document | {"start_line": None, "start_side": None} | given


def shown_reaction(fake: Fake, reaction: tuple[int, str]) -> dict[str, Any]:
    document: dict[str, Any] = contract.example("POST", "issues/comments/{comment_id}/reactions")
    return document | {"id": 100 + fake.reactions.index(reaction), "content": reaction[1]}


# -- the button "Commit suggestions" -----------------------------------------------------------------------------------


def committed(fake: Fake, path: str, threads: list[dict[str, Any]]) -> bytes:
    """The file after a batch of suggestions has been committed; each replaces exactly the lines it stands on.

    GitHub writes a file in the line ending that it has. It knows no batch with two suggestions on one line, and no
    suggestion on a deleted line, in an outdated thread, or on the file as a whole.
    """
    data = git_bytes(fake.repo, "show", f"{fake.head}:{path}")
    end = b"\r\n" if b"\r\n" in data else b"\n"
    lines = data.split(end)
    taken: set[int] = set()
    for item in sorted(threads, key=lambda t: -t["line"]):
        assert item["path"] == path, "another file"
        assert item.get("side", "RIGHT") == "RIGHT", "a deleted line"
        assert not item["outdated"], "outdated"
        place = range(item.get("start_line", item["line"]), item["line"] + 1)
        assert not taken & set(place), "two suggestions on one line"
        taken |= set(place)
        found = re.findall(r"^(`{3,})suggestion\n(.*?)^\1$", item["body"], re.DOTALL | re.MULTILINE)
        assert len(found) == 1, "one suggestion a comment"
        body = found[0][1].encode().split(b"\n")[:-1]
        assert lines[place[0] - 1 : place[-1]] != body, "a suggestion must change something"
        lines[place[0] - 1 : place[-1]] = body
    return end.join(lines)


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    (r"pulls/(\d+)/reviews", "GET", list_reviews),
    (r"pulls/(\d+)/reviews", "POST", post_review),
    (r"pulls/(\d+)/reviews/(\d+)", "DELETE", delete_review),
    (r"pulls/(\d+)/comments", "GET", list_review_comments),
    (r"pulls/(\d+)/comments", "POST", post_review_comment),
    (r"issues/(\d+)", "GET", get_issue),
    (r"issues/(\d+)/comments", "GET", list_comments),
    (r"issues/(\d+)/comments", "POST", post_comment),
    (r"issues/comments/(\d+)", "PATCH", patch_comment),
    (r"issues/comments/(\d+)/reactions", "GET", list_reactions),
    (r"issues/comments/(\d+)/reactions", "POST", post_reaction),
]
