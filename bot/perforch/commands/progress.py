"""Progress of long work: a live line on terminals, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from perforch.commands.terminal import stderr

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress


class Reporter:
    """Receives one line at a time: which function, what happens."""

    def __init__(self) -> None:
        self._console = stderr()
        self._started = time.monotonic()
        self._progress: Progress | None = None
        self._task: int = 0

    def __enter__(self) -> Reporter:
        if sys.stderr.isatty():
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                SpinnerColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
                console=self._console,
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task("starting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, key: str, what: str) -> None:
        """Show one line; safe to call from any thread."""
        from rich.markup import escape

        line = f"{key}: {what}" if key else what
        if self._progress is not None:
            self._progress.update(self._task, description=escape(line))  # type: ignore[arg-type]
        else:
            self._console.print(f"[{time.monotonic() - self._started:6.1f} s] {line}")
