"""Repositories at their worst: `perforch functions` and `perforch optimize` say what is wrong, or do the right thing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from optimize_world import Repository

ONE = "def f(a):\n    return a + 1\n"
TWO = "def f(a):\n    return a + 2\n"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def names(self) -> list[tuple[str, str]]:
        return [(one["path"], one["name"]) for one in self.document["functions"]]

    @property
    def skipped(self) -> list[tuple[str, str, str]]:
        return [(one["path"], one["name"], one["reason"]) for one in self.document["skipped"]]


def perforch(*arguments: str | bytes | Path, **variables: str) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "perforch", *arguments],
        capture_output=True,
        env={**os.environ, "NO_COLOR": "1", **variables},
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def functions(
    repository: Repository | Path, *arguments: str, base: str | None = "main", **variables: str
) -> Said:
    place = repository.path if isinstance(repository, Repository) else repository
    compared = () if base is None else ("--base", base)
    return perforch("functions", "--repo", place, *compared, "--json", *arguments, **variables)


def changed(
    tmp_path: Path, base: dict[str, str | bytes] | None = None, head: dict[str, str | bytes] | None = None
) -> Repository:
    return Repository(tmp_path / "repository", {"a.py": ONE, **(base or {})}, {"a.py": TWO, **(head or {})})


FOUND = [("a.py", "f")]


def sound(said: Said) -> None:
    assert said.code == 0, said.err
    assert said.names == FOUND


# -- what cannot be compared: exit code 2, one sentence, a remedy, nothing on stdout, and optimize says the same


def refused(tmp_path: Path, repository: Path, *arguments: str, says: str, remedy: str) -> None:
    out = tmp_path / "out"
    for command in (("functions",), ("optimize", "--out", str(out))):
        said = perforch(*command, "--repo", repository, *arguments, "--json")
        assert (said.code, said.out) == (2, ""), said.err
        sentence, _, hint = said.err.partition("\n")
        assert sentence.startswith("perforch: ")
        assert says in sentence
        assert remedy in hint
    assert not out.exists()


def test_no_repository(tmp_path: Path) -> None:
    refused(tmp_path, tmp_path, says="is not inside a git repository", remedy="git init")
    refused(tmp_path, tmp_path / "nowhere", says="does not exist", remedy="--repo")


def test_a_folder_that_is_not_there_is_not_taken_for_the_one_above(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    refused(tmp_path, repository.path / "gone", "--base", "main", says="does not exist", remedy="--repo")
    refused(tmp_path, repository.path / "a.py", "--base", "main", says="is not a folder", remedy="--repo")


def test_bare_repository_is_not_entered(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(tmp_path / "bare.git"))
    refused(
        tmp_path,
        tmp_path / "bare.git",
        "--base",
        "main",
        says="is not inside a git repository",
        remedy="--repo",
    )


@pytest.mark.parametrize(
    "revision", ["nowhere", "0" * 40, "main:a.py", "^main", "main..change", "--help", "", "a\nb", "HEAD~99"]
)
def test_unknown_revision(tmp_path: Path, revision: str) -> None:
    repository = changed(tmp_path)
    for arguments in (("--base", revision), ("--base", "main", "--head", revision)):
        said = functions(repository, *arguments, base=None)
        assert (said.code, said.out) == (2, "")
        assert repr(revision) in said.err.splitlines()[0]


def test_deleted_base_branch(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    clone = tmp_path / "clone"
    repository.git(
        "clone", "--quiet", "--single-branch", "--branch", "change", str(repository.path), str(clone)
    )
    refused(tmp_path, clone, "--base", "main", says="no commit 'main'", remedy="deleted")
    repository.git("branch", "--quiet", "--move", "main", "trunk")
    refused(tmp_path, repository.path, says="no default branch", remedy="--base")


def test_default_branch_that_origin_deleted(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--branch", "change", str(repository.path), str(clone))
    for command in (
        ("remote", "set-head", "origin", "main"),
        ("update-ref", "-d", "refs/remotes/origin/main"),
    ):
        subprocess.run(["git", *command], cwd=clone, check=True)
    refused(tmp_path, clone, says="no default branch", remedy="--base")
    sound(functions(clone, base="origin/change~1"))


def test_empty_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(tmp_path / "new")], check=True)
    refused(tmp_path, tmp_path / "new", says="has no commits yet", remedy="Commit something")
    refused(tmp_path, tmp_path / "new", "--base", "main", says="no commit 'main'", remedy="no commits yet")


def test_shallow_clone_without_the_base(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    base = repository.git("rev-parse", "main")
    clone = tmp_path / "shallow"
    url = f"file://{repository.path}"
    repository.git("clone", "--quiet", "--depth=1", "--branch", "change", url, str(clone))
    refused(tmp_path, clone, "--base", base, says=f"no commit '{base}'", remedy="fetch-depth: 0")
    repository.git("-C", str(clone), "fetch", "--quiet", "--depth=1", "origin", "main:main")
    refused(tmp_path, clone, "--base", "main", says="merge base of 'main' and 'HEAD' is not in this shallow clone",
            remedy="--unshallow")  # fmt: skip
    repository.git("-C", str(clone), "fetch", "--quiet", "--unshallow")
    sound(functions(clone))


def test_partial_clone_without_contents(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    repository.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    url = f"file://{repository.path}"
    repository.git(
        "clone", "--quiet", "--filter=blob:none", "--no-checkout", "--branch", "change", url, str(clone)
    )
    said = functions(clone, base="origin/main")
    assert (said.code, said.out) == (2, "")
    assert "--filter" in said.err


def test_no_common_ancestor(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    repository.git("switch", "--quiet", "--orphan", "alone")
    repository.commit({"a.py": TWO}, "alone")
    refused(
        tmp_path,
        repository.path,
        "--base",
        "main",
        says="'main' and 'HEAD' have unrelated histories",
        remedy="shares a commit",
    )


# -- configuration


def test_misspelt_key(tmp_path: Path) -> None:
    repository = changed(tmp_path, base={".github/perforch.yml": "metrik: time\n"})
    refused(tmp_path, repository.path, "--base", "main", says="metrik", remedy="'metric'")
    file = tmp_path / "mine.yml"
    file.write_text("budget: {usdd: 1}\n")
    refused(
        tmp_path, repository.path, "--base", "main", "--config", str(file), says="budget.usdd", remedy="'usd'"
    )
    refused(
        tmp_path,
        repository.path,
        "--base",
        "main",
        "--config",
        str(tmp_path),
        says="cannot be read",
        remedy="",
    )  # a folder


def test_configuration_of_the_base_only(tmp_path: Path) -> None:
    repository = changed(
        tmp_path,
        base={".github/perforch.yml": "exclude: ['b/**']\n", "b/b.py": ONE},
        head={".github/perforch.yml": "exclude: ['**']\nmetrik: x\n", "b/b.py": TWO},
    )
    said = functions(repository)
    sound(said)
    assert said.skipped == [("b/b.py", "", "excluded by configuration")]


def test_configuration_that_is_no_file(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    secret = tmp_path / "secret.yml"
    secret.write_text("metric: cpu\n")
    repository.git("switch", "--quiet", "main")
    (repository.path / ".github").mkdir()
    (repository.path / ".github/perforch.yml").symlink_to(secret)
    repository.commit({}, "link")
    refused(tmp_path, repository.path, "--base", "main", "--head", "change",
            says="is not a regular file", remedy="at most")  # fmt: skip


# -- work trees and histories that are fine


def test_empty_diff(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    for arguments in (("--head", "main"), ("--head", "main~0")):
        said = functions(repository, *arguments)
        assert (said.code, said.document) == (0, {"functions": [], "skipped": []})
    said = functions(repository, "--head", "main", base="change")  # the head is behind
    assert said.document == {"functions": [], "skipped": []}
    out = tmp_path / "out"
    said = perforch("optimize", "--repo", repository.path, "--base", "change", "--out", out, "--json")
    assert said.code == 0, said.err
    assert said.document["functions"] == []


def test_detached_work_tree(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    tree = tmp_path / "tree"
    repository.git("worktree", "add", "--quiet", "--detach", str(tree), "change")
    repository.git("switch", "--quiet", "main")
    said = functions(tree)
    sound(said)
    assert said.err == ""
    (tree / "below").mkdir()
    sound(functions(tree / "below"))


def test_dirty_work_tree(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    repository.write({"a.py": "def f(a):\n    return a + 3\ndef g(): return 1\n", "new.py": ONE})
    before = repository.fingerprint()
    said = functions(repository)
    sound(said)
    assert said.document["functions"][0]["end_line"] == 2
    assert "uncommitted changes" in said.err
    assert functions(repository, "--head", "main").err == ""  # not what is checked out
    assert repository.fingerprint() == before


def test_several_merge_bases_and_a_moved_base(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    repository.git("switch", "--quiet", "main")
    repository.commit({"b.py": ONE}, "the base goes on")
    repository.git("switch", "--quiet", "change")
    sound(functions(repository))


# -- contents


def test_binary_and_odd_bytes(tmp_path: Path) -> None:
    head: dict[str, str | bytes] = {
        "image.png": b"\x89PNG\0\1",
        "binary.py": b"def f():\n    return '\0'\n",
        "latin.py": "# -*- coding: latin-1 -*-\ndef caf\xe9():\n    return 1\n".encode("latin-1"),
        "wide.py": "def f():\n    return 1\n".encode("utf-16"),
        "crlf.go": b"package a\r\n\r\n// Doc.\r\nfunc F() int {\r\n\treturn 2\r\n}\r\n",
        "open.rs": "fn open() -> i32 { 2 }",
        "mark.java": "\ufeffclass A { int a() { return 2; } }\n",
        "old.cpp": "int old() { return 2; }\r/* old line ends */\r",
        "empty.py": "",
    }
    repository = changed(
        tmp_path, base={"crlf.go": b"package a\n\n// Doc.\nfunc F() int {\n\treturn 1\n}\n"}, head=head
    )
    said = functions(repository)
    assert said.code == 0, said.err
    assert said.err == ""
    assert [(one["path"], one["name"], one["start_line"], one["end_line"]) for one in said.document["functions"]] == [
        ("a.py", "f", 1, 2), ("crlf.go", "F", 3, 6), ("mark.java", "A.a", 1, 1), ("old.cpp", "old", 1, 1), ("open.rs", "open", 1, 1),
    ]  # fmt: skip
    assert said.skipped == [
        ("binary.py", "", "binary file"),
        ("latin.py", "", "not UTF-8"),
        ("wide.py", "", "binary file"),
    ]


def test_line_ends_and_last_newline_are_no_change(tmp_path: Path) -> None:
    sources = {
        "a.py": "class A:\n    def f(self):\n        if self:\n            return 1\n        return 2\n",
        "A.java": "class A {\n  /** Doc. */\n  int f() {\n    return 1;\n  }\n}\n",
        "a.cpp": "#define X 1\nint f() {\n#ifdef X\n  return 1;\n#endif\n}\n",
        "a.go": "package a\n\nfunc f() int {\n\tx := `\nraw`\n\treturn len(x)\n}\n",
        "a.rs": "/// Doc.\n#[inline]\nfn f() -> i32 {\n    1\n}\n",
    }
    base: dict[str, str | bytes] = dict(sources)
    for number, change in enumerate(
        (lambda text: text.replace("\n", "\r\n"), lambda text: text.rstrip("\n"))
    ):
        repository = Repository(
            tmp_path / str(number), base, {name: change(text) for name, text in sources.items()}
        )
        said = functions(repository)
        assert said.document == {"functions": [], "skipped": []}


def test_huge_files(tmp_path: Path) -> None:
    line = "int x{} = 1;\n"
    huge = "".join(line.format(number) for number in range(1_300_000))
    assert len(huge) > 20_000_000
    small = "int f(int a) { return a; }\n"
    base: dict[str, str | bytes] = {"huge.cpp": huge, "shrunk.cpp": huge + small, "data.csv": huge}
    head: dict[str, str | bytes] = {"huge.cpp": huge + small, "shrunk.cpp": small, "data.csv": huge + small}
    said = functions(changed(tmp_path, base, head))
    sound(said)
    assert said.skipped == [
        ("huge.cpp", "", "larger than 1 MiB"),
        ("shrunk.cpp", "", "was larger than 1 MiB"),
    ]


ODD = [
    "with space/a b.py", "quo'te\".py", "back\\slash.py", "new\nline.py", "tab\t.py", "größe/функция 函数.py", "-dash.py", ":(top)x.py",
    "[bold]red[/bold].py", "a//../b.py".replace("//..", ""), "escape\x1b[31m.py", "*.py", "\u202egnp.py", " lead.py", "trail .py", "%s.py", "~.py",
]  # fmt: skip


def test_odd_names(tmp_path: Path) -> None:
    base: dict[str, str | bytes] = dict.fromkeys(ODD, ONE)
    head: dict[str, str | bytes] = dict.fromkeys(ODD, TWO)
    repository = changed(tmp_path, {**base, ".gitattributes": '"größe/*" linguist-generated\n'}, head)
    said = functions(repository)
    expected = sorted(name for name in [*ODD, "a.py"] if "größe" not in name)
    assert said.code == 0, said.err
    assert [path for path, _ in said.names] == expected
    assert said.skipped == [("größe/функция 函数.py", "", "generated code")]
    shown = perforch("functions", "--repo", repository.path, "--base", "main")
    assert len(shown.out.splitlines()) == len(expected) + 1
    assert not {mark for mark in shown.out if not mark.isprintable()} - {"\n"}
    assert "[bold]red[/bold].py:1-2" in shown.out
    assert "new\\nline.py:1-2" in shown.out


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    name = os.fsencode(repository.path) + b"/caf\xe9.py"
    Path(os.fsdecode(name)).write_text(ONE)
    repository.commit({}, "odd")
    said = functions(repository)
    assert said.code == 0, said.err
    assert said.names == [("a.py", "f"), ("caf\ufffd.py", "f")]


def test_narrow_output(tmp_path: Path) -> None:
    said = functions(changed(tmp_path, head={"größe.py": TWO}), PYTHONIOENCODING="ascii")
    assert said.names == [("a.py", "f"), ("größe.py", "f")]


def test_submodules_and_links(tmp_path: Path) -> None:
    other = Repository(tmp_path / "other", {"o.py": ONE}, {})
    outside = tmp_path / "outside.py"
    outside.write_text(ONE)
    repository = changed(tmp_path, base={"kind.py": ONE, "file.py": ONE})
    repository.git("submodule", "--quiet", "add", str(other.path), "module.py")
    (repository.path / "out.py").symlink_to(outside)
    (repository.path / "up.py").symlink_to("../outside.py")
    (repository.path / "in.py").symlink_to("a.py")
    (repository.path / "loop.py").symlink_to("loop.py")
    (repository.path / "folder").symlink_to("/etc")
    (repository.path / "kind.py").unlink()
    (repository.path / "kind.py").symlink_to("a.py")
    repository.commit({}, "links")
    said = functions(repository)
    sound(said)
    links = [(name, "", "symbolic link") for name in ("in.py", "kind.py", "loop.py", "out.py", "up.py")]
    assert said.skipped == sorted([("module.py", "", "submodule"), *links])
    (repository.path / "kind.py").unlink()
    repository.commit({"kind.py": ONE}, "a file again")
    said = functions(repository, base="HEAD~1")
    assert [(one["path"], one["change"]) for one in said.document["functions"]] == [("kind.py", "added")]


def test_modes_only(tmp_path: Path) -> None:
    repository = changed(tmp_path, base={"m.py": ONE})
    file = repository.path / "m.py"
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    repository.commit({}, "mode")
    said = functions(repository)
    sound(said)
    assert said.skipped == []


# -- what a hostile checkout configures never runs

TRAPS = """
[core]
\tfsmonitor = {trap} fsmonitor
\thooksPath = {hooks}
\tpager = {trap} pager
\tsshCommand = {trap} ssh
\taskPass = {trap} askpass
\teditor = {trap} editor
\tgitProxy = {trap} proxy
\tattributesFile = {attributes}
\tbigFileThreshold = 1
[diff]
\texternal = {trap} external
\torderFile = /nonexistent
\tsuppressBlankEmpty = true
[diff "evil"]
\tcommand = {trap} driver
\ttextconv = {trap} textconv
\tcachetextconv = true
[filter "evil"]
\tclean = {trap} clean
\tsmudge = {trap} smudge
\tprocess = {trap} process
\trequired = true
[filter "e=v=il"]
\tclean = {trap} clean-equals
\trequired = true
[filter "e.v.il"]
\tclean = {trap} clean-dots
[filter "\xe9"]
\tclean = {trap} clean-bytes
[pager]
\tstatus = {trap} pager-status
\tdiff-tree = {trap} pager-diff
[gpg]
\tprogram = {trap} gpg
[log]
\tshowSignature = true
[credential]
\thelper = !{trap} credential
[uploadpack]
\tpackObjectsHook = {trap} pack
[alias]
\tdiff-tree = !{trap} alias
\tstatus = !{trap} alias
[include]
\tpath = {included}
[extensions]
\tpartialClone = evil
\tworktreeConfig = true
[remote "evil"]
\turl = ext::{trap} transport
\tpromisor = true
\tvcs = evil
\tuploadpack = {trap} uploadpack
[trace2]
\teventTarget = {trace}
"""


def hostile(tmp_path: Path, repository: Repository) -> Path:
    """Set every trap that git offers to a checkout; the returned folder stays empty as long as none has gone off."""
    sprung = tmp_path / "sprung"
    sprung.mkdir()
    trap = tmp_path / "trap"
    trap.write_text(f'#!/bin/sh\ntouch {sprung}/"$1"\nexit 0\n')
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    names = (
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "pre-auto-gc",
        "fsmonitor-watchman",
        "post-commit",
        "pre-commit",
    )
    for folder in (hooks, repository.path / ".git/hooks"):
        for name in names:
            (folder / name).write_text(f"#!/bin/sh\ntouch {sprung}/hook-{name}\n")
            (folder / name).chmod(0o755)
    trap.chmod(0o755)
    included, attributes = tmp_path / "included", tmp_path / "attributes"
    included.write_text(f'[filter "included"]\n\tclean = {trap} clean-included\n')
    attributes.write_text("*.py linguist-generated\n")
    (repository.path / ".git/config.worktree").write_text(
        f'[filter "tree"]\n\tclean = {trap} clean-worktree\n'
    )
    text = TRAPS.format(
        trap=trap, hooks=hooks, included=included, attributes=attributes, trace=sprung / "trace"
    )
    with (repository.path / ".git/config").open("ab") as stream:
        stream.write(text.encode("latin-1"))
    (repository.path / ".git/info").mkdir(exist_ok=True)
    (repository.path / ".git/info/grafts").write_text(repository.git("rev-parse", "change") + "\n")
    return sprung


FILTERED = b"""*.py diff=evil filter=evil
b.py filter=e=v=il
c.py filter=e.v.il
d.py filter=\xe9
e.py filter=included
g.py filter=tree
"""


def test_hostile_git_configuration(tmp_path: Path) -> None:
    names = ("b.py", "c.py", "d.py", "e.py", "g.py")
    repository = changed(
        tmp_path, dict.fromkeys(names, ONE), {".gitattributes": FILTERED, **dict.fromkeys(names, TWO)}
    )
    calm = functions(repository)
    sprung = hostile(tmp_path, repository)
    for name in ("a.py", *names):  # contents that git must compare
        (repository.path / name).write_text(f"{ONE}# dirty\n")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "git").write_text(f"#!/bin/sh\ntouch {sprung}/path\n")
    (bin_ / "git").chmod(0o755)
    said = functions(
        repository,
        GIT_EXTERNAL_DIFF=f"touch {sprung}/environment",
        GIT_CONFIG_PARAMETERS=f"'core.fsmonitor=touch {sprung}/parameters'",
        GIT_DIR="/nonexistent",
        PATH=f"{bin_}:{os.environ['PATH']}",
    )
    assert said.code == 0, said.err
    assert said.document == calm.document
    assert "uncommitted changes" in said.err
    out = tmp_path / "out"
    done = perforch("optimize", "--repo", repository.path, "--base", "change", "--out", out, "--json")
    assert done.code == 0, done.err
    assert list(sprung.iterdir()) == []
    # The traps are real: git itself, called plainly, springs some of them.
    subprocess.run(["git", "status"], cwd=repository.path, capture_output=True, check=False)
    assert list(sprung.iterdir()) != []


def test_bare_repository_inside_the_checkout(tmp_path: Path) -> None:
    inner = changed(tmp_path / "inner")
    sprung = hostile(tmp_path, inner)
    repository = changed(tmp_path)
    shutil.copytree(inner.path / ".git", repository.path / "nested")
    (repository.path / "nested/config").write_text(
        f"[core]\n\tbare = false\n\tworktree = ..\n\tfsmonitor = {tmp_path}/trap nested\n"
    )
    repository.commit({}, "a repository as files")
    sound(functions(repository.path / "nested"))
    assert list(sprung.iterdir()) == []


def test_attributes_have_the_last_word(tmp_path: Path) -> None:
    attributes = (
        "*.py -linguist-generated\nvendor/ours/** -linguist-vendored\nlib/** linguist-vendored\nlib/mine.py linguist-vendored=false\n"
        "made/* linguist-generated=true\n"
    )
    signed = "# @generated\n\n"
    names = (
        "signed.py",
        "vendor/ours/a.py",
        "vendor/theirs/a.py",
        "lib/a.py",
        "lib/mine.py",
        "made/a.py",
        "api_pb2.py",
    )
    base = {".gitattributes": attributes, **dict.fromkeys(names, signed + ONE)}
    repository = changed(tmp_path, dict(base), dict.fromkeys(names, signed + TWO))
    said = functions(repository)
    assert [path for path, _ in said.names] == [
        "a.py",
        "api_pb2.py",
        "lib/mine.py",
        "signed.py",
        "vendor/ours/a.py",
    ]
    assert said.skipped == [
        ("lib/a.py", "", "vendored code"), ("made/a.py", "", "generated code"), ("vendor/theirs/a.py", "", "vendored code"),
    ]  # fmt: skip


def test_broken_index_and_missing_work_tree(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    (repository.path / "a.py").unlink()
    said = functions(repository)
    sound(said)
    assert "uncommitted changes" in said.err
    (repository.path / ".git/index").write_bytes(b"DIRC no index")
    sound(functions(repository))
    (repository.path / ".git/index").unlink()
    sound(functions(repository))


def test_repository_of_somebody_else(tmp_path: Path) -> None:
    """Checkouts in containers often belong to another user; nothing of them is executed, so nothing is refused."""
    repository = changed(tmp_path)
    if os.getuid() == 0:
        for place in (repository.path, *repository.path.rglob("*")):
            os.chown(place, 12345, 12345)
    sound(functions(repository))


def test_other_hash(tmp_path: Path) -> None:
    path = tmp_path / "repository"
    subprocess.run(
        ["git", "init", "--quiet", "--initial-branch=main", "--object-format=sha256", path], check=True
    )
    for number, text in enumerate((ONE, TWO)):
        (path / "a.py").write_text(text)
        identity = ("-c", "user.name=T", "-c", "user.email=t@example.com")
        subprocess.run(["git", "add", "a.py"], cwd=path, check=True)
        subprocess.run(["git", *identity, "commit", "--quiet", f"--message={number}"], cwd=path, check=True)
    sound(functions(path, base="main~1"))


def test_corrupt_objects(tmp_path: Path) -> None:
    repository = changed(tmp_path)
    blob = repository.git("rev-parse", "change:a.py")
    place = repository.path / ".git/objects" / blob[:2] / blob[2:]
    place.chmod(0o644)
    place.write_bytes(b"no object")
    said = functions(repository)
    assert (said.code, said.out) == (2, "")
    assert "git fsck" in said.err or "not in this clone" in said.err
