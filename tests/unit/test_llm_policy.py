"""Cheats are refused, honest optimisations pass."""

# ruff: noqa: E501 - programs as one-line strings

from __future__ import annotations

import pytest

from perforch.llm.policy import check
from perforch.result import Language, Stage

PY = "def f(items, key):\n    out = []\n    for item in items:\n        if item not in out:\n            out.append(item)\n    return out\n"
PY_METHOD = "    def total(self, items):\n        return sum(item.price for item in items)\n"
JAVA = (
    "static int f(java.util.List<Integer> xs) {\n  int n = 0;\n  for (int x : xs) n += x;\n  return n;\n}\n"
)
CPP = "int f(const std::vector<int>& xs) {\n  int n = 0;\n  for (int x : xs) n += x;\n  return n;\n}\n"
GO = "func f(xs []int) int {\n\tn := 0\n\tfor _, x := range xs {\n\t\tn += x\n\t}\n\treturn n\n}\n"
RUST = "fn f(xs: &[i64]) -> i64 {\n    let mut n = 0;\n    for x in xs { n += x; }\n    n\n}\n"

CHEATS = [
    ("python", PY, "def f(items, key):\n    import heapq\n    heapq.heapify(items)\n    return items\n"),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  Collections.sort(xs);\n  return xs.get(0);\n}\n",
    ),
    ("java", JAVA, "static int f(java.util.List<Integer> xs) {\n  Cache.put(xs, 3);\n  return 3;\n}\n"),
    ("go", GO, "func f(xs []int) int {\n\tsort.Ints(xs)\n\treturn xs[0]\n}\n"),
    ("go", GO, "func f(xs []int) int {\n\tcopy(xs, xs[1:])\n\treturn xs[0]\n}\n"),
    (
        "cpp",
        "int f(std::vector<int>& v) { return v[0]; }",
        "int f(std::vector<int>& v) { std::sort(v.begin(), v.end()); return v[0]; }",
    ),
    ("python", PY, "def f(items, key):\n    global _seen\n    _seen = items\n    return _seen\n"),
    ("python", PY, "def f(items, key):\n    f.answers[key] = items\n    return items\n"),
    ("python", PY, "def f(items, key):\n    return f.__dict__.setdefault(key, items)\n"),
    ("python", PY, "def f(items, key):\n    CACHE[key] = items\n    return items\n"),
    ("python", PY, "def f(items, key):\n    CACHE.setdefault(key, items)\n    return items\n"),
    ("python", PY, "def f(items, key):\n    return globals().setdefault('c', {})\n"),
    (
        "python",
        PY,
        "def f(items, key):\n    import functools\n    @functools.lru_cache\n    def g(x): return x\n    return g(key)\n",
    ),
    (
        "python",
        PY,
        "def f(items, key):\n    class Same(list):\n        def __eq__(self, other): return True\n    return Same()\n",
    ),
    ("python", PY, "def f(items, key):\n    return type('S', (list,), {'__eq__': lambda a, b: True})()\n"),
    (
        "python",
        PY,
        "def f(items, key):\n    class S(float):\n        def __sub__(self, other): return 0.0\n    return S()\n",
    ),
    (
        "java",
        JAVA,
        "static Object f(java.util.List<Integer> xs) {\n  return new Object() { public boolean equals(Object o) { return true; } };\n}\n",
    ),
    ("python", PY, "def f(items, key):\n    import gc\n    gc.disable()\n    return items\n"),
    ("python", PY, "def f(items, key):\n    import os\n    os._exit(0)\n"),
    ("python", PY, "def f(items, key):\n    import sys\n    return sys._getframe(1)\n"),
    ("python", PY, "def f(items, key):\n    return eval('items')\n"),
    ("python", PY, "def f(items, key):\n    return open('/etc/hostname').read()\n"),
    (
        "python",
        PY,
        "def f(items, key):\n    from concurrent.futures import ThreadPoolExecutor\n    return items\n",
    ),
    ("python", PY, "def f(items, key):\n    setattr(f, 'x', 1)\n    return items\n"),
    ("python", PY, "def f(items, key):\n    items.append(key)\n    return items\n"),
    ("python", PY, "def f(items, key):\n    # \u202e reversed\n    return items\n"),
    (
        "python",
        PY_METHOD,
        "    def total(self, items):\n        self._total = 3\n        return self._total\n",
    ),
    (
        "python",
        PY_METHOD,
        "    def total(self, items):\n        self.cache[len(items)] = 3\n        return 3\n",
    ),
    ("python", PY_METHOD, "    def total(self, items):\n        type(self).memo = 3\n        return 3\n"),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  return CACHE.computeIfAbsent(xs, k -> 3);\n}\n",
    ),
    ("java", JAVA, "static int f(java.util.List<Integer> xs) {\n  last = 3;\n  return last;\n}\n"),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  return xs.parallelStream().mapToInt(x -> x).sum();\n}\n",
    ),
    ("java", JAVA, "static int f(java.util.List<Integer> xs) {\n  System.exit(0);\n  return 0;\n}\n"),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  new Thread(() -> {}).start();\n  return 0;\n}\n",
    ),
    (
        "cpp",
        CPP,
        "int f(const std::vector<int>& xs) {\n  static std::map<int, int> memo;\n  return memo[xs.size()];\n}\n",
    ),
    ("cpp", CPP, "int f(const std::vector<int>& xs) {\n  thread_local int last = 0;\n  return last;\n}\n"),
    ("cpp", CPP, "int f(const std::vector<int>& xs) {\n  g_cache[xs.size()] = 1;\n  return 1;\n}\n"),
    (
        "cpp",
        CPP,
        "int f(const std::vector<int>& xs) {\n  #pragma omp parallel for\n  for (int x : xs) {}\n  return 1;\n}\n",
    ),
    (
        "cpp",
        CPP,
        "int f(const std::vector<int>& xs) {\n  auto r = std::async([&] { return 1; });\n  return r.get();\n}\n",
    ),
    ("cpp", CPP, "int f(const std::vector<int>& xs) {\n  std::exit(0);\n}\n"),
    ("go", GO, "func f(xs []int) int {\n\tcache[len(xs)] = 1\n\treturn cache[len(xs)]\n}\n"),
    ("go", GO, "func f(xs []int) int {\n\tgo func() {}()\n\treturn 1\n}\n"),
    ("go", GO, "func f(xs []int) int {\n\ttotal += 1\n\treturn total\n}\n"),
    ("go", GO, "func f(xs []int) int {\n\txs[0] = 1\n\treturn 1\n}\n"),
    ("go", GO, "func f(xs []int) int {\n\tos.Exit(0)\n\treturn 1\n}\n"),
    ("rust", RUST, "fn f(xs: &[i64]) -> i64 {\n    static mut MEMO: i64 = 0;\n    unsafe { MEMO }\n}\n"),
    ("rust", RUST, "fn f(xs: &[i64]) -> i64 {\n    unsafe { *xs.get_unchecked(0) }\n}\n"),
    ("rust", RUST, "fn f(xs: &[i64]) -> i64 {\n    std::process::exit(0)\n}\n"),
    ("rust", RUST, "fn f(xs: &[i64]) -> i64 {\n    std::thread::spawn(|| 1).join().unwrap()\n}\n"),
    ("rust", RUST, "fn f(xs: &[i64]) -> i64 {\n    use std::sync::OnceLock;\n    0\n}\n"),
    ("rust", RUST, "fn f(xs: &[i64]) -> i64 {\n    CACHE.lock().unwrap().insert(1, 2);\n    0\n}\n"),
]

