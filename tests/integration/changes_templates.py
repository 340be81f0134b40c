"""Functions of five languages with holes: what `changes_world` builds its repository from.

Holes: «N» name, «C» a number in the body, «D» a number in a nested function, «A» a number in a decorator, annotation or
attribute, «P» one more parameter, «T» documentation, «R» a line for a remark, «S» room for layout, «K» the class around.
"""

from __future__ import annotations

from dataclasses import dataclass

TEST, DECLARED = "test code", "declaration without a body"


@dataclass(frozen=True)
class Template:
    """One function; `text` is exactly its span.

    `name` is what follows the owner; `twin` is an overload or accessor of the same name that never changes; `skip` is why an
    added or changed one is left out.
    """

    text: str
    name: str = "«N»"
    twin: str = ""
    skip: str = ""


@dataclass(frozen=True)
class Around:
    """What functions stand in: the text before, the text behind, the owner it gives to names, and how deep they stand."""

    before: str
    behind: str
    owner: str
    depth: int
    skip: str = ""
    holds: bool = False  # functions of its own, which never change


@dataclass(frozen=True)
class Material:
    """Everything for one language; `places` and `members` go together by position."""

    suffix: str
    header: str
    remark: str
    parameter: str
    indent: str
    separator: str
    generated: str
    broken: str
    places: tuple[tuple[Around, tuple[Template, ...]], ...]


def _templates(text: str) -> tuple[Template, ...]:
    """Templates are parted by lines of `----`, each with its options `name=`, `skip=` behind, and its twin after `++++`."""
    found = []
    for part in f"\n{text.strip()}".removeprefix("\n----").split("\n----"):
        options, _, body = part.partition("\n")
        text_, _, twin = body.partition("\n++++\n")
        words = dict(word.split("=", 1) for word in options.split(";") if "=" in word)
        known = {key.strip(): value.strip() for key, value in words.items()}
        found.append(
            Template(text_.strip("\n"), known.get("name", "«N»"), twin.strip("\n"), known.get("skip", ""))
        )
    return tuple(found)


