"""The words by which categories are recognised: in prose, in names of calls and variables, in types."""

from __future__ import annotations

import re

from perforch.categories.names import Category


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(r"\b(" + "|".join(alternatives) + r")\b")


# Patterns in the words of names and documentation, with the points that one match gives.
PROSE: dict[Category, tuple[tuple[re.Pattern[str], int], ...]] = {
    Category.ARRAY: (
        (_words("lists?", "arrays?", "vectors?", "slices?", "matrix", "matrices", "grids?", "subarrays?"), 1),
        (
            _words(
                "sequences?", "elements?", "numbers in", "index", "indices", "positions?", "numbers", "nums"
            ),
            1,
        ),
    ),
    Category.MATH: (
        (_words("sums?", "product", "average", "mean", "median", "absolute", "round\\w*", "squares?"), 1),
        (_words("cubes?", "root", "polynomial", "area", "volume", "formula", "equation", "triangle"), 1),
        (
            _words(
                "arithmetic", "digits?", "decimal", "magnitude", "calculate", "compute", "add", "factorial"
            ),
            1,
        ),
        (
            _words(
                "divis\\w*", "multipl\\w*", "power", "fibonacci", "fib\\w*", "modulo", "logarithm", "primes?"
            ),
            1,
        ),
        (_words("even", "odd", "integer part", "smallest integer", "largest integer"), 1),
    ),
    Category.STRING: (
        (_words("strings?", "substrings?", "characters?", "letters?", "words?", "vowels?", "consonants?"), 2),
        (_words("uppercase", "lowercase", "upper case", "lower case", "palindrom\\w*", "sentences?"), 2),
        (
            _words("prefix\\w*", "suffix\\w*", "text", "spaces?", "parenthes[ei]s", "brackets?", "encod\\w*"),
            1,
        ),
    ),
    Category.COUNTING: (
        (_words("counts?", "counting", "counted", "counter", "how many"), 2),
        (_words("number of", "frequenc\\w*", "occurrences?", "occurs?", "histogram", "appears?"), 2),
    ),
    Category.NUMBER_THEORY: (
        (_words("primes?", "divisors?", "divisible", "gcd", "greatest common", "factori[sz]\\w*"), 2),
        (_words("factors?", "modulo", "modp", "coprime", "lcm", "sieve", "collatz"), 2),
        (_words("perfect square", "power of", "fib\\w*", "multiples? of"), 1),
    ),
    Category.SIMULATION: (
        (
            _words(
                "simulat\\w*", "step by step", "rotat\\w*", "shift\\w*", "robot", "game", "balance", "deposit"
            ),
            1,
        ),
        (
            _words(
                "bank account", "nested", "nesting", "withdraw\\w*", "running", "rolling", "rounds?", "moves?"
            ),
            1,
        ),
        (_words("simulat\\w*", "state machine", "bank account", "robot", "cellular"), 1),
    ),
    Category.SORTING: (
        (_words("sort", "sorted", "sorts", "sorting", "ascending", "descending", "median", "ranks?"), 2),
        (_words("smallest to largest", "largest to smallest", "k largest", "k smallest", "top k"), 2),
    ),
    Category.ENUMERATION: (
        (
            _words("all possible", "all pairs", "combinations?", "permutations?", "subsets?", "enumerat\\w*"),
            2,
        ),
        (_words("any two", "closest", "pairs?", "triples?", "three (distinct )?elements", "brute force"), 1),
    ),
    Category.GREEDY: (
        (_words("greedy", "greedily"), 2),
        (
            _words(
                "minimum number of", "maximum number of", "fewest", "as few as", "as many as", "schedul\\w*"
            ),
            1,
        ),
        (
            _words("intervals?", "capacity", "buckets?", "jump\\w*", "optimal", "minimi[sz]e", "maximi[sz]e"),
            1,
        ),
    ),
    Category.HASH_TABLE: (
        (_words("dictionar\\w*", "hash\\w*", "duplicates?", "anagrams?", "histogram", "lookup"), 1),
        (_words("distinct", "unique"), 1),
    ),
}

