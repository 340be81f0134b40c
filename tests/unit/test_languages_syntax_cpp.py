"""C++: construct -> name, lines and signature of its functions and of its declarations without a body."""

from __future__ import annotations

import pytest

from perforch.languages import syntax
from perforch.result import Language

Row = tuple[str, int, int, str]

TABLE: dict[str, tuple[str, list[Row], list[Row]]] = {
    "plain": (
        r"""
int f(int a) { return a; }
"""[1:],
        [
            ("f", 1, 1, "int f(int a)"),
        ],
        [],
    ),
    "documentation and templates are inside": (
        r"""
int x; // about x
// About f.
/// More.
template <typename T, int N = 3>
[[nodiscard]] static inline
auto f(const T& t) noexcept -> decltype(t.x)
{
    return t.x;
}

// Not about g.

int g() { return 1; }
"""[1:],
        [
            (
                "f",
                2,
                9,
                "template <typename T, int N = 3> [[nodiscard]] static inline auto f(const T& t) noexcept -> decltype(t.x)",
            ),
            ("g", 13, 13, "int g()"),
        ],
        [],
    ),
    "nested, inline and nameless namespaces": (
        r"""
namespace a::b { inline namespace v1 { int f() { return 1; } } }
namespace { int g() { return 1; } }
namespace a { namespace b {
int h() { return 1; }
}}
"""[1:],
        [
            ("a::b::v1::f", 1, 1, "int f()"),
            ("g", 2, 2, "int g()"),
            ("a::b::h", 4, 4, "int h()"),
        ],
        [],
    ),
    "class members": (
        r"""
class A : public B<int>, private C {
 public:
    A() = default;
    A(const A&) = delete;
    explicit A(int n) noexcept(true) : n_(n), v_{n}, B<int>(n) { go(); }
    A(char c) try : n_(c) { } catch (...) { }
    virtual ~A() { }
    static constexpr int f() { return 1; }
    int f() const volatile && { return 1; }
    virtual int g() const override final { return 1; }
    virtual void h() = 0;
    friend bool same(const A& a, const A& b) { return true; }
    template <class U> void put(U&& u) { }
    auto trailing() -> int { return 1; }
    struct In { union U { int u() { return 1; } }; int i() { return 1; } };
    int later(int x);
 private:
    int n_;
};
"""[1:],
        [
            ("A::A", 5, 5, "explicit A(int n) noexcept(true)"),
            ("A::A", 6, 6, "A(char c)"),
            ("A::~A", 7, 7, "virtual ~A()"),
            ("A::f", 8, 8, "static constexpr int f()"),
            ("A::f", 9, 9, "int f() const volatile &&"),
            ("A::g", 10, 10, "virtual int g() const override final"),
            ("same", 12, 12, "friend bool same(const A& a, const A& b)"),
            ("A::put", 13, 13, "template <class U> void put(U&& u)"),
            ("A::trailing", 14, 14, "auto trailing() -> int"),
            ("A::In::U::u", 15, 15, "int u()"),
            ("A::In::i", 15, 15, "int i()"),
        ],
        [
            ("A::A", 3, 3, "A() = default"),
            ("A::A", 4, 4, "A(const A&) = delete"),
            ("A::h", 11, 11, "virtual void h() = 0"),
            ("A::later", 16, 16, "int later(int x)"),
        ],
    ),
    "operators": (
        r"""
struct A {
    A& operator=(const A& a) & { return *this; }
    int& operator[](int i) { return v[i]; }
    int operator()(int a, int b) const { return a; }
    A operator++(int) { return *this; }
    A* operator->() { return this; }
    auto operator<=>(const A&) const = default;
    bool operator==(const A& o) const requires C<A> { return true; }
    explicit operator bool() const { return true; }
    operator std::vector<int>*() { return &v; }
    void* operator new(size_t n) { return p; }
    void operator delete[](void* p) { }
    A operator co_await() { return *this; }
    bool operator!() { return false; }
    A operator,(A a) { return a; }
};
std::ostream& operator<<(std::ostream& s, const A& a) { return s; }
long double operator""_km(long double v) { return v; }
"""[1:],
        [
            ("A::operator=", 2, 2, "A& operator=(const A& a) &"),
            ("A::operator[]", 3, 3, "int& operator[](int i)"),
            ("A::operator()", 4, 4, "int operator()(int a, int b) const"),
            ("A::operator++", 5, 5, "A operator++(int)"),
            ("A::operator->", 6, 6, "A* operator->()"),
            ("A::operator==", 8, 8, "bool operator==(const A& o) const requires C<A>"),
            ("A::operator bool", 9, 9, "explicit operator bool() const"),
            ("A::operator std::vector<int>*", 10, 10, "operator std::vector<int>*()"),
            ("A::operator new", 11, 11, "void* operator new(size_t n)"),
            ("A::operator delete[]", 12, 12, "void operator delete[](void* p)"),
            ("A::operator co_await", 13, 13, "A operator co_await()"),
            ("A::operator!", 14, 14, "bool operator!()"),
            ("A::operator,", 15, 15, "A operator,(A a)"),
            ("operator<<", 17, 17, "std::ostream& operator<<(std::ostream& s, const A& a)"),
            ('operator""_km', 18, 18, 'long double operator""_km(long double v)'),
        ],
        [
            ("A::operator<=>", 7, 7, "auto operator<=>(const A&) const = default"),
        ],
    ),
    "out of class": (
        r"""
int A::B::f(int a) const & noexcept { return a; }
A::A(int a) : x(a) { }
A::~A() { }
A::operator int() const { return 1; }
A& A::operator=(const A& a) { return *this; }
template <typename T, int N> void Ring<T, N>::push(T t) { }
template <typename T> template <class U> T Ring<T>::map(U u) { return u; }
template <typename T> Ring<T>::Ring(int n) : n(n) { }
template <typename T> typename Ring<T>::iterator Ring<T>::begin() { return b; }
template <> int Ring<int>::size() { return 4; }
template <> struct std::hash<A> { size_t operator()(const A& a) const { return 1; } };
"""[1:],
        [
            ("A::B::f", 1, 1, "int A::B::f(int a) const & noexcept"),
            ("A::A", 2, 2, "A::A(int a)"),
            ("A::~A", 3, 3, "A::~A()"),
            ("A::operator int", 4, 4, "A::operator int() const"),
            ("A::operator=", 5, 5, "A& A::operator=(const A& a)"),
            ("Ring::push", 6, 6, "template <typename T, int N> void Ring<T, N>::push(T t)"),
            ("Ring::map", 7, 7, "template <typename T> template <class U> T Ring<T>::map(U u)"),
            ("Ring::Ring", 8, 8, "template <typename T> Ring<T>::Ring(int n)"),
            ("Ring::begin", 9, 9, "template <typename T> typename Ring<T>::iterator Ring<T>::begin()"),
            ("Ring::size", 10, 10, "template <> int Ring<int>::size()"),
            ("std::hash::operator()", 11, 11, "size_t operator()(const A& a) const"),
        ],
        [],
    ),
    "concepts and constraints": (
        r"""
template <typename T> concept Number = requires(T t) { t + t; { t.f() } -> std::same_as<int>; };
template <Number T> requires (sizeof(T) > 1) && Number<T> T f(T t) requires true { return t; }
auto g(Number auto a, auto&&... more) { return a; }
template <typename... Ts> void pack(Ts&&... ts) { (f(ts), ...); }
"""[1:],
        [
            ("f", 2, 2, "template <Number T> requires (sizeof(T) > 1) && Number<T> T f(T t) requires true"),
            ("g", 3, 3, "auto g(Number auto a, auto&&... more)"),
            ("pack", 4, 4, "template <typename... Ts> void pack(Ts&&... ts)"),
        ],
        [],
    ),
    "lambdas are no functions": (
        r"""
auto f = [](int a) { return a; };
static const auto g = [x = 1]<typename T>(T t) mutable -> int { return t; };
std::function<int(int)> h = [](int a) { return a; };
int i() { return [] { struct L { int m() { return 1; } }; return L{}.m(); }(); }
"""[1:],
        [
            ("i", 4, 4, "int i()"),
        ],
        [],
    ),
    "extern C": (
        r"""
extern "C" {
int f(int a) { return a; }
void g(void);
}
extern "C" int h(int a) { return a; }
"""[1:],
        [
            ("f", 2, 2, "int f(int a)"),
            ("h", 5, 5, 'extern "C" int h(int a)'),
        ],
        [
            ("g", 3, 3, "void g(void)"),
        ],
    ),
    "macros around functions": (
        r"""
#define TWICE(x) do { (x); (x); } while (0)
#define MAKE(name) int name() { return 1; }
MAKE(made)
API int f(int a) { return a; }
FORCE_INLINE static int g(int a) { return a; }
__attribute__((noinline)) int h(int a) { return a; }
int i(int a) __attribute__((pure));
__declspec(dllexport) int j() { return 1; }
"""[1:],
        [
            ("f", 4, 4, "int f(int a)"),
            ("g", 5, 5, "static int g(int a)"),
            ("h", 6, 6, "__attribute__((noinline)) int h(int a)"),
            ("j", 8, 8, "__declspec(dllexport) int j()"),
        ],
        [
            ("i", 7, 7, "int i(int a) __attribute__((pure))"),
        ],
    ),
    "conditional compilation": (
        r"""
#ifdef A
int f() { return 1; }
#elif defined(B)
int f() { return 2; }
#else
int f() { return 3; }
#endif
int g(int a) {
#if A
    if (a) {
#else
    {
#endif
        return 1;
    }
}
"""[1:],
        [
            ("f", 2, 2, "int f()"),
            ("f", 4, 4, "int f()"),
            ("f", 6, 6, "int f()"),
            ("g", 8, 16, "int g(int a)"),
        ],
        [],
    ),
    "pointers and arrays in the header": (
        r"""
int (*f(int a))(char) { return nullptr; }
const char *const *g(int a[3], int (&b)[4], void (*c)(int)) { return 0; }
int& h() { return x; }
int* A::i() { return x; }
unsigned long long int j(void) { return 1; }
"""[1:],
        [
            ("f", 1, 1, "int (*f(int a))(char)"),
            ("g", 2, 2, "const char *const *g(int a[3], int (&b)[4], void (*c)(int))"),
            ("h", 3, 3, "int& h()"),
            ("A::i", 4, 4, "int* A::i()"),
            ("j", 5, 5, "unsigned long long int j(void)"),
        ],
        [],
    ),
    "header and body in strange places": (
        r"""
int
gnu (int a)
{
  return a;
}
static inline int one() { return 1; } static int two() { return 2; }
int tried() try { return 1; } catch (const E& e) { return 0; }
decltype(auto) da() { return x; }
struct S { int m() { return 1; } } s;
typedef struct { int m() { return 1; } } T;
"""[1:],
        [
            ("gnu", 1, 5, "int gnu (int a)"),
            ("one", 6, 6, "static inline int one()"),
            ("two", 6, 6, "static int two()"),
            ("tried", 7, 7, "int tried()"),
            ("da", 8, 8, "decltype(auto) da()"),
            ("S::m", 9, 9, "int m()"),
            ("m", 10, 10, "int m()"),
        ],
        [],
    ),
    "raw strings and literals": (
        r"""
const char* f() { return R"x(int none() { )" // })x"; }
int g() { return 1'000 + '{' + u8"}"[0] + 0x1p3; }
"""[1:],
        [
            ("f", 1, 1, "const char* f()"),
            ("g", 2, 2, "int g()"),
        ],
        [],
    ),
    "coroutines and modern words": (
        r"""
task<int> f() { co_await g(); co_return 1; }
consteval int c() { return 1; }
constinit int x = 1;
int d(std::initializer_list<int> l = {1, 2}) { if constexpr (true) { return 1; } else return 2; }
"""[1:],
        [
            ("f", 1, 1, "task<int> f()"),
            ("c", 2, 2, "consteval int c()"),
            ("d", 4, 4, "int d(std::initializer_list<int> l = {1, 2})"),
        ],
        [],
    ),
    "declarations": (
        r"""
int f(int a);
struct A {
    A(int);
    ~A();
    operator int() const;
    static int g(int a), *h(int);
    int (*pointer)(int);
    std::function<int(int)> callable;
    int field = f(1);
    DISALLOW(A);
    friend int k(A&);
    template <class T> void t(T);
};
typedef int type(int);
using alias = int(int);
int (*pointer)(int) = f;
extern int variable;
"""[1:],
        [],
        [
            ("f", 1, 1, "int f(int a)"),
            ("A::A", 3, 3, "A(int)"),
            ("A::~A", 4, 4, "~A()"),
            ("A::operator int", 5, 5, "operator int() const"),
            ("A::g", 6, 6, "static int g(int a), *h(int)"),
            ("A::h", 6, 6, "static int g(int a), *h(int)"),
            ("k", 11, 11, "friend int k(A&)"),
            ("A::t", 12, 12, "template <class T> void t(T)"),
        ],
    ),
    "test macros": (
        r"""
TEST(Suite, Name) { EXPECT_EQ(1, 1); }
TEST_F(Fixture, Name) { }
TEST_CASE("adds", "[math]") {
    CHECK(1);
}
int f() { return 1; }
"""[1:],
        [
            ("Suite.Name", 1, 1, "TEST(Suite, Name)"),
            ("Fixture.Name", 2, 2, "TEST_F(Fixture, Name)"),
            ("adds", 3, 5, 'TEST_CASE("adds", "[math]")'),
            ("f", 6, 6, "int f()"),
        ],
        [],
    ),
    "only comments": (
        r"""
/* int f() { } */
// int g() { }
"""[1:],
        [],
        [],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_table(case: str) -> None:
    source, functions, declarations = TABLE[case]
    parsed = syntax.definitions(Language.CPP, source.encode())
    assert [
        (one.name, one.start_line, one.end_line, one.signature) for one in parsed.definitions
    ] == functions
    assert [
        (one.name, one.start_line, one.end_line, one.signature) for one in parsed.declarations
    ] == declarations
    assert not any(one.has_error for one in parsed.definitions)


def test_test_code() -> None:
    found = syntax.definitions(Language.CPP, TABLE["test macros"][0].encode()).definitions
    assert [one.name for one in found if one.is_test_case] == ["Suite.Name", "Fixture.Name", "adds"]
    assert [one.name for one in found if not one.is_test] == ["f"]
