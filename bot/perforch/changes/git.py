"""What perforch reads from a git repository: revisions, changed paths, contents."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.changes.runner import Runner
from perforch.errors import RepositoryError, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_FILE_BYTES = 1024 * 1024
MAX_DIFF_BYTES = 64 * 1024 * 1024
_DIFF = ("-r", "-M", "-l1000", "--no-ext-diff", "--no-textconv", "--no-color", "--full-index")
_REGULAR = frozenset({"100644", "100755", "100664"})
SYMLINK, SUBMODULE = "120000", "160000"
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SLUG = re.compile(r"(?:^|[:/])([\w.-]+)/([\w.-]+?)(?:\.git)?/?$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a revision: mode (six octal digits) and object name."""

    mode: str
    sha: str

    @property
    def is_file(self) -> bool:
        """A regular file, executable or not."""
        return self.mode in _REGULAR


@dataclass(frozen=True, slots=True)
class Delta:
    """One changed path between two revisions; `old` and `new` are None where the path does not exist.

    `status` is git's letter: A(dded), M(odified), D(eleted), R(enamed), T(ype changed).
    """

    status: str
    base_path: str
    path: str
    old: Entry | None
    new: Entry | None


class Git:
    """One repository. Paths are text with surrogate escapes where they are not UTF-8."""

    def __init__(self, root: Path, *, binary: str) -> None:
        self.root = root
        self._run = Runner(root, binary=binary)

    @classmethod
    def open(cls, path: Path | str) -> Git:
        """The repository whose working tree holds `path`.

        Raises:
            RepositoryError: there is none. Bare repositories are never entered.
            ToolMissingError: git is not installed.
        """
        binary = shutil.which("git", path="/usr/local/bin:/usr/bin:/bin") or shutil.which("git")
        if binary is None:
            message = "git is not installed"
            raise ToolMissingError(message, hint="Install it, such as with: apt-get install git")
        start = Path(path).resolve()
        if not start.is_dir():
            message = f"{start} is not a folder" if start.exists() else f"{start} does not exist"
            raise RepositoryError(message, hint="Name a checkout with --repo.")
        for folder in (start, *start.parents):
            marker = folder / ".git"
            if (marker.is_dir() and (marker / "HEAD").exists()) or marker.is_file():
                return cls(folder, binary=binary)
        message = f"{start} is not inside a git repository"
        raise RepositoryError(message, hint="Name a checkout with --repo, or create one with: git init")

    # -- revisions

    def resolve(self, revision: str) -> str:
        """The full object name of a commit; a branch that only exists on `origin` is found there.

        Raises:
            RepositoryError: no such revision.
        """
        if not revision or revision.startswith("-") or any(ord(mark) < 32 for mark in revision):
            message = f"{revision!r} is not a git revision"
            raise RepositoryError(message, hint="Give a branch, a tag or a commit.")
        for candidate in (revision, f"refs/remotes/origin/{revision}"):
            found = self._try(candidate)
            if found:
                return found
        hint = "Look at `git branch --all`; a branch may have been deleted or not been fetched."
        if not self._run.call("rev-list", "--all", "--max-count=1").strip() and not self.checked_out():
            hint = "The repository has no commits yet."
        elif self.is_shallow():
            hint = "This is a shallow clone: run `git fetch --unshallow`, or check out with fetch-depth: 0."
        message = f"no commit {revision!r} in {self.root}"
        raise RepositoryError(message, hint=hint)

    def checked_out(self) -> str:
        """The commit of HEAD, "" before the first one."""
        return self._try("HEAD")

    def _try(self, revision: str) -> str:
        asked = ("--verify", "--quiet", "--end-of-options", revision + "^{commit}")
        done = self._run.call("rev-parse", *asked, ok=(0, 1, 128))
        found = done.decode().strip()
        return found if _SHA.fullmatch(found) else ""  # `^main` names commits too, all but one

    def default_branch(self) -> str:
        """What pull requests go into: origin's HEAD, or a branch main or master.

        Raises:
            RepositoryError: none of them exists.
        """
        found = self._run.call("symbolic-ref", "-q", "refs/remotes/origin/HEAD", ok=(0, 1, 128))
        named = found.decode().strip()
        if named and self._try(named):
            return named.removeprefix("refs/remotes/")
        for name in ("origin/main", "origin/master", "main", "master"):
            prefix = "refs/remotes/" if name.startswith("origin/") else "refs/heads/"
            if self._try(prefix + name):
                return name
        if not self.checked_out():
            message = f"{self.root} has no commits yet"
            raise RepositoryError(message, hint="Commit something first, or name the head with --head REV.")
        message = f"{self.root} has no default branch: neither origin/HEAD nor main nor master exists"
        raise RepositoryError(message, hint="Name the base with --base REV.")

    def merge_base(self, base: str, head: str) -> str:
        """The commit where `head` left `base`.

        Raises:
            RepositoryError: the histories have nothing in common, or a shallow clone does not reach it.
        """
        base_sha, head_sha = self.resolve(base), self.resolve(head)
        found = self._run.call("merge-base", base_sha, head_sha, ok=(0, 1)).decode().split()
        if found:
            return found[0]
        if self.is_shallow():
            message = f"the merge base of {base!r} and {head!r} is not in this shallow clone"
            hint = "Run `git fetch --unshallow`, or check out with fetch-depth: 0."
        else:
            message = f"{base!r} and {head!r} have unrelated histories"
            hint = "Name a base that shares a commit with the head."
        raise RepositoryError(message, hint=hint)

    def is_shallow(self) -> bool:
        """Was history cut when this was cloned?"""
        return self._run.call("rev-parse", "--is-shallow-repository").strip() == b"true"

    def is_dirty(self) -> bool:
        """Do tracked files differ from HEAD? Submodules are not looked into."""
        arguments = ("--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
        folder = self._run.call("rev-parse", "--absolute-git-dir").removesuffix(b"\n")
        index = {"GIT_INDEX_FILE": f"{os.fsdecode(folder)}/index"}
        return bool(self._run.call("status", *arguments, extra=index).strip())

    def remote_slug(self) -> str:
        """`owner/name` of origin, "" when there is none."""
        url = (
            self._run.call("config", "--get", "remote.origin.url", ok=(0, 1))
            .decode("utf-8", "replace")
            .strip()
        )
        found = _SLUG.search(url)
        local = url.startswith(("/", ".", "file:")) or ":" not in url
        return f"{found[1]}/{found[2]}" if found and not local else ""

    # -- contents

    def deltas(self, base: str, head: str) -> list[Delta]:
        """Changed paths between two commits, renames followed; `base` is not replaced by the merge base."""
        raw = self._run.call("diff-tree", "--raw", "-z", *_DIFF, self.resolve(base), self.resolve(head))
        fields = iter(raw.decode("utf-8", "surrogateescape").split("\0"))
        found: list[Delta] = []
        for record in fields:
            if not record.startswith(":"):
                continue
            old_mode, new_mode, old_sha, new_sha, status = record[1:].split(" ")
            base_path = next(fields)
            path = next(fields) if status[0] in "RC" else base_path
            old = Entry(old_mode, old_sha) if status[0] != "A" else None
            new = Entry(new_mode, new_sha) if status[0] != "D" else None
            found.append(Delta(status[0], base_path, path, old, new))
        return found

    def diff(self, base: str, head: str, *, context: int = 3, paths: Sequence[str] = ()) -> bytes:
        """Unified diff between two commits, renames followed; cut between two files beyond 64 MiB."""
        arguments = ("diff-tree", "-p", f"--unified={context}", "--src-prefix=a/", "--dst-prefix=b/", *_DIFF)
        revisions = (self.resolve(base), self.resolve(head))
        literal = (f":(literal,top){path}" for path in paths)
        with self._run.stream(*arguments, *revisions, "--", *literal) as output:
            data = output.read(MAX_DIFF_BYTES + 1)
        if len(data) <= MAX_DIFF_BYTES:
            return data
        return data[: data.rfind(b"\ndiff --git ", 0, MAX_DIFF_BYTES) + 1]

    @functools.lru_cache(maxsize=8)  # noqa: B019
    def tree(self, revision: str) -> Mapping[str, Entry]:
        """Every path of a revision, submodules and links included."""
        listed = self._run.call("ls-tree", "-r", "-z", "--full-tree", self.resolve(revision))
        entries: dict[str, Entry] = {}
        for record in listed.decode("utf-8", "surrogateescape").split("\0"):
            head, tab, path = record.partition("\t")
            if tab:
                mode, _, sha = head.split(" ")
                entries[path] = Entry(mode, sha)
        return entries

    def read(self, revision: str, paths: Iterable[str], *, limit: int = MAX_FILE_BYTES) -> dict[str, bytes]:
        """Contents of regular files at a revision; what is missing or above `limit` bytes is left out."""
        entries = self.tree(revision)
        wanted = {path: entries[path].sha for path in paths if path in entries and entries[path].is_file}
        contents = dict(self.blobs(set(wanted.values()), limit=limit))
        return {path: contents[sha] for path, sha in wanted.items() if sha in contents}

    def sizes(self, shas: Iterable[str]) -> dict[str, int]:
        """Bytes of each blob that exists."""
        found: dict[str, int] = {}
        request = "".join(f"{sha}\n" for sha in shas).encode()
        for line in self._run.call("cat-file", "--batch-check", send=request).decode().splitlines():
            name, _, rest = line.partition(" ")
            kind, _, size = rest.partition(" ")
            if kind == "blob":
                found[name] = int(size)
        return found

    def blobs(self, shas: Iterable[str], *, limit: int | None = None) -> Iterator[tuple[str, bytes]]:
        """Contents of blobs, one at a time, as asked; missing ones and those above `limit` are left out."""
        wanted = list(shas)
        if limit is not None:
            sizes = self.sizes(wanted)
            wanted = [sha for sha in wanted if sizes.get(sha, limit + 1) <= limit]
        if not wanted:
            return
        request = "".join(f"{sha}\n" for sha in wanted).encode()
        with self._run.stream("cat-file", "--batch", send=request) as output:
            for sha in wanted:
                header = output.readline().split()
                if not header:
                    self._run.fail("cat-file")
                if len(header) == 3:
                    content = output.read(int(header[2]))
                    output.read(1)
                    if header[1] == b"blob":
                        yield sha, content

    def attributes(
        self, revision: str, paths: Sequence[str], names: Sequence[str]
    ) -> dict[str, dict[str, bool]]:
        """What the revision's own `.gitattributes` files say about these attributes, by path: set or unset.

        They are read through a private index, so neither the working tree nor the repository's index is
        touched.
        """
        files = [path for path in self.tree(revision) if path.rpartition("/")[2] == ".gitattributes"]
        said = self.read(revision, files)
        if not paths or not any(name.encode() in content for content in said.values() for name in names):
            return {}
        with tempfile.TemporaryDirectory(prefix="perforch-") as folder:
            private = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._run.call("read-tree", self.resolve(revision), extra=private)
            request = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
            output = self._run.call(
                "check-attr", "--cached", "-z", "--stdin", *names, send=request, extra=private
            )
        fields = output.decode("utf-8", "surrogateescape").split("\0")
        found: dict[str, dict[str, bool]] = {}
        for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
            if value != "unspecified":
                found.setdefault(path, {})[name] = value not in {"unset", "false", "0"}
        return found
