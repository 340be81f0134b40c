"""Where API keys are while commands run, looked at from outside: in no environment, in no memory that others may read."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from optimize_world import argv, environment, models, optimize, pairs
from recording import Provider, serving

from perforch.result import load
from perforch.sandbox import isolation

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(isolation.__file__).parents[2]
KEY = "sk-isolated-0123456789abcdef"
TOKEN = "ghs_" + "t" * 36  # no workflow: dropped, not refused
OTHER = "unrelated-secret-0123456789"
SECRETS = {"MY_MODEL_KEY": KEY, "GITHUB_TOKEN": TOKEN, "DATABASE_PASSWORD": OTHER}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as server:
        yield server


def configured(tmp_path: Path, url: str, **more: object) -> tuple[str, ...]:
    config = tmp_path / "perforch.yml"
    config.write_text(models(url, "m", api_key_env="MY_MODEL_KEY") + json.dumps(more).strip("{}") + "\n")
    return "--config", str(config), "--stage", "fix"


def watched(process: subprocess.Popen[bytes]) -> tuple[list[bytes], dict[str, list[bytes]]]:
    """Every environment that the process had, in order, and those of everything it started, by command line."""
    own: list[bytes] = []
    others: dict[str, list[bytes]] = {}
    top = psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error, OSError):
            for one in (top, *top.children(recursive=True)):
                with contextlib.suppress(psutil.Error, OSError):
                    said = Path(f"/proc/{one.pid}/environ").read_bytes()
                    if one.pid != process.pid:
                        others.setdefault(" ".join(one.cmdline()[:3]), []).append(said)
                    elif not own or own[-1] != said:
                        own.append(said)
        time.sleep(0.002)  # not a wait: others use the machine too
    return own, others


def test_no_environment_holds_a_key_while_optimize_works(provider: Provider, tmp_path: Path) -> None:
    repository = pairs(tmp_path / "repository").path
    out = tmp_path / "out"
    process = subprocess.Popen(
        argv(repository, out, *configured(tmp_path, provider.url)),
        env=environment(**SECRETS, GITHUB_ACTIONS=""),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    own, others = watched(process)
    assert process.stderr is not None
    with process.stderr:
        said = process.stderr.read()
    assert process.returncode == 0, said
    assert load(out / "result.json").functions[0].verdict.value == "fixed"
    assert provider.asked == [f"Bearer {KEY}"]
    # The first environment is that of the process that hands over; what comes after it is clean.
    clean = [one for one in own if KEY.encode() not in one]
    assert clean == own[-len(clean) :]
    assert clean
    for one in (*clean, *(one for found in others.values() for one in found)):
        assert not [secret for secret in SECRETS.values() if secret.encode() in one]
    names = {word.split(b"=")[0].decode() for word in clean[-1].split(b"\0") if b"=" in word}
    assert names == set(isolation.allowed(dict.fromkeys(names, "")))
    # git often ends between two looks; a sandbox is always seen.
    assert any("bwrap" in command for command in others), sorted(others)


# Holds a secret in memory and in its first environment, hides, and waits for the end of its input.
HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from perforch.sandbox import isolation
isolation.hide()
print("ready", flush=True)
sys.stdin.read()
"""
THIEF = """
import os, sys
pid = sys.argv[1]
for name in ("environ", "mem", "maps", "fd/0", "io", "auxv", "root/etc/hostname"):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            file.read(10)
    except OSError:
        continue
    print(name)
try:
    print(os.listdir(f"/proc/{pid}/fd"))
except OSError:
    pass
"""


