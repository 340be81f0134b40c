"""Cut GitHub's OpenAPI description down to the operations that the bot uses.

Usage: npm pack @octokit/openapi@23.0.2, unpack it, then
`python tests/contract/trim.py package/generated/api.github.com.json > tests/contract/github.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

REPO = "/repos/{owner}/{repo}"
OPERATIONS = {
    ("get", f"{REPO}/pulls/{{pull_number}}"),
    ("get", f"{REPO}/pulls/{{pull_number}}/files"),
    ("post", f"{REPO}/pulls/{{pull_number}}/reviews"),
    ("delete", f"{REPO}/pulls/{{pull_number}}/reviews/{{review_id}}"),
    ("post", f"{REPO}/pulls/{{pull_number}}/comments"),
    ("post", f"{REPO}/issues/{{issue_number}}/comments"),
    ("patch", f"{REPO}/issues/comments/{{comment_id}}"),
    ("post", f"{REPO}/issues/comments/{{comment_id}}/reactions"),
    ("get", f"{REPO}/collaborators/{{username}}/permission"),
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


def resolved(node: Any, document: Any) -> Any:
    """`node` with every reference replaced; only requests are resolved, and those are shallow."""
    if isinstance(node, dict):
        if "$ref" in node:
            target = document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            return resolved(target, document)
        return {key: resolved(value, document) for key, value in node.items()}
    return [resolved(item, document) for item in node] if isinstance(node, list) else node


def main() -> None:
    """Write the trimmed document: request parameters, request body and statuses of each operation."""
    document = json.loads(Path(sys.argv[1]).read_text())
    found = []
    for method, path in sorted(OPERATIONS):
        operation = document["paths"][path][method]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        found.append(
            {
                "method": method.upper(),
                "path": path,
                "query": sorted(
                    p["name"] for p in resolved(operation["parameters"], document) if p["in"] == "query"
                ),
                "body": bare(resolved(body, document)) if body else None,
                "statuses": sorted(operation["responses"]),
            }
        )
    json.dump(
        {"source": "@octokit/openapi 23.0.2 (MIT)", "operations": found}, sys.stdout, indent=1, sort_keys=True
    )


if __name__ == "__main__":
    main()
