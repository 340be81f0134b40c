"""From replies to candidates."""

# ruff: noqa: RUF015

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.changes.function import Function
from perforch.languages import syntax
from perforch.llm.reply import Candidate, Refusal, parse, splice
from perforch.result import Language, Stage

PY = b'''import math


class Box:
    def size(self, items):
        """How many."""
        n = 0
        for _ in items:
            n += 1
        return n

    def other(self):
        return math.pi
'''


def function(source: bytes, name: str, language: Language = Language.PYTHON, path: str = "a.py") -> Function:
    [one] = [d for d in syntax.definitions(language, source).definitions if d.name == name]
    return Function(
        path=path, name=one.name, language=language, start_line=one.start_line, end_line=one.end_line,
        start_byte=one.start_byte, end_byte=one.end_byte, signature=one.signature, change="modified",
        source=source[one.start_byte : one.end_byte].decode(), docstring=one.docstring,
    )  # fmt: skip


def take(
    text: str, source: bytes = PY, name: str = "Box.size", language: Language = Language.PYTHON
) -> Candidate | Refusal:
    return parse(text, function(source, name, language), language, head_source=source, stage=Stage.REFINE)


BODY = "def size(self, items):\n    return len(list(items))\n"
INDENTED = "".join(f"    {line}\n" for line in BODY.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{BODY}```",
        f"Sure!\n\n```py\n{BODY}```\nThis is faster.",
        f"~~~~\n{BODY}~~~~",
        f"``````python\n{BODY}``````",
        f"```\n{INDENTED}```",
        f"```python\nclass Box:\n{INDENTED}```",
        f"```python\n{BODY}",
        BODY,
        f"```python\n{BODY}```\nIt was:\n```python\n{PY.decode()}```",
        f"It was:\n```python\n{PY.decode()}```\nMake it:\n```python\n{BODY}```",
        f"<think>\n```python\ndef size(self, items):\n    return 0\n```\n</think>\n```python\n{BODY}```",
        f"```python\n{BODY}```\nUse it:\n```python\nprint(Box().size([1]))\n```",
        f"1. Here:\n\n   ```python\n{''.join(f'   {line}' + chr(10) for line in BODY.splitlines())}   ```\n",
        "```python\n" + BODY.replace("    ", "\t") + "```",
        f"\ufeff```python\n{BODY}```".replace("\n", "\r\n"),
        f"First:\n```python\nx = 1\n```\nThen:\n```python\n{BODY}```",
        "```python\n"
        + PY.decode().replace(
            "n = 0\n        for _ in items:\n            n += 1\n        return n", "return len(list(items))"
        )
        + "```",
    ],
)
def test_the_code_is_found(text: str) -> None:
    found = take(text)
    assert isinstance(found, Candidate), found
    assert (
        found.text == '    def size(self, items):\n        """How many."""\n        return len(list(items))\n'
    )
    file = splice(PY, function(PY, "Box.size"), found)
    assert b"def other(self):\n        return math.pi\n" in file
    assert [d.name for d in syntax.definitions(Language.PYTHON, file).definitions] == [
        "Box.size",
        "Box.other",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("I would leave it as it is.", "no code"),
        ("```python\ndef size(self, items, more):\n    return 1\n```", "signature"),
        ("```python\ndef size(self, things):\n    return 1\n```", "signature"),
        ("```python\ndef length(self):\n    return 1\n```", "instead of"),
        ("```python\n" + PY.decode().replace("math.pi", "math.tau") + "```", "changes other functions"),
        (f"```python\nimport numpy\n{BODY}```", "import"),
        (f"```python\nCACHE = {{}}\n{BODY}```", "outside"),
        (f"```python\ndef helper():\n    return 1\n{BODY}```", "beside"),
        (f"```python\n@functools.lru_cache\n{BODY}```", "between calls"),
        (
            "```python\n" + PY.decode().split("class Box:\n")[1].split("\n    def other")[0] + "```",
            "no change",
        ),
        (
            "```python\ndef size(self, items):\n    # shorter\n    n = 0\n    for _ in items:\n        n += 1\n    return n\n```",
            "no change",
        ),
        (f"```python\n{BODY}\n{BODY}```", "twice"),
        ("```python\ndef size(self, items):\n    return \0 1\n```", "NUL"),
        ("x" * 300_000, "longer"),
        ("```python\ndef size(self, items):\n    import socket\n    return 1\n```", "inside the function"),
    ],
)
def test_what_is_no_candidate_is_refused(text: str, said: str) -> None:
    found = take(text)
    assert isinstance(found, Refusal)
    assert said in found.detail


