"""`perforch init` in small repositories of each language."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from perforch import settings
from perforch.commands.init import installed_from

TOOLS = Path(sys.executable).parent
PIN = "0123456789abcdef0123456789abcdef01234567"
SAMPLES: dict[str, tuple[dict[str, str], list[str]]] = {
    "python": (
        {"pyproject.toml": "", "src/a.py": "", "tests/test_a.py": "", "tool.go": ""},
        ["pytest", "-q"],
    ),
    "java": ({"pom.xml": "", "mvnw": "", "src/main/java/A.java": ""}, ["./mvnw", "-q", "test"]),
    "cpp": (
        {"CMakeLists.txt": "", "src/a.cpp": "", "include/a.hpp": "", "third_party/b.rs": ""},
        ["ctest", "--test-dir", "build", "--output-on-failure"],
    ),
    "go": ({"go.mod": "", "a.go": "", "a_test.go": ""}, ["go", "test", "./..."]),
    "rust": (
        {"Cargo.toml": "", "one/Cargo.toml": "", "one/src/lib.rs": ""},
        ["cargo", "test", "--workspace"],
    ),
}


def repository(place: Path, files: dict[str, str], branch: str = "trunk") -> Path:
    place.mkdir()
    subprocess.run(["git", "init", "-q", "-b", branch, str(place)], check=True)
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    subprocess.run(["git", "-C", str(place), "add", "--all"], check=True)
    return place


def init(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from perforch.cli import main; main()"
    command = [sys.executable, "-c", program, "init", "--repo", str(place), "--pin", PIN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def document(place: Path, *arguments: str) -> Any:
    done = init(place, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("language", SAMPLES)
def test_a_repository_of_one_language(tmp_path: Path, language: str) -> None:
    files, command = SAMPLES[language]
    place = repository(tmp_path / "repo", files)
    found = document(place, "--reprofile")
    assert found["languages"][0] == language
    assert found["tests"][language] == command
    assert found["branch"] == "trunk"
    assert len(found["steps"]) == 3
    configuration = place / ".github" / "perforch.yml"
    assert settings.parse(configuration.read_bytes()).models[0].provider == "anthropic"
    assert f"{language}: {{test: {json.dumps(command)}}}" in configuration.read_text()
    # What is commented out is valid too.
    text = configuration.read_text().replace("# languages:", "languages:").replace("#   ", "   ")
    parsed = settings.parse(text.replace("# workloads:", "workloads:").encode())
    assert list(parsed.languages[language].test or ()) == command  # type: ignore[index]
    workflows = sorted((place / ".github" / "workflows").glob("*.yml"))
    assert len(workflows) == 3
    for path in workflows:
        assert len(path.read_text().splitlines()) <= 10
        assert f"@{PIN} # v" in path.read_text()
    linters = [
        [TOOLS / "zizmor", "--offline", "--no-progress", "--persona", "pedantic", *workflows],
        [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows],
    ]
    for linter in linters:
        subprocess.run(linter, check=True, cwd=tmp_path)


def test_the_default_branch_is_that_of_the_remote(tmp_path: Path) -> None:
    upstream = repository(tmp_path / "upstream", {"a.go": ""}, "stable")
    subprocess.run(
        ["git", "-C", upstream, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"],
        check=True,
    )
    subprocess.run(["git", "clone", "-q", upstream, tmp_path / "clone"], check=True)
    subprocess.run(["git", "-C", tmp_path / "clone", "switch", "-q", "-c", "work"], check=True)
    assert document(tmp_path / "clone")["branch"] == "stable"


def test_again_changes_nothing_and_what_is_there_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    place = repository(tmp_path / "repo", {"a.go": ""})
    assert set(document(place)["files"].values()) == {"wrote"}
    again = document(place)
    assert set(again["files"].values()) == {"unchanged"}
    assert again["written"] == []
    configuration = place / ".github" / "perforch.yml"
    configuration.write_text("version: 1\n")
    kept = init(place)
    assert "kept .github/perforch.yml" in kept.stdout
    assert "--force" in kept.stdout
    assert configuration.read_text() == "version: 1\n"
    assert document(place, "--force")["written"] == [".github/perforch.yml"]


def test_three_steps_are_printed(tmp_path: Path) -> None:
    done = init(repository(tmp_path / "repo", {"a.py": ""}), "--provider", "openai")
    assert [line[:5] for line in done.stdout.splitlines()[-3:]] == ["  1. ", "  2. ", "  3. "]
    for word in ("runner", "OPENAI_API_KEY", "skip-perforch"):
        assert word in done.stdout


def test_a_repository_without_code_gets_files_all_the_same(tmp_path: Path) -> None:
    place = repository(tmp_path / "repo", {"README": ""})
    assert document(place)["languages"] == []
    assert yaml.safe_load((place / ".github" / "perforch.yml").read_text())["version"] == 1


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert init(tmp_path / "empty").returncode == 2
    place = repository(tmp_path / "repo", {"a.go": ""})
    wrong = init(place, "--pin", "v1")
    assert wrong.returncode == 2
    assert "full commit id" in wrong.stderr
    (tmp_path / "elsewhere").mkdir()
    (place / ".github").symlink_to(tmp_path / "elsewhere")
    assert init(place).returncode == 2
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("record", "commit"),
    [
        (json.dumps({"url": "https://example.org/p", "vcs_info": {"vcs": "git", "commit_id": PIN}}), PIN),
        (json.dumps({"url": "file:///p", "dir_info": {"editable": True}}), ""),
        ("[]", ""),
        ("not JSON", ""),
        (None, ""),
    ],
)
def test_the_commit_that_an_installer_wrote_down(record: str | None, commit: str) -> None:
    assert installed_from(record) == commit
