"""Java: construct -> name, lines and signature of its functions and of its declarations without a body."""

from __future__ import annotations

import pytest

from perforch.languages import syntax
from perforch.result import Language

Row = tuple[str, int, int, str]

TABLE: dict[str, tuple[str, list[Row], list[Row]]] = {
    "plain": (
        r"""
class A {
    int f(int a) { return a; }
}
"""[1:],
        [
            ("A.f", 2, 2, "int f(int a)"),
        ],
        [],
    ),
    "documentation and annotations are inside": (
        r"""
class A {
    // not about f

    /** Doc. */
    // remark
    @Override
    @SuppressWarnings({"unchecked", "raw"})
    public final int f() throws E {
        return 1;
    }
}
"""[1:],
        [
            ("A.f", 4, 10, "public final int f() throws E"),
        ],
        [],
    ),
    "a plain comment above stays outside": (
        r"""
class A {
    // About f.
    int f() { return 1; }
    /* About g. */
    int g() { return 1; }
}
"""[1:],
        [
            ("A.f", 3, 3, "int f()"),
            ("A.g", 5, 5, "int g()"),
        ],
        [],
    ),
    "constructors, overloads, generics": (
        r"""
class A<T extends B & C<? super T>> {
    A() { this(1); }
    <U> A(U u) { }
    public <K, V extends T> Map<K, V[]> f(Map<? extends K, V> m, int... more) { return null; }
    int f(int a) { return a; }
    int f(long a) { return 1; }
    int old()[] { return null; }
    int receiver(A<T> this, @NonNull final String s) { return 1; }
}
"""[1:],
        [
            ("A.A", 2, 2, "A()"),
            ("A.A", 3, 3, "<U> A(U u)"),
            ("A.f", 4, 4, "public <K, V extends T> Map<K, V[]> f(Map<? extends K, V> m, int... more)"),
            ("A.f", 5, 5, "int f(int a)"),
            ("A.f", 6, 6, "int f(long a)"),
            ("A.old", 7, 7, "int old()[]"),
            ("A.receiver", 8, 8, "int receiver(A<T> this, @NonNull final String s)"),
        ],
        [],
    ),
    "record with compact constructor": (
        r"""
public record Point<T>(int x, @A T y) implements I {
    static int count;
    public Point { if (x < 0) throw new E(); }
    Point(int x) { this(x, null); }
    static Point<Integer> origin() { return null; }
    record Inner(int a) { int twice() { return 2 * a; } }
}
"""[1:],
        [
            ("Point.Point", 3, 3, "public Point"),
            ("Point.Point", 4, 4, "Point(int x)"),
            ("Point.origin", 5, 5, "static Point<Integer> origin()"),
            ("Point.Inner.twice", 6, 6, "int twice()"),
        ],
        [],
    ),
    "interface": (
        r"""
public sealed interface Shape permits A, B {
    int X = 1;
    double area();
    default double twice() { return 2 * area(); }
    static Shape unit() { return null; }
    private int hidden() { return 1; }
    interface Nested { default void n() { } }
}
"""[1:],
        [
            ("Shape.twice", 4, 4, "default double twice()"),
            ("Shape.unit", 5, 5, "static Shape unit()"),
            ("Shape.hidden", 6, 6, "private int hidden()"),
            ("Shape.Nested.n", 7, 7, "default void n()"),
        ],
        [
            ("Shape.area", 3, 3, "double area()"),
        ],
    ),
    "enum with bodies": (
        r"""
enum Op implements I {
    ADD("+") { @Override int apply(int a) { return a; } },
    SUB { int apply(int a) { return -a; } };
    private final String s;
    Op(String s) { this.s = s; }
    Op() { this(""); }
    abstract int apply(int a);
    static Op of(String s) { return ADD; }
}
"""[1:],
        [
            ("Op.ADD.apply", 2, 2, "int apply(int a)"),
            ("Op.SUB.apply", 3, 3, "int apply(int a)"),
            ("Op.Op", 5, 5, "Op(String s)"),
            ("Op.Op", 6, 6, "Op()"),
            ("Op.of", 8, 8, "static Op of(String s)"),
        ],
        [
            ("Op.apply", 7, 7, "abstract int apply(int a)"),
        ],
    ),
    "anonymous and local classes belong to the method, initialisers to none": (
        r"""
class A {
    static { start(); }
    { x = 1; }
    Runnable r = () -> { go(); };
    Comparator<A> c = new Comparator<>() {
        public int compare(A a, A b) { return 0; }
    };
    Object f() {
        class Local { int g() { return 1; } }
        return new Object() { @Override public String toString() { return "" + new Local().g(); } };
    }
}
"""[1:],
        [
            ("A.f", 8, 11, "Object f()"),
        ],
        [],
    ),
    "nested and inner classes": (
        r"""
class A {
    static class B { class C { @interface D { int value() default 3; } void c() { } } }
    void a() { }
}
class E { void e() { } }
"""[1:],
        [
            ("A.B.C.c", 2, 2, "void c()"),
            ("A.a", 3, 3, "void a()"),
            ("E.e", 5, 5, "void e()"),
        ],
        [
            ("A.B.C.D.value", 2, 2, "int value() default 3"),
        ],
    ),
    "declarations": (
        r"""
abstract class A {
    abstract int f(int a);
    native <T> void g(T t) throws E;
    void h() { }
}
"""[1:],
        [
            ("A.h", 4, 4, "void h()"),
        ],
        [
            ("A.f", 2, 2, "abstract int f(int a)"),
            ("A.g", 3, 3, "native <T> void g(T t) throws E"),
        ],
    ),
    "patterns, text blocks, switch expressions": (
        r'''
class A {
    String f(Object o) {
        return switch (o) {
            case Integer i when i > 3 -> "a";
            case Point(int x, var y) -> { yield "b"; }
            case null, default -> """
                void none() { }
                \""" }
                """;
        };
    }
    void g() { }
}
'''[1:],
        [
            ("A.f", 2, 11, "String f(Object o)"),
            ("A.g", 12, 12, "void g()"),
        ],
        [],
    ),
    "header over lines": (
        r"""
class A {
    public
    static
    int f(
        int a, // first
        int b
    )
    {
        return a;
    }
}
"""[1:],
        [
            ("A.f", 2, 10, "public static int f( int a, int b )"),
        ],
        [],
    ),
    "annotations with arguments on one line": (
        r"""
class A { @A(x = @B({1, 2}), s = "}") @Deprecated void f() { } @Override public String toString() { return "{"; } }
"""[1:],
        [
            ("A.f", 1, 1, "void f()"),
            ("A.toString", 1, 1, "public String toString()"),
        ],
        [],
    ),
    "names that are not ASCII or keywords elsewhere": (
        r"""
class Größe { int наименьший() { return 1; } int $x_1() { return 1; } int record() { return 1; } int var() { return 1; } int yield1() { return 1; } }
"""[1:],
        [
            ("Größe.наименьший", 1, 1, "int наименьший()"),
            ("Größe.$x_1", 1, 1, "int $x_1()"),
            ("Größe.record", 1, 1, "int record()"),
            ("Größe.var", 1, 1, "int var()"),
            ("Größe.yield1", 1, 1, "int yield1()"),
        ],
        [],
    ),
    "module, package and imports around": (
        r"""
@Deprecated
package a.b;
import static a.B.*;
import java.util.List;
/** Doc. */
@A class B { synchronized strictfp void f() { synchronized (this) { } } }
"""[1:],
        [
            ("B.f", 6, 6, "synchronized strictfp void f()"),
        ],
        [],
    ),
    "unnamed class": (
        r"""
void main() { helper(); }
static int helper() { return 1; }
"""[1:],
        [
            ("main", 1, 1, "void main()"),
            ("helper", 2, 2, "static int helper()"),
        ],
        [],
    ),
    "empty methods and semicolons": (
        r"""
class A { void f() { }; ; void g() { } };
"""[1:],
        [
            ("A.f", 1, 1, "void f()"),
            ("A.g", 1, 1, "void g()"),
        ],
        [],
    ),
    "only comments": (
        r"""
/* class A { void f() { } } */
// void g() { }
"""[1:],
        [],
        [],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_table(case: str) -> None:
    source, functions, declarations = TABLE[case]
    parsed = syntax.definitions(Language.JAVA, source.encode())
    assert [
        (one.name, one.start_line, one.end_line, one.signature) for one in parsed.definitions
    ] == functions
    assert [
        (one.name, one.start_line, one.end_line, one.signature) for one in parsed.declarations
    ] == declarations
    assert not any(one.has_error for one in parsed.definitions)


def test_test_code() -> None:
    source = b"class A { @Test void a() {} @org.junit.jupiter.params.ParameterizedTest @V(1) void b(int x) {} @BeforeEach void c() {} void d() {} }"
    found = syntax.definitions(Language.JAVA, source).definitions
    assert [one.simple_name for one in found if one.is_test_case] == ["a", "b"]
    assert [one.simple_name for one in found if not one.is_test] == ["d"]
