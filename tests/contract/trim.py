"""Cut GitHub's own descriptions of its APIs down to what the bot, or a client beside it in the tests, uses.

Usage: `npm pack @octokit/openapi@23.0.2 @octokit/graphql-schema@15.26.1`, unpack both, then
`uv run python tests/contract/trim.py api.github.com.json schema.graphql`; writes github.json and github.graphql here.
What differs after a new version is the change log of the API.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import graphql

HERE = Path(__file__).parent
REPO = "/repos/{owner}/{repo}"
OPERATIONS = """
get /user
get {REPO}
get {REPO}/pulls
post {REPO}/pulls
get {REPO}/pulls/{pull_number}
get {REPO}/pulls/{pull_number}/files
get {REPO}/pulls/{pull_number}/commits
get {REPO}/pulls/{pull_number}/reviews
post {REPO}/pulls/{pull_number}/reviews
delete {REPO}/pulls/{pull_number}/reviews/{review_id}
get {REPO}/pulls/{pull_number}/comments
post {REPO}/pulls/{pull_number}/comments
get {REPO}/issues/{issue_number}
get {REPO}/issues/{issue_number}/comments
post {REPO}/issues/{issue_number}/comments
patch {REPO}/issues/comments/{comment_id}
patch {REPO}/pulls/{pull_number}
get {REPO}/issues/comments/{comment_id}/reactions
post {REPO}/issues/comments/{comment_id}/reactions
get {REPO}/collaborators/{username}/permission
post {REPO}/check-runs
patch {REPO}/check-runs/{check_run_id}
get {REPO}/git/ref/{ref}
post {REPO}/git/refs
patch {REPO}/git/refs/{ref}
post {REPO}/git/blobs
post {REPO}/git/trees
post {REPO}/git/commits
get {REPO}/git/commits/{commit_sha}
get {REPO}/contents/{path}
put {REPO}/contents/{path}
"""
# Fields of GitHub's GraphQL schema, by type; types that fields lead to elsewhere are left out with them.
FIELDS = {
    "Query": "repository",
    "Mutation": "minimizeComment",
    "MinimizeCommentPayload": "minimizedComment clientMutationId",
    "Minimizable": "isMinimized minimizedReason",
    "Repository": "id nameWithOwner pullRequest",
    "PullRequest": "id number comments reviews reviewThreads",
    "IssueCommentConnection": "nodes pageInfo totalCount",
    "IssueComment": "id fullDatabaseId body url viewerDidAuthor isMinimized minimizedReason createdAt updatedAt",
    "PullRequestReviewConnection": "nodes pageInfo totalCount",
    "PullRequestReview": "id fullDatabaseId body url viewerDidAuthor state isMinimized minimizedReason",
    "PullRequestReviewThreadConnection": "nodes pageInfo totalCount",
    "PullRequestReviewThread": "id isOutdated isResolved isCollapsed path line startLine comments",
    "PullRequestReviewCommentConnection": "nodes pageInfo totalCount",
    "PullRequestReviewComment": "id fullDatabaseId body url viewerDidAuthor isMinimized minimizedReason path outdated state",
    "PageInfo": "endCursor hasNextPage hasPreviousPage startCursor",
}
PROSE = {"description", "summary", "title", "example", "examples", "externalDocs", "x-github", "tags"}


def bare(node: Any, *, names: bool = False) -> Any:
    """`node` without prose; the keys of `properties` are names and stay."""
    if isinstance(node, dict):
        return {
            key: bare(value, names=key == "properties")
            for key, value in node.items()
            if names or key not in PROSE
        }
    return [bare(item) for item in node] if isinstance(node, list) else node


def followed(reference: str, document: Any) -> Any:
    """What a `$ref` points to."""
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def references(node: Any) -> set[str]:
    """Every `$ref` below `node`."""
    if isinstance(node, dict):
        here = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return here.union(*(references(value) for value in node.values()))
    return set().union(*(references(item) for item in node)) if isinstance(node, list) else set()


def content(node: Any, document: Any) -> Any:
    """The JSON part of a request body or a response, wherever it is written down."""
    node = followed(node["$ref"], document) if "$ref" in node else node
    return (node.get("content") or {}).get("application/json") or {}


def example(part: Any, document: Any) -> Any:
    """GitHub's example of an answer."""
    if "example" in part:
        return part["example"]
    first = next(iter((part.get("examples") or {}).values()), {})
    first = followed(first["$ref"], document) if "$ref" in first else first
    return first.get("value")


