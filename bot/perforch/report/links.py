"""Where a report can point to; everything is optional."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses around one run.

    Attributes:
        server: such as https://github.com.
        repository: `owner/name`; "" turns links to lines off.
        run: address of the workflow run.
        artifact: address of the artifact with result.json, report.html and the patches.
    """

    server: str = "https://github.com"
    repository: str = ""
    run: str = ""
    artifact: str = ""

    def lines(self, path: str, sha: str, first: int, last: int) -> str:
        """Address of lines `first..last` of `path` at commit `sha`; "" if it cannot be known."""
        if not self.repository or not sha:
            return ""
        place = f"{quote(self.repository, safe='/')}/blob/{quote(sha)}/{quote(path, safe='/')}"
        return f"{self.server}/{place}#L{first}-L{last}".replace("(", "%28").replace(")", "%29")