HONEST = [
    ("python", PY, "def f(items, key):\n    return [key.replace('a', 'b') for item in items]\n"),
    (
        "python",
        PY,
        "def f(items, key):\n    import heapq\n    heap = list(items)\n    heapq.heapify(heap)\n    return heap\n",
    ),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  List<Integer> copy = new ArrayList<>(xs);\n  Collections.sort(copy);\n"
        "  int[] a = new int[3];\n  Arrays.fill(a, -1);\n  Arrays.sort(a);\n  return copy.get(0);\n}\n",
    ),
    (
        "java",
        "static String f(String s, BigInteger n) {\n  return s;\n}\n",
        "static String f(String s, BigInteger n) {\n  return s.replace('a', 'b') + n.add(n);\n}\n",
    ),
    (
        "go",
        GO,
        "func f(xs []int) int {\n\tys := append([]int(nil), xs...)\n\tsort.Ints(ys)\n\tcopy(ys, xs)\n\treturn ys[0]\n}\n",
    ),
    (
        "cpp",
        CPP,
        "int f(const std::vector<int>& xs) {\n  std::vector<int> ys(xs);\n  std::sort(ys.begin(), ys.end());\n  return ys[0];\n}\n",
    ),
    ("python", PY, "def f(items, key):\n    return list(dict.fromkeys(items))\n"),
    (
        "python",
        PY,
        "def f(items, key):\n    seen = set()\n    out = []\n    add = seen.add\n    for item in items:\n        if item not in seen:\n            add(item)\n            out.append(item)\n    return out\n",
    ),
    (
        "python",
        PY,
        "def f(items, key):\n    cache = {}\n    for item in items:\n        cache[item] = cache.get(item, 0) + 1\n    return list(cache)\n",
    ),
    (
        "python",
        PY,
        "def f(items, key):\n    items = sorted(items)\n    items.append(1)\n    items[0] = 2\n    return items\n",
    ),
    (
        "python",
        PY,
        "def f(items, key):\n    from itertools import accumulate\n    return [x for x in accumulate(items)]\n",
    ),
    (
        "python",
        PY,
        "def f(items, key):\n    memo = {}\n    def go(n):\n        if n not in memo:\n            memo[n] = n\n        return memo[n]\n    return [go(x) for x in items]\n",
    ),
    (
        "python",
        PY,
        "def f(items, key):\n    count = 0\n    def bump():\n        nonlocal count\n        count += 1\n    bump()\n    return items\n",
    ),
    (
        "python",
        PY,
        "def f(items, key):\n    table, (a, b) = {}, (1, 2)\n    table.update(x=a)\n    with key as handle:\n        handle.write('x')\n    return b\n",
    ),
    (
        "python",
        PY_METHOD,
        "    def total(self, items):\n        total = 0\n        for item in items:\n            total += item.price\n        return total\n",
    ),
    ("python", "def f(self):\n    self.n = 1\n", "def f(self):\n    self.n = 2\n"),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  return xs.stream().mapToInt(Integer::intValue).sum();\n}\n",
    ),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  java.util.Map<Integer, Integer> memo = new java.util.HashMap<>();\n  for (int x : xs) memo.merge(x, 1, Integer::sum);\n  return memo.size();\n}\n",
    ),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  int[] counts = new int[10];\n  for (int i = 0; i < xs.size(); i++) { counts[i % 10]++; }\n  return counts[0];\n}\n",
    ),
    (
        "java",
        JAVA,
        "static int f(java.util.List<Integer> xs) {\n  StringBuilder b = new StringBuilder();\n  b.append(1).append(2);\n  return b.length();\n}\n",
    ),
    (
        "cpp",
        CPP,
        "int f(const std::vector<int>& xs) {\n  return std::accumulate(xs.begin(), xs.end(), 0);\n}\n",
    ),
    (
        "cpp",
        CPP,
        "int f(const std::vector<int>& xs) {\n  std::unordered_map<int, int> memo;\n  memo.reserve(xs.size());\n  for (int x : xs) ++memo[x];\n  return memo.size();\n}\n",
    ),
    (
        "cpp",
        CPP,
        "int f(const std::vector<int>& xs) {\n  static constexpr int table[] = {1, 2};\n  return table[0];\n}\n",
    ),
    (
        "cpp",
        CPP,
        "int f(const std::vector<int>& xs) {\n  bool seen[128] = {false};\n  for (int x : xs) seen[x & 127] = true;\n  auto [a, b] = std::pair(1, 2);\n  a += b;\n  return a;\n}\n",
    ),
    (
        "cpp",
        "int f(std::vector<int> v) { return v[0]; }",
        "int f(std::vector<int> v) { std::sort(v.begin(), v.end()); v[0] = 1; v.push_back(2); return v[0]; }",
    ),
    (
        "go",
        GO,
        "func f(xs []int) int {\n\tseen := make(map[int]bool, len(xs))\n\tvar n int\n\tfor i := range xs {\n\t\tseen[xs[i]] = true\n\t\tn++\n\t}\n\treturn n\n}\n",
    ),
    ("go", GO, "func f(xs []int) int {\n\tvar b strings.Builder\n\tb.WriteByte('x')\n\treturn b.Len()\n}\n"),
    ("go", GO, "func f(xs []int) int {\n\txs = append([]int(nil), xs...)\n\treturn len(xs)\n}\n"),
    ("rust", RUST, "fn f(xs: &[i64]) -> i64 {\n    xs.iter().sum()\n}\n"),
    (
        "rust",
        RUST,
        "fn f(xs: &[i64]) -> i64 {\n    let mut memo = std::collections::HashMap::new();\n    for x in xs { *memo.entry(*x).or_insert(0) += 1; }\n    memo.len() as i64\n}\n",
    ),
    (
        "rust",
        RUST,
        "fn f(xs: &[i64]) -> i64 {\n    let mut counts = [0i64; 10];\n    for (i, x) in xs.iter().enumerate() { counts[i % 10] += x; }\n    counts.iter().sum()\n}\n",
    ),
    (
        "rust",
        RUST,
        "fn f(xs: &[i64]) -> i64 {\n    let mut n = 0;\n    for x in xs { _ = x; n += x; }\n    n\n}\n",
    ),
    (
        "go",
        GO,
        "func f(xs []int) int {\n\tvar n, x int\n\tfor len(xs) > 0 {\n\t\t_, x = next(xs)\n\t\tn += x\n\t}\n\treturn n\n}\n",
    ),
    (
        "go",
        GO,
        "func f(xs []int) (out []int, n int) {\n\tout = make([]int, 9)\n\tout[0], n = xs[0], 1\n\treturn\n}\n",
    ),
    (
        "rust",
        RUST,
        "fn f(xs: &[i64]) -> i64 {\n    let mut best = 0;\n    if let Some(first) = xs.first() { best = *first; }\n    match best { n if n > 3 => n, other => other }\n}\n",
    ),
]


@pytest.mark.parametrize(("language", "original", "candidate"), CHEATS)
def test_cheats_are_refused(language: str, original: str, candidate: str) -> None:
    assert check(Language(language), original, candidate)


@pytest.mark.parametrize(("language", "original", "candidate"), HONEST)
def test_honest_changes_pass(language: str, original: str, candidate: str) -> None:
    assert check(Language(language), original, candidate) == ""


@pytest.mark.parametrize(("language", "original", "candidate"), CHEATS)
def test_what_the_original_does_is_allowed(language: str, original: str, candidate: str) -> None:
    assert check(Language(language), candidate, candidate) == ""


@pytest.mark.parametrize("stage", [Stage.GENERATE, Stage.FIX])
def test_what_a_stub_ought_to_change_is_left_to_the_tests(stage: Stage) -> None:
    stub = "    def push(self, item):\n        raise NotImplementedError\n"
    assert (
        check(Language.PYTHON, stub, "    def push(self, item):\n        self.items.append(item)\n", stage)
        == ""
    )
    assert check(Language.PYTHON, stub, "    def push(self, item):\n        eval(item)\n", stage)