def operation(method: str, path: str, document: Any) -> dict[str, Any]:
    """One operation: names of its query, body, answers by status, and an example of its first good answer."""
    found = document["paths"][path][method]
    parameters = [followed(p["$ref"], document) if "$ref" in p else p for p in found.get("parameters", [])]
    answers = {status: content(answer, document) for status, answer in found["responses"].items()}
    good = min(status for status in answers if status < "3")
    return {
        "method": method.upper(),
        "path": path,
        "long": sorted(p["name"] for p in parameters if p.get("x-multi-segment")),
        "query": sorted(p["name"] for p in parameters if p["in"] == "query"),
        "body": bare(content(found.get("requestBody") or {}, document).get("schema")),
        "answers": {
            status: bare(part.get("schema")) if status < "4" else None for status, part in answers.items()
        },
        "example": example(answers[good], document),
    }


def rest(document: Any) -> dict[str, Any]:
    """The operations and every schema that they lead to."""
    lines = OPERATIONS.replace("{REPO}", REPO).split("\n")
    operations = [
        operation(*line.split(" "), document=document)
        for line in sorted(lines, key=lambda x: x[::-1])
        if line
    ]
    schemas: dict[str, Any] = {}
    waiting = references(operations)
    while waiting:
        reference = waiting.pop()
        if reference not in schemas:
            schemas[reference] = bare(followed(reference, document))
            waiting |= references(schemas[reference])
    return {
        "source": "@octokit/openapi 23.0.2, MIT licence, copyright Octokit contributors",
        "operations": operations,
        "schemas": dict(sorted(schemas.items())),
    }


def query_language(text: str) -> str:
    """The types of FIELDS with their fields, and the enumerations and inputs that those name."""
    schema = graphql.build_schema(text, assume_valid=True)
    waiting, done, parts = [*FIELDS], set[str](), []
    while waiting:
        name = waiting.pop(0)
        if name in done or name in graphql.specified_scalar_types:
            continue
        done.add(name)
        kind = schema.type_map[name]
        if isinstance(kind, graphql.GraphQLObjectType | graphql.GraphQLInterfaceType):
            kept = {field: kind.fields[field] for field in FIELDS[name].split()}
            kind.fields = kept
            if isinstance(kind, graphql.GraphQLObjectType):
                kind.interfaces = tuple(i for i in kind.interfaces if i.name in FIELDS)
            for field in kept.values():
                waiting += [graphql.get_named_type(argument.type).name for argument in field.args.values()]
                waiting.append(graphql.get_named_type(field.type).name)
        elif isinstance(kind, graphql.GraphQLInputObjectType):
            waiting += [graphql.get_named_type(field.type).name for field in kind.fields.values()]
        for holder in [
            kind,
            *(getattr(kind, "fields", None) or getattr(kind, "values", None) or {}).values(),
        ]:
            holder.description = None
            for argument in (getattr(holder, "args", None) or {}).values():
                argument.description = None
        parts.append(graphql.print_type(kind))
    source = "# @octokit/graphql-schema 15.26.1, MIT licence, copyright GitHub; see trim.py\n"
    return source + "\n\n".join(sorted(parts)) + "\n"


def main() -> None:
    """Write both files."""
    document = rest(json.loads(Path(sys.argv[1]).read_text()))
    lines = [json.dumps(item, sort_keys=True) for item in document["operations"]]
    schemas = [
        f"{json.dumps(name)}: {json.dumps(value, sort_keys=True)}"
        for name, value in document["schemas"].items()
    ]
    body = ",\n".join(lines)
    text = f'{{"source": {json.dumps(document["source"])}, "operations": [\n{body}\n], "schemas": {{\n'
    (HERE / "github.json").write_text(text + ",\n".join(schemas) + "\n}}\n")
    (HERE / "github.graphql").write_text(query_language(Path(sys.argv[2]).read_text()))


if __name__ == "__main__":
    main()