PYTHON_FREE = _templates('''
def «N»(items, key=None«P»):
    """«T»."""
    total = «C»
    «R»
    for item in items:
        total += max(item,«S» key or 0)
    return total
----
@cache(size=«A»)
@other.thing
async def «N»(source«P»):
    «R»
    async for row in source:
        yield (row «S»* «C»)
----
def «N»(f«P»):
    «R»
    @wraps(f)
    def inner(*args, **kwargs):
        class Local:
            """Documentation of something inside."""
            def run(self):
                return («D»«S»)
        return f(*args, **kwargs) + «C»
    return inner
----
def «N»[T: int](x: T«P») -> list[T]:
    """«T»."""
    if x:
        «R»
        return [x,«S» «C»]
    else: return []
----
def «N»(x«P»): return x +«S» «C» if x else (yield)
----
def «N»(
    first: dict[str, int] = {"a": (lambda: 1)()},  # a remark
    *rest: int«P»,
    **more: object,
) -> dict[
    str, int
]:
    r"""«T»."""
    «R»
    text = f"{first!r:>{len(rest)}} # no remark"
    return {k: v + «C» for k, v in first.items()«S» if text}
''')
PYTHON_METHODS = _templates('''
def «N»(self, a«P»):
    """«T»."""
    «R»
    return self.x +«S» «C»
----
@staticmethod
@check(«A»)
def «N»(a«P»):
    «R»
    return (a «S»or «C»)
----
@«N».setter
def «N»(self, value«P»):
    «R»
    self._value = value + («C»«S»)
++++
@property
def «N»(self):
    return self._value
----
@classmethod
async def «N»(cls, a: "K"«P») -> None:
    async with a as b, cls(«S») as c:
        «R»
        match b:
            case {"x": [1, *_]} if c: return «C»
---- skip=declaration without a body
@abstractmethod
def «N»(self, a«C»«P»): ...
---- skip=declaration without a body
@overload
def «N»(self, a«C»: int«P») -> int: ...
++++
def «N»(self, a): return a
''')
JAVA_METHODS = _templates('''
/** «T». */
public int «N»(int a«P») {
    «R»
    int total = «C»;
    for (int i = 0;«S» i < a; i++) { total += i; }
    return total;
}
----
@Cached(size = «A», names = {"a", "b"})
@SuppressWarnings("unchecked")
protected static <T extends Comparable<? super T>> List<T[]> «N»(final Map<String, T> m«P»)
        throws java.io.IOException {
    «R»
    return convert(m,«S» «C»);
}
----
Runnable «N»(String name«P») {
    class Local { int inner() { return «D»; } }
    return new Runnable() {
        «R»
        @Override public void run() { System.out.println(name «S»+ «C» + new Local().inner()); }
    };
}
----
int «N»(long a«P») { return (int) a «S»+ «C»; }
++++
int «N»(int a) { return a; }
----
private synchronized String «N»(Object o«P») {
    return switch (o) {
        case Integer i when i > «C» -> "a";
        «R»
        case Point(int x, int y) -> """
            void none() { }
            """;
        default -> { yield «S»"c"; }
    };
}
---- skip=declaration without a body
/** «T». */
public native int «N»(int a«C»«P»);
---- skip=test code
@Test
void «N»(int a«P») { check(«S»«C»); }
''')
JAVA_CONSTRUCTORS = _templates("""
---- name=«K»
/** «T». */
public «K»(int a, byte[] b«C»«P») {
    «R»
    this(a,«S» b«C»);
}
----
default int «N»(int... all«P») {
    «R»
    return all.length «S»+ «C»;
}
---- skip=declaration without a body
int «N»(java.util.List<? extends int[]> a«C»«P») throws E;
----
static <K, V> K «N»(java.util.function.Function<K, V> f«P») {
    java.util.function.IntUnaryOperator g = x -> { return x + «D»; };
    «R»
    return f == null ?«S» null : g(«C»);
}
""")
CPP_FREE = _templates("""
/// «T».
int «N»(int a«P») {
    «R»
    for (int i = 0;«S» i < a; ++i) a += «C»;
    return a;
}
----
template <typename T, int Size = «A»>
[[nodiscard]] static inline auto «N»(const std::vector<T>& v«P») noexcept -> decltype(v.size()) {
    «R»
    auto inner = [&](auto x) { struct L { int go() { return «D»; } }; return x + L{}.go(); };
    return v.size() «S»+ inner(«C»);
}
----
unsigned long long «N»(double a«P») { return «S»«C»; }
++++
unsigned long long «N»(float a) { return 1; }
----
// «T»
template <class T>
requires std::integral<T> && (sizeof(T) > «A»)
constexpr T «N»(T a«P»)
{
    «R»
#ifdef SOMETHING
    return a «S»+ «C»;
#else
    return a;
#endif
}
----
const char *«N»(const char *s«P») {
    return R"x(int none() { // «C» })x" "no // remark"«S»;
}
----
EXPORTED inline std::vector<std::string> «N»(const char *s«P») NOEXCEPT {
    «R»
    if (s == nullptr) { RETURN_IF(s) }
    printf("%" PRIu64, go(s,«S» «C»));
    return (unsigned(«C») & 1) ? this->operator[](s) : *operator->();
}
---- name=Outer::«N»
template <typename T>
void Outer<T>::«N»(T a«P») const & {
    «R»
    this->go(a,«S» «C»);
}
---- name=«N»::operator+
«N» «N»::operator+(const «N» &o«P») const { return {o.x «S»+ «C»}; }
---- name=«N»::~«N»
/** «T». */
«N»::~«N»() { release(«S»«C»); }
---- name=«N»::operator std::vector<int>
«N»::operator std::vector<int>() const { return {«C»«S»}; }
---- skip=declaration without a body
/// «T».
int «N»(int a«C»«P»);
""")
CPP_MEMBERS = _templates("""
---- name=«K»
explicit «K»(int a, char (&b)[«C»]«P») noexcept : a_(a),«S» c_{«C»} {
    «R»
    go();
}
---- name=operator[]
const T& operator[](Index<«C»> i«P») const { return v[i«S»]; }
---- name=operator bool
explicit operator bool() const volatile { return n «S»> «C»; }
----
template <typename U> void «N»(U&& u«P») {
    «R»
    v.push_back(«S»std::forward<U>(u)); n = «C»;
}
----
virtual int «N»(int a«P») const override final { return «S»«C»; }
---- name=«K»; skip=declaration without a body
«K»(const «K»& other, int (*f)(int[«C»])«P») = delete;
---- skip=declaration without a body
virtual void «N»(int a«C»«P») = 0;
---- name=operator()
auto operator()(std::integral auto a, int (*f)(char[«C»])«P») { return [=](int x) { return x + «D»; }(a «S»); }
""")
GO_FREE = _templates("""
// «N» says: «T».
func «N»(a, b int«P») int {
	«R»
	total := «C»
	for i := 0; i < a; i++ {
		total += max(i,«S» b)
	}
	return total
}
----
func «N»[K comparable, V ~int | ~string](m map[K]V«P») (n int, err error) {
	«R»
	inner := func(x int) int {
		return x + «D»
	}
	defer func() { n = inner(«S»«C») }()
	return
}
---- name=Stack.«N»
func (s *Stack[T]) «N»(v T«P») {
	«R»
	s.items = append(s.items,«S» wrap(v, «C»))
}
---- name=Stack.«N»
// «T»
//go:noinline
func (Stack[_]) «N»(f func(int) (int, error)«P») func() error {
	type local struct{ f func() }
	return func() error { f(«C»); return nil }
}
---- name=Point.«N»
func (p Point) «N»(in <-chan int«P») string {
	switch x := any(p).(type) {
	case int:
		«R»
		return "func none() {}" + `
func none() {}
`
	default:
		_ = x
	}
	select {
	case v := <-in:
		return name(«S»v, «C»)
	}
}
---- skip=declaration without a body
// «T»
func «N»(a *byte, n«C» int«P») uint64
----
func «N»(xs ...string«S») { print(«C») }
""")
RUST_FREE = _templates("""
/// «T».
#[inline]
pub fn «N»(a: i32«P») -> i32 {
    «R»
    let total = «C»;
    (0..a).fold(total,«S» |x, y| x + y)
}
----
#[must_use = "«A»"]
pub(crate) async unsafe fn «N»<'a, T: Clone + 'a, const N: usize>(x: &'a [T; N]«P») -> impl Iterator<Item = &'a T> + 'a
where
    T: std::fmt::Debug,
{
    fn nested(x: i32) -> i32 { x + «D» }
    «R»
    struct Local;
    impl Local { fn go(&self) -> i32 { nested(«C») } }
    x.iter().take(Local.go(«S») as usize)
}
----
const fn «N»(a: u8«P») -> u8 { a «S»+ «C» }
----
/** «T». */
#[no_mangle]
pub extern "C" fn «N»(a: *const u8«P») -> ! {
    «R»
    loop { unsafe { go(a,«S» r#"fn none() {}"#, b'}', '{', «C») } }
}
---- skip=test code
#[test]
fn «N»() { assert_eq!(«S»1, «C»); }
---- skip=test code
#[tokio::test]
async fn «N»() { check(«C»«S»).await }
""")
RUST_METHODS = _templates("""
/// «T».
pub fn «N»(&mut self, a: T«P») -> Option<T> {
    «R»
    let Some(x) = self.get(a) else { return None };
    match x { 0..=«C» if a > 1 => { Some(«S»a) } _ => None }
}
----
#[cfg(all(unix, feature = "f«A»"))]
fn «N»(self: Box<Self>«P») -> Self where Self: Sized {
    «R»
    let f = |x: i32| -> i32 { x + «D» };
    Self { v: vec![f(1),«S» «C»] }
}
----
const fn «N»<const M: usize>(x: [u8; M]«P») -> usize { M «S»* «C» }
""")
RUST_DECLARED = (
    *RUST_METHODS,
    *_templates("---- skip=declaration without a body\n/// «T».\nfn «N»(&self, a«C»: i32«P») -> f64;"),
)

