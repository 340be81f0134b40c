"""perforch: makes pull requests faster, and proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """`__version__`, looked up when it is asked for: importlib.metadata takes longer than everything else at the start."""
        if name != "__version__":
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("perforch")
        except PackageNotFoundError:  # a source tree that was never installed, such as the one of the action
            return _version_of_source_tree()

    def _version_of_source_tree() -> str:
        import tomllib
        from pathlib import Path

        try:
            text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
            return str(tomllib.loads(text)["project"]["version"])
        except (OSError, ValueError, KeyError):
            return "0.0.0+unknown"
