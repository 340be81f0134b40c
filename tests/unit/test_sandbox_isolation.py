"""What a process that holds keys hands down, takes over and refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perforch.errors import ConfigError, SandboxUnavailableError
from perforch.sandbox import isolation

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY", "PERFORCH_API_KEY", "PERFORCH_DEMO_KEY", "PERFORCH_TOKEN", "PERFORCH_API_KEY_FILE", "GITHUB_TOKEN",
        "ACTIONS_RUNTIME_TOKEN", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP", "BASH_ENV",
        "GIT_DIR", "GIT_SSH_COMMAND", "SSH_AUTH_SOCK", "DOCKER_HOST", "GITHUB_ENV", "RUNNER_TEMP", "KUBECONFIG", "X",
    ],
)  # fmt: skip
def test_no_other_program_sees(name: str) -> None:
    assert isolation.allowed({name: KEY}) == {}


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "LANG", "LC_ALL", "NO_COLOR", "TERM", "TMPDIR", "PERFORCH_DEBUG", "PERFORCH_ALLOW_UNSANDBOXED"],
)  # fmt: skip
def test_harmless_names_go_on(name: str) -> None:
    assert isolation.allowed({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_TOKEN", "x"),
        ("GH_TOKEN", "x"),
        ("ACTIONS_RUNTIME_TOKEN", "x"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x"),
        ("INPUT_GITHUB_TOKEN", "x"),
        ("HARMLESS", "ghs_" + "a" * 36),
        ("HARMLESS", "bearer github_pat_" + "a1_" * 20),
    ],
)
def test_tokens_of_a_workflow_are_refused_without_their_value(name: str, value: str) -> None:
    with pytest.raises(SandboxUnavailableError) as caught:
        isolation.refuse_tokens({"PATH": "/bin", name: value})
    assert name in caught.value.message
    assert "env:" in caught.value.hint
    assert value == "x" or value not in caught.value.message + caught.value.hint
    assert caught.value.exit_code == 3


def test_what_every_step_of_a_workflow_has_is_fine() -> None:
    isolation.refuse_tokens(
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_TOKEN": "",  # an input that was left out
            "GITHUB_SHA": "a" * 40,
            "ACTIONS_RUNNER_HOOK_JOB_STARTED": "/opt/hook.sh",
            "ACTIONS_ORCHESTRATION_ID": "x",
            "OPENAI_API_KEY": KEY,
        }
    )


def test_only_what_is_asked_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("OTHER", KEY)
    found = isolation.keyring(["MY_KEY", "MISSING_KEY"])
    assert {name: found[name] for name in found if name.isupper()} == {
        "MY_KEY": KEY,
        "HTTPS_PROXY": "http://proxy.example:3128",
    }


def test_a_key_comes_in_a_private_file_that_is_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "key"
    place.write_text(KEY + "\n")
    place.chmod(0o400)
    monkeypatch.setenv("MY_KEY_FILE", str(place))
    assert isolation.keyring(["MY_KEY"])["MY_KEY"] == KEY
    assert not place.exists()


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o600, 0o644, 0o777, 0o700])
def test_a_key_file_that_others_may_touch_is_refused_and_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int
) -> None:
    place = tmp_path / "key"
    place.write_text(KEY)
    place.chmod(mode)
    monkeypatch.setenv("MY_KEY_FILE", str(place))
    with pytest.raises(ConfigError, match="MY_KEY_FILE names is not a private file") as caught:
        isolation.keyring(["MY_KEY"])
    assert "chmod 400" in caught.value.hint
    assert KEY not in str(caught.value)
    assert place.exists()


@pytest.mark.parametrize("kind", ["nothing", "link", "pipe", "folder", "second name"])
def test_a_key_file_is_a_plain_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    place, other = tmp_path / "key", tmp_path / "other"
    other.write_text(KEY)
    other.chmod(0o400)
    if kind == "link":
        place.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(place, 0o400)
    elif kind == "folder":
        place.mkdir(mode=0o400)
    elif kind == "second name":
        place.hardlink_to(other)
    monkeypatch.setenv("MY_KEY_FILE", str(place))
    with pytest.raises(ConfigError, match="MY_KEY_FILE"):
        isolation.keyring(["MY_KEY"])
    assert other.read_text() == KEY


def test_a_key_file_is_left_alone_when_the_key_itself_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("MY_KEY_FILE", str(tmp_path / "key"))
    assert isolation.keyring(["MY_KEY"])["MY_KEY"] == KEY


def test_files_of_other_purposes_are_never_touched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificates = tmp_path / "ca.pem"
    certificates.write_text("x")
    certificates.chmod(0o400)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    isolation.keyring(["MY_KEY"])
    assert certificates.exists()


def test_in_a_workflow_perforch_must_not_come_from_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = Path(isolation.__file__).parents[2]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    isolation.refuse_own_code_in(tmp_path)
    with pytest.raises(SandboxUnavailableError, match="own code lies in the checkout"):
        isolation.refuse_own_code_in(root)
    monkeypatch.delenv("GITHUB_ACTIONS")
    isolation.refuse_own_code_in(root)
