"""What is a change of a function and what is not, edit by edit."""

from __future__ import annotations

import pytest

from perforch.changes.compare import File, compare
from perforch.languages.syntax import language_of

SAME: dict[str, list[tuple[str, str]]] = {
    "a.py": [
        ("def f(a):\n    return a\n", "def f(a):\n    # why\n    return a  # so\n"),
        ('def f(a):\n    """Old."""\n    return a\n', 'def f(a):\n    """New.\n\n    And more.\n    """\n    return a\n'),
        ('def f(a):\n    """Old."""\n    return a\n', "def f(a):\n    return a\n"),
        ("def f(a):\n    if a: return a\n    return 1\n", "def f(a):\n\n    if a:\n        return a\n\n    return 1\n"),
        ("def f(a):\n    return a + 1\n", "def f(a):\n\treturn a+1\n"),
        ("def f(a):\n    return [a,\n        1]\n", "def f(a):\n    return [a, 1]\n"),
        ("def f(a):\n    return a + \\\n        1\n", "def f(a):\n    return a + 1\n"),
        ("def f(a):\n    x = 1; return x\n", "def f(a):\n    x = 1\n    return x\n"),
        ("def f(a): return a\ndef g(a): return -a\n", "def g(a): return -a\n\n\ndef f(a): return a\n"),
        ("class A:\n    def f(self): return 1\n", "class B:\n    def f(self): return 1\n"),
        ("def old(n): return old(n - 1)\n", "def new(n): return new(n - 1)\n"),
    ],
    "A.java": [
        ("class A { int f() { return 1; } }", "class A {\n  /** Doc. */\n  int f() {\n    return 1; // one\n  }\n}\n"),
        ("class A { A(int x) { go(); } int f() { return 1; } }", "class B { B(int x) { go(); } int f() { return 1; } }"),
    ],
    "a.cpp": [
        ("int f(vector<vector<int> > v) { return 1; }", "int f(vector<vector<int>> v)\n{\n  /* one */ return 1;\n}\n"),
        ("Old::Old(int a) : a_(a) { }\nint Old::f() { return a_; }\n", "New::New(int a) : a_(a) { }\nint New::f() { return a_; }\n"),
        ("int f() { return 1; }\n", "namespace {\nint f() { return 1; }\n}\n"),
        ("int f();\nint g() { return 1; }\n", "// Doc.\nint f();\n\nint g() { return 1; }\n"),
    ],
    "a.go": [
        ("package a\nfunc f() int { return 1 }\n", "package a\n\n// F says it.\nfunc f() int {\n\t// one\n\treturn 1\n}\n"),
        ("package a\nfunc (s *Old) f() int { return s.x }\n", "package a\nfunc (s *New) f() int { return s.x }\n"),
        ("package a\nfunc f() { a(); b() }\n", "package a\nfunc f() {\n\ta()\n\tb()\n}\n"),
    ],
    "a.rs": [
        ("fn f() -> i32 { 1 }\n", "/// Doc.\nfn f() -> i32 {\n    // one\n    1\n}\n"),
        ("impl Old { fn f(&self) -> i32 { 1 } }\n", "impl New {\n    fn f(&self) -> i32 { 1 }\n}\n"),
    ],
}  # fmt: skip

