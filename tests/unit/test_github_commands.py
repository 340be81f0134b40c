from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    kinds = set()
    for _ in range(100_000):
        body = "".join(generator.choices(pieces, k=generator.randrange(9)))
        if generator.random() < 0.5:
            body = f"/perforch {body}"
        kinds.add(type(parse(body)))
    assert kinds == {Command, CommandError, type(None)}


def test_time_grows_no_faster_than_the_length() -> None:
    def cost(length: int) -> float:
        best = float("inf")
        body = "\n" * length + "/perforch optimize " + "a" * length
        for _ in range(5):
            start = time.process_time()
            for _ in range(20):
                parse(body)
            best = min(best, time.process_time() - start)
        return best

    assert cost(30_000) < 40 * max(cost(3_000), 1e-4)
