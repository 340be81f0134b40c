"""How long the action takes from a fresh job to its first decision, against the same with `python -m venv` and pip.

Usage: benchmarks/action.py [ROUNDS]. The steps are the ones of action.yml; each round starts with an empty folder for the job,
sides in turn. Packages come from a local folder on both sides, so the network is left out of both: `cold` has no package
cache, `warm` the one of an earlier job on the same machine. Prints medians in seconds and the ratios to pip.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PIP = """\
cd "$RUNNER_TEMP"
python3 -m venv perforch-venv
perforch-venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$GITHUB_ACTION_PATH/requirements.txt"
packages="$(perforch-venv/bin/python -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
printf '%s\\n' "$GITHUB_ACTION_PATH/bot" > "$packages/perforch.pth"
"""
# A draft is decided on without a request to GitHub.
EVENT = {
    "action": "opened",
    "pull_request": {"number": 1, "draft": True, "head": {"sha": "0" * 40}, "base": {"sha": "0" * 40}},
    "repository": {"full_name": "o/r"},
}


def script(name: str) -> str:
    """The script of one step of the action."""
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    return next(step["run"] for step in steps if step["name"] == name)


def job(folder: Path, install: str, environment: dict[str, str]) -> float:
    """Seconds from an empty folder to the gate's decision."""
    place = Path(tempfile.mkdtemp(dir=folder))
    (place / "event.json").write_text(json.dumps(EVENT))
    variables = environment | {
        "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "RUNNER_TEMP": str(place), "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(place / "event.json"),
        "GITHUB_OUTPUT": str(place / "output"), "GITHUB_TOKEN": "-", "GITHUB_REPOSITORY": "o/r",
    }  # fmt: skip
    if "PYENV_ROOT" in os.environ:
        variables["PYENV_ROOT"] = os.environ["PYENV_ROOT"]
    start = time.perf_counter()
    for text in (install, script("Decide")):
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
    taken = time.perf_counter() - start
    assert "run" in (place / "output").read_text()
    shutil.rmtree(place)
    return taken


def main() -> None:
    """Fetch the packages once, then measure."""
    rounds = int((sys.argv[1:] or ["5"])[0])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", folder / "pip"], check=True)
        fetch = [folder / "pip" / "bin" / "python", "-m", "pip", "download", "--quiet", "--require-hashes"]
        subprocess.run([*fetch, "--dest", folder / "wheels", "-r", ROOT / "requirements.txt"], check=True)
        install = script("Install perforch")
        local = {"UV_FIND_LINKS": str(folder / "wheels"), "UV_OFFLINE": "1"}
        pip = {"PIP_FIND_LINKS": str(folder / "wheels"), "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1"}
        seconds: dict[str, list[float]] = {"pip": [], "cold": [], "warm": []}
        job(folder, install, local | {"UV_CACHE_DIR": str(folder / "cache")})
        for number in range(rounds):
            seconds["pip"].append(job(folder, PIP, pip))
            seconds["cold"].append(
                job(folder, install, local | {"UV_CACHE_DIR": str(folder / f"cold{number}")})
            )
            seconds["warm"].append(job(folder, install, local | {"UV_CACHE_DIR": str(folder / "cache")}))
            shutil.rmtree(folder / f"cold{number}")
    medians: dict[str, Any] = {name: round(statistics.median(found), 2) for name, found in seconds.items()}
    for side in ("cold", "warm"):
        ratios = [a / b for a, b in zip(seconds["pip"], seconds[side], strict=True)]
        print(
            f"action, {side}: {medians[side]} s to the first decision; venv and pip: {medians['pip']} s; "
            f"{statistics.median(ratios):.1f} times as fast (rounds: {min(ratios):.1f} to {max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