@pytest.mark.parametrize(
    ("language", "name", "source", "reply"),
    [
        (
            Language.JAVA,
            "A.f",
            b"class A {\n  int f(int a) { return a + a; }\n  int f(long a) { return 1; }\n}\n",
            "  int f(int a) { return 2 * a; }\n",
        ),
        (
            Language.CPP,
            "f",
            b"#include <vector>\nint f(int a) { return a + a; }\n",
            "int f(int a) { return 2 * a; }\n",
        ),
        (
            Language.GO,
            "T.F",
            b"package a\n\ntype T struct{}\n\nfunc (t *T) F(a int) int { return a + a }\n",
            "func (t *T) F(a int) int { return 2 * a }\n",
        ),
        (
            Language.RUST,
            "T::f",
            b"struct T;\nimpl T {\n    pub fn f(&self, a: i32) -> i32 { a + a }\n}\n",
            "pub fn f(&self, a: i32) -> i32 { 2 * a }\n",
        ),
    ],
)
def test_five_languages(language: Language, name: str, source: bytes, reply: str) -> None:
    target = [d for d in syntax.definitions(language, source).definitions if d.name == name][0]
    one = Function(
        path="x", name=name, language=language, start_line=target.start_line, end_line=target.end_line, start_byte=target.start_byte,
        end_byte=target.end_byte, signature=target.signature, change="modified", source=source[target.start_byte : target.end_byte].decode(),
    )  # fmt: skip
    found = parse(f"```\n{reply}```", one, language, head_source=source, stage=Stage.REFINE)
    assert isinstance(found, Candidate), found
    file = splice(source, one, found)
    assert b"2 * a" in file
    assert not syntax.definitions(language, file).has_errors


def test_a_fence_inside_a_docstring_does_not_end_the_block() -> None:
    text = '```python\ndef size(self, items):\n    """Count.\n\n    ```\n    code\n    ```\n    """\n    return len(list(items))\n```\n'
    found = take(text)
    assert isinstance(found, Candidate), found
    assert found.text.endswith('    ```\n        """\n        return len(list(items))\n')


@pytest.mark.parametrize(
    ("language", "name", "source", "old", "new"),
    [
        (Language.JAVA, "A.f", "class A {\n  int f(int a) { return a + a; }\n  int g(long a) { return 1; }\n}\n", "return 1", "return 2"),
        (Language.JAVA, "A.g", "class A {\n  int f(int a) { return a + a; }\n  int f(long a) { return 1; }\n  int g() { return 3; }\n}\n",
         "return 1", "return 2"),
        (Language.CPP, "f", "int f(int a) { return a + a; }\nstatic int f(long a) { return 1; }\n", "return 1", "return 2"),
        (Language.GO, "T.F", "package a\n\ntype T struct{}\n\nfunc (t *T) F(a int) int { return a + a }\n\nfunc g() int { return 1 }\n",
         "return 1", "return 2"),
        (Language.RUST, "f", "fn f(a: i32) -> i32 { a + a }\nfn g() -> i32 { 1 }\n", "{ 1 }", "{ 2 }"),
    ],
)  # fmt: skip
def test_another_function_of_the_file_may_be_repeated_but_not_changed(
    language: Language, name: str, source: str, old: str, new: str
) -> None:
    data = source.encode()
    one = next(d for d in syntax.definitions(language, data).definitions if d.name.startswith(name))
    target = Function(
        path="x", name=one.name, language=language, start_line=one.start_line, end_line=one.end_line, start_byte=one.start_byte,
        end_byte=one.end_byte, signature=one.signature, change="modified", source=source[one.start_byte : one.end_byte],
    )  # fmt: skip
    better = source.replace("a + a", "2 * a").replace("return 3", "return 4")
    found = parse(f"```\n{better}```", target, language, head_source=data, stage=Stage.REFINE)
    if name != "A.g":
        assert isinstance(found, Candidate), found
    found = parse(
        f"```\n{better.replace(old, new)}```", target, language, head_source=data, stage=Stage.REFINE
    )
    assert isinstance(found, Refusal)
    assert "other functions" in found.detail


def test_windows_line_ends_stay() -> None:
    source = PY.replace(b"\n", b"\r\n")
    found = parse(
        f"```python\n{BODY}```",
        function(source, "Box.size"),
        Language.PYTHON,
        head_source=source,
        stage=Stage.REFINE,
    )
    assert isinstance(found, Candidate)
    assert "\n" not in found.text.replace("\r\n", "")


@given(st.text(max_size=400))
def test_no_text_raises(text: str) -> None:
    take(text)
    take(f"```python\n{text}\n```")
    take(f"```python\n{BODY}{text}\n```")
