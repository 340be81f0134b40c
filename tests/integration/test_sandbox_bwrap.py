"""How a run ends is told apart: the program's own doing, the sandbox that could not start, limits; with a real bubblewrap."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from perforch.errors import SandboxUnavailableError, ToolMissingError
from perforch.sandbox import cgroup
from perforch.sandbox.bwrap import Bubblewrap
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Limits, Mount

PYTHON = "/usr/bin/python3"


@pytest.fixture(params=["groups", "no groups"])
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bubblewrap:
    """With and without control groups, which an ordinary user cannot make: programs are then started by a shell."""
    if request.param == "no groups":
        monkeypatch.setattr(cgroup, "_parents", tuple)
    return Bubblewrap()


def shell(script: str, **more: object) -> Command:
    return Command(("/bin/sh", "-c", script), cwd="/tmp", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words", ["prlimit: failed to execute x: No such file or directory", "bwrap: execvp x: No such file"]
)
@pytest.mark.parametrize("code", [0, 1, 126, 127])
def test_a_program_cannot_pass_for_missing(sandbox: Bubblewrap, words: str, code: int) -> None:
    done = sandbox.run(shell(f"echo '{words}' >&2; exit {code}"))
    assert (done.returncode, done.stopped) == (code, "")


@pytest.mark.parametrize("name", ["perforch-no-such-program", "/usr/bin/perforch-no-such-program"])
def test_a_missing_program_is_named(sandbox: Bubblewrap, name: str) -> None:
    with pytest.raises(ToolMissingError, match=f"{name} is not installed"):
        sandbox.run(Command((name, "-x"), cwd="/tmp"))


def test_a_file_that_is_no_program_is_the_repositorys_own_trouble(
    sandbox: Bubblewrap, tmp_path: Path
) -> None:
    (tmp_path / "run").write_text("#!/bin/sh\necho hello\n")
    done = sandbox.run(Command((f"{SOURCE}/run",), mounts=(Mount(tmp_path, SOURCE),)))
    assert done.returncode == 126
    assert b"Permission denied" in done.stderr


def test_a_folder_that_is_gone_is_named(sandbox: Bubblewrap, tmp_path: Path) -> None:
    mounts = (Mount(tmp_path / "gone", SOURCE),)
    for prepare in (sandbox.run, sandbox.launch):
        with pytest.raises(SandboxUnavailableError, match=r"cannot show .*gone"):
            prepare(Command(("true",), mounts=mounts))


def test_a_link_that_a_program_left_is_not_mounted(sandbox: Bubblewrap, tmp_path: Path) -> None:
    secret, work = tmp_path / "secret", tmp_path / "work"
    for folder in (secret, work):
        folder.mkdir()
    out = (Mount(work, OUTPUT, writable=True),)
    made = sandbox.run(Command(("/bin/ln", "-s", str(secret), f"{OUTPUT}/build"), cwd=OUTPUT, mounts=out))
    assert made.ok, made.stderr
    for place in (work / "build", work / "build" / "."):
        with pytest.raises(SandboxUnavailableError, match="a program put a link there"):
            sandbox.run(Command(("true",), mounts=(Mount(place, SOURCE),)))


def test_files_of_the_workspace_stay_ours_and_programs_may_change_them(
    sandbox: Bubblewrap, tmp_path: Path
) -> None:
    (tmp_path / "private").write_text("ours")
    (tmp_path / "private").chmod(0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    script = "cat private && echo more >> private && echo new > folder/new && chmod 600 folder/new && stat -c %u private && id -u"
    done = sandbox.run(
        Command(("/bin/sh", "-c", script), cwd=OUTPUT, mounts=(Mount(tmp_path, OUTPUT, writable=True),))
    )
    assert done.stdout == b"ours1000\n1000\n", done.stderr
    assert (tmp_path / "private").read_text() == "oursmore\n"
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {os.getuid()}


def test_root_gives_up_being_root(tmp_path: Path) -> None:
    """Seen from outside, the whole sandbox belongs to somebody else."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    sandbox = Bubblewrap()
    assert sandbox.level == "bwrap+uid"
    launch = sandbox.launch(Command(("/bin/sleep", "60"), cwd="/tmp"))
    assert launch.gate_fd is not None
    assert launch.info_fd is not None
    started = subprocess.Popen(
        launch.argv, env=dict(launch.env), pass_fds=launch.pass_fds, stdin=subprocess.DEVNULL
    )
    text = b""
    while b"}" not in text:
        text += os.read(launch.info_fd, 4096)
    inside = json.loads(text)["child-pid"]
    owners = {Path("/proc", str(pid)).stat().st_uid for pid in (started.pid, inside)}
    started.kill()
    started.wait()
    for descriptor in (*launch.pass_fds, launch.gate_fd, launch.info_fd):
        os.close(descriptor)
    assert 0 not in owners


