"""Go: construct -> name, lines and signature of its functions and of its declarations without a body."""

from __future__ import annotations

import pytest

from perforch.languages import syntax
from perforch.result import Language

Row = tuple[str, int, int, str]

TABLE: dict[str, tuple[str, list[Row], list[Row]]] = {
    "plain": (
        r"""
package a

func f(a int) int { return a }
"""[1:],
        [
            ("f", 3, 3, "func f(a int) int"),
        ],
        [],
    ),
    "documentation is inside": (
        r"""
package a

// Not about f.

// F says it.
// In two lines.
func f() {
	x()
}

/* G. */
func g() {}
var x = 1 // about x
func h() {}
"""[1:],
        [
            ("f", 5, 9, "func f()"),
            ("g", 11, 12, "func g()"),
            ("h", 14, 14, "func h()"),
        ],
        [],
    ),
    "methods and receivers": (
        r"""
package a
func (s Stack) A() {}
func (s *Stack) B() {}
func (*Stack) C() {}
func (_ Stack) D() {}
func (s *Stack[T]) E(v T) {}
func (m Map[K, V]) F(k K) V { return m[k] }
func (Stack[_]) G() {}
func (s *(Stack)) H() {}
"""[1:],
        [
            ("Stack.A", 2, 2, "func (s Stack) A()"),
            ("Stack.B", 3, 3, "func (s *Stack) B()"),
            ("Stack.C", 4, 4, "func (*Stack) C()"),
            ("Stack.D", 5, 5, "func (_ Stack) D()"),
            ("Stack.E", 6, 6, "func (s *Stack[T]) E(v T)"),
            ("Map.F", 7, 7, "func (m Map[K, V]) F(k K) V"),
            ("Stack.G", 8, 8, "func (Stack[_]) G()"),
            ("Stack.H", 9, 9, "func (s *(Stack)) H()"),
        ],
        [],
    ),
    "generics": (
        r"""
package a
func Map[T, U any](xs []T, f func(T) U) []U { return nil }
func Sum[T ~int | ~float64, S interface{ ~[]T }](xs S) (t T) { return }
func Keys[M ~map[K]V, K comparable, V any](m M) []K { return nil }
"""[1:],
        [
            ("Map", 2, 2, "func Map[T, U any](xs []T, f func(T) U) []U"),
            ("Sum", 3, 3, "func Sum[T ~int | ~float64, S interface{ ~[]T }](xs S) (t T)"),
            ("Keys", 4, 4, "func Keys[M ~map[K]V, K comparable, V any](m M) []K"),
        ],
        [],
    ),
    "results": (
        r"""
package a
func a() (int, error) { return 0, nil }
func b() (n int, err error) { return }
func c() func(int) (func() error, chan<- int) { return nil }
func d() (_ struct{ x int }) { return }
func e() <-chan struct{} { return nil }
func f() [3]map[string]*T { return nil }
func g() interface{ M() } { return nil }
"""[1:],
        [
            ("a", 2, 2, "func a() (int, error)"),
            ("b", 3, 3, "func b() (n int, err error)"),
            ("c", 4, 4, "func c() func(int) (func() error, chan<- int)"),
            ("d", 5, 5, "func d() (_ struct{ x int })"),
            ("e", 6, 6, "func e() <-chan struct{}"),
            ("f", 7, 7, "func f() [3]map[string]*T"),
            ("g", 8, 8, "func g() interface{ M() }"),
        ],
        [],
    ),
    "init, main and blank may repeat": (
        r"""
package main
func init() { a() }
func init() { b() }
func _() {}
func _() {}
func main() {}
"""[1:],
        [
            ("init", 2, 2, "func init()"),
            ("init", 3, 3, "func init()"),
            ("_", 4, 4, "func _()"),
            ("_", 5, 5, "func _()"),
            ("main", 6, 6, "func main()"),
        ],
        [],
    ),
    "closures belong to the function, those of variables to none": (
        r"""
package a
var handler = func(a int) int { return a }
var (
	table = map[string]func() int{"a": func() int { return 1 }}
	value = T.Method
)
var _ = func() int { return 1 }()
func f() func() int {
	g := func() int { return 1 }
	defer func() { recover() }()
	go func(x int) {}(1)
	return func() int { return g() }
}
"""[1:],
        [
            ("f", 8, 13, "func f() func() int"),
        ],
        [],
    ),
    "build tags, directives and cgo": (
        r"""
//go:build linux && !cgo
// +build linux

package a

/*
#include <stdio.h>
static int none(void) { return 1; }
*/
import "C"

// F is fast.
//
//go:noinline
//go:nosplit
func f(a int) int { return a }

//export g
func g() {}
"""[1:],
        [
            ("f", 12, 16, "func f(a int) int"),
            ("g", 18, 19, "func g()"),
        ],
        [],
    ),
    "declarations": (
        r"""
package a
func asm(x, y int) int

//go:linkname nano runtime.nanotime
func nano() int64
type I interface {
	M(int) error
	fmt.Stringer
}
type F func(int) int
"""[1:],
        [],
        [
            ("asm", 2, 2, "func asm(x, y int) int"),
            ("nano", 4, 5, "func nano() int64"),
        ],
    ),
    "strings with code": (
        r"""
package a
const s = `
func none() {}
`
func f() string { return "func none() {" + `}
func none() {}` + string('}') }
"""[1:],
        [
            ("f", 5, 6, "func f() string"),
        ],
        [],
    ),
    "control flow": (
        r"""
package a
func f(xs []int, c chan int) {
outer:
	for i, x := range xs {
		switch y := any(x).(type) {
		case int, string:
			continue outer
		default:
			_ = y
		}
		select {
		case v, ok := <-c:
			_, _ = v, ok
		case c <- i:
		}
		if z := x; z > 1 {
		} else if z < 0 {
			goto end
		}
	}
	for range 10 {
	}
	for i := range 3 { _ = i }
end:
}
"""[1:],
        [
            ("f", 2, 25, "func f(xs []int, c chan int)"),
        ],
        [],
    ),
    "header over lines": (
        r"""
package a
func f(
	a int, // first
	b ...string,
) (
	int,
	error,
) {
	return 0, nil
}
"""[1:],
        [
            ("f", 2, 10, "func f( a int, b ...string, ) ( int, error, )"),
        ],
        [],
    ),
    "names that are not ASCII": (
        r"""
package a
func Größe(ключ int) int { return ключ }
func (м *Метод) Имя() {}
"""[1:],
        [
            ("Größe", 2, 2, "func Größe(ключ int) int"),
            ("Метод.Имя", 3, 3, "func (м *Метод) Имя()"),
        ],
        [],
    ),
    "test code": (
        r"""
package a
func TestX(t *testing.T) {}
func Testable() {}
func BenchmarkX(b *testing.B) {}
func FuzzX(f *testing.F) {}
func ExampleX() {}
func helper(t testing.TB) {}
"""[1:],
        [
            ("TestX", 2, 2, "func TestX(t *testing.T)"),
            ("Testable", 3, 3, "func Testable()"),
            ("BenchmarkX", 4, 4, "func BenchmarkX(b *testing.B)"),
            ("FuzzX", 5, 5, "func FuzzX(f *testing.F)"),
            ("ExampleX", 6, 6, "func ExampleX()"),
            ("helper", 7, 7, "func helper(t testing.TB)"),
        ],
        [],
    ),
    "CRLF": (
        "package a\r\nfunc f() int {\r\n\treturn 1\r\n}\r\n",
        [
            ("f", 2, 4, "func f() int"),
        ],
        [],
    ),
    "only comments": (
        r"""
// func f() {}
package a
"""[1:],
        [],
        [],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_table(case: str) -> None:
    source, functions, declarations = TABLE[case]
    parsed = syntax.definitions(Language.GO, source.encode())
    assert [
        (one.name, one.start_line, one.end_line, one.signature) for one in parsed.definitions
    ] == functions
    assert [
        (one.name, one.start_line, one.end_line, one.signature) for one in parsed.declarations
    ] == declarations
    assert not any(one.has_error for one in parsed.definitions)


def test_test_code() -> None:
    found = syntax.definitions(Language.GO, TABLE["test code"][0].encode()).definitions
    assert [one.simple_name for one in found if not one.is_test] == ["Testable"]
    assert [one.simple_name for one in found if one.is_test_case] == [
        "TestX",
        "BenchmarkX",
        "FuzzX",
        "ExampleX",
    ]
