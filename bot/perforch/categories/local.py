"""Categories of a function from its own text: deterministic, no model asked.

Every rule adds points for one category; a category with enough points is a label. Points come from words of
the name and the documentation, from operators and calls in the body, and from types in the signature.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from perforch.categories.names import Category, ordered

if TYPE_CHECKING:
    from perforch.changes.function import Function

THRESHOLD = 2
_MAX_TEXT = 100_000  # characters looked at; more adds nothing

_WORDS: dict[Category, tuple[tuple[str, int], ...]] = {
    Category.ARRAY: (
        (r"\b(lists?|arrays?|vectors?|slices?|matrix|matrices|grids?|sequences?|subarrays?)\b", 1),
        (r"\b(elements?|numbers? in|index|indices|positions?)\b", 1),
    ),
    Category.MATH: (
        (
            r"\b(sum|sums|product|average|mean|median|absolute|round|square|cube|root|polynomial|area|volume)\b",
            1,
        ),
        (
            r"\b(formula|equation|triangle|arithmetic|digits?|decimal|integer part|magnitude|calculate|compute)\b",
            1,
        ),
        (
            r"\b(divis\w*|multipl\w*|power|factorial|fibonacci|modulo|logarithm|numeric\w*|even|odd|prime)\b",
            1,
        ),
    ),
    Category.STRING: (
        (
            r"\b(strings?|substrings?|characters?|letters?|words?|vowels?|consonants?|uppercase|lowercase)\b",
            2,
        ),
        (
            r"\b(prefix|suffix|palindrom\w*|text|sentence|spaces?|parenthes[ei]s|brackets?|encod\w*|decod\w*)\b",
            1,
        ),
    ),
    Category.COUNTING: (
        (r"\b(count\w*|number of|how many|frequenc\w*|occurrences?|occurs?|times it appears|histogram)\b", 2),
    ),
    Category.NUMBER_THEORY: (
        (
            r"\b(primes?|divisors?|divisible|gcd|greatest common|factori[sz]\w*|factors?|modulo|coprime|lcm)\b",
            2,
        ),
        (r"\b(perfect square|power of|fibonacci|collatz|multiple of)\b", 1),
    ),
    Category.SIMULATION: (
        (
            r"\b(simulat\w*|step by step|rotat\w*|shift\w*|moves?|robot|game|bank account|balance|process\w*)\b",
            1,
        ),
        (r"\b(nested|nesting|deposit|withdraw\w*|running|rolling|state|rounds?|turns?|stack)\b", 1),
    ),
    Category.SORTING: (
        (r"\b(sort(ed|ing|s)?|ascending|descending|median|rank\w*|smallest to largest)\b", 2),
    ),
    Category.ENUMERATION: (
        (r"\b(all (possible|pairs|prefixes|combinations|subsets|permutations|tuples)|enumerat\w*)\b", 2),
        (r"\b(combinations?|permutations?|any two|closest|pairs?|triples?|three (distinct )?elements)\b", 1),
    ),
    Category.GREEDY: (
        (
            r"\b(greedy|minimum number of|maximum number of|fewest|at most|as (few|many) as|minimi[sz]e|maximi[sz]e)\b",
            1,
        ),
        (r"\b(schedul\w*|intervals?|capacity|bucket|jump|optimal)\b", 1),
    ),
    Category.HASH_TABLE: (
        (
            r"\b(dictionar\w*|hash\w*|distinct|unique|duplicates?|anagrams?|histogram|map(s|ping)? (from|of|each))\b",
            1,
        ),
    ),
}

_CODE: dict[Category, tuple[tuple[str, int], ...]] = {
    Category.ARRAY: (
        (r"\b(list|List|vector|Vec|ArrayList|array|Array|ndarray|Sequence|Iterable)\s*[<\[(]", 1),
        (r"\[\]\s*\w+|&(mut\s+)?\[\w+\]|\w+\[\]", 1),
        (r"\b(append|push_back|push|add|len|size)\s*\(", 0),
    ),
    Category.MATH: (
        (r"\b(sqrt|pow|abs|fabs|floor|ceil|round|sum|prod|log|exp|hypot|math|Math|cmath)\b", 1),
        (r"(?<![%])%(?![%sdf])|\*\*", 1),
        (r"\w\s*[*/]=?\s*\w", 1),
    ),
    Category.STRING: (
        (r"\b(str|String|string|&str|char|rune|byte|StringBuilder|charAt|chars|substr|substring)\b", 1),
        (
            r"\b(upper|lower|isalpha|isdigit|isupper|islower|split|join|strip|replace|startswith|endswith)\b",
            1,
        ),
        (
            r"\b(toUpperCase|toLowerCase|to_uppercase|to_lowercase|ToUpper|ToLower|tolower|toupper|strings)\b",
            1,
        ),
    ),
    Category.COUNTING: (
        (r"\b(Counter|count_if|countBy|bincount|histogram|frequency|freq|getOrDefault)\b", 2),
        (r"\.count\s*\(|\b(count|counts|cnt|counter|total)\b\s*(\+=\s*1|\+\+|:=\s*0|=\s*0)", 1),
    ),
    Category.NUMBER_THEORY: (
        (r"\b(gcd|lcm|is_?[pP]rime|sieve|factorize|modpow|mod_pow|IsPrime)\b", 2),
        (r"%\s*\w+\s*(==|!=)\s*0", 0),
    ),
    Category.SIMULATION: ((r"\b(depth|balance|stack|state|queue|position|current_depth)\b", 1),),
    Category.SORTING: (
        (
            r"\b(sort|sorted|Sort|sort_by|sort_unstable\w*|sort_by_key|stable_sort|partial_sort|nth_element)\b",
            2,
        ),
        (
            r"\b(Ints|Strings|Slice|SliceStable|Comparator|heapq|heapify|PriorityQueue|TreeMap|BinaryHeap)\b",
            1,
        ),
    ),
    Category.ENUMERATION: (
        (r"\b(permutations|combinations|product|next_permutation|powerset|subsets|itertools)\b", 2),
    ),
    Category.GREEDY: ((r"\b(greedy|interval|schedule|capacity|coins?)\b", 1),),
    Category.HASH_TABLE: (
        (
            r"\b(dict|Dict|set|Set|defaultdict|Counter|HashMap|HashSet|unordered_map|unordered_set|frozenset)\b",
            2,
        ),
        (r"\b(map\s*<|map\[|Map\s*<|BTreeMap|BTreeSet|LinkedHashMap|TreeSet|make\(map)", 2),
    ),
}

_COMPILED = {
    kind: {
        category: tuple((re.compile(pattern), points) for pattern, points in rules if points)
        for category, rules in table.items()
    }
    for kind, table in (("words", _WORDS), ("code", _CODE))
}


def classify(function: Function) -> tuple[str, ...]:
    """Categories of a function, in the paper's order; may be empty.

    Args:
        function: its name, signature, documentation and source are looked at.
    """
    words = _split_name(function.simple_name) + " " + function.docstring[:_MAX_TEXT].lower()
    code = _code(function.source[:_MAX_TEXT], python=function.language == "python")
    points: Counter[Category] = Counter()
    for table, text in (("words", words), ("code", code)):
        for category, rules in _COMPILED[table].items():
            points[category] += sum(value for pattern, value in rules if pattern.search(text))
    return ordered({category for category, value in points.items() if value >= THRESHOLD})


def _split_name(name: str) -> str:
    """`countEvenDigits` and `count_even_digits` as words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name).lower()


def _code(source: str, *, python: bool) -> str:
    """The source without comments and the content of string literals."""
    pattern = _PYTHON_NOISE if python else _C_NOISE
    return pattern.sub(" ", source)


_PYTHON_NOISE = re.compile(
    r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*'
)
_C_NOISE = re.compile(r'/\*[\s\S]*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"')