def test_a_working_directory_that_is_not_there_is_named(sandbox: Bubblewrap, tmp_path: Path) -> None:
    command = Command(("true",), cwd=f"{SOURCE}/sub", mounts=(Mount(tmp_path, SOURCE),))
    with pytest.raises(SandboxUnavailableError, match="cannot start in /src/sub"):
        sandbox.run(command)


def test_a_sandbox_that_cannot_be_built_is_no_failure_of_the_program(
    sandbox: Bubblewrap, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text(
        '#!/bin/sh\necho "bwrap: Can\'t mount proc on /newroot/proc: Operation not permitted" >&2; exit 1\n'
    )
    refusing.chmod(0o755)
    monkeypatch.setattr(sandbox, "_binary", refusing)
    monkeypatch.setattr(sandbox, "_stage", None)  # nobody else may execute it
    with pytest.raises(SandboxUnavailableError, match="Can't mount proc") as caught:
        sandbox.run(Command(("true",), cwd="/tmp"))
    assert "procMount" in caught.value.hint
    assert caught.value.exit_code == 3


def test_nothing_but_the_three_streams_is_open(sandbox: Bubblewrap) -> None:
    done = sandbox.run(
        Command((PYTHON, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"), cwd="/tmp")
    )
    assert done.stdout == b"['0', '1', '2', '3']\n"  # 3 is the listing itself


def test_there_is_an_account_and_a_name_for_this_machine(sandbox: Bubblewrap) -> None:
    script = """
import grp, os, pwd, socket
print(pwd.getpwuid(os.getuid()).pw_dir, grp.getgrgid(os.getgid()).gr_name, socket.gethostbyname("localhost"))
"""
    done = sandbox.run(Command((PYTHON, "-c", script), cwd="/tmp"))
    assert done.stdout == b"/tmp/home sandbox 127.0.0.1\n", done.stderr


def test_accounts_of_the_host_are_not_shown(sandbox: Bubblewrap) -> None:
    done = sandbox.run(shell("cat /etc/passwd /etc/group"))
    assert b"daemon" not in done.stdout


def test_time_limit_ends_what_ignores_signals_and_counts_its_work(sandbox: Bubblewrap) -> None:
    script = "trap '' TERM INT HUP; (while :; do :; done) & while :; do :; done"
    done = sandbox.run(shell(script, limits=Limits(wall_seconds=1.0)))
    assert done.stopped == "timeout"
    assert done.cpu_seconds > 0.2 * done.seconds  # two loops, whatever else the machine does


def test_time_limit_ends_what_closes_its_streams_and_goes_on(sandbox: Bubblewrap) -> None:
    done = sandbox.run(shell("exec >&- 2>&- <&-; while :; do :; done", limits=Limits(wall_seconds=0.5)))
    assert done.stopped == "timeout"
    assert done.seconds < 5


def test_memory_of_a_measured_run_is_its_own_limit(tmp_path: Path) -> None:
    if not cgroup._parents():
        pytest.skip("this machine lets nobody make control groups")
    sandbox = Bubblewrap()
    small = 96 << 20
    launch = sandbox.launch(Command(("true",), cwd="/tmp", limits=Limits(memory_bytes=small)))
    other = sandbox.launch(Command(("true",), cwd="/tmp", limits=Limits(memory_bytes=2 * small)))
    folders = {
        Path(word) for one in (launch, other) for word in one.argv if word.startswith("/sys/fs/cgroup")
    }
    files = [folder / name for folder in folders for name in ("memory.max", "memory.limit_in_bytes")]
    limits = {int(file.read_text()) for file in files if file.exists()}
    for one in (launch, other):
        for descriptor in {*one.pass_fds, *one.close_after_spawn, one.gate_fd, one.info_fd}:
            os.close(descriptor)  # type: ignore[arg-type]
    assert limits == {small, 2 * small}
    del sandbox
    gc.collect()
    assert not any(folder.exists() for folder in folders)


def test_an_environment_inside_a_home_directory_shows_nothing_else_of_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "project").mkdir(parents=True)
    (home / "diary").write_text("private")
    (home / "project" / "notes").write_text("private")
    venv.create(home / "project" / ".venv", symlinks=True)
    script = (
        "import json\nfrom perforch.sandbox.probe import probe\n"
        "print(json.dumps({check.name: check.saw for check in probe()}))\n"
    )
    path = f"{home / 'project' / '.venv' / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HOME": str(home), "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["home"] == "held"
