"""The evaluation with three local model servers of different skill, and with the simulated panel's answers as code."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from perforch.cli import run
from perforch.profiling.humanevalpack import HumanEvalPack
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.profiling.suite import Problem

DATA = Path(__file__).parents[3] / "shared" / "data" / "humanevalpack"
PROBLEMS = (0, 1, 2, 3, 4, 55)
FIB = "def fib(n: int):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n"


def answer(model: str, problem: Problem, prompt: str) -> str:
    """`writer` writes the even ones, `mender` repairs what has failed, `tuner` knows a faster Fibonacci."""
    if model == "writer" and problem.number % 2 == 0:
        return problem.solution("canonical")
    if model == "mender" and "fail" in prompt and "raise NotImplementedError" not in prompt:
        return problem.solution("canonical")
    if model == "tuner" and problem.number == 55:
        return FIB
    return problem.solution("buggy")


class Handler(BaseHTTPRequestHandler):
    problems: ClassVar[list[Problem]] = []
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = body["messages"][-1]["content"]
        self.asked.append(body["model"])
        problem = next(one for one in self.problems if f"def {one.name}(" in prompt)
        code = answer(body["model"], problem, prompt)
        data = json.dumps(
            {
                "model": body["model"],
                "choices": [{"message": {"content": f"```\n{code}\n```"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def call(tmp_path: Path) -> Iterator[list[str]]:
    if not DATA.is_dir():
        pytest.skip(f"HumanEvalPack is not at {DATA}")
    data = tmp_path / "data"
    data.mkdir()
    rows = (DATA / "python.jsonl").read_text().splitlines()
    (data / "python.jsonl").write_text("".join(f"{rows[number]}\n" for number in PROBLEMS))
    Handler.problems = list(HumanEvalPack().load(data, [Language.PYTHON]))
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    models = "".join(
        f'  - {{name: {name}, provider: openai-compatible, base_url: "http://127.0.0.1:{server.server_port}/v1"}}\n'
        for name in ("writer", "mender", "tuner")
    )
    config = tmp_path / "perforch.yml"
    config.write_text(f"models:\n{models}budget: {{usd: 10, calls: 1000}}\n")
    common = ["evaluate", "--suite", "humanevalpack", "--data", str(data), "--config", str(config)]
    yield [*common, "--language", "python", "--out", str(tmp_path / "out"), "--jobs", "2", "--json"]
    server.shutdown()
    server.server_close()
    thread.join()


def document(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> dict[str, object]:
    assert run(arguments) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_one_shot_and_pipeline_count_what_is_true(
    call: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = document(capsys, [*call, "--mode", "single"])["table8"]
    assert {row["model"]: row["passed"] for row in rows} == {"writer": 3, "mender": 0, "tuner": 1}  # type: ignore[attr-defined]
    assert all(row["low"] <= row["pass_percent"] <= row["high"] for row in rows)  # type: ignore[attr-defined]
    rows = document(capsys, [*call, "--mode", "pipeline"])["table8"]
    passed = {row["model"]: (row["passed"], row["calls"]) for row in rows}  # type: ignore[attr-defined]
    assert passed["PerfOrch(mender)"] == (6, 12)
    assert passed["PerfOrch(writer)"] == (3, 3 + 3 * 6)


@pytest.mark.timing
def test_the_whole_is_measured_once(
    call: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = document(capsys, [*call, "--mode", "full"])
    (row,) = found["table8"]  # type: ignore[misc]
    assert row["passed"] == 6
    refined = {row["agent"]: row for row in found["table16"]}  # type: ignore[attr-defined]
    assert refined["PerfOrch"]["improved"] == refined["PerfOrch(Best-of-Five)"]["improved"] == 1
    assert refined["PerfOrch"]["functions"] == 6
    calls = {row["agent"]: row["calls"] for row in found["table18"]}  # type: ignore[attr-defined]
    assert calls["PerfOrch(Top1 Only)"] < calls["PerfOrch"] <= calls["PerfOrch(Best-of-Five)"] == 18
    (nine,) = found["table9"]  # type: ignore[misc]
    assert nine["median_improvement"] > 50
    assert (tmp_path / "out" / "table8.svg").read_text().startswith("<?xml")
    asked, measured = len(Handler.asked), (tmp_path / "out" / "progress.jsonl").read_bytes()
    assert document(capsys, [*call, "--mode", "full"]) == found
    assert len(Handler.asked) == asked
    assert (tmp_path / "out" / "progress.jsonl").read_bytes() == measured


def test_the_panels_answers_as_code_are_counted_as_drawn(
    call: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    data = call[call.index("--data") + 1]
    arguments = [
        "evaluate",
        "--suite",
        "humanevalpack",
        "--data",
        data,
        "--language",
        "python",
        "--repetitions",
        "2",
    ]
    found = document(capsys, [*arguments, "--json"])
    assert all(
        row["simulated"] for table in ("table8", "table18", "driven", "strategies") for row in found[table]
    )  # type: ignore[attr-defined]
    (row,) = found["driven"]  # type: ignore[misc]
    assert row["passed"] == row["drawn"]
    assert row["problems"] == len(PROBLEMS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "gpt"],
        ["--suite", "effibench-x"],
        ["--config", "nowhere.yml", "--out", "x", "--data", "."],
    ],
)
def test_what_cannot_be_evaluated_is_said(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["evaluate", "--suite", "humanevalpack", *arguments]) == 2
    assert capsys.readouterr().err
