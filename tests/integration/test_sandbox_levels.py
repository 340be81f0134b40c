"""Which sandbox is opened, which is refused, and what the owner's `sandbox:` changes about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from optimize_world import environment, optimize, pairs

from perforch.errors import SandboxUnavailableError, ToolMissingError
from perforch.sandbox import bwrap, caveat, open_sandbox, program, seccomp
from perforch.sandbox.spec import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="perforch-levels-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def without_bubblewrap(folder: Path) -> str:
    """A PATH that has every program of this machine but bubblewrap."""
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for tool in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / tool.name
            if tool.name != "bwrap":
                link.unlink(missing_ok=True)
                link.symlink_to(tool)
    return str(folder)


@pytest.mark.parametrize("command", ["doctor", "optimize"])
def test_without_bubblewrap_nothing_runs(public: Path, tmp_path: Path, command: str) -> None:
    tools = public / "bin"
    tools.mkdir()
    arguments = (
        ("--pairs", "4", "--command", "true")
        if command == "doctor"
        else ("--repo", str(pairs(tmp_path / "repository").path), "--base", "main")
    )
    done = subprocess.run(
        [sys.executable, "-m", "perforch", command, *arguments],
        env=environment(PATH=without_bubblewrap(tools)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "bubblewrap (bwrap) is not installed" in done.stderr
    assert "apt-get install bubblewrap" in done.stderr


def planted(folder: Path, kind: str) -> Path:
    place = folder / "bwrap"
    if kind == "script":
        place.write_text('#!/bin/sh\nexec "$@"\n')
    else:
        shutil.copyfile("/usr/bin/bwrap", place)
    place.chmod({"setuid": 0o4755, "setgid": 0o2755, "writable": 0o757}.get(kind, 0o755))
    if kind == "folder":
        folder.chmod(0o777)
    if kind == "foreign" and os.getuid() == 0:
        os.chown(place, 65534, 65534)
    return place


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("script", "script"),
        ("writable", "changed by"),
        ("folder", "changed by"),
        ("foreign", "changed by"),
        ("setuid", "setuid"),
        ("setgid", "setuid"),
    ],
)
def test_a_bubblewrap_that_is_not_the_systems_is_refused(
    monkeypatch: pytest.MonkeyPatch, public: Path, kind: str, word: str
) -> None:
    planted(public, kind)
    monkeypatch.setenv("PATH", f"{public}:{os.environ['PATH']}")
    with pytest.raises(SandboxUnavailableError) as caught:
        open_sandbox("required")
    # An ordinary user's copies can be changed by that user, before anything else.
    assert word in caught.value.message or (os.getuid() != 0 and "changed by" in caught.value.message)
    assert caught.value.hint
    assert caught.value.exit_code == 3


def test_a_link_to_the_systems_own_is_fine(monkeypatch: pytest.MonkeyPatch, public: Path) -> None:
    (public / "bwrap").symlink_to("/usr/bin/bwrap")
    monkeypatch.setenv("PATH", str(public))
    assert program.binary() == Path("/usr/bin/bwrap").resolve()


# Hosts that cannot give a part of the policy, by what their bubblewrap says.
HOSTS = {
    "an old bubblewrap": ("--disable-userns", "bwrap: Unknown option --disable-userns", "user namespaces"),
    "a container": ("--proc", "bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "/proc"),
}


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, public: Path) -> str:
    option, said, lacks = HOSTS[request.param]
    wrapper = public / "bwrap"
    wrapper.write_text(
        f'#!/bin/sh\nfor one; do [ "$one" = -- ] && break; [ "$one" = {option} ] && {{ echo "{said}" >&2; exit 1; }}; done\n'
        'exec /usr/bin/bwrap "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setattr(bwrap, "binary", lambda: wrapper)
    return lacks


def test_required_takes_nothing_less(host: str) -> None:
    with pytest.raises(SandboxUnavailableError) as caught:
        open_sandbox("required")
    assert "weak-ok" in caught.value.hint
    assert host


def test_weak_ok_takes_less_and_says_so(host: str) -> None:
    sandbox = open_sandbox("weak-ok")
    assert sandbox.level.startswith("weak (")
    assert host in sandbox.level
    assert sandbox.level in caveat(sandbox.level)
    assert sandbox.run(Command(("/bin/echo", "fine"), cwd="/tmp")).stdout == b"fine\n"
    # What is left still holds.
    refused = sandbox.run(Command(("/usr/bin/unshare", "--user", "true"), cwd="/tmp"))
    assert b"Operation not permitted" in refused.stderr


def test_weak_ok_takes_the_whole_where_it_works() -> None:
    assert open_sandbox("weak-ok").level == open_sandbox("required").level
    assert not caveat(open_sandbox("required").level)


def test_weak_ok_never_takes_none(monkeypatch: pytest.MonkeyPatch, public: Path) -> None:
    monkeypatch.setenv("PATH", str(public))
    monkeypatch.setenv("PERFORCH_ALLOW_UNSANDBOXED", "1")
    with pytest.raises(SandboxUnavailableError):
        open_sandbox("weak-ok")


def test_without_a_filter_for_this_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "_MACHINES", {})
    with pytest.raises(SandboxUnavailableError, match="system call filter"):
        open_sandbox("required")
    assert "without system call filter" in open_sandbox("weak-ok").level


@pytest.mark.parametrize(
    ("base", "head", "switch"),
    [("none", "none", ""), ("none", "none", "0"), ("required", "none", "1"), ("none", "none", "yes")],
)
def test_no_sandbox_needs_the_base_branch_and_the_runner(
    tmp_path: Path, base: str, head: str, switch: str
) -> None:
    repository = pairs(tmp_path / "repository")
    repository.git("switch", "--quiet", "main")
    repository.commit({".github/perforch.yml": f"sandbox: {base}\n"}, "configuration")
    repository.git("switch", "--quiet", "change")
    repository.git("rebase", "--quiet", "main")
    repository.commit({".github/perforch.yml": f"sandbox: {head}\n"}, "ask for none")
    done = optimize(repository.path, tmp_path / "out", PERFORCH_ALLOW_UNSANDBOXED=switch)
    if base == "required":  # what the head says counts for nothing
        assert done.code == 0, done.err
        assert done.result.environment.sandbox == open_sandbox("required").level
    else:
        assert done.code == 3
        assert "PERFORCH_ALLOW_UNSANDBOXED=1" in done.err
        assert not (tmp_path / "out" / "result.json").exists()


def test_no_sandbox_is_said_in_the_result(tmp_path: Path) -> None:
    repository = pairs(tmp_path / "repository")
    repository.git("switch", "--quiet", "main")
    repository.commit({".github/perforch.yml": "sandbox: none\n"}, "configuration")
    repository.git("switch", "--quiet", "change")
    done = optimize(repository.path, tmp_path / "out", PERFORCH_ALLOW_UNSANDBOXED="1")
    assert done.code == 0, done.err
    assert done.result.environment.sandbox == "none"
    assert done.result.notes[0].startswith("Measured without isolation")


def test_without_a_sandbox_a_program_cannot_pass_for_missing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFORCH_ALLOW_UNSANDBOXED", "1")
    sandbox = open_sandbox("none")
    words = "prlimit: failed to execute x: No such file or directory"
    done = sandbox.run(Command(("/bin/sh", "-c", f"echo '{words}' >&2; exit 127"), cwd="/tmp"))
    assert done.returncode == 127
    for name in (
        "perforch-no-such-program",
        "/usr/bin/perforch-no-such-program",
        "./perforch-no-such-program",
    ):
        with pytest.raises(ToolMissingError, match="is not installed"):
            sandbox.run(Command((name,), cwd="/tmp"))
