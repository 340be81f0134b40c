"""What no candidate may bring in, whatever it is good for: state between calls, other threads, files, clocks, tricks on the test runner.

Static and blunt on purpose: a gain that needs one of these is not the gain of a faster function. What the original already does is allowed.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.languages.syntax.tree import parse, text, walk
from perforch.llm.writes import own_names, written
from perforch.result import Language, Stage

if TYPE_CHECKING:
    from tree_sitter import Node

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad]")

_STATE = "keeps results between calls"
_THREADS = "starts threads, processes or tasks"
_WORLD = "reaches for files, network, environment, clock or randomness"
_TRICKS = "looks at or changes how it is run"

# Names that must not be used unless the original uses them. Python: as free names; elsewhere wherever they stand.
_NAMES: dict[Language, dict[str, str]] = {
    Language.PYTHON: {
        _STATE: "lru_cache cache cached_property memoize Memoize weakref WeakValueDictionary ContextVar contextvars shelve",
        _THREADS: "threading multiprocessing concurrent asyncio subprocess Thread Process Pool ThreadPoolExecutor ProcessPoolExecutor",
        _WORLD: "open os pathlib Path socket urllib http time datetime random secrets tempfile shutil input io mmap pickle sqlite3 ctypes requests",
        _TRICKS: "globals vars locals setattr delattr exec eval compile __import__ importlib inspect gc sys atexit signal builtins unittest pytest "
        "exit quit breakpoint __builtins__ traceback tracemalloc",
    },
    Language.JAVA: {
        _STATE: "ThreadLocal SoftReference WeakReference WeakHashMap",
        _THREADS: "Thread Executors ExecutorService CompletableFuture ForkJoinPool parallelStream parallel parallelSort parallelPrefix Timer "
        "ProcessBuilder Runtime RecursiveTask synchronized",
        _WORLD: "File Files Paths FileInputStream FileOutputStream RandomAccessFile Socket URL HttpClient getenv getProperty setProperty nanoTime "
        "currentTimeMillis Instant LocalDateTime SecureRandom ThreadLocalRandom sleep",
        _TRICKS: "exit halt forName getDeclaredField getDeclaredMethod setAccessible StackTraceElement getStackTrace StackWalker Unsafe "
        "MethodHandles loadLibrary invoke",
    },
    Language.CPP: {
        _STATE: "thread_local call_once once_flag",
        _THREADS: "thread jthread async future promise pthread_create fork vfork execve execvp system popen omp_set_num_threads par par_unseq",
        _WORLD: "fopen ifstream ofstream fstream getenv setenv chrono clock gettimeofday clock_gettime random_device mmap socket "
        "sleep usleep nanosleep",
        _TRICKS: "exit _exit quick_exit abort longjmp setjmp signal raise dlopen dlsym ptrace syscall asm __asm__ __asm sched_setaffinity backtrace",
    },
    Language.GO: {
        _STATE: "sync atomic Once Pool",
        _THREADS: "exec goroutine",
        _WORLD: "os ioutil net http time rand filepath",
        _TRICKS: "runtime debug unsafe reflect syscall plugin testing linkname",
    },
    Language.RUST: {
        _STATE: "OnceLock OnceCell LazyLock LazyCell Lazy lazy_static thread_local once_cell",
        _THREADS: "thread spawn rayon par_iter into_par_iter par_chunks par_sort par_sort_unstable tokio Command scope_threads",
        _WORLD: "fs File env net time Instant SystemTime UdpSocket TcpStream",
        _TRICKS: "process exit abort asm global_asm transmute catch_unwind set_hook Backtrace extern no_mangle",
    },
}
# Members and strings that give a trick away in Python, wherever they stand.
_PYTHON_MEMBERS = {
    "__dict__": _STATE,
    "lru_cache": _STATE,
    "cached_property": _STATE,
    "functools.cache": _STATE,
    "type(self)": _STATE,
    "__globals__": _TRICKS,
    "__closure__": _STATE,
    "__code__": _TRICKS,
    "__defaults__": _STATE,
    "__kwdefaults__": _STATE,
    "__class__": _TRICKS,
    "__setattr__": _STATE,
    "_getframe": _TRICKS,
    "_exit": _TRICKS,
    "PYTEST_CURRENT_TEST": _TRICKS,
    "sys.modules": _TRICKS,
    "__wrapped__": _TRICKS,
    "settrace": _TRICKS,
    "setprofile": _TRICKS,
}
# Ways to define values that compare as they like, so that a test finds them equal to anything.
_COMPARES = "defines how its values compare"
_DEFINES: dict[Language, re.Pattern[str]] = {
    Language.PYTHON: re.compile(
        r"__(?:eq|ne|gt|ge|le|sub|rsub|abs|round|bool|hash|getattr|getattribute|instancecheck|array_ufunc|array_function)__"
    ),
    Language.JAVA: re.compile(r"\b(?:boolean\s+equals|int\s+hashCode|int\s+compareTo)\s*\("),
}
_NODES: dict[Language, dict[str, str]] = {
    Language.PYTHON: {"global_statement": _STATE},
    Language.JAVA: {"synchronized_statement": _THREADS},
    Language.CPP: {
        "gnu_asm_expression": _TRICKS,
        "preproc_def": _TRICKS,
        "preproc_call": _TRICKS,
        "preproc_function_def": _TRICKS,
        "attribute_declaration": _TRICKS,
        "attribute_specifier": _TRICKS,
    },
    Language.GO: {"go_statement": _THREADS},
    Language.RUST: {
        "static_item": _STATE,
        "unsafe_block": "uses unsafe code",
        "attribute_item": _TRICKS,
        "macro_definition": _TRICKS,
        "foreign_mod_item": _TRICKS,
    },
}


def check(language: Language, original: str, candidate: str, stage: Stage = Stage.REFINE) -> str:
    """Why the candidate is unsafe, in a few words; "" when it is not.

    Args:
        original: the text that is replaced; what it does already is allowed.
        stage: a stub or a defect does not say what the function ought to change, so only refine compares what is written to.
    """
    if _INVISIBLE.search(candidate) and not _INVISIBLE.search(original):
        return "holds invisible or direction-changing characters"
    old, new = _dedent(original), _dedent(candidate)
    for reason in (
        _nodes(language, old, new),
        _names(language, old, new),
        _compares(language, old, new),
        _writes(language, old, new) if stage is Stage.REFINE else "",
    ):
        if reason:
            return reason
    return ""


def _dedent(code: str) -> str:
    return textwrap.dedent(code.replace("\r\n", "\n"))


def _nodes(language: Language, old: str, new: str) -> str:
    wanted = _NODES[language]
    before = _count(language, old)
    for kind, number in _count(language, new).items():
        if number > before.get(kind, 0):
            if kind == "static":
                return f"{_STATE}: a static local"
            return f"{wanted[kind]}: {kind.replace('_', ' ')}"
    if language is Language.GO and "//go:" in new and "//go:" not in old:
        return f"{_TRICKS}: a compiler directive"
    if (
        language is Language.CPP
        and re.search(r"#\s*pragma|_Pragma", new)
        and not re.search(r"#\s*pragma|_Pragma", old)
    ):
        return f"{_TRICKS}: a pragma"
    return ""


def _count(language: Language, code: str) -> dict[str, int]:
    wanted = _NODES[language]
    counts: dict[str, int] = {}
    for node in walk(parse(language, code.encode()).root_node):
        if node.type in wanted:
            counts[node.type] = counts.get(node.type, 0) + 1
        elif _is_static_local(node):
            counts["static"] = counts.get("static", 0) + 1
    return counts


def _is_static_local(node: Node) -> bool:
    """A C++ `static` or `thread_local` inside a body; compile-time constants are none."""
    if node.type != "storage_class_specifier" or text(node) not in {"static", "thread_local"}:
        return False
    parent = node.parent
    return parent is not None and parent.type == "declaration" and "constexpr" not in text(parent)


def _names(language: Language, old: str, new: str) -> str:
    table = {name: reason for reason, names in _NAMES[language].items() for name in names.split()}
    before = syntax.identifiers(language, old.encode()) | _words(parse(language, old.encode()).root_node)
    root = parse(language, new.encode()).root_node
    inside, shared = own_names(language, root)
    after = (
        _free_names(root)
        if language is Language.PYTHON
        else syntax.identifiers(language, new.encode()) | _words(root)
    )
    for name in sorted(after - before - inside - shared):
        if name in table:
            return f"{table[name]}: {name}"
    if language is Language.PYTHON:
        for name, reason in _PYTHON_MEMBERS.items():
            pattern = r"\s*".join(re.escape(part) for part in re.findall(r"\w+|\W", name))
            pattern = rf"(?<!\w){pattern}(?!\w)"
            if re.search(pattern, new) and not re.search(pattern, old):
                return f"{reason}: {name}"
    return ""


def _compares(language: Language, old: str, new: str) -> str:
    pattern = _DEFINES.get(language)
    if pattern is None:
        return ""
    found = sorted(set(pattern.findall(new)) - set(pattern.findall(old)))
    return f"{_COMPARES}: {found[0]}".rstrip(" (") if found else ""


def _words(root: Node) -> frozenset[str]:
    """Names that grammars do not count as identifiers: namespaces, types, keywords of calls."""
    kinds = {
        "namespace_identifier",
        "type_identifier",
        "field_identifier",
        "package_identifier",
        "scoped_identifier",
        "storage_class_specifier",
    }
    return frozenset(part for node in walk(root) if node.type in kinds for part in text(node).split("::"))


def _free_names(root: Node) -> frozenset[str]:
    """Identifiers of Python that are not attribute or keyword-argument names."""
    found: set[str] = set()
    for node in walk(root):
        if node.type != "identifier":
            continue
        parent = node.parent
        if (
            parent is not None
            and parent.type == "attribute"
            and parent.child_by_field_name("attribute") == node
        ):
            continue
        if (
            parent is not None
            and parent.type == "keyword_argument"
            and parent.child_by_field_name("name") == node
        ):
            continue
        found.add(text(node))
    return frozenset(found)


def _writes(language: Language, old: str, new: str) -> str:
    before = written(language, old)
    roots = {place.split(".")[0] for place in before if "." not in place}
    for place in sorted(written(language, new) - before):
        root = place.replace("::", ".").split(".")[0]
        if root in roots or (language is Language.CPP and root == "std"):
            continue
        return f"writes to {place}, which outlives the call"
    return ""
