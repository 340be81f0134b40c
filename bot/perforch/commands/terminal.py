"""What every command shares: `--json`, a console for people on stderr, a console for results on stdout."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

_LOG_WIDTH = 200
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


def stdout() -> Console:
    """The console for results. Plain text without a terminal or with NO_COLOR."""
    return _console(stderr=False)


def stderr() -> Console:
    """The console for progress and remarks, so that stdout stays machine-readable."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    plain = not stream.isatty() or "NO_COLOR" in os.environ
    # A log has no width: tables keep their words whole there.
    width = None if stream.isatty() or "COLUMNS" in os.environ else _LOG_WIDTH
    return Console(
        stderr=stderr,
        no_color=plain,
        highlight=False,
        soft_wrap=plain,
        markup=False,
        emoji=False,
        width=width,
    )


def emit(document: Any, *, as_json: bool, human: Callable[[Console], None]) -> None:
    """Print `document` as JSON, or call `human` with the result console."""
    if as_json:
        narrow = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=narrow, allow_nan=False) + "\n")
        sys.stdout.flush()
    else:
        human(stdout())
