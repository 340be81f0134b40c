"""What of a record may be shown: it comes from the job that ran untrusted code, so it is checked, not believed.

Whatever GitHub can say is asked of GitHub: the repository, the head, and the text of the lines of the diff. What only the
record can say must at least not contradict itself; a function whose record does is shown as failed, without numbers,
patch or suggestions. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.errors import UsageError
from perforch.report import inline, patch, words
from perforch.result import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from perforch.github.anchors import Diff
    from perforch.github.client import Json
    from perforch.report.patch import Hunk
    from perforch.result import FunctionResult, Measurement, Regression, Result, Suggestion

_LARGEST_RATIO = 1e6
_TOLERANCE = 0.02  # between a ratio and the quotient of the values it is said to be of
_LISTED = 250  # commits of a pull request that GitHub lists
_MOST = 2000  # functions, regressions and the like that a record may list


def belongs(result: Result, *, repository: str, head: str) -> None:
    """Refuse a record of another repository or revision.

    Raises:
        UsageError: it is one.
    """
    if result.head_sha != head:
        message = f"the result was measured at {result.head_sha[:12] or 'no revision'}, not at {head[:12]}"
        raise UsageError(message, hint="The artifact does not belong to this run; nothing was posted.")
    if result.repo and result.repo.lower() != repository.lower():
        message = f"the result was measured in another repository than {repository}"
        raise UsageError(message, hint="The artifact does not belong to this run; nothing was posted.")


def believable(result: Result, diff: Diff | None) -> Result:
    """The record less what cannot be true; `diff` is None where the head has moved and shows other lines."""
    functions: list[FunctionResult] = []
    seen: set[str] = set()
    for function in result.functions[:_MOST]:
        mark = inline.fingerprint(function)
        if function.verdict in words.PROVEN and mark in seen:
            continue
        seen.add(mark)
        functions.append(_checked(function, result, diff))
    regressions = tuple(item for item in result.regressions[:_MOST] if not _regression(item, result))
    return result.model_copy(
        update={
            "functions": tuple(functions),
            "regressions": regressions,
            "skipped": result.skipped[:_MOST],
            "notes": result.notes[:20],
        }
    )


def based(result: Result, commits: Iterable[Json]) -> Result:
    """The record without its base, unless that is a commit which the pull request's own commits begin at.

    Args:
        commits: items of `GET pulls/{n}/commits`, which lists 250 at most.
    """
    own: set[object] = set()
    before: set[object] = set()
    for commit in commits:
        own.add(commit.get("sha"))
        before |= {parent.get("sha") for parent in commit.get("parents") or ()}
    if len(own) >= _LISTED or result.base_sha in before - own:
        return result
    return result.model_copy(update={"base_sha": ""})


def _checked(function: FunctionResult, result: Result, diff: Diff | None) -> FunctionResult:
    if function.verdict not in words.PROVEN:
        return function
    reason = next(_objections(function, result, diff), "")
    if not reason:
        return function
    return function.model_copy(
        update={
            "verdict": Verdict.FAILED,
            "reason": f"the record of this proposal cannot be right ({reason}), so nothing of it is shown",
            "measurements": {},
            "peak_memory": None,
            "explanation": "",
            "patch": None,
            "suggestions": (),
        }
    )


def _objections(function: FunctionResult, result: Result, diff: Diff | None) -> Iterator[str]:
    if not 1 <= function.start_line <= function.end_line:
        yield "the function has no lines"
    if not _plain(function.path):
        yield "its path leaves the repository"
    if not function.patch:
        yield "there is no patch"
    measurement = function.measurements.get(result.metric)
    if function.verdict is Verdict.IMPROVED or measurement is not None:
        yield from _gain(measurement)
    try:
        hunks = patch.read(function.path, function.patch or "")
    except ValueError as error:
        yield str(error)
    else:
        yield from _texts(function, hunks, diff)


def _plain(path: str) -> bool:
    return bool(path) and path[0] != "/" and not {"", ".", "..", ".git"} & set(path.split("/"))


def _gain(found: Measurement | None) -> Iterator[str]:
    """What speaks against a claimed improvement of the metric that was asked for."""
    if found is None:
        yield "an improvement without a measurement"
    elif found.ci_low is None:
        yield "a ratio without its interval"
    elif found.ci_low <= 1 or found.verdict not in (None, "faster"):
        yield "the interval does not exclude that nothing changed"
    else:
        yield from _numbers(found)


def _regression(item: Regression, result: Result) -> str:
    """Why a regression is not shown; "" if it is."""
    found = item.measurements.get(result.metric)
    if found is None or found.ci_high is None or found.ci_high >= 1 or not _plain(item.path):
        return "not proven"
    return next(_numbers(found), "")


def _numbers(found: Measurement) -> Iterator[str]:
    low, high = found.ci_low or 0.0, found.ci_high if found.ci_high is not None else found.ratio
    if not (found.before > 0 and found.after > 0 and found.pairs > 0):
        yield "the measurement is empty"
    elif not 1 / _LARGEST_RATIO <= found.ratio <= _LARGEST_RATIO:
        yield "the ratio is absurd"
    elif abs(found.before / found.after / found.ratio - 1) > _TOLERANCE:
        yield "the ratio is not that of the values"
    elif not low * (1 - 1e-9) <= found.ratio <= high * (1 + 1e-9):
        yield "the ratio lies outside its interval"
    elif found.confidence is not None and found.confidence < 0.5:
        yield "the interval holds with less than even chances"


def _texts(function: FunctionResult, hunks: Sequence[Hunk], diff: Diff | None) -> Iterator[str]:
    """Patch against GitHub's text of the head revision, suggestions against the patch."""
    shown = {} if diff is None else diff.lines(function.path)
    known = dict(shown)
    for hunk in hunks:
        for number, line in enumerate(hunk.old, hunk.start):
            text = line.removesuffix("\n").removesuffix("\r")
            if number in shown and shown[number].lstrip("\ufeff") != text.lstrip("\ufeff"):
                yield "the patch is not one of the head revision"
                return
            known[number] = line.removesuffix("\n")
    items = sorted(function.suggestions, key=lambda item: item.start_line)
    if diff is None or any(item.path != function.path or not _shown(item, shown) for item in items):
        return  # no suggestion will be made of them
    if items and _suggested(items, hunks, known) != _patched(items, hunks, known):
        yield "its suggestions are not its patch"


