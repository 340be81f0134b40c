"""What we have said on a pull request before: our own comments, reviews and threads.

`viewerDidAuthor` is true for whatever token we hold (workflow token, App, person), which no login tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.github.client import Client

_PAGE = "pageInfo { hasNextPage endCursor }"
_COMMENTS = f"""query($owner: String!, $name: String!, $number: Int!, $cursor: String) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{
    items: comments(first: 100, after: $cursor) {{ {_PAGE}
      nodes {{ id fullDatabaseId body url viewerDidAuthor isMinimized }} }} }} }} }}"""
_REVIEWS = f"""query($owner: String!, $name: String!, $number: Int!, $cursor: String) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{
    items: reviews(first: 100, after: $cursor) {{ {_PAGE}
      nodes {{ id fullDatabaseId body url viewerDidAuthor state }} }} }} }} }}"""
_THREADS = f"""query($owner: String!, $name: String!, $number: Int!, $cursor: String) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{
    items: reviewThreads(first: 100, after: $cursor) {{ {_PAGE}
      nodes {{ isOutdated isResolved
        comments(first: 1) {{ totalCount nodes {{ id body viewerDidAuthor isMinimized }} }} }} }} }} }} }}"""
_MINIMIZE = """mutation($id: ID!) {
  minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { minimizedComment { isMinimized } } }"""


@dataclass(frozen=True, slots=True)
class Said:
    """A comment or review of ours."""

    number: int
    body: str
    url: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Thread:
    """A review thread that we began."""

    node: str
    body: str
    outdated: bool
    resolved: bool
    replies: int
    minimized: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """The conversation of one pull request; each call asks anew."""

    client: Client
    pull: int

    def comments(self, *, hidden: bool = False) -> list[Said]:
        """Our comments, oldest first: those that are seen, or those that someone hid."""
        return [_said(node) for node in self._own(_COMMENTS) if node["isMinimized"] == hidden]

    def reviews(self) -> list[Said]:
        """Our reviews; a pending one is visible to us alone."""
        return [_said(node) for node in self._own(_REVIEWS)]

    def threads(self) -> list[Thread]:
        """The review threads that we began."""
        found = []
        for node in self._nodes(_THREADS):
            first = next(iter(node["comments"]["nodes"] or ()), None)
            if first and first["viewerDidAuthor"]:
                found.append(
                    Thread(
                        node=first["id"],
                        body=first["body"],
                        outdated=node["isOutdated"],
                        resolved=node["isResolved"],
                        replies=node["comments"]["totalCount"] - 1,
                        minimized=first["isMinimized"],
                    )
                )
        return found

    def minimize(self, thread: Thread) -> None:
        """Fold a comment as outdated."""
        self.client.mutate(_MINIMIZE, id=thread.node)

    def _own(self, query: str) -> list[dict[str, Any]]:
        return [node for node in self._nodes(query) if node["viewerDidAuthor"]]

    def _nodes(self, query: str) -> Iterator[dict[str, Any]]:
        owner, _, name = self.client.repository.partition("/")
        cursor: str | None = None
        while True:
            data = self.client.graphql(query, owner=owner, name=name, number=self.pull, cursor=cursor)
            items = ((data.get("repository") or {}).get("pullRequest") or {}).get("items") or {}
            yield from (node for node in items.get("nodes") or () if node)
            page = items.get("pageInfo") or {}
            cursor = page.get("endCursor")
            if not page.get("hasNextPage") or not cursor:
                return


def _said(node: dict[str, Any]) -> Said:
    return Said(
        int(node["fullDatabaseId"] or 0), node["body"], node.get("url") or "", node.get("state") or ""
    )
