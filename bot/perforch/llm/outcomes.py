"""From a stored HTTP exchange to what became of the call: an answer, or an error that says whether to try
again. Pure.

Retries follow the official SDKs: 408, 409, 429 and 5xx, unless `x-should-retry` says otherwise;
`retry-after-ms` and
`retry-after` (seconds or a date) are honoured.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from perforch.llm.answers import AnswerError
from perforch.llm.model import ReplyKind
from perforch.llm.providers import PROVIDERS, key_env

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perforch.llm.answers import Answer
    from perforch.settings import ModelSettings

MAX_DETAIL = 500
_RETRIED = {408, 409, 429}
# The key, the account or the model is wrong: no other prompt will fare better in this job.
_HOPELESS = {401, 402, 403, 404}
_KEY_STATUS = {401, 403}
_KEY_TEXT = re.compile(r"API key not valid|API_KEY_INVALID|API key expired|API_KEY_EXPIRED", re.IGNORECASE)
# A 403 that is about this prompt only.
_MODERATED = re.compile(r"moderat|flagged|content[ _-]?(policy|filter)|safety", re.IGNORECASE)
_QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_error", "billing_not_active"}
_QUOTA_TEXT = re.compile(
    r"credit balance is too low|exceeded your current quota, please check your plan", re.IGNORECASE
)
_FAILURES = {
    "timeout": "no complete response within the time limit",
    "connect": "no connection to the server",
    "broken": "the connection broke before the response was complete",
    "too_large": "the response is larger than 4 MB",
    "encoding": "the response is compressed although that was not asked for",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one exchange.

    Attributes:
        kind: ERROR unless the model that was asked has answered.
        answer: what a model said, when one said something.
        detail: what went wrong, one line, without control characters.
        retry: the same request may succeed if it is sent again.
        retry_after: seconds that the provider asks to wait, when it does.
        hopeless: the model will not answer anything else in this job either.
        billed: "yes" (use the usage), "no" (the provider refused), "unknown" (assume the worst).
    """

    kind: ReplyKind = ReplyKind.ERROR
    answer: Answer | None = None
    detail: str = ""
    retry: bool = False
    retry_after: float | None = None
    hopeless: bool = False
    billed: Literal["yes", "no", "unknown"] = "no"


def read(
    model: ModelSettings,
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    failure: str,
    now: datetime | None = None,
) -> Outcome:
    """Judge one exchange; never raises, whatever the server sent.

    Args:
        failure: "" or why the response is incomplete, as in `store.Exchange`.
        now: to count a `retry-after` date from; the present by default.
    """
    if failure:
        detail = _FAILURES.get(failure, failure)
        if status:
            detail += f" (status {status})"
        # What went out may have been worked on and billed, except when there was nobody to take it.
        return Outcome(
            detail=detail,
            retry=failure in {"connect", "broken"},
            billed="no" if failure == "connect" else "unknown",
        )
    document = _document(body)
    if not 200 <= status < 300:
        return _advised(_refusal(status, headers, document, body, now), status, model)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        return Outcome(detail=f"the response is {clean(kind)}, not JSON", billed="unknown")
    if not isinstance(document, dict):
        return Outcome(detail=f"the response ({len(body)} bytes) is not a JSON object", billed="unknown")
    if isinstance(document.get("error"), dict):
        # Some gateways wrap an upstream failure in a success.
        code = document["error"].get("code")
        inner = code if isinstance(code, int) and 400 <= code < 600 else 400
        return _advised(_refusal(inner, headers, document, body, now), inner, model)
    try:
        answer = PROVIDERS[model.provider].read(document)
    except AnswerError as error:
        return Outcome(
            detail=f"the response is not what {model.provider} documents: {error}", billed="unknown"
        )
    if answer.model and not same_model(model.provider_model, answer.model):
        detail = f"answered by another model: {clean(answer.model)} instead of {model.provider_model}"
        return Outcome(answer=answer, detail=detail, billed="yes")
    return Outcome(answer.kind, answer, answer.detail, billed="yes")


