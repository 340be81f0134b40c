"""Rust: construct -> name, lines and signature of its functions and of its declarations without a body."""

from __future__ import annotations

import pytest

from perforch.languages import syntax
from perforch.result import Language

Row = tuple[str, int, int, str]

TABLE: dict[str, tuple[str, list[Row], list[Row]]] = {
    "plain": (
        r"""
fn f(a: i32) -> i32 { a }
"""[1:],
        [
            ("f", 1, 1, "fn f(a: i32) -> i32"),
        ],
        [],
    ),
    "documentation and attributes are inside": (
        r"""
// Not about f.
/// Doc.
/// More.
#[inline(always)]
// remark
#[must_use = "it"]
pub fn f() -> i32 {
    1
}

/** Doc. */
fn g() {}
// About h.
fn h() {}
//// No documentation.
fn i() {}
"""[1:],
        [
            ("f", 2, 9, "pub fn f() -> i32"),
            ("g", 11, 12, "fn g()"),
            ("h", 14, 14, "fn h()"),
            ("i", 16, 16, "fn i()"),
        ],
        [],
    ),
    "words in front": (
        r"""
pub async fn a() {}
pub(crate) const fn b() -> usize { 1 }
pub(in crate::x) unsafe fn c() {}
extern "C" fn d(a: i32) -> i32 { a }
pub const unsafe extern "system" fn e() {}
extern fn f() {}
async unsafe fn g() {}
"""[1:],
        [
            ("a", 1, 1, "pub async fn a()"),
            ("b", 2, 2, "pub(crate) const fn b() -> usize"),
            ("c", 3, 3, "pub(in crate::x) unsafe fn c()"),
            ("d", 4, 4, 'extern "C" fn d(a: i32) -> i32'),
            ("e", 5, 5, 'pub const unsafe extern "system" fn e()'),
            ("f", 6, 6, "extern fn f()"),
            ("g", 7, 7, "async unsafe fn g()"),
        ],
        [],
    ),
    "generics and where": (
        r"""
fn f<'a, T: Clone + 'a, const N: usize>(x: &'a [T; N]) -> impl Iterator<Item = &'a T> + '_
where
    T: Debug,
    for<'b> &'b T: Into<u8>,
{
    x.iter()
}
fn g<F>(f: F) -> Box<dyn Fn(&str) -> Option<u8> + Send + 'static> where F: FnMut() -> ! { todo() }
fn h(x: impl Into<String>, (a, b): (i32, i32), [c, ..]: [u8; 3], Point { x: d, .. }: Point) {}
"""[1:],
        [
            (
                "f",
                1,
                7,
                "fn f<'a, T: Clone + 'a, const N: usize>(x: &'a [T; N]) -> impl Iterator<Item = &'a T> + '_ where T: Debug, for<'b> &'b T: Into<u8>,",
            ),
            (
                "g",
                8,
                8,
                "fn g<F>(f: F) -> Box<dyn Fn(&str) -> Option<u8> + Send + 'static> where F: FnMut() -> !",
            ),
            (
                "h",
                9,
                9,
                "fn h(x: impl Into<String>, (a, b): (i32, i32), [c, ..]: [u8; 3], Point { x: d, .. }: Point)",
            ),
        ],
        [],
    ),
    "inherent implementations": (
        r"""
impl A {
    const X: fn(i32) -> i32 = |x| x + 1;
    pub fn new() -> Self { Self }
    fn by_ref(&self) {}
    fn by_mut(&mut self) {}
    fn boxed(self: Box<Self>) {}
    async fn life<'a>(&'a self, s: &'a str) -> &'a str { s }
}
impl<T, const N: usize> Ring<T, N> where T: Copy { fn push(&mut self, t: T) {} }
impl<'a> crate::m::Ty<'a, u8> { fn c(&self) {} }
"""[1:],
        [
            ("A::new", 3, 3, "pub fn new() -> Self"),
            ("A::by_ref", 4, 4, "fn by_ref(&self)"),
            ("A::by_mut", 5, 5, "fn by_mut(&mut self)"),
            ("A::boxed", 6, 6, "fn boxed(self: Box<Self>)"),
            ("A::life", 7, 7, "async fn life<'a>(&'a self, s: &'a str) -> &'a str"),
            ("Ring::push", 9, 9, "fn push(&mut self, t: T)"),
            ("Ty::c", 10, 10, "fn c(&self)"),
        ],
        [],
    ),
    "traits for types": (
        r"""
impl<T: Display> fmt::Display for Stack<T> { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { Ok(()) } }
impl<'a> Iterator for &'a mut It { type Item = i32; fn next(&mut self) -> Option<i32> { None } }
impl<T> Tr for [T] { fn a(&self) {} }
impl Tr for (i32, u8) { fn a(&self) {} }
impl Tr for dyn Any + Send { fn a(&self) {} }
impl<T> Tr for T { fn a(&self) {} }
impl<const N: usize> Tr for [u8; N] { fn a(&self) {} }
impl Tr for fn(i32) -> i32 { fn a(&self) {} }
impl<T> From<T> for A { fn from(t: T) -> A { A } }
impl From<u8> for A { fn from(t: u8) -> A { A } }
unsafe impl Send for X {}
"""[1:],
        [
            ("Stack::fmt", 1, 1, "fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result"),
            ("It::next", 2, 2, "fn next(&mut self) -> Option<i32>"),
            ("[T]::a", 3, 3, "fn a(&self)"),
            ("(i32, u8)::a", 4, 4, "fn a(&self)"),
            ("dyn Any + Send::a", 5, 5, "fn a(&self)"),
            ("T::a", 6, 6, "fn a(&self)"),
            ("[u8; N]::a", 7, 7, "fn a(&self)"),
            ("fn(i32) -> i32::a", 8, 8, "fn a(&self)"),
            ("A::from", 9, 9, "fn from(t: T) -> A"),
            ("A::from", 10, 10, "fn from(t: u8) -> A"),
        ],
        [],
    ),
    "traits": (
        r"""
pub trait Shape: Sized + 'static {
    const SIDES: u32;
    type Out<'a> where Self: 'a;
    fn area(&self) -> f64;
    fn twice(&self) -> f64 { 2.0 * self.area() }
    async fn later(&self) {}
    fn generic<T>(&self, t: T) -> T where T: Copy { t }
}
"""[1:],
        [
            ("Shape::twice", 5, 5, "fn twice(&self) -> f64"),
            ("Shape::later", 6, 6, "async fn later(&self)"),
            ("Shape::generic", 7, 7, "fn generic<T>(&self, t: T) -> T where T: Copy"),
        ],
        [
            ("Shape::area", 4, 4, "fn area(&self) -> f64"),
        ],
    ),
    "nested functions and closures belong to the outermost": (
        r"""
fn f() -> i32 {
    fn g() -> i32 { 1 }
    struct L;
    impl L { fn m(&self) -> i32 { g() } }
    let c = |x: i32| -> i32 { x };
    let d = async move { 1 };
    c(L.m())
}
static H: fn(i32) -> i32 = |x| x;
const K: i32 = { fn inner() -> i32 { 1 } inner() };
"""[1:],
        [
            ("f", 1, 8, "fn f() -> i32"),
        ],
        [],
    ),
    "macros": (
        r"""
macro_rules! make { ($n:ident) => { fn $n() -> i32 { 1 } }; }
make!(made);
thread_local! { static X: i32 = { fn inner() -> i32 { 1 } 1 }; }
fn f() { println!("fn none() {{}}"); vec![1, 2]; assert!(matches!(x, Some(1..=3) if y)); }
bitflags! { struct A: u8 { const B = 1; } }
"""[1:],
        [
            ("f", 4, 4, "fn f()"),
        ],
        [],
    ),
    "modules": (
        r"""
mod a { pub mod b { pub fn deep() {} } fn shallow() {} }
mod file;
pub(crate) mod c { #![allow(x)] pub(super) fn f() {} }
"""[1:],
        [
            ("a::b::deep", 1, 1, "pub fn deep()"),
            ("a::shallow", 1, 1, "fn shallow()"),
            ("c::f", 3, 3, "pub(super) fn f()"),
        ],
        [],
    ),
    "test code": (
        r"""
#[cfg(test)]
mod tests { use super::*; fn helper() {} #[test] fn works() {} mod inner { fn deep() {} } }
#[test] #[should_panic] fn alone() {}
#[tokio::test(flavor = "x")] async fn later() {}
#[cfg(all(test, unix))] fn both() {}
#[cfg(not(test))] fn product() {}
#[cfg(feature = "test")] fn feature() {}
#[bench] fn slow(b: &mut Bencher) {}
"""[1:],
        [
            ("tests::helper", 2, 2, "fn helper()"),
            ("tests::works", 2, 2, "fn works()"),
            ("tests::inner::deep", 2, 2, "fn deep()"),
            ("alone", 3, 3, "fn alone()"),
            ("later", 4, 4, "async fn later()"),
            ("both", 5, 5, "fn both()"),
            ("product", 6, 6, "fn product()"),
            ("feature", 7, 7, "fn feature()"),
            ("slow", 8, 8, "fn slow(b: &mut Bencher)"),
        ],
        [],
    ),
    "declarations": (
        r"""
extern "C" { fn a(x: i32) -> i32; static V: i32; pub fn printf(f: *const u8, ...) -> i32; }
trait T { fn b(&self) -> i32; }
type F = fn(i32) -> i32;
"""[1:],
        [],
        [
            ("a", 1, 1, "fn a(x: i32) -> i32"),
            ("printf", 1, 1, "pub fn printf(f: *const u8, ...) -> i32"),
            ("T::b", 2, 2, "fn b(&self) -> i32"),
        ],
    ),
    "strings, characters and lifetimes": (
        r"""
fn f<'a>(s: &'a str) -> char { let r = r##"fn none() { "# }"##; let b = b"}\"{"; let c = '{'; let d = '\''; let e = b'}'; 'x: loop { break 'x '}' } }
fn g() {}
"""[1:],
        [
            ("f", 1, 1, "fn f<'a>(s: &'a str) -> char"),
            ("g", 2, 2, "fn g()"),
        ],
        [],
    ),
    "control flow": (
        r"""
fn f(o: Option<i32>) -> Result<i32, E> {
    let Some(x) = o else { return Err(E) };
    if let Some(y) = o { while let Some(_) = it.next() {} }
    match x { 0..=9 if x > 1 => Ok(1), a @ (10 | 11) => { Ok(a) } _ => g()?.h::<Vec<_>>(), }
}
unsafe fn u() { unsafe { asm!("nop") } }
"""[1:],
        [
            ("f", 1, 5, "fn f(o: Option<i32>) -> Result<i32, E>"),
            ("u", 6, 6, "unsafe fn u()"),
        ],
        [],
    ),
    "raw and not ASCII names": (
        r"""
fn r#type() {}
fn größe() {}
impl r#struct { fn r#fn(&self) {} }
"""[1:],
        [
            ("r#type", 1, 1, "fn r#type()"),
            ("größe", 2, 2, "fn größe()"),
            ("r#struct::r#fn", 3, 3, "fn r#fn(&self)"),
        ],
        [],
    ),
    "unions, enums and derive": (
        r"""
#[derive(Clone)]
#[repr(C)]
union U { a: u8 }
impl U { fn u(self) {} }
enum E { A = 1, B { x: i32 } }
"""[1:],
        [
            ("U::u", 4, 4, "fn u(self)"),
        ],
        [],
    ),
    "only comments": (
        r"""
//! crate
/* fn f() {} /* nested */ fn g() {} */
"""[1:],
        [],
        [],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_table(case: str) -> None:
    source, functions, declarations = TABLE[case]
    parsed = syntax.definitions(Language.RUST, source.encode())
    assert [
        (one.name, one.start_line, one.end_line, one.signature) for one in parsed.definitions
    ] == functions
    assert [
        (one.name, one.start_line, one.end_line, one.signature) for one in parsed.declarations
    ] == declarations
    assert not any(one.has_error for one in parsed.definitions)


def test_test_code() -> None:
    found = syntax.definitions(Language.RUST, TABLE["test code"][0].encode()).definitions
    assert [one.simple_name for one in found if not one.is_test] == ["product", "feature"]
    assert [one.simple_name for one in found if one.is_test_case] == ["works", "alone", "later"]
