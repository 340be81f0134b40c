"""Checks one exchange against GitHub's own descriptions; unknown names are errors, because GitHub ignores them silently."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import graphql
import jsonschema

_FOLDER = Path(__file__).parents[1] / "contract"
_DOCUMENT = json.loads((_FOLDER / "github.json").read_text())
# Statuses that any operation may answer with, beside those it names.
_COMMON = {"304", "400", "401", "403", "404", "422", "429"}
SCHEMA = graphql.build_schema((_FOLDER / "github.graphql").read_text())
# What GitHub does although its description forbids it: a deleted fork is null (real webhooks have it too).
_REAL = {"GET pulls/{pull_number}: head.repo None is not of type 'object'"}
Violations = list[str]


def _closed(schema: Any, *, part: bool = False) -> Any:
    """The schema as JSON Schema: `nullable` spelt out, names that it does not list forbidden."""
    if isinstance(schema, list):
        return [_closed(item, part=part) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {
        key: {name: _closed(value) for name, value in inner.items()}
        if key == "properties"
        else _closed(inner, part=key in {"allOf", "anyOf", "oneOf"})
        for key, inner in schema.items()
    }
    if "properties" in closed and not part and "allOf" not in closed and "anyOf" not in closed:
        closed.setdefault("additionalProperties", False)
    return {"anyOf": [closed, {"type": "null"}]} if closed.pop("nullable", False) else closed


_ROOT = {"schemas": {name: _closed(schema) for name, schema in _DOCUMENT["schemas"].items()}}


def _resolvable(schema: Any) -> Any:
    """References made to point into `_ROOT`."""
    text = json.dumps(schema)
    return json.loads(re.sub(r'"#/components/(?:schemas/)?([^"]+)"', r'"#/$defs/\1"', text))


_DEFS = {name.rsplit("/", 1)[1]: _resolvable(schema) for name, schema in _ROOT["schemas"].items()}


@cache
def _validator(text: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_resolvable(_closed(json.loads(text))) | {"$defs": _DEFS})


@dataclass(frozen=True)
class Operation:
    """One operation of the REST API."""

    document: dict[str, Any]

    @cached_property
    def name(self) -> str:
        return f"{self.document['method']} {self.document['path'].removeprefix('/repos/{owner}/{repo}/')}"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        def name(found: re.Match[str]) -> str:
            return "(.+)" if found[1] in self.document["long"] else "([^/]+)"

        return re.compile(re.sub(r"\\\{(\w+)\\\}", name, re.escape(self.document["path"])))

    def errors(self, schema: Any, value: Any) -> list[str]:
        """What the schema has against the value."""
        found = [
            f"{self.name}: {'.'.join(map(str, error.absolute_path))} {error.message[:300]}"
            for error in _validator(json.dumps(schema, sort_keys=True)).iter_errors(value)
        ]
        return [text for text in found if text not in _REAL]


OPERATIONS = sorted(
    (Operation(document) for document in _DOCUMENT["operations"]),
    key=lambda operation: operation.document["path"].count("{"),
)


def find(method: str, path: str) -> Operation | None:
    """The operation; the one with the most literal path where several fit."""
    return next((o for o in OPERATIONS if o.document["method"] == method and o.pattern.fullmatch(path)), None)


def example(method: str, tail: str) -> Any:
    """GitHub's example of a good answer, to be filled in."""
    return json.loads(_EXAMPLES[f"{method} {tail}"])


_EXAMPLES = {
    operation.name: re.sub("(?i)octocat/hello-world", "acme/rows", json.dumps(operation.document["example"]))
    for operation in OPERATIONS
}


def _shape(value: Any) -> Any:
    """Names and types of a document, to check each shape of an answer once."""
    if isinstance(value, dict):
        return tuple((key, _shape(inner)) for key, inner in sorted(value.items()))
    return frozenset(map(_shape, value)) if isinstance(value, list) else type(value)


class Contract:
    """Checks exchanges and remembers which operations it has seen."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.problems: Violations = []
        self._shapes: set[Any] = set()

    def check(
        self, method: str, path: str, query: dict[str, Any], body: Any, status: int, answer: Any
    ) -> None:
        """Add what GitHub's descriptions have against the exchange to `problems`."""
        if path == "/graphql":
            self.seen.add("graphql")
            self.problems += graphql_problems(body)
            return
        operation = find(method, path)
        if operation is None:
            self.problems.append(f"{method} {path} is not among the operations of the contract")
            return
        self.seen.add(operation.name)
        names = operation.document["query"]
        self.problems += [
            f"{operation.name}: unknown query name {name}" for name in query if name not in names
        ]
        schema = operation.document["body"]
        if body is not None and schema is None:
            self.problems.append(f"{operation.name}: takes no body")
        elif schema is not None and status != 400:
            self.problems += operation.errors(schema, body)
        self.problems += self._answered(operation, str(status), answer)

    def _answered(self, operation: Operation, status: str, answer: Any) -> Violations:
        answers = operation.document["answers"]
        if status not in {*answers, *_COMMON}:
            return [f"{operation.name}: status {status} is not documented"]
        if status >= "4":
            good = isinstance(answer, dict) and isinstance(answer.get("message"), str)
            return [] if good else [f"{operation.name}: an error without a message"]
        schema, shape = answers.get(status), (operation.name, status, _shape(answer))
        if schema is None or shape in self._shapes:
            return []
        self._shapes.add(shape)
        return operation.errors(schema, answer)


@cache
def _query(text: str) -> tuple[str, ...]:
    try:
        return tuple(error.message for error in graphql.validate(SCHEMA, graphql.parse(text)))
    except graphql.GraphQLSyntaxError as error:
        return (error.message,)


def graphql_problems(body: Any) -> Violations:
    """What GitHub's GraphQL schema has against a request."""
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return ["graphql: no query"]
    extra = [f"graphql: unknown name {name}" for name in set(body) - {"query", "variables", "operationName"}]
    return [*extra, *(f"graphql: {message}" for message in _query(body["query"]))]