def test_a_process_of_the_same_user_cannot_look_in() -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.getuid() == 0 else ()
    python = "/usr/bin/python3"  # everybody may start it, wherever perforch's own lies
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        source = Path(folder) / "perforch"
        (source / "sandbox").mkdir(parents=True)
        for name in ("errors.py", "sandbox/isolation.py"):
            (source / name).write_bytes((ROOT / "perforch" / name).read_bytes())
        with subprocess.Popen(
            [*nobody, python, "-I", "-c", HOLDER, folder],
            env={"KEY": KEY},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdin is not None
            assert holder.stdout.readline() == b"ready\n"
            seen = subprocess.run(
                [*nobody, python, "-I", "-c", THIEF, str(holder.pid)], env={}, capture_output=True, check=True
            )
            holder.stdin.close()
    assert seen.stdout == b""


def test_a_key_comes_in_a_file(provider: Provider, tmp_path: Path) -> None:
    repository = pairs(tmp_path / "repository").path
    place = tmp_path / "key"
    place.write_text(KEY)
    place.chmod(0o400)
    arguments = configured(tmp_path, provider.url)
    done = optimize(repository, tmp_path / "out", *arguments, MY_MODEL_KEY_FILE=str(place))
    assert done.code == 0, done.err
    assert done.verdicts == {"double": "fixed"}
    assert provider.asked == [f"Bearer {KEY}"]
    assert not place.exists()


START = {
    "module": ("-m", "perforch"),
    "words": ("-I", "-c", "from perforch.cli import main; main()"),
    "script": (str(Path(sys.executable).with_name("perforch")),),
}


@pytest.mark.parametrize("how", START)
def test_every_way_to_start_it_starts_it_anew(provider: Provider, tmp_path: Path, how: str) -> None:
    repository = pairs(tmp_path / "repository").path
    arguments = argv(repository, tmp_path / "out", *configured(tmp_path, provider.url))[3:]
    process = subprocess.Popen(
        [sys.executable, *START[how], *arguments],
        env=environment(**SECRETS, GITHUB_ACTIONS=""),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    own, _ = watched(process)
    assert process.returncode == 0
    assert provider.asked == [f"Bearer {KEY}"]
    assert KEY.encode() not in own[-1]


LIBRARY = """
import sys
from perforch import cli
sys.argv = ["perforch", "optimize", "--repo", "/nonexistent"]
mark = object()
try:
    cli.main()
except SystemExit as end:
    print("back", end.code)
"""


@pytest.mark.parametrize("how", ["file", "words"])
def test_a_program_that_calls_it_goes_on(tmp_path: Path, how: str) -> None:
    """Only a process of our own is replaced."""
    (tmp_path / "caller.py").write_text(LIBRARY)
    start = ("caller.py",) if how == "file" else ("-c", "import runpy; runpy.run_path('caller.py')")
    done = subprocess.run(
        [sys.executable, *start], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "back 2\n"


@pytest.mark.parametrize("command", ["optimize", "profile", "evaluate"])
@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "MISNAMED"])
def test_a_token_of_a_workflow_is_refused(tmp_path: Path, command: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "perforch", command],
        env=environment(**{name: TOKEN}, GITHUB_ACTIONS="true"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert name in done.stderr
    assert "env:" in done.stderr
    assert TOKEN not in done.stderr


def test_a_variable_that_others_see_is_no_place_for_a_key(provider: Provider, tmp_path: Path) -> None:
    repository = pairs(tmp_path / "repository").path
    arguments = configured(tmp_path, provider.url)
    config = Path(arguments[1])
    config.write_text(config.read_text().replace("MY_MODEL_KEY", "PERFORCH_MODEL"))
    done = optimize(repository, tmp_path / "out", *arguments, PERFORCH_MODEL=KEY)
    assert not provider.asked
    assert done.code == 2
    assert "PERFORCH_MODEL" in done.err
    assert "api_key_env" in done.err
    assert KEY not in done.err


def test_modules_of_the_working_directory_are_not_imported(provider: Provider, tmp_path: Path) -> None:
    """Once the key is there, nothing comes from where the command was started."""
    repository = pairs(tmp_path / "repository").path
    here = tmp_path / "here"
    here.mkdir()
    for name in ("tenacity", "httpx", "yaml", "jinja2"):
        (here / f"{name}.py").write_text("open('/proc/self/environ').read(); raise SystemExit('imported')\n")
    arguments = configured(tmp_path, provider.url)
    done = optimize(repository, tmp_path / "out", *arguments, cwd=here, MY_MODEL_KEY=KEY, PYTHONPATH=".")
    assert done.code == 0, done.err


def test_keys_and_no_sandbox_do_not_meet(provider: Provider, tmp_path: Path) -> None:
    repository = pairs(tmp_path / "repository").path
    arguments = configured(tmp_path, provider.url, sandbox="none")
    done = optimize(
        repository, tmp_path / "out", *arguments, MY_MODEL_KEY=KEY, PERFORCH_ALLOW_UNSANDBOXED="1"
    )
    assert not provider.asked
    assert done.code == 3
    assert "MY_MODEL_KEY" in done.err
