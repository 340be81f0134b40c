"""What is left of a file that does not parse: the broken function is taken out, so that the others are understood.

A grammar that meets an unbalanced bracket often loses much of what follows. Indentation mostly survives such a slip, so the
file is cut into blocks by it; blocks that cannot be parsed alone are blanked, line ends kept, and the file is parsed again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.languages.syntax.cpp_gaps import emptied
from perforch.languages.syntax.tree import blank, parse, wrong
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

MAX_BYTES = 2 * 1024 * 1024
_MAX_DEPTH = 8  # of classes in classes
_MAX_SINGLE = 12  # blocks that are tried one at a time, in files of some ten thousand bytes
_TRIED_BYTES = 500_000
_CONTAINER = re.compile(
    rb"^[^({=]*\b(class|struct|union|enum|interface|record|@interface|impl|trait|mod|namespace|extern)\b"
)
_CLOSER = re.compile(rb"\s*([})\]]|end\b)")
_CONTINUES = re.compile(rb"\s*([{})\]:]|->|else\b|catch\b|finally\b|while\b|where\b|throws\b|requires\b)")
_STARTS = re.compile(rb"\s*(@|(async\s+)?def\b|class\b)")
_OPENS = re.compile(rb"\s*(inline\s+)?(namespace\b[^;{=]*|extern\s+\"C(\+\+)?\"\s*)\{\s*(//.*)?$")
_CLOSES = re.compile(rb"\s*\}\s*(//.*|/\*.*\*/\s*)?$")
_CONDITION = re.compile(rb"^[ \t]*#[ \t]*(ifdef|ifndef|if|elif\w*|else|endif)\b", re.MULTILINE)
_STAR = re.compile(rb"(?<=[,=] )\*(?=\()|(?<=\breturn )\*(?=\()|(?<=\byield )\*(?=\()")
_CONFLICT = re.compile(rb"^(<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|)( .*)?\r?$", re.MULTILINE)
_LABEL = re.compile(rb"\s*(public|private|protected|signals|(public|private|protected)\s+slots)\s*:\s*$")
_AROUND = {
    Language.PYTHON: (b"if 1:\n", b""),
    Language.JAVA: (b"class A {\n", b"}\n"),
    Language.CPP: (b"struct A {\n", b"};\n"),
    Language.RUST: (b"impl A {\n", b"}\n"),
    Language.GO: (b"", b""),
}


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int  # after the line feed
    indent: int
    text: bytes

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()


Score = frozenset[tuple[str, int]]


def without_stars(source: bytes) -> bytes:
    """Python with the star of `return a, *(b for b in c)` blanked: good code that the grammar does not know."""
    return _STAR.sub(rb" ", source)


def mended(
    language: Language, source: bytes, sound: Callable[[bytes], Score], *, outline: bytes | None = None
) -> tuple[bytes, bool]:
    """The source with broken blocks blanked, and whether anything is lost by that; the source itself where nothing is gained.

    Args:
        sound: name and first byte of each function that is understood in a source.
        outline: the same lines with the indentation as written, where macros have been blanked.
    """
    if len(source) > MAX_BYTES:
        return source, False
    original = best = source
    known = sound(source)
    source = _CONFLICT.sub(lambda found: blank(found[0]), source)
    blocks = list(_broken(language, source, _lines(outline or source), 0))
    chosen: list[tuple[int, int]] = []
    tries = min(_MAX_SINGLE, 1 + _TRIED_BYTES // (1 + len(source)))
    for some in [blocks, *([block] for block in blocks[:tries])]:
        candidate = _without(language, source, [*chosen, *some])
        found = sound(candidate)
        if _is_better(found, known, some):
            best, known = candidate, found
            chosen += some
            if some is blocks:
                break
    # A cut through a long string makes two bad blocks of a good one: put back what does no harm.
    for group in _neighbours(source, chosen)[:tries]:
        candidate = _without(language, source, [block for block in chosen if block not in group])
        found = sound(candidate)
        if found > known:
            best, known = candidate, found
            chosen = [block for block in chosen if block not in group]
    lost = any(not _eased(language, source[start:end]).strip() for start, end in chosen)
    return best, lost or (best is not original and source != original)


def _neighbours(source: bytes, blocks: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Blocks with nothing between them, together."""
    groups: list[list[tuple[int, int]]] = []
    for block in sorted(blocks):
        if groups and not source[groups[-1][-1][1] : block[0]].strip():
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _is_better(found: Score, known: Score, blocks: list[tuple[int, int]]) -> bool:
    """More functions, or as many with other names, as when a class around them had been lost."""
    outside = {one for one in known if not any(start <= one[1] < end for start, end in blocks)}
    return len(found) >= len(outside) and not found <= outside


