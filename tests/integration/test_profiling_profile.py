"""Three local model servers of different skill: measured rates equal the true ones, sharded, killed or not."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from perforch.cli import run
from perforch.profiling.humanevalpack import HumanEvalPack
from perforch.rankings import evidence, store
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.profiling.suite import Problem

DATA = Path(__file__).parents[3] / "shared" / "data" / "humanevalpack"
SKILL = {"good": 1, "half": 2, "poor": 5}  # answers every n-th problem
LIMIT = 12
SOME = (Language.PYTHON, Language.GO)
ALL, FIRST = tuple(Language), 20


class Handler(BaseHTTPRequestHandler):
    problems: ClassVar[list[Problem]] = []
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = body["messages"][-1]["content"]
        self.asked.append(body["model"])
        asked = [one for one in self.problems if f"```{one.language}" in prompt and one.signature in prompt]
        problem = max(asked, key=lambda one: len(one.signature))
        code = self.answer(body["model"], problem)
        reply = {
            "model": body["model"],
            "choices": [
                {"message": {"content": f"```{problem.language}\n{code}\n```"}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10},
        }
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(data)

    @staticmethod
    def answer(model: str, problem: Problem) -> str:
        """The reply's code: right in every n-th problem, nonsense in the others."""
        right = problem.number % SKILL[model] == 0
        wrong = problem.declaration + "\n    this is not a program in any language\n"
        return problem.solution("canonical") if right else wrong

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    if not DATA.is_dir():
        pytest.skip(f"HumanEvalPack is not at {DATA}")
    Handler.problems = [one for one in HumanEvalPack().load(DATA, ALL) if one.number < FIRST]
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    models = "".join(
        f'  - {{name: {name}, provider: openai-compatible, base_url: "http://127.0.0.1:{server.server_port}/v1"}}\n'
        for name in SKILL
    )
    path = tmp_path / "perforch.yml"
    path.write_text(f"models:\n{models}budget: {{usd: 10, calls: 1000}}\n")
    yield path
    server.shutdown()
    server.server_close()


def arguments(
    config: Path, out: Path, *more: str, languages: tuple[Language, ...] = SOME, limit: int = LIMIT
) -> list[str]:
    common = [
        "--suite",
        "humanevalpack",
        "--data",
        str(DATA),
        "--config",
        str(config),
        "--date",
        "2026-11-21",
    ]
    chosen = [word for language in languages for word in ("--language", language.value)]
    scope = [*chosen, "--stage", "generate", "--limit", str(limit)]
    return ["profile", *common, *scope, "--out", str(out), "--jobs", "2", *more]


def rates(path: Path) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for record in evidence.read(path):
        good, total = found.get(record.model, (0, 0))
        found[record.model] = (good + record.successes, total + record.attempts)
    return found


def test_rates_are_the_true_ones_and_shards_are_the_whole(config: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    assert run(arguments(config, whole)) == 0
    expected = {
        name: (2 * sum(number % skill == 0 for number in range(LIMIT)), 2 * LIMIT)
        for name, skill in SKILL.items()
    }
    assert rates(whole) == expected
    shards = [tmp_path / f"shard-{number}.jsonl" for number in (1, 2, 3)]
    for number, path in enumerate(shards, start=1):
        assert run(arguments(config, path, "--shard", f"{number}/3")) == 0
    store.merge(shards, tmp_path / "merged")
    assert store.load_directories([tmp_path / "merged"]) == evidence.read(whole)


def test_a_profile_of_five_languages_killed_twice_has_the_true_rates_and_pays_once(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    given = arguments(config, out, languages=ALL, limit=FIRST)
    command = [sys.executable, "-c", "from perforch.cli import main; main()", *given]
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(Handler.asked)
        while process.poll() is None and len(Handler.asked) < before + 45:
            pass
        process.kill()
        process.wait()
    assert run(given) == 0
    right = {name: sum(number % skill == 0 for number in range(FIRST)) for name, skill in SKILL.items()}
    assert rates(out) == {name: (len(ALL) * good, len(ALL) * FIRST) for name, good in right.items()}
    asked = len(Handler.asked)
    assert len(SKILL) * len(ALL) * FIRST <= asked <= len(SKILL) * len(ALL) * FIRST + 2 * 40
    assert run(given) == 0
    assert len(Handler.asked) == asked


FASTER = {
    "python": "def fib(n: int):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n",
    "go": "func Fib(n int) int {\n\ta, b := 0, 1\n\tfor i := 0; i < n; i++ {\n\t\ta, b = b, a+b\n\t}\n\treturn a\n}\n",
}


@pytest.mark.timing
def test_refine_is_measured_against_the_suites_own_solution(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The faster one is proven, the same again is no candidate, and a test that draws random inputs is not measured."""
    data = tmp_path / "data"
    data.mkdir()
    for language in FASTER:
        rows = (DATA / f"{language}.jsonl").read_text().splitlines()
        (data / f"{language}.jsonl").write_text(f"{rows[32]}\n{rows[55]}\n")
    problems = HumanEvalPack().load(data, [Language.PYTHON, Language.GO])
    monkeypatch.setattr(Handler, "problems", problems)
    answers = {
        "good": lambda problem: FASTER[problem.language],
        "half": lambda problem: problem.solution("canonical"),
        "poor": lambda problem: problem.solution("buggy"),
    }
    monkeypatch.setattr(Handler, "answer", staticmethod(lambda model, problem: answers[model](problem)))
    out = tmp_path / "refine.jsonl"
    call = [
        "profile",
        "--suite",
        "humanevalpack",
        "--data",
        str(data),
        "--config",
        str(config),
        "--out",
        str(out),
    ]
    assert run([*call, "--language", "python", "--language", "go", "--stage", "refine", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["not_measurable"]) == {"Python/32", "Go/32"}
    outcomes = {(row["model"], row["item"]): row["outcome"] for row in document["refine"]}
    for item in ("Python/55", "Go/55"):
        assert outcomes["good", item] == "accepted"
        assert outcomes["half", item] == "invalid_reply"
        assert outcomes["poor", item] == "tests_failed"
    assert all(row["ratio"] > 2 for row in document["refine"] if row["outcome"] == "accepted")
    records = evidence.read(out)
    assert {record.metric for record in records} == {"time"}
    assert sum(record.successes for record in records) == 2
    assert all(record.log_gain_sum for record in records if record.successes)
    asked = len(Handler.asked)
    assert asked == 6
    assert run([*call, "--language", "python", "--language", "go", "--stage", "refine", "--json"]) == 0
    assert len(Handler.asked) == asked


def test_the_plan_is_balanced(config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run([*arguments(config, tmp_path / "x"), "--plan", "--shards", "4"]) == 0
    matrix = json.loads(capsys.readouterr().out)["include"]
    assert [entry["shard"] for entry in matrix] == ["1/4", "2/4", "3/4", "4/4"]
    assert sum(entry["items"] for entry in matrix) == 3 * 2 * LIMIT
    assert max(entry["seconds"] for entry in matrix) < 1.3 * min(entry["seconds"] for entry in matrix)
