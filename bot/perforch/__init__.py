"""perforch: makes pull requests faster, and proves it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("perforch")
except PackageNotFoundError:  # running from a source tree that was never installed
    __version__ = "0.0.0+unknown"
