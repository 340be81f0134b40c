"""Checks one exchange against GitHub's own description; unknown names are errors, because GitHub ignores them silently."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema

_DOCUMENT = json.loads((Path(__file__).parents[1] / "contract" / "github.json").read_text())
# Statuses that any operation may answer with.
_COMMON = {"401", "403", "404", "422", "429"}


def _strict(schema: Any) -> Any:
    if isinstance(schema, dict):
        closed = {key: _strict(value) for key, value in schema.items()}
        return closed | ({"additionalProperties": False} if "properties" in schema else {})
    return [_strict(item) for item in schema] if isinstance(schema, list) else schema


_OPERATIONS = [
    (
        op["method"],
        re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(op["path"]))),
        op,
        jsonschema.Draft4Validator(_strict(op["body"] or {})),
    )
    for op in _DOCUMENT["operations"]
]


def problems(method: str, path: str, query: dict[str, Any], body: Any, status: int) -> list[str]:
    """What GitHub's description has against the exchange."""
    if path == "/graphql":
        return []
    for verb, pattern, operation, validator in _OPERATIONS:
        if verb == method and pattern.fullmatch(path):
            found = [
                f"{method} {path}: unknown query name {name}"
                for name in query
                if name not in operation["query"]
            ]
            if body is not None and operation["body"] is None:
                found.append(f"{method} {path}: takes no body")
            elif operation["body"] is not None:
                found += [f"{method} {path}: {error.message[:200]}" for error in validator.iter_errors(body)]
            if str(status) not in {*operation["statuses"], *_COMMON}:
                found.append(f"{method} {path}: status {status} is not documented")
            return found
    return [f"{method} {path} is not among the operations of the contract"]