# Names of calls, variables and types in the body; matching one word of a set gives the points once.
NAMES: dict[Category, tuple[tuple[frozenset[str], int], ...]] = {
    Category.ARRAY: (
        (frozenset({"ndarray", "ArrayList", "Vec", "vector", "List", "Arrays", "deque", "span"}), 1),
        (
            frozenset({"append", "push_back", "extend", "enumerate", "zip", "reversed", "windows", "chunks"}),
            1,
        ),
    ),
    Category.MATH: (
        (
            frozenset({"sqrt", "pow", "fabs", "floor", "ceil", "prod", "hypot", "exp", "Sqrt", "Pow", "Abs"}),
            1,
        ),
        (frozenset({"sum", "math", "Math", "abs", "round", "Floor", "Ceil", "Round", "powi", "powf"}), 1),
    ),
    Category.STRING: (
        (
            frozenset(
                {"upper", "lower", "isalpha", "isdigit", "isupper", "islower", "swapcase", "startswith"}
            ),
            2,
        ),
        (frozenset({"endswith", "strip", "splitlines", "toUpperCase", "toLowerCase", "to_uppercase"}), 2),
        (frozenset({"to_lowercase", "ToUpper", "ToLower", "tolower", "toupper", "charAt", "substring"}), 2),
        (frozenset({"substr", "strings", "StringBuilder", "chars", "is_alphabetic", "Builder", "rune"}), 2),
        (frozenset({"split", "join", "Split", "Join", "ord", "chr", "push_str", "to_string"}), 1),
    ),
    Category.COUNTING: (
        (frozenset({"Counter", "count_if", "bincount", "histogram", "freq", "frequency", "getOrDefault"}), 2),
        (frozenset({"count", "counts", "cnt", "counter", "Count", "num_of"}), 1),
    ),
    Category.NUMBER_THEORY: (
        (
            frozenset(
                {"gcd", "lcm", "is_prime", "isPrime", "IsPrime", "isprime", "sieve", "factorize", "modpow"}
            ),
            2,
        ),
        (frozenset({"prime", "primes", "divisor", "divisors", "__gcd", "mod_pow"}), 1),
    ),
    Category.SIMULATION: (
        (frozenset({"depth", "balance", "stack", "current_depth", "queue", "currentDepth", "max_depth"}), 1),
    ),
    Category.SORTING: (
        (frozenset({"sort", "sorted", "Sort", "sort_by", "sort_by_key", "sort_unstable", "stable_sort"}), 2),
        (
            frozenset(
                {"sort_unstable_by", "partial_sort", "nth_element", "nsmallest", "nlargest", "argsort"}
            ),
            2,
        ),
        (frozenset({"SliceStable", "SortFunc", "Ints", "heapify", "PriorityQueue", "BinaryHeap", "swap"}), 1),
        (frozenset({"bisect", "bisect_left", "insort", "Comparator", "pivot", "partition"}), 1),
    ),
    Category.ENUMERATION: (
        (frozenset({"permutations", "combinations", "next_permutation", "powerset", "subsets"}), 2),
        (frozenset({"backtrack", "candidates", "itertools"}), 1),
    ),
    Category.GREEDY: ((frozenset({"greedy", "intervals", "schedule", "coins", "capacity"}), 1),),
    Category.HASH_TABLE: (
        (
            frozenset({"dict", "defaultdict", "Counter", "HashMap", "HashSet", "unordered_map", "frozenset"}),
            2,
        ),
        (frozenset({"unordered_set", "OrderedDict", "LinkedHashMap", "TreeMap", "TreeSet", "BTreeMap"}), 2),
        (frozenset({"set", "Set", "Map", "map", "BTreeSet", "Dict", "dictionary", "memo", "lookup"}), 1),
    ),
}

# Patterns in written-out types and qualified calls.
TYPES: tuple[tuple[Category, re.Pattern[str], int], ...] = (
    (Category.ARRAY, re.compile(r"\[\]|\b(vector|Vec|List|ArrayList|list|Sequence|slice|array)\b"), 1),
    (Category.STRING, re.compile(r"\b(str|String|string|rune|char)\b"), 1),
    (Category.HASH_TABLE, re.compile(r"\bmap\[|\b(HashMap|HashSet|unordered_\w+|map|set|Dict)<"), 2),
)

# As names these words may mean anything; as types they are tables.
HASH_TYPES = frozenset({"set", "map", "Set", "Map", "dict", "Dict"})

LITERALS: tuple[tuple[Category, frozenset[str], int], ...] = (
    (Category.ARRAY, frozenset({"list", "comprehension"}), 1),
    (Category.HASH_TABLE, frozenset({"dict", "set"}), 2),
)
