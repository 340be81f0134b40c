"""The peak of memory that a control group has held: exact however short, for the whole tree. Standard library only.

Version 2 resets `memory.peak` for one open descriptor (since Linux 6.12), version 1 resets `memory.max_usage_in_bytes` for everybody
(Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst). Memory that the group held before the program started does
not count: files in the page cache, and the launcher.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

_FILES = (
    ("memory.current", "memory.peak", b"reset"),
    ("memory.usage_in_bytes", "memory.max_usage_in_bytes", b"0"),
)
_ANONYMOUS = re.compile(r"^RssAnon:\s*(\d+) kB", re.MULTILINE)


class Peak:
    """Watches a group from now on.

    Args:
        directory: the group, None for none.
        waiting: the process that waits to become the program; its own pages are not part of the launcher.
    """

    def __init__(self, directory: str | None, waiting: int) -> None:
        self._descriptor = -1
        self._before = 0
        for held, peak, word in _FILES if directory is not None else ():
            with contextlib.suppress(OSError, ValueError):
                assert directory is not None
                descriptor = os.open(Path(directory, peak), os.O_RDWR | os.O_CLOEXEC)
                try:
                    os.write(descriptor, word)
                    self._before = int(Path(directory, held).read_text("ascii")) - 1024 * _anonymous_kib(
                        waiting
                    )
                except (OSError, ValueError):
                    os.close(descriptor)
                    raise
                self._descriptor = descriptor
                return

    def close(self) -> int:
        """KiB at the peak; 0 where it cannot be known."""
        if self._descriptor < 0:
            return 0
        try:
            return max(int(os.pread(self._descriptor, 64, 0)) - self._before, 0) // 1024
        except (OSError, ValueError):
            return 0
        finally:
            os.close(self._descriptor)
            self._descriptor = -1


def _anonymous_kib(pid: int) -> int:
    found = _ANONYMOUS.search(Path(f"/proc/{pid}/status").read_text("ascii", "replace"))
    return int(found.group(1)) if found else 0
