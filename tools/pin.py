"""Let our own workflows call our own action as it is at a commit: `python tools/pin.py [COMMIT]`, by default HEAD.

A commit cannot name itself, so a release is two commits: the one that the workflows name, and the one, tagged, in which
they name it. `--check` fails unless the action is the same in both, which the release does before it builds anything.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
ACTION = ("action.yml", "requirements.txt", "bot", "rankings", "examples")
PIN = re.compile(r"(uses: perforch/perforch@)([0-9a-f]{40})( # v)\S+")


def git(*arguments: str) -> str:
    """The output of a git command."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def check(paths: list[Path]) -> None:
    """Fail unless every pin names a commit whose action equals the one here."""
    pins = {pin for path in paths for _, pin, _ in PIN.findall(path.read_text())}
    if len(pins) != 1:
        sys.exit(f"the workflows name {len(pins)} commits, not one; run tools/pin.py")
    changed = git("diff", "--name-only", *pins, "HEAD", "--", *ACTION)
    if changed:
        sys.exit(
            f"the action has changed since the commit that the workflows name; run tools/pin.py:\n{changed}"
        )


def main() -> None:
    """Write or check the pins."""
    paths = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    if sys.argv[1:] == ["--check"]:
        check(paths)
        return
    commit = git("rev-parse", "--verify", f"{(sys.argv[1:] or ['HEAD'])[0]}^{{commit}}")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for path in paths:
        path.write_text(PIN.sub(rf"\g<1>{commit}\g<3>{version}", path.read_text()))


if __name__ == "__main__":
    main()
