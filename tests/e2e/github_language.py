"""GraphQL: every query is executed against GitHub's own schema, so that a field GitHub does not have is an error."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import graphql
from github_answers import REPO, Answer

from contract import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from github_fake import Fake

_parse = functools.cache(graphql.parse)


def answer(fake: Fake, body: dict[str, Any]) -> Answer:
    """Errors come with status 200; `type` says which."""
    mutation = body["query"].lstrip().startswith("mutation")
    need = "pull_requests=write" if mutation else "pull_requests=read"
    if fake.denied(need):
        text = "Resource not accessible by integration"
        return Answer(
            200, {"data": None, "errors": [{"type": "FORBIDDEN", "path": ["repository"], "message": text}]}
        )
    root = {
        "repository": lambda info, owner, name, **_: repository(fake) if f"{owner}/{name}" == REPO else None,
        "minimizeComment": lambda info, input: minimize(fake, input["subjectId"]),
    }
    done = graphql.execute_sync(
        SCHEMA,
        _parse(body["query"]),
        root,
        variable_values=body.get("variables"),
        operation_name=body.get("operationName"),
    )
    document: dict[str, Any] = {"data": done.data}
    if done.errors:
        document["errors"] = [{"message": problem.message} for problem in done.errors]
        fake.contract.problems += [f"graphql: {problem.message}" for problem in done.errors]
    return Answer(200, document)


def repository(fake: Fake) -> dict[str, Any]:
    return {
        "id": "R_1",
        "nameWithOwner": REPO,
        "pullRequest": lambda info, number: pull_request(fake) if number == fake.pull else None,
    }


def pull_request(fake: Fake) -> dict[str, Any]:
    # A pending review is seen by its author alone.
    reviews = [review for review in fake.reviews if review["state"] != "PENDING" or review["mine"]]
    return {
        "id": "PR_7",
        "number": fake.pull,
        "comments": connection(fake, [said(fake, c, "issuecomment-") for c in fake.comments]),
        "reviews": connection(fake, [said(fake, r, "pullrequestreview-") for r in reviews]),
        "reviewThreads": connection(fake, [thread(fake, t) for t in fake.threads]),
    }


def said(fake: Fake, item: dict[str, Any], anchor: str) -> dict[str, Any]:
    """A comment, review or review comment; the node id is opaque."""
    return {
        "__typename": {"issuecomment-": "IssueComment", "discussion_r": "PullRequestReviewComment"}.get(
            anchor, "PullRequestReview"
        ),
        "id": f"NODE_{item['id']}",
        "fullDatabaseId": str(item["id"]),
        "body": item["body"],
        "url": f"https://github.com/{REPO}/pull/{fake.pull}#{anchor}{item['id']}",
        "viewerDidAuthor": item["mine"],
        "isMinimized": item.get("minimized", False),
        "minimizedReason": "outdated" if item.get("minimized") else None,
        "state": item.get("state", "SUBMITTED"),
        "path": item.get("path", ""),
        "outdated": item.get("outdated", False),
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
    }


def thread(fake: Fake, item: dict[str, Any]) -> dict[str, Any]:
    replies = [said(fake, reply, "discussion_r") for reply in item.get("replies", [])]
    return {
        "id": f"THREAD_{item['id']}",
        "isOutdated": item["outdated"],
        "isResolved": item.get("resolved", False),
        "isCollapsed": item.get("resolved", False),
        "path": item["path"],
        "line": None if item["outdated"] else item.get("line"),
        "startLine": item.get("start_line"),
        "comments": connection(fake, [said(fake, item, "discussion_r"), *replies]),
    }


def connection(fake: Fake, nodes: list[Any]) -> Callable[..., Any]:
    """A list in pages of at most 100; `first` or `last` is required."""

    def page(
        info: Any, first: int | None = None, after: str | None = None, last: int | None = None, **_: Any
    ) -> dict[str, Any]:
        if first is None and last is None:
            message = "You must provide a `first` or `last` value to properly paginate."
            raise graphql.GraphQLError(message)
        start, size = int(after or 0), min(first or last or 0, fake.page)
        shown = nodes[start : start + size]
        ends = {"startCursor": str(start), "endCursor": str(start + len(shown)) if shown else None}
        more = {"hasNextPage": start + size < len(nodes), "hasPreviousPage": start > 0}
        return {"nodes": shown, "totalCount": len(nodes), "pageInfo": ends | more}

    return page


def minimize(fake: Fake, node: str) -> dict[str, Any]:
    for item in [*fake.comments, *fake.reviews, *fake.threads]:
        if f"NODE_{item['id']}" == node:
            item["minimized"] = True
            return {"minimizedComment": said(fake, item, "discussion_r"), "clientMutationId": None}
    message = "Could not resolve to a node"
    raise graphql.GraphQLError(message)
