"""Python: construct -> name, lines and signature; and that no bytes whatever break the walk."""

from __future__ import annotations

import pytest

from perforch.languages import syntax
from perforch.result import Language

Row = tuple[str, int, int, str]


def rows(source: str | bytes) -> list[Row]:
    data = source if isinstance(source, bytes) else source.encode()
    parsed = syntax.definitions(Language.PYTHON, data)
    return [(one.name, one.start_line, one.end_line, one.signature) for one in parsed.definitions]


TABLE: dict[str, tuple[str, list[Row]]] = {
    "plain": ("def f(a, /, b=1, *, c: int = 2, **k) -> int:\n    return a\n",
              [("f", 1, 2, "def f(a, /, b=1, *, c: int = 2, **k) -> int")]),
    "comment above stays outside": ("# About f.\n\ndef f(): return 1\n", [("f", 3, 3, "def f()")]),
    "docstring": ('def f():\n    """Doc."""\n    return 1\n', [("f", 1, 3, "def f()")]),
    "async": ("async def f(x):\n    await x\n", [("f", 1, 2, "async def f(x)")]),
    "decorators": ("@one\n@two.three(\n    1,\n)\n# remark\ndef f():\n    return 1\n", [("f", 1, 7, "def f()")]),
    "nested belong to the outermost": (
        "def f():\n    def g():\n        return lambda: 1\n    class L:\n        def m(self): return 2\n    return g\n",
        [("f", 1, 6, "def f()")],
    ),
    "method, class in class": (
        "class A(B, metaclass=M):\n    def m(self): return 1\n    class I:\n        class J:\n"
        "            @staticmethod\n            def n(): return 1\n    async def g(self): yield 1\n",
        [("A.m", 2, 2, "def m(self)"), ("A.I.J.n", 5, 6, "def n()"), ("A.g", 7, 7, "async def g(self)")],
    ),
    "property with setter and deleter": (
        "class A:\n    @property\n    def s(self): return 1\n    @s.setter\n    def s(self, v): self._s = v\n"
        "    @s.deleter\n    def s(self): del self._s\n",
        [("A.s", 2, 3, "def s(self)"), ("A.s", 4, 5, "def s(self, v)"), ("A.s", 6, 7, "def s(self)")],
    ),
    "overload stubs are declarations": (
        "@overload\ndef f(a: int) -> int: ...\n@typing.overload\ndef f(a: str) -> str: ...\ndef f(a):\n    return a\n",
        [("f", 5, 6, "def f(a)")],
    ),
    "conditional definitions": (
        "if a:\n    def f(): return 1\nelif b:\n    def f(): return 2\nelse:\n    def f(): return 3\n"
        "try:\n    import q\nexcept ImportError:\n    def g(): return 1\nelse:\n    def g(): return 2\n"
        "finally:\n    def h(): return 3\n",
        [("f", 2, 2, "def f()"), ("f", 4, 4, "def f()"), ("f", 6, 6, "def f()"), ("g", 10, 10, "def g()"),
         ("g", 12, 12, "def g()"), ("h", 14, 14, "def h()")],
    ),
    "in loops, with and match": (
        "for i in a:\n    def f(): return 1\nelse:\n    def e(): return 1\nwhile a:\n    def g(): return 1\n"
        "with a as b:\n    def h(): return 1\nmatch a:\n    case 1:\n        def i(): return 1\n",
        [("f", 2, 2, "def f()"), ("e", 4, 4, "def e()"), ("g", 6, 6, "def g()"), ("h", 8, 8, "def h()"),
         ("i", 11, 11, "def i()")],
    ),
    "lambdas are no functions": ("f = lambda x: x\ndef g(a=(lambda: 1)): return a\n",
                                 [("g", 2, 2, "def g(a=(lambda: 1))")]),
    "type parameters": ("class G[T]:\n    def m[U: int](self, u: U) -> T: return 1\n",
                        [("G.m", 2, 2, "def m[U: int](self, u: U) -> T")]),
    "soft keywords as names": ("def match(x): return 1\ndef type(x): return 1\ndef case(x): return 1\ndef _(x): return 1\n",
                               [("match", 1, 1, "def match(x)"), ("type", 2, 2, "def type(x)"),
                                ("case", 3, 3, "def case(x)"), ("_", 4, 4, "def _(x)")]),
    "header over lines with remarks": ("def f(\n    a,  # first\n    b,\n) -> (\n    int\n):\n    return a\n",
                                       [("f", 1, 7, "def f( a, b, ) -> ( int )")]),
    "one line, several statements": ("def f(): a = 1; return a\nx = 1\n", [("f", 1, 1, "def f()")]),
    "line continuation": ("def f(a, \\\n      b):\n    return a + \\\n        b\n", [("f", 1, 4, "def f(a, \\ b)")]),
    "not ASCII": ("class Größe:\n    def наименьший(self, ключ): return 1\n",
                  [("Größe.наименьший", 2, 2, "def наименьший(self, ключ)")]),
    "f-strings": ("def f(a):\n    return f\"{a!r:>{b}} {'x'} {{\" + rf'''\ndef no(): pass\n'''\n", [("f", 1, 4, "def f(a)")]),
    "def in a string": ('T = """\ndef no(): pass\n"""\ndef f(): return T\n', [("f", 4, 4, "def f()")]),
    "tabs": ("class A:\n\tdef f(self):\n\t\tif a:\n\t\t\treturn 1\n\tdef g(self): return 1\n",
             [("A.f", 2, 4, "def f(self)"), ("A.g", 5, 5, "def g(self)")]),
    "CRLF": ("class A:\r\n    def f(self,\r\n          b):\r\n        return 1\r\n\r\n    def g(self): return 1\r\n",
             [("A.f", 2, 4, "def f(self, b)"), ("A.g", 6, 6, "def g(self)")]),
    "byte order mark": ("\ufeffdef f(): return 1\n", [("f", 1, 1, "def f()")]),
    "no newline at the end": ("def f():\n    return 1", [("f", 1, 2, "def f()")]),
    "form feed between": ("def f():\n    return 1\n\f\ndef g():\n    return 2\n", [("f", 1, 2, "def f()"), ("g", 4, 5, "def g()")]),
    "empty": ("", []),
    "only comments": ("# nothing\n\n", []),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_table(case: str) -> None:
    source, expected = TABLE[case]
    parsed = syntax.definitions(Language.PYTHON, source.encode())
    assert rows(source) == expected
    assert not parsed.has_errors


def test_declarations() -> None:
    source = (
        b"@overload\ndef f(a: int) -> int: ...\nclass P(Protocol):\n    def g(self) -> int:\n"
        b'        """Doc."""\n    def real(self): return 1\nclass A:\n    @abc.abstractmethod\n    def h(self): pass\n'
    )
    found = syntax.definitions(Language.PYTHON, source).declarations
    assert [(one.name, one.start_line, one.end_line, one.signature) for one in found] == [
        ("f", 1, 2, "def f(a: int) -> int"),
        ("P.g", 4, 5, "def g(self) -> int"),
        ("A.h", 8, 9, "def h(self)"),
    ]
    assert all(one.body_start == one.body_end == -1 for one in found)


def test_span_is_whole_lines() -> None:
    source = b"import a\n\n@d\ndef f():\n    return 1  # why\nx = 1\n"
    (one,) = syntax.definitions(Language.PYTHON, source).definitions
    assert source[one.start_byte : one.end_byte] == b"@d\ndef f():\n    return 1  # why\n"


def test_broken_file_gives_the_others() -> None:
    source = b"def a():\n    return 1\n\ndef b(:\n    return (\n\ndef c():\n    return 3\n\nclass D:\n    def e(self): return 1\n"
    parsed = syntax.definitions(Language.PYTHON, source)
    sound = [one.name for one in parsed.definitions if not one.has_error]
    assert parsed.has_errors
    assert sound[0] == "a"
    assert {"a", "c", "D.e"} <= {one.name for one in parsed.definitions}


def test_bytes_that_are_not_utf8() -> None:
    assert [row[0] for row in rows(b"# caf\xe9\ndef f():\n    return '\xff'\ndef g(): return 1\n")] == [
        "f",
        "g",
    ]


def test_deep_nesting_is_no_recursion() -> None:
    deep = 3000
    assert rows("def f():\n    return " + "(" * deep + "1" + ")" * deep + "\n")[0][:3] == ("f", 1, 2)
    blocks = "".join("  " * level + "if a:\n" for level in range(1, 400))
    assert rows(f"def f():\n{blocks}{'  ' * 400}return 1\ndef g(): return 1\n")[-1][0] == "g"
    classes = "".join("  " * level + f"class C{level}:\n" for level in range(200))
    assert isinstance(rows(f"{classes}{'  ' * 200}def f(self): return 1\n"), list)


def test_one_very_long_line() -> None:
    source = "def f():\n    return [" + "1, " * 200_000 + "]\ndef g(): return 1\n"
    assert [(row[0], row[2]) for row in rows(source)] == [("f", 2), ("g", 3)]


def test_three_megabytes() -> None:
    body = "".join(f"    x{line} = a + {line}\n" for line in range(100))
    source = "".join(f"def f{number}(a):\n{body}    return a\n" for number in range(2000)).encode()
    assert len(source) > 3_000_000
    found = rows(source)
    assert len(found) == 2000
    assert found[-1] == ("f1999", 1999 * 102 + 1, 2000 * 102, "def f1999(a)")
