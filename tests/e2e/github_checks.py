"""Check runs: their limits on annotations and text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from github_answers import REPO, Answer, error

import contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from github_fake import Fake


def refused(output: dict[str, Any]) -> Answer | None:
    """50 annotations a request; 65,535 characters, and as many bytes, of summary and of text."""
    supplied = len(output.get("annotations") or ())
    if supplied > 50:
        text = f"Invalid request.\n\nNo more than 50 items are allowed; {supplied} were supplied."
        return error(422, text)
    for name in ("summary", "text"):
        value = output.get(name) or ""
        if len(value) > 65_535:
            text = f"Invalid request.\n\nOnly 65535 characters are allowed; {len(value)} were supplied."
            return error(422, text)
        if len(value.encode()) > 65_535:
            return error(422, f"Validation Failed: {name} exceeds a maximum bytesize of 65535")
    return None


def post_check(fake: Fake, *, body: dict[str, Any], **_: Any) -> Answer:
    output = body.get("output") or {}
    if answer := fake.denied("checks=write") or refused(output):
        return answer
    check = {
        "id": fake.new_id(),
        "name": body["name"],
        "head_sha": body["head_sha"],
        "annotations": 0,
        "output": {},
    }
    fake.checks.append(check)
    return Answer(201, shown(update(check, body)))


def patch_check(fake: Fake, number: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """Annotations are added to those that are there."""
    check = next((c for c in fake.checks if c["id"] == int(number)), None)
    if answer := fake.denied("checks=write") or refused(body.get("output") or {}):
        return answer
    return Answer(200, shown(update(check, body))) if check else error(404, "Not Found")


def update(check: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    output = body.get("output") or {}
    check["annotations"] += len(output.get("annotations") or ())
    check["output"] |= {key: value for key, value in output.items() if key != "annotations"}
    return check


def shown(check: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = contract.example("POST", "check-runs")
    document["output"] |= check["output"] | {"annotations_count": check["annotations"]}
    address = f"https://api.github.com/repos/{REPO}/check-runs/{check['id']}"
    return (
        document
        | {"url": address}
        | {"id": check["id"], "name": check["name"], "head_sha": check["head_sha"]}
    )


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    (r"check-runs", "POST", post_check),
    (r"check-runs/(\d+)", "PATCH", patch_check),
]
