"""Slash commands: a closed grammar over the first non-empty line of a comment.

    /perforch optimize [<sha>] [path::function ...] [--metric m] [--stage s]
    /perforch bench [<sha>]
    /perforch status
    /perforch ignore path::function
    /perforch help

Pure and linear in the length of the comment. What was typed is never repeated in an answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from perforch.result import Metric

MAX_BODY = 65_536
MAX_LINE = 1024
MAX_WORDS = 20

_SHA = re.compile(r"[0-9a-f]{40}")
_HEX = re.compile(r"[0-9a-fA-F]{4,64}")
_TARGET = re.compile(r"(?P<path>[\w.+@/-]{1,500})::(?P<name>[\w.:~<>=!+*&|^%,\[\]()/-]{1,500})", re.ASCII)
_STAGES = ("auto", "generate", "fix", "refine")
_OPTIONS = {"--metric": tuple(metric.value for metric in Metric), "--stage": _STAGES}

USAGE = """\
/perforch optimize [<sha>] [path::function ...] [--metric {metrics}] [--stage {stages}]
/perforch bench [<sha>]
/perforch status
/perforch ignore path::function
/perforch help""".format(metrics="|".join(_OPTIONS["--metric"]), stages="|".join(_STAGES))


class Verb(StrEnum):
    """What can be asked for."""

    OPTIMIZE = "optimize"
    BENCH = "bench"
    STATUS = "status"
    IGNORE = "ignore"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """A well-formed command; empty fields were not given."""

    verb: Verb
    sha: str = ""
    functions: tuple[str, ...] = ()
    metric: str = ""
    stage: str = ""


@dataclass(frozen=True, slots=True)
class CommandError:
    """Meant for us but not well-formed; the text holds nothing of what was typed."""

    message: str


def parse(body: str) -> Command | CommandError | None:
    """The command of a comment; None if it is not meant for us.

    Quoted, indented, fenced and later lines never match: the first non-empty line must begin with it.
    """
    if len(body) > MAX_BODY:
        return None
    line = next((line for line in body.split("\n") if line.strip()), "").rstrip("\r")
    if not line.startswith("/perforch") or (line[9:10] and not line[9].isspace()):
        return None
    if len(line) > MAX_LINE:
        return CommandError(f"The command is longer than {MAX_LINE} characters.")
    if not line.isascii() or not line.replace("\t", " ").isprintable():
        return CommandError("The command holds characters other than printable ASCII.")
    words = line.split()[1:]
    if len(words) > MAX_WORDS:
        return CommandError(f"The command has more than {MAX_WORDS} words.")
    if not words or words[0] not in Verb.__members__.values():
        return CommandError("The first word after /perforch must be one of: " + ", ".join(Verb) + ".")
    return _arguments(Verb(words[0]), words[1:])


def _arguments(verb: Verb, words: list[str]) -> Command | CommandError:
    if verb in (Verb.HELP, Verb.STATUS):
        return CommandError(f"{verb} takes no arguments.") if words else Command(verb)
    sha, functions, options = "", [], dict[str, str]()
    rest = iter(words)
    for word in rest:
        key, equals, value = word.partition("=")
        if word.startswith("-"):
            if verb is not Verb.OPTIMIZE or key not in _OPTIONS:
                return CommandError("Unknown option; optimize knows --metric and --stage, nothing else does.")
            value = value if equals else next(rest, "")
            if value not in _OPTIONS[key] or key in options:
                return CommandError(f"{key} takes exactly one of: {', '.join(_OPTIONS[key])}.")
            options[key] = value
        elif _SHA.fullmatch(word) and not sha and verb is not Verb.IGNORE:
            sha = word
        elif _HEX.fullmatch(word):
            return CommandError("A commit must be given once, with all 40 lower-case hexadecimal digits.")
        elif verb is not Verb.BENCH and _is_target(word):
            functions.append(word)
        else:
            return CommandError("A function must be given as path::name, such as src/a.py::parse.")
    if verb is Verb.IGNORE and len(functions) != 1:
        return CommandError("ignore takes exactly one function, as path::name.")
    return Command(verb, sha, tuple(functions), options.get("--metric", ""), options.get("--stage", ""))


def _is_target(word: str) -> bool:
    found = _TARGET.fullmatch(word)
    if found is None:
        return False
    return not found["path"].startswith(("/", "-")) and ".." not in found["path"].split("/")
