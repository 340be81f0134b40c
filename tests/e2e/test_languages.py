"""In five languages: what people get by applying a comment is, byte for byte, the file that was measured.

The records are built as the main job builds them (`changes`, `suggest`, `patch`, JSON), then posted to the fake, and
its suggestions are committed as GitHub commits a batch; where a suggestion cannot say it, `git apply` does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from github_diff import git_bytes
from github_fake import Fake, git
from github_talk import committed
from publishing import post, summaries
from samples import LANGUAGES, TIME

from perforch.changes.git import Git
from perforch.changes.hunks import hunks
from perforch.github.ladder import Rung
from perforch.report import files, inline
from perforch.report.patch import patch
from perforch.report.suggestions import suggest
from perforch.result import FunctionResult, Metric, Result, Stage, Verdict, load

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., Fake]

# For each language a file, what the pull request makes of it, and the accepted refinement of the function in it.
PYTHON = (
    '"""Doppelte Einträge – naïve Fassung."""\n\n\ndef duplicates(items):\n    raise NotImplementedError\n\n\ndef other():\n    return "ß"\n',
    ("    raise NotImplementedError\n", "    found = []\n    for i, one in enumerate(items):\n        for two in items[i + 1 :]:\n"
     "            if one == two and one not in found:\n                found.append(one)\n    return found\n"),
    ("    found = []\n    for i, one in enumerate(items):\n        for two in items[i + 1 :]:\n"
     "            if one == two and one not in found:\n                found.append(one)\n    return found\n",
     "    seen, found = set(), {}  # häufig ```\n    for one in items:\n        if one in seen:\n            found[one] = None\n"
     "        seen.add(one)\n    return list(found)\n"),
)  # fmt: skip
JAVA = (
    "package shop;\n\nfinal class Orders {\n\n  static long total(long[] prices) {\n    return 0;\n  }\n}\n",
    (
        "    return 0;\n",
        "    Long sum = 0L;\n    for (long price : prices) {\n      sum = sum + price;\n    }\n    return sum;\n",
    ),
    ("    Long sum = 0L;\n", "    long sum = 0L; // kein Boxing — größer\n"),
)
CPP = (
    "#include <vector>\n\nint count(std::vector<int> v) {\n\treturn 0;\n}\n",
    (
        "\treturn 0;\n",
        "\tint n = 0;\n\tfor (std::size_t i = 0; i < v.size(); i++)\n\t\tif (v[i] > 0) n++;\n\treturn n;\n",
    ),
    (
        "int count(std::vector<int> v) {\n\tint n = 0;\n",
        "int count(const std::vector<int>& v) {\n\tint n = 0;\n\n",
    ),
)
GO = (
    "package words\n\nfunc Join(all []string) string {\n\treturn \"\"\n}\n",
    ("\treturn \"\"\n", "\tout := \"\"\n\tfor _, one := range all {\n\t\tout += one\n\t}\n\treturn out\n"),
    ("\tout := \"\"\n\tfor _, one := range all {\n\t\tout += one\n\t}\n\treturn out\n",
     "\tvar out strings.Builder\n\tfor _, one := range all {\n\t\tout.WriteString(one)\n\t}\n\treturn out.String()\n"),
)  # fmt: skip
RUST = (
    "/// Größter Wert.\npub fn largest(v: &[i64]) -> i64 {\n    0\n}\n\npub fn other() {}\n",
    ("    0\n", "    let mut v = v.to_vec();\n    v.sort();\n    v[v.len() - 1]\n"),
    ("    let mut v = v.to_vec();\n    v.sort();\n    v[v.len() - 1]\n", "    *v.iter().max().unwrap()\n"),
)
SAMPLES = {
    "src/doppelt é.py": PYTHON, "src/shop/Orders.java": JAVA, "src/count.cpp": CPP, "words/join.go": GO, "src/lib.rs": RUST,
}  # fmt: skip


def windows(text: str) -> str:
    return text.replace("\n", "\r\n")


def unfinished(text: str) -> str:
    return text.removesuffix("\n")


def late(text: str) -> str:
    """The function far below, so that the file has lines that no diff shows."""
    return "".join(f"{'#' if 'def ' in text else '//'} line {number}\n" for number in range(40)) + text


SHAPES = {"plain": str, "crlf": windows, "no newline at the end": unfinished, "late": late}


def record(fake: Fake, measured: dict[str, str], folder: Path) -> Result:
    """What the main job writes, written to disk and read back as the publishing job reads it."""
    repository = Git(fake.repo, binary="git")
    shown = hunks(repository.diff(fake.base, fake.head))
    functions = []
    for path, new in measured.items():
        old = git_bytes(fake.repo, "show", f"{fake.head}:{path}")
        functions.append(
            FunctionResult(
                path=path, name=f"f{len(functions)}", language=LANGUAGES[path.rsplit(".", 1)[1]],
                start_line=1, end_line=old.count(b"\n") + 1, stage=Stage.REFINE, verdict=Verdict.IMPROVED,
                measurements={Metric.TIME: TIME}, patch=patch(path, old, new.encode()),
                suggestions=suggest(path, old.decode(), new, hunks=shown),
            )
        )  # fmt: skip
    result = Result(perforch="0.1.0", base_sha=fake.base, head_sha=fake.head, functions=tuple(functions))
    files.write(result, folder)
    return load(folder / "result.json")


def patched(fake: Fake, folder: Path, result: Result, path: str) -> bytes:
    """The file after `git apply` of the attached patch on a checkout of head."""
    (name,) = (name for name, function in files.patches(result).items() if function.path == path)
    git(fake.repo, "checkout", "--quiet", "--force", fake.head)
    subprocess.run(["git", "-C", fake.repo, "apply", folder / name], check=True)
    return (fake.repo / path).read_bytes()


def pull_request(make_fake: Make, shape: Callable[[str], str]) -> tuple[Fake, dict[str, str]]:
    before = {path: shape(text) for path, (text, _, _) in SAMPLES.items()}
    after, measured = {}, {}
    for path, (text, change, refinement) in SAMPLES.items():
        assert text.count(change[0]) == 1
        head = text.replace(*change)
        assert head.count(refinement[0]) == 1
        after[path], measured[path] = shape(head), shape(head.replace(*refinement))
    return make_fake(before, after), measured


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_applied_is_what_was_measured(make_fake: Make, tmp_path: Path, shape: str) -> None:
    fake, measured = pull_request(make_fake, SHAPES[shape])
    result = record(fake, measured, tmp_path / "out")
    report = post(fake, result)
    assert len(summaries(fake)) == len(fake.reviews) == 1
    for function in result.functions:
        new = measured[function.path].encode()
        threads = [t for t in fake.threads if t["path"] == function.path]
        assert threads
        rung = report.placed[inline.fingerprint(function)]
        # GitHub writes CRLF files as it pleases, so they get a patch and no suggestion.
        assert rung is (Rung.NEARBY if shape == "crlf" else Rung.SUGGESTION), function.path
        if rung is Rung.SUGGESTION:
            assert committed(fake, function.path, threads) == new
        else:
            (name,) = (name for name, f in files.patches(result).items() if f is function)
            assert f"`git apply {name}`" in threads[0]["body"]
            assert "CR and LF" in threads[0]["body"]
        assert patched(fake, tmp_path / "out", result, function.path) == new


def test_edits_in_two_hunks_are_one_batch(make_fake: Make, tmp_path: Path) -> None:
    lines = [f"\tline {number}\n" for number in range(60)]
    head = [*lines]
    head[10], head[40] = "\tten\n", "\tforty\n"
    fake = make_fake({"a.go": "".join(lines)}, {"a.go": "".join(head)})
    # At the first and at the last line that each hunk shows, by change, insertion and deletion.
    new = [*head]
    new[7], new[13] = "\tfirst\n", "\tlast\n\tand more\n"
    new[37], new[43] = "\tinserted\n" + new[37], ""
    result = record(fake, {"a.go": "".join(new)}, tmp_path / "out")
    post(fake, result)
    assert [(t.get("start_line"), t["line"]) for t in fake.threads] == [(8, 14), (38, 44)]
    assert all("one batch" in t["body"] for t in fake.threads)
    assert committed(fake, "a.go", fake.threads).decode() == "".join(new)


@pytest.mark.parametrize("line", [6, 14, 20])
def test_one_line_beyond_the_hunk_is_no_suggestion(make_fake: Make, tmp_path: Path, line: int) -> None:
    lines = [f"line {number}\n" for number in range(60)]
    head = [*lines]
    head[10] = "ten\n"
    fake = make_fake({"a.rs": "".join(lines)}, {"a.rs": "".join(head)})
    new = [*head]
    new[10], new[line] = "changed\n", "changed too\n"
    result = record(fake, {"a.rs": "".join(new)}, tmp_path / "out")
    report = post(fake, result)
    assert [("suggestion\n" in t["body"], t["line"]) for t in fake.threads] == [(False, 8)]
    assert Rung.NEARBY in report.placed.values()
    assert patched(fake, tmp_path / "out", result, "a.rs").decode() == "".join(new)


def test_every_rung_of_the_ladder(make_fake: Make, tmp_path: Path) -> None:
    """Suggestion, nearest line, file, summary row; the job summary and the patches are there whatever GitHub says."""
    text = "".join(f"line {number}\n" for number in range(30))
    before = {f"src/{name}.py": text for name in ("suggestion", "nearby", "file", "untouched")}
    after = {
        path: body.replace("line 3\n", "three\n") for path, body in before.items() if "untouched" not in path
    }
    after["src/file.py"] += "# padding\n" * 500
    fake = make_fake(before, after, max_patch=2000)
    measured = {path: body.replace("three\n", "3\n") for path, body in after.items()}
    measured["src/nearby.py"] = after["src/nearby.py"].replace("line 20\n", "20\n")
    measured["src/untouched.py"] = text.replace("line 20\n", "20\n")
    result = record(fake, measured, tmp_path / "out")
    report = post(fake, result)
    for function in result.functions:
        expected = function.path[4:-3].replace("untouched", "summary")
        found = report.placed.get(inline.fingerprint(function), Rung.SUMMARY)
        assert found.value == expected
        assert patched(fake, tmp_path / "out", result, function.path).decode() == measured[function.path]
        assert f"`{function.name}`" in summaries(fake)[0]
    assert {t["path"]: (t.get("line"), t.get("subject_type")) for t in fake.threads} == {
        "src/suggestion.py": (4, None), "src/nearby.py": (1, None), "src/file.py": (None, "file"),
    }  # fmt: skip
