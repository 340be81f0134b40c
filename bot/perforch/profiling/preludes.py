"""What EffiBench-X offers to submitted functions by name, and empty programs to fill in.

The names are those that the suite's runners put before a submission; a reply may use them without importing anything.
"""

from __future__ import annotations

from perforch.result import Language

_PYTHON = """\
import bisect, collections, copy, functools, heapq, itertools, json, math, operator, pickle, random, re, string, sys
from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict, defaultdict, deque
from functools import cache, lru_cache, reduce
from heapq import heapify, heappop, heappush, heappushpop, nlargest, nsmallest
from itertools import accumulate, chain, combinations, groupby, permutations, product, zip_longest
from json import loads
from math import ceil, comb, cos, e, factorial, floor, gcd, inf, isqrt, lcm, log2, log10, perm, pi, sin, sqrt, tan
from re import findall, finditer, match, search, split, sub
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits, hexdigits, punctuation, whitespace
from sys import maxsize, stdin
from typing import Dict, List, Optional, Set, Tuple
try:
    import sortedcontainers
    from sortedcontainers import SortedDict, SortedList, SortedSet
except ImportError:
    pass

"""
_JAVA = "".join(
    f"import {name}.*;\n"
    for name in ("java.io", "java.math", "java.text", "java.util", "java.util.function", "java.util.stream")
)
_CPP_HEADERS = (
    "algorithm array bitset cassert cctype chrono climits cmath complex cstdio cstdlib cstring deque forward_list fstream functional "
    "iomanip iostream iterator list map memory mutex numeric queue random set sstream stack string thread tuple unordered_map "
    "unordered_set utility vector"
)
_CPP = "".join(f"#include <{name}>\n" for name in _CPP_HEADERS.split()) + "using namespace std;\n\n"
_GO_PACKAGES = "bufio container/heap container/list fmt io math math/big math/bits math/rand os reflect regexp sort strconv strings time"
_GO = "package main\n\nimport (\n" + "".join(f'\t"{name}"\n' for name in _GO_PACKAGES.split()) + ")\n\n"

HEADS = {Language.PYTHON: _PYTHON, Language.JAVA: f"{_JAVA}\n", Language.CPP: _CPP, Language.GO: _GO}
PROGRAMS = {
    Language.PYTHON: f'{_PYTHON}def main() -> None:\n    raise NotImplementedError\n\n\nif __name__ == "__main__":\n    main()\n',
    Language.JAVA: (
        f"{_JAVA}\npublic class Main {{\n    public static void main(String[] args) throws Exception {{\n"
        "        throw new UnsupportedOperationException();\n    }\n}\n"
    ),
    Language.CPP: f'{_CPP}int main() {{\n    throw "not implemented";\n}}\n',
    Language.GO: f'{_GO}func main() {{\n\tpanic("not implemented")\n}}\n',
}