PYTHON = Material(
    ".py", "import os\nX = lambda x: x\n\n", "# a remark", ", extra=1", "    ", ".", "# @generated by a tool\n",
    "def broken(:\n    return (1\n",
    (
        (Around("", "", "", 0), PYTHON_FREE),
        (Around("class «K»(Base, metaclass=M):\n    \"\"\"Documentation.\"\"\"\n    field: int = 1\n", "", "«K»", 1), PYTHON_METHODS),
        (Around("class Outer:\n    class «K»:\n        x = 1\n", "", "Outer.«K»", 2), PYTHON_METHODS),
        (Around("if os.name == 'posix':\n    y = 1\n", "else:\n    y = 2\n", "", 1), PYTHON_FREE),
        (Around("try:\n    import fast\nexcept ImportError:\n    fast = None\n", "else:\n    z = 1\n", "", 1), PYTHON_FREE),
    ),
)  # fmt: skip
JAVA = Material(
    ".java", "package a.b;\n\nimport java.util.*;\n\n", "// a remark", ", int extra", "    ", ".",
    "// Code generated by a tool. DO NOT EDIT.\n", "class Broken {\n    int broken( { return 1; }\n}\n",
    (
        (Around("/** Documentation. */\npublic class «K»<T> extends Base implements I, J {\n    private Runnable r = () -> { go(); };\n",
                "}\n", "«K»", 1), (*JAVA_METHODS, JAVA_CONSTRUCTORS[0])),
        (Around("@Some\ninterface «K» {\n    int X = 1;\n", "}\n", "«K»", 1), JAVA_CONSTRUCTORS[1:]),
        (Around("enum «K» implements I {\n    A { int a() { return 1; } }, B;\n", "}\n", "«K»", 1, holds=True), JAVA_METHODS),
        (Around("record «K»(int x, int y) implements I {\n    «K» { if (x < 0) throw new E(); }\n", "}\n", "«K»", 1, holds=True), JAVA_METHODS[:4]),
        (Around("class Outer {\n    static { go(); }\n    static final class «K» {\n", "    }\n}\n", "Outer.«K»", 2), JAVA_METHODS),
    ),
)  # fmt: skip
CPP = Material(
    ".cpp", "#include <vector>\n#define TWICE(x) ((x) + (x))\nstatic auto global = [](int a) { return a; };\n\n", "// a remark",
    ", int extra", "    ", "::", "/* Generated by a tool. DO NOT EDIT */\n", "int broken(int a { return (1; }\n",
    (
        (Around("", "", "", 0), CPP_FREE),
        (Around("namespace one::two {\n", "}  // namespace\n", "one::two", 0), CPP_FREE),
        (Around("namespace {\n", "}\n", "", 1), CPP_FREE[:5]),
        (Around("extern \"C\" {\n", "}\n", "", 0), (CPP_FREE[0], CPP_FREE[4], CPP_FREE[-1])),
        (Around("template <typename T>\nclass «K» final : public Base<T> {\n public:\n    «K»() = default;\n", " private:\n    int n;\n};\n",
                "«K»", 1, holds=True), CPP_MEMBERS),
        (Around("namespace in {\nstruct Outer { struct «K» {\n", "}; };\n}\n", "in::Outer::«K»", 2), CPP_MEMBERS),
        (Around("class EXPORTED «K» : public Base {\n    SOME_OBJECT\n public:\n", " private:\n    int n;\n};\n", "«K»", 1), CPP_MEMBERS),
        (Around("LIBRARY_BEGIN_NAMESPACE\n\n", "LIBRARY_END_NAMESPACE\n", "", 0), CPP_FREE),
        (Around("#if defined(A)\n", "#else\nint x;\n#endif\n", "", 0), CPP_FREE),
    ),
)  # fmt: skip
GO = Material(
    ".go", "//go:build linux\n\npackage a\n\nimport \"fmt\"\n\nvar handler = func(a int) int { return a }\n\n", "// a remark",
    ", extra int", "\t", ".", "// Code generated by a tool. DO NOT EDIT.\n", "func broken(a int {\n\treturn (1\n}\n",
    ((Around("", "", "", 0), GO_FREE), (Around("type T struct{ f func() }\n\n", "", "", 0), GO_FREE)),
)  # fmt: skip
RUST = Material(
    ".rs", "#![allow(dead_code)]\n//! Documentation.\nuse std::fmt;\nmacro_rules! make { ($n:ident) => { fn $n() -> i32 { 1 } }; }\nmake!(made);\n\n",
    "// a remark", ", extra: i32", "    ", "::", "// @generated by a tool\n", "fn broken(a: i32 { (1 }\n",
    (
        (Around("", "", "", 0), RUST_FREE),
        (Around("impl<T: Copy> «K»<T>\nwhere\n    T: Ord,\n{\n    const X: fn(i32) -> i32 = |x| x + 1;\n", "}\n", "«K»", 1), RUST_METHODS),
        (Around("impl<'a, T> fmt::Display for &'a mut crate::m::«K»<T> {\n    type Item = i32;\n", "}\n", "«K»", 1), RUST_METHODS),
        (Around("pub trait «K»: Sized {\n    const Y: i32;\n", "}\n", "«K»", 1), RUST_DECLARED),
        (Around("pub mod one {\n    mod two {\n", "    }\n}\n", "one::two", 2), RUST_FREE),
        (Around("#[cfg(test)]\nmod tests {\n    use super::*;\n", "}\n", "tests", 1, TEST), RUST_FREE[:4]),
    ),
)  # fmt: skip
MATERIALS = {"python": PYTHON, "java": JAVA, "cpp": CPP, "go": GO, "rust": RUST}