def _shown(item: Suggestion, shown: dict[int, str]) -> bool:
    """Whether GitHub shows every line that the suggestion replaces; looks at no more lines than are shown."""
    first, last = item.start_line, item.end_line
    return (
        1 <= first <= last and last - first < len(shown) and all(n in shown for n in range(first, last + 1))
    )


_Edit = tuple[int, int, list[str]]


def _suggested(items: Sequence[Suggestion], hunks: Sequence[Hunk], known: dict[int, str]) -> list[str] | None:
    edits = [(i.start_line, i.end_line, i.body.split("\n") if i.body else []) for i in items]
    return _edited(edits, _touched(items, hunks), known)


def _patched(items: Sequence[Suggestion], hunks: Sequence[Hunk], known: dict[int, str]) -> list[str] | None:
    edits: list[_Edit] = []
    for hunk in hunks:
        if any(not line.endswith("\n") for line in hunk.old) != any(
            not line.endswith("\n") for line in hunk.new
        ):
            return []  # it changes the end of the file, which no suggestion can
        edits.append(
            (hunk.start, hunk.start + len(hunk.old) - 1, [line.removesuffix("\n") for line in hunk.new])
        )
    return _edited(edits, _touched(items, hunks), known)


def _touched(items: Sequence[Suggestion], hunks: Sequence[Hunk]) -> list[int]:
    """Every line that either of them speaks of."""
    ranges = [range(item.start_line, item.end_line + 1) for item in items]
    ranges += [range(hunk.start, hunk.start + len(hunk.old)) for hunk in hunks]
    return sorted({number for one in ranges for number in one})


def _edited(edits: Sequence[_Edit], touched: Sequence[int], known: dict[int, str]) -> list[str] | None:
    """The touched lines after the edits; None if two edits overlap."""
    begun = {first: (last, lines) for first, last, lines in edits}
    if len(begun) != len(edits):
        return None
    text: list[str] = []
    until = 0
    for number in touched:
        if number in begun:
            if number <= until:
                return None
            until, lines = begun[number]
            text += lines
        if number > until:
            text.append(known[number])
    return text