def loses(language: Language, root: Node, sound: list[tuple[int, int]]) -> bool:
    """Is anything not understood outside of these sound functions?

    In C++ a macro that stands for a declaration or a word of one leaves an error behind, but loses nothing.
    """
    for node in wrong(root):
        inside = any(start <= node.start_byte and node.end_byte <= end for start, end in sound)
        macro = language is Language.CPP and (
            node.is_missing or re.fullmatch(rb"\s*\w+\s*", node.text or b"")
        )
        if not inside and not macro:
            return True
    return False


def _without(language: Language, source: bytes, blocks: list[tuple[int, int]]) -> bytes:
    pieces: list[bytes] = []
    position = 0
    for start, end in sorted(blocks):
        pieces += [source[position:start], _eased(language, source[start:end])]
        position = end
    return b"".join([*pieces, source[position:]])


def _eased(language: Language, block: bytes) -> bytes:
    """A broken block as it does least harm: in C++ without second branches, or without a body, else blank."""
    if language is Language.CPP:
        for eased in (_first_branches(block), emptied(block)):
            if eased and not parse(language, b"struct A {\n" + eased + b"};\n").root_node.has_error:
                return eased
    return blank(block)


def _first_branches(block: bytes) -> bytes:
    """C++ with the second branch of every condition blanked; nothing when there is no condition."""
    if not _CONDITION.search(block):
        return b""
    out: list[bytes] = []
    taken: list[bool] = []
    for line in re.split(rb"(?<=\n)", block):
        found = _CONDITION.match(line)
        word = found[1] if found is not None else b""
        if word in {b"if", b"ifdef", b"ifndef"}:
            taken.append(True)
        elif word.startswith(b"el") and taken:
            taken[-1] = False
        elif word == b"endif" and taken:
            taken.pop()
        out.append(line if not word and all(taken) else blank(line))
    return b"".join(out)


def _lines(source: bytes) -> list[_Line]:
    lines: list[_Line] = []
    start = 0
    for text in source.splitlines(keepends=True) if b"\r" not in source else re.split(rb"(?<=\n)", source):
        body = text.lstrip(b" \t")
        indent = len(text[: len(text) - len(body)].expandtabs(8))
        lines.append(_Line(start, start + len(text), indent, text))
        start += len(text)
    return lines


def _broken(language: Language, source: bytes, lines: list[_Line], depth: int) -> Iterator[tuple[int, int]]:
    before, behind = _AROUND[language] if depth else (b"", b"")
    for block in _blocks(language, lines):
        start, end = block[0].start, block[-1].end
        if not parse(language, before + source[start:end] + behind).root_node.has_error:
            continue
        inner = _inside(language, block) if depth < _MAX_DEPTH else []
        deeper = list(_broken(language, source, inner, depth + 1)) if inner else []
        if deeper:
            yield from deeper
        else:
            yield start, end


def _inside(language: Language, block: list[_Line]) -> list[_Line]:
    """The lines between the head of a class or namespace and its end."""
    head = next((number for number, line in enumerate(block) if _CONTAINER.match(line.text)), None)
    if head is None:
        return []
    level = block[head].indent
    while head + 1 < len(block) and b"{" not in block[head].text and language is not Language.PYTHON:
        head += 1
    inner = block[head + 1 :]
    while inner and (inner[-1].is_blank or (inner[-1].indent <= level and _CLOSER.match(inner[-1].text))):
        inner.pop()
    return inner


def _blocks(language: Language, lines: list[_Line]) -> Iterator[list[_Line]]:
    """Cut where the indentation comes back: after a blank line, behind a closing bracket, in Python before `def`."""
    lines = [line for line in lines if not _LABEL.match(line.text)]
    if language is Language.CPP:  # a condition around functions is a part of none
        lines = [line for line in lines if not line.text.lstrip().startswith(b"#")]
    level = min(
        (line.indent for line in lines if not line.is_blank and not line.text.startswith(b"#")), default=0
    )
    block: list[_Line] = []
    gap = closed = False
    around = 0  # C++ namespaces whose contents are not indented
    for number, line in enumerate(lines):
        if line.is_blank:
            gap = True
            continue
        if language is Language.CPP and line.indent <= level:
            opens = bool(_OPENS.match(line.text)) and _next_indent(lines, number) <= level
            closes = bool(around and (closed or gap) and _CLOSES.match(line.text))
            if opens or closes:
                around += 1 if opens else -1
                gap, closed = True, True
                continue
        begins = line.indent <= level and not _CONTINUES.match(line.text)
        if language is Language.PYTHON:
            decorated = bool(block) and block[-1].indent <= level and block[-1].text.lstrip().startswith(b"@")
            cut = begins and not decorated and (gap or bool(_STARTS.match(line.text)))
        else:
            cut = begins and (gap or closed)
        if cut and block:
            yield block
            block = []
        block.append(line)
        gap = False
        closed = line.indent <= level and bool(re.search(rb"[};]\s*(//.*)?$", line.text.rstrip()))
    if block:
        yield block


def _next_indent(lines: list[_Line], number: int) -> int:
    for place in range(number + 1, len(lines)):
        if not lines[place].is_blank:
            return lines[place].indent
    return 0
