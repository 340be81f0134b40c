from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.github import commands
from perforch.github.commands import Command, CommandError, Verb, parse

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("/perforch optimize", Command(Verb.OPTIMIZE)),
        (f"\n\r\n/perforch  optimize {SHA} src/a.py::f --metric=cpu --stage refine\nmore", Command(Verb.OPTIMIZE, SHA, ("src/a.py::f",), "cpu", "refine")),  # noqa: E501
        ("/perforch optimize a.cpp::X::operator()", Command(Verb.OPTIMIZE, functions=("a.cpp::X::operator()",))),
        (f"/perforch bench {SHA}", Command(Verb.BENCH, SHA)),
        ("/perforch status\r", Command(Verb.STATUS)),
        ("/perforch ignore a.go::T.M", Command(Verb.IGNORE, functions=("a.go::T.M",))),
        ("/perforch help", Command(Verb.HELP)),
    ],
)  # fmt: skip
def test_commands(body: str, expected: Command) -> None:
    assert parse(body) == expected


@pytest.mark.parametrize(
    "body",
    ["", "review this", "> /perforch optimize", "```\n/perforch optimize\n```", " /perforch optimize", "text\n/perforch optimize",
     "<!-- /perforch optimize -->", "/perforchx", "/реrforch optimize", "/PERFORCH optimize", "x" * 70_000, "/perforch optimize" + " " * 70_000],
)  # fmt: skip
def test_not_for_us(body: str) -> None:
    assert parse(body) is None


@pytest.mark.parametrize(
    "words",
    ["", "optimise", "optimize $(id)", "optimize --config.x=1", "optimize --metric", "optimize --metric=wall",
     "optimize --metric cpu --metric cpu",
     "optimize abc1234", f"optimize {SHA[:39]}", f"optimize {SHA} {SHA}", "optimize ../x::f", "optimize /etc/passwd::f", "optimize -x::f",
     "optimize a;b::f", "optimize а.py::f", "optimize \u202ea::f", "ignore", "ignore a::b c::d", "help me", "bench a.py::f",
     "optimize " + "a::b " * 30,
     "optimize " + "a" * 2000],
)  # fmt: skip
def test_usage_errors_do_not_repeat_what_was_typed(words: str) -> None:
    error = parse(f"/perforch {words}")
    assert isinstance(error, CommandError)
    for word in words.split()[1:]:
        assert word.startswith("--metric") or len(word) < 4 or word not in error.message


@given(st.text())
def test_any_body(body: str) -> None:
    assert isinstance(parse(body), Command | CommandError | None)


def test_a_hundred_thousand_bodies() -> None:
    generator = random.Random(4)
    pieces = [
        "/perforch",
        " ",
        "optimize",
        "bench",
        "\n",
        "\t",
        SHA,
        "a.py::f",
        "--metric",
        "=",
        "cpu",
        ">",
        "```",
        "\u202e",
        "é",
        "$(",
        "x",
        "::",
        "/",
    ]
    kinds = Counter[type]()
    for _ in range(100_000):
        body = "".join(generator.choices(pieces, k=generator.randrange(9)))
        if generator.random() < 0.5:
            body = f"/perforch {body}"
        parsed = parse(body)
        kinds[type(parsed)] += 1
        if isinstance(parsed, CommandError):
            assert parsed.message.isascii()
            assert "\n" not in parsed.message
    assert kinds.total() == 100_000
    assert set(kinds) == {Command, CommandError, type(None)}
    assert min(kinds.values()) > 1000


SLOW = {
    "empty lines": lambda n: "\n" * n + "/perforch optimize",
    "spaces": lambda n: " " * n + "\n/perforch optimize",
    "one long word": lambda n: "/perforch optimize " + "a" * n,
    "almost a target": lambda n: "/perforch optimize " + "a/" * (n // 2) + ":" * 3,
    "colons": lambda n: "/perforch optimize a::" + ":" * n,
    "options": lambda n: "/perforch optimize " + "--metric=cpu " * (n // 13),
    "carriage returns": lambda n: "\r" * n + "/perforch optimize",
}


@pytest.mark.parametrize("shape", SLOW)
def test_time_grows_no_faster_than_the_length(shape: str) -> None:
    def cost(length: int) -> float:
        best, body = float("inf"), SLOW[shape](length)
        assert len(body) <= commands.MAX_BODY
        for _ in range(7):
            start = time.process_time()
            for _ in range(40):
                parse(body)
            best = min(best, time.process_time() - start)
        return best

    costs = [cost(length) for length in (8_000, 16_000, 32_000, 64_000)]
    # Eight times the length costs about eight times as much; a square would cost 64 times as much.
    assert costs[-1] < 24 * max(costs[0], 1e-4)
