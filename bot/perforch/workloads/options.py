"""What a run tells the runners about its machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Things outside the trees that tests may need.

    Attributes:
        environment_root: the user's checkout, where a `.venv` or `venv` with the project's dependencies may stand.
        cache: a directory of ours for build caches that only trusted commands fill.
        test_seconds: wall time after which a test run is stopped.
    """

    environment_root: Path | None = None
    cache: Path | None = None
    test_seconds: float = 120.0


DEFAULT = Options()