CHANGED: dict[str, list[tuple[str, str, list[tuple[str, str]]]]] = {
    "a.py": [
        ("def f(a):\n    return 'a b'\n", "def f(a):\n    return 'a  b'\n", [("f", "modified")]),
        (
            "def f(a):\n    if a:\n        x()\n        y()\n",
            "def f(a):\n    if a:\n        x()\n    y()\n",
            [("f", "modified")],
        ),
        (
            "def f(a):\n    x('doc')\n",
            "def f(a):\n    'doc'\n    x('doc')\n    'no doc'\n",
            [("f", "modified")],
        ),
        ("def f(a): return a\n", "@cache\ndef f(a): return a\n", [("f", "modified")]),
        ("def f(a): return a\n", "async def f(a): return a\n", [("f", "modified")]),
        ("def f(a): return a\n", "def f(a, b=1): return a\n", [("f", "modified")]),
        (
            "def f(a):\n    def g(): return 1\n    return g\n",
            "def f(a):\n    def g(): return 2\n    return g\n",
            [("f", "modified")],
        ),
        ("def old(n): return n\n", "def new(n): return n + 1\n", [("new", "added")]),
        (
            "if x:\n    def f(): return 1\nelse:\n    def f(): return 2\n",
            "if x:\n    def f(): return 1\nelse:\n    def f(): return 3\n",
            [("f", "modified")],
        ),
        ("def f(a): return a - -1\n", "def f(a): return a + 1\n", [("f", "modified")]),
    ],
    "A.java": [
        (
            "class A { int f(int a) { return a; } int f(long a) { return 1; } }",
            "class A { int f(int a) { return a; } int f(long a) { return 2; } }",
            [("A.f", "modified")],
        ),
        (
            "class A { int f(int a) { return a; } }",
            "class A { int f(int a) { return a; } int f(long a) { return 2; } }",
            [("A.f", "added")],
        ),
        (
            "class A { int f() { return 1; } }",
            "class A { @Deprecated int f() { return 1; } }",
            [("A.f", "modified")],
        ),
        ("interface A { int f(); }", "interface A { default int f() { return 1; } }", [("A.f", "added")]),
    ],
    "a.cpp": [
        (
            "int f() const;\nint f() { return 1; }",
            "int f() const;\nint f() { return 2; }",
            [("f", "modified")],
        ),
        ("int f(int a) { return - -a; }", "int f(int a) { return --a; }", [("f", "modified")]),
        (
            "struct A { int f() { return 1; } int f() const { return 1; } };",
            "struct A { int f() { return 1; } int f() const { return 2; } };",
            [("A::f", "modified")],
        ),
        (
            "template <typename T> T f(T t) { return t; }",
            "template <typename T, int N> T f(T t) { return t; }",
            [("f", "modified")],
        ),
        (
            "int f() {\n#ifdef A\n  if (x) {\n#else\n  {\n#endif\n  }\n  return 1;\n}\n",
            "int f() {\n#ifdef A\n  if (x) {\n#else\n  if (y) {\n#endif\n  }\n  return 1;\n}\n",
            [("f", "modified")],
        ),
        (
            "int f() { CHECK(1) { go(); } return 1; }",
            "int f() { CHECK(2) { go(); } return 1; }",
            [("f", "modified")],
        ),
    ],
    "a.go": [
        (
            "package a\nfunc init() { a() }\nfunc init() { b() }\n",
            "package a\nfunc init() { a() }\nfunc init() { c() }\n",
            [("init", "modified")],
        ),
        (
            "package a\nfunc (s A) f() { a() }\nfunc (s B) f() { b() }\n",
            "package a\nfunc (s A) f() { a() }\nfunc (s B) f() { c() }\n",
            [("B.f", "modified")],
        ),
        (
            "package a\nfunc f() { g := func() int { return 1 }; g() }\n",
            "package a\nfunc f() { g := func() int { return 2 }; g() }\n",
            [("f", "modified")],
        ),
    ],
    "a.rs": [
        (
            "impl A for X { fn f(&self) -> i32 { 1 } }\nimpl B for X { fn f(&self) -> i32 { 2 } }\n",
            "impl A for X { fn f(&self) -> i32 { 1 } }\nimpl B for X { fn f(&self) -> i32 { 3 } }\n",
            [("X::f", "modified")],
        ),
        ("fn f() -> i32 { 1 }\n", "#[inline]\nfn f() -> i32 { 1 }\n", [("f", "modified")]),
        ("fn f() -> i32 { 1 }\n", "unsafe fn f() -> i32 { 1 }\n", [("f", "modified")]),
    ],
}


def changes(path: str, before: str | None, after: str) -> list[tuple[str, str]]:
    language = language_of(path)
    assert language is not None
    base = None if before is None else before.encode()
    found = compare(File(path, path, language, after.encode(), base))
    assert not found.warnings
    return [(function.name, function.change) for function in found.functions]


@pytest.mark.parametrize(
    ("path", "before", "after"), [(path, *pair) for path, pairs in SAME.items() for pair in pairs]
)
def test_no_change(path: str, before: str, after: str) -> None:
    assert changes(path, before, after) == []
    assert changes(path, after, before) == []


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"), [(path, *row) for path, rows in CHANGED.items() for row in rows]
)
def test_change(path: str, before: str, after: str, expected: list[tuple[str, str]]) -> None:
    assert changes(path, before, after) == expected
    assert changes(path, after, after) == []


def test_the_second_of_two_equal_names_is_the_one_that_changed() -> None:
    before = "impl A for X { fn f(&self) -> i32 { 1 } }\nimpl B for X { fn f(&self) -> i32 { 2 } }\n"
    language = language_of("a.rs")
    assert language is not None
    found = compare(File("a.rs", "b.rs", language, before.replace("{ 2", "{ 3").encode(), before.encode()))
    (function,) = found.functions
    assert (function.start_line, function.base_path) == (2, "b.rs")
    assert function.base_source == "impl B for X { fn f(&self) -> i32 { 2 } }\n"


def test_a_new_file_is_all_new() -> None:
    assert changes("a.py", None, "def f(): return 1\nclass A:\n    def g(self): return 2\n") == [
        ("f", "added"),
        ("A.g", "added"),
    ]
