"""The checker of exchanges itself, and that nothing the bot asks of GitHub escapes it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import commit
from github_fake import REPO, Fake
from publishing import client, post
from samples import proposal, result

import contract
import perforch.github
from perforch.github import conversation
from perforch.github.commands import Command, Verb
from perforch.github.door import Door
from perforch.github.events import CommentEvent

Make = Callable[..., Fake]
READS = {"get": "GET", "pages": "GET"}
COMMENT = {"path": "a.py", "body": "b", "line": 2, "side": "RIGHT"}


def told(
    method: str, tail: str, body: Any = None, status: int = 200, answer: Any = None, **query: str
) -> str:
    checker = contract.Contract()
    path = tail if tail.startswith("/") else f"/repos/{REPO}/{tail}"
    checker.check(method, path, query, body, status, answer)
    return "\n".join(checker.problems)


@pytest.mark.parametrize(
    ("exchange", "complaint"),
    [
        (("POST", "pulls/7/reviews", {"event": "COMMENT", "comments": [COMMENT | {"start_ine": 1}]}), "start_ine"),
        (("POST", "pulls/7/reviews", {"event": "COMENT"}), "COMENT"),
        (("POST", "pulls/7/comments", {"body": "b"}), "required"),
        (("POST", "pulls/7/comments", COMMENT | {"commit_id": "a", "line": "2"}), "not of type 'integer'"),
        (("POST", "issues/7/comments", {"body": None}), "None"),
        (("GET", "pulls/7", {"x": 1}), "takes no body"),
        (("GET", "pulls/7/merge"), "not among the operations"),
        (("GET", "pulls/7", None, 202), "not documented"),
        (("GET", "pulls/7", None, 404, {"error": "x"}), "without a message"),
        (("GET", "pulls/7", None, 200, {"number": 7}), "required"),
        (("POST", "/graphql", {"query": "{ repository(owner: 1) { nam } }"}), "nam"),
        (("POST", "/graphql", {"query": "{"}), "Syntax Error"),
        (("POST", "/graphql", {"query": "{ __typename }", "variable": {}}), "unknown name variable"),
    ],
)  # fmt: skip
def test_the_checker_finds(exchange: tuple[Any, ...], complaint: str) -> None:
    assert complaint in told(*exchange)


def test_a_misspelt_query_name_is_found() -> None:
    assert "perpage" in told("GET", "pulls/7/files", perpage="100")
    assert "unknown query name" not in told("GET", "pulls/7/files", per_page="100")


def test_examples_of_github_pass() -> None:
    """Most of GitHub's own examples fit its own descriptions; these few do not."""
    broken = set()
    for operation in contract.OPERATIONS:
        good = min(status for status in operation.document["answers"] if status < "3")
        schema = operation.document["answers"][good]
        if schema is not None and operation.errors(schema, operation.document["example"]):
            broken.add(operation.name)
    assert broken <= {
        "GET pulls", "POST pulls", "GET pulls/{pull_number}", "PATCH pulls/{pull_number}", "GET issues/{issue_number}",
        "GET /repos/{owner}/{repo}", "GET collaborators/{username}/permission",
    }  # fmt: skip


def asked(*modules: str) -> set[str]:
    """Every operation in the bot's own source, or in these modules of it."""
    found = set()
    for source in Path(perforch.github.__file__).parent.glob("*.py"):
        if modules and source.stem not in modules:
            continue
        for node in ast.walk(ast.parse(source.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            name, first, tail = node.func.attr, node.args[0], node.args[0]
            if name == "write" and isinstance(first, ast.Constant) and len(node.args) > 1:
                method, tail = str(first.value), node.args[1]
            elif name in READS:
                method = READS[name]
            else:
                continue
            if isinstance(tail, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "1" for part in tail.values]
                operation = contract.find(method, f"/repos/{REPO}/{''.join(parts)}")
                assert operation is not None, f"{source.name}: {method} {''.join(parts)}"
                found.add(operation.name)
    return found


def test_every_operation_in_the_source_is_checked_and_seen(make_fake: Make) -> None:
    """One long conversation makes the bot use each operation that its source holds, and both kinds of GraphQL."""
    fake = make_fake(rejects=lambda comment: "line" in comment and comment["path"] == "src/c.go")
    fake.reviews.append(
        {
            "id": 1,
            "body": "<!-- perforch:review v=1 -->",
            "state": "PENDING",
            "mine": True,
            "commit_id": fake.head,
        }
    )
    post(fake, result(fake, proposal(fake, "src/a.py"), proposal(fake, "src/c.go")))
    fake.head = commit(fake.repo, {"src/a.py": "def f(y):\n    return y\n"}, "more")
    for thread in fake.threads:
        thread["outdated"] = True
    post(fake, result(fake, proposal(fake, "src/b.cpp")))
    assert any(thread["minimized"] for thread in fake.threads)
    user = {"login": "maintainer", "id": 1, "type": "User"}
    event = CommentEvent.model_validate(
        {"action": "created", "comment": {"id": 55, "body": "/perforch status", "user": user}, "sender": user,
         "issue": {"number": 7, "pull_request": {}}, "repository": {"full_name": REPO}}
    )  # fmt: skip
    ours = client(fake)
    door = Door(ours)
    decision = door.decide(event)
    assert decision.command == Command(Verb.STATUS)
    assert "Last measured" in door.act(decision)
    ours.close()
    ours_alone = asked("client", "conversation", "door", "publish", "reviews")
    assert fake.contract.seen == {*ours_alone, "graphql"}
    assert len(ours_alone) == 10
    assert asked() >= ours_alone


def test_every_query_is_one_of_githubs() -> None:
    queries = [
        text
        for name, text in vars(conversation).items()
        if isinstance(text, str) and "(" in text and name.isupper()
    ]
    assert len(queries) == 4
    for query in queries:
        assert contract.graphql_problems({"query": query}) == []
        assert (
            contract.graphql_problems({"query": query.replace("viewerDidAuthor", "viewerDidAutor")})
            or "Author" not in query
        )
