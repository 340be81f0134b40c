"""EffiBench-X: problems of our own in its published shape, validated and profiled through the command line."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import effibenchx_samples as samples
import pytest

from perforch.cli import run
from perforch.profiling.effibenchx import EffiBenchX
from perforch.rankings import evidence
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = {"python": "python3", "java": "java", "cpp": "cpp", "go": "golang"}


def validated(capsys: pytest.CaptureFixture[str], data: Path, *more: str) -> tuple[int, dict[str, Any]]:
    code = run(["validate", "--suite", "effibench-x", "--data", str(data), "--jobs", "2", "--json", *more])
    out = capsys.readouterr().out
    return code, json.loads(out) if out.startswith("{") else {}


def test_own_solutions_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = samples.write(tmp_path / "data", samples.pair(), samples.total(), samples.stack())
    code, document = validated(capsys, data)
    assert code == 0
    counts = {language: (one["passed"], one["failed"]) for language, one in document["languages"].items()}
    assert counts == {"python": (3, 0), "java": (2, 0), "cpp": (2, 0), "go": (2, 0)}
    assert document["languages"]["go"]["tasks"][1]["id"] == "Go/leetcode_2_closest-pair"


def test_wrong_ones_fail_with_the_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {
        "python3": "class Solution:\n    def closest(self, values):\n        return 1 if len(values) < 9 else 0\n",
        "java": "class Solution {\n    public int closest(int[] values) {\n        return values[100000];\n    }\n}",
        "cpp": "class Solution {\npublic:\n    int closest(vector<int>& values) { for (volatile int i = 0;;) i = i + 1; }\n};",
        "golang": "func closest(values []int) int {\n\treturn nothing\n}",
    }
    row = samples.pair(wrong)
    row["generated_tests"] = row["generated_tests"].replace('"output": "', '"output": "-')
    data = samples.write(tmp_path / "data", row)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr("perforch.profiling.effibenchx.SECONDS", 1)
    with monkeypatch.context():
        code, document = validated(capsys, data)
    monkeypatch.undo()
    assert code == 1
    found = {language: one["tasks"][0] for language, one in document["languages"].items()}
    assert {language: one["kind"] for language, one in found.items()} == {
        "python": "failed",
        "java": "failed",
        "cpp": "timeout",
        "go": "compile",
    }
    assert found["python"]["detail"] == "case 1 of 3: wrong output"
    assert "of 3: Exception in thread" in found["java"]["detail"]
    assert "nothing" in found["go"]["detail"]


def test_a_program_cannot_see_or_forge_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cheats = {
        "python3": (
            "import os, sys\nfor pid in filter(str.isdigit, os.listdir('/proc')):\n    for name in ('environ', 'cmdline'):\n"
            "        try:\n            sys.stderr.write(open(f'/proc/{pid}/{name}').read())\n        except OSError:\n            pass\n"
            "print('true')\nos._exit(0)\n"
        )
    }
    row = samples.total(cheats)
    row["evaluator"] = (
        "def evaluate(output, expected):\n    print('[true]')\n    return int(output) == int(expected)\n"
    )
    code, document = validated(capsys, samples.write(tmp_path / "data", row))
    assert code == 1
    assert "its evaluator raised ValueError" in document["languages"]["python"]["tasks"][0]["detail"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--solutions", "buggy"), "EffiBench-X has no buggy solutions"),
        (("--language", "rust"), "EffiBench-X has no tests for rust"),
    ],
)
def test_what_the_suite_lacks_is_said(
    more: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = samples.write(tmp_path / "data", samples.total())
    assert run(["validate", "--suite", "effibench-x", "--data", str(data), *more]) == 2
    assert words in capsys.readouterr().err


def test_data_that_is_missing_or_of_another_shape_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for data in (tmp_path, tmp_path / "nothing"):
        assert run(["validate", "--suite", "effibench-x", "--data", str(data)]) == 2
        said = capsys.readouterr().err
        assert "holds no EffiBench-X problems" in said
        assert "huggingface.co/datasets/EffiBench/effibench-x" in said
    row = samples.total()
    del row["evaluator"]
    (tmp_path / "problems.jsonl").write_text(json.dumps(samples.pair()) + "\n" + json.dumps(row) + "\n")
    assert run(["validate", "--suite", "effibench-x", "--data", str(tmp_path)]) == 2
    assert "problems.jsonl:2: evaluator: Field required" in " ".join(capsys.readouterr().err.split())


def test_lines_are_read_and_numbered_like_files(tmp_path: Path) -> None:
    rows = [samples.total(), samples.pair(), samples.stack()]
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = samples.write(tmp_path / "data", *rows)
    loaded = [EffiBenchX().load(place, [Language.PYTHON]) for place in (path, tmp_path, files)]
    assert loaded[0] == loaded[1] == loaded[2]
    assert [one.id for one in loaded[0]] == [
        "Python/aizu_10_add-up",
        "Python/leetcode_2_closest-pair",
        "Python/leetcode_155_min-stack",
    ]
    assert [str(label) for label in loaded[0][1].categories] == ["Array", "Sorting"]
    assert "several methods" in loaded[0][2].left_out["generate"]


class Handler(BaseHTTPRequestHandler):
    prompts: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = "\n".join(message["content"] for message in body["messages"])
        self.prompts.append(prompt)
        language = next(name for name in NAMES if f"```{name}" in prompt)
        text = samples.PAIR_FAST[NAMES[language]] if "closest" in prompt else "No idea."
        reply = {
            "model": body["model"],
            "choices": [{"message": {"content": f"```{language}\n{text}\n```"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10},
        }
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    Handler.prompts = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = tmp_path / "perforch.yml"
    address = f"http://127.0.0.1:{server.server_port}/v1"
    path.write_text(f'models:\n  - {{name: m, provider: openai-compatible, base_url: "{address}"}}\n')
    yield path
    server.shutdown()
    server.server_close()


def test_a_profile_asks_generates_and_measures(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = samples.write(tmp_path / "data", samples.pair(sizes=(2, 5, 900)), samples.total(), samples.stack())
    common = ["--suite", "effibench-x", "--data", str(data), "--config", str(config), "--json", "--jobs", "2"]
    out = tmp_path / "generate.jsonl"
    assert run(["profile", *common, "--out", str(out), "--stage", "generate", "--stage", "fix"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {
        one["language"]: (one["successes"], one["attempts"]) for one in document["rates"]
    } == dict.fromkeys(NAMES, (1, 2))
    assert sum("several methods" in reason for reason in document["left_out"].values()) == 1
    assert all(
        "Return the smallest absolute difference" in one for one in Handler.prompts if "closest" in one
    )
    assert not any('"2 5"' in one or "reader.readLine" in one for one in Handler.prompts)  # no hidden tests
    assert {record.item for record in evidence.read(out) if record.successes} == {
        f"{prefix}/leetcode_2_closest-pair" for prefix in ("Python", "Java", "CPP", "Go")
    }


@pytest.mark.timing
def test_refine_measures_in_one_process(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = samples.write(tmp_path / "data", samples.pair(sizes=(2, 5, 900)))
    out = tmp_path / "refine.jsonl"
    common = ["--suite", "effibench-x", "--data", str(data), "--config", str(config), "--json", "--jobs", "2"]
    assert run(["profile", *common, "--out", str(out), "--stage", "refine"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["not_measurable"] == {}
    found = {one["item"].partition("/")[0]: one for one in document["refine"]}
    assert {name: one["outcome"] for name, one in found.items()} == dict.fromkeys(
        ("Python", "Java", "CPP", "Go"), "accepted"
    ), found
    assert all(one["ratio"] > one["whole_process_ratio"] * 0.8 for one in found.values())
    assert found["Python"]["ratio"] > 5