def _document(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _advised(outcome: Outcome, status: int, model: ModelSettings) -> Outcome:
    """The outcome with a word on what to look at, where the key or the model's name is refused."""
    variable = key_env(model)
    if not outcome.hopeless:
        return outcome
    if status == 404:
        remedy = f"does {model.provider} have the model {model.provider_model!r} at this address?"
    elif status in _KEY_STATUS or _KEY_TEXT.search(outcome.detail):
        known = (
            f"is {variable} the right key for"
            if variable
            else "set api_key_env to the variable with the key for"
        )
        remedy = f"{known} {model.provider_model!r}?"
    else:
        return outcome
    return replace(outcome, detail=f"{outcome.detail[: MAX_DETAIL - 200]}; {remedy}")


def _refusal(
    status: int, headers: Mapping[str, str], document: Any, body: bytes, now: datetime | None
) -> Outcome:
    # Gemini sometimes wraps its error object in a list of one.
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    fields = document if isinstance(document, dict) else {}
    error = fields.get("error", fields)
    if isinstance(error, str):
        error = {"message": error}
    error = error if isinstance(error, dict) else {}
    text = error.get("message") or error.get("Message") or ""
    codes = {
        value
        for value in (error.get("code"), error.get("type"), error.get("status"))
        if isinstance(value, str)
    }
    name = next((value for value in sorted(codes)), headers.get("x-amzn-errortype", "").partition(":")[0])
    detail = f"status {status}" + (f" {clean(name)}" if name else "")
    if 300 <= status < 400:
        detail += ": a redirect, which is not followed"
    elif isinstance(text, str) and text:
        detail += f": {clean(text)}"
    elif not fields and body:
        detail += f": not a JSON error ({len(body)} bytes)"
    quota = (
        bool(codes & _QUOTA_CODES)
        or bool(isinstance(text, str) and _QUOTA_TEXT.search(text))
        or _per_day(error)
    )
    wrong = bool(_KEY_TEXT.search(text)) if isinstance(text, str) else False
    about_this = status == 403 and isinstance(text, str) and bool(_MODERATED.search(text))
    retry = status in _RETRIED or status >= 500
    wish = headers.get("x-should-retry", "").lower()
    if wish in {"true", "false"}:
        retry = wish == "true"
    return Outcome(
        detail=detail[:MAX_DETAIL],
        retry=retry and not quota,
        retry_after=_retry_after(headers, error, now),
        hopeless=quota or wrong or (status in _HOPELESS and not about_this),
        billed="no",
    )


def _per_day(error: Mapping[str, Any]) -> bool:
    """Gemini names the quota that is used up; a daily one does not come back within a job."""
    details = error.get("details")
    return isinstance(details, list) and "PerDay" in json.dumps(details)[:20_000]


def _retry_after(headers: Mapping[str, str], error: Mapping[str, Any], now: datetime | None) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is not None:
        return seconds
    if value:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max((when - (now or datetime.now(UTC))).total_seconds(), 0.0)
    details = error.get("details")
    for item in details if isinstance(details, list) else ():
        delay = item.get("retryDelay") if isinstance(item, dict) else None
        if isinstance(delay, str):
            return _number(delay.removesuffix("s"))
    return None


def _number(text: str) -> float | None:
    """Read a plain non-negative decimal number; None for anything else, such as `nan`, `-1` or `1e999`."""
    return float(text) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text.strip(), re.ASCII) else None


def clean(text: str) -> str:
    """One printable line: foreign text may hold terminal escapes and workflow commands."""
    line = "".join(character if character.isprintable() else " " for character in text[: 4 * MAX_DETAIL])
    return " ".join(line.split())[:MAX_DETAIL]


_DATED = re.compile(
    r"(?:[-@:](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3}|\d{2}-\d{2}|v\d+(?::\d+)?|latest))+$"
)


def same_model(asked: str, returned: str) -> bool:
    """Say whether `returned` names the model `asked`, give or take a provider's prefix and a date or version
    stamp.

    `gpt-4o` and `gpt-4o-2024-11-20` are the same, as are `models/x` and `x`; `gpt-4o` and `gpt-4o-mini` are
    not, nor are two different dates.
    """
    one, other = _base_name(asked), _base_name(returned)
    if one == other:
        return True
    bare_one, bare_other = _DATED.sub("", one), _DATED.sub("", other)
    dated = (
        bare_one != one
        and bare_other != other
        and not one.endswith("latest")
        and not other.endswith("latest")
    )
    return bare_one == bare_other and not dated


def _base_name(name: str) -> str:
    return name.strip().lower().rsplit("/", 1)[-1].removesuffix(".gguf")
