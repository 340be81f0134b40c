"""A repository of any size whose changed functions are known, because it was built from them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from changes_templates import MATERIALS

if TYPE_CHECKING:
    from changes_templates import Around, Material, Template

# edit -> what becomes of the function; the edits after `None` must not count.
EDITS = {
    "body": "modified",
    "nested": "modified",
    "attribute": "modified",
    "parameter": "modified",
    "added": "added",
    "renamed and edited": "added",
    "renamed": None,
    "documentation": None,
    "remark": None,
    "layout": None,
    "deleted": None,
    "moved": None,
    "same": None,
}
HOLES = {
    "body": "«C»",
    "nested": "«D»",
    "attribute": "«A»",
    "parameter": "«P»",
    "documentation": "«T»",
    "remark": "«R»",
    "layout": "«S»",
}
NAMED = {"renamed", "renamed and edited"}

Row = tuple[str, str, str, int, int, str]  # path, name, language, first line, last line, change
Left = tuple[str, str, str]  # path, name, reason


@dataclass
class Truth:
    """Both sides of the change and what `perforch functions` must say about it."""

    base: dict[str, bytes] = field(default_factory=dict)
    head: dict[str, bytes] = field(default_factory=dict)
    functions: list[Row] = field(default_factory=list)
    skipped: list[Left] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    edits: set[tuple[str, str]] = field(default_factory=set)  # (template, edit) that occurred


@dataclass
class _Function:
    before: str | None
    after: str | None
    name: str
    change: str | None = None
    skip: str = ""
    last: bool = False  # stands behind the others at head


class World:
    """Builds files one at a time; everything follows from the seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._number = 1000
        self._adding = False
        self.truth = Truth()

    def build(self, files: int) -> Truth:
        """`files` source files in each language, and what else a repository holds."""
        for language, material in MATERIALS.items():
            for index in range(files):
                self._file(language, material, index)
        self.truth.base[".gitattributes"] = (
            b"*.bin -diff\nby_attribute/** linguist-generated\nthey/** linguist-vendored=true\n"
        )
        self.truth.head[".gitattributes"] = self.truth.base[".gitattributes"]
        self.truth.functions.sort()
        self.truth.skipped.sort()
        return self.truth

    def _next(self) -> int:
        self._number += 1
        return self._number

    # -- functions

    def _fill(self, text: str, holes: dict[str, str], material: Material) -> str:
        lines = []
        for line in text.split("\n"):
            if line.strip() == "«R»":
                if holes["«R»"]:
                    lines.append(line.replace("«R»", holes["«R»"]))
            else:
                lines.append(line)
        filled = "\n".join(lines)
        for hole, value in holes.items():
            filled = filled.replace(hole, value)
        return filled

    def _make(self, template: Template, edit: str, around: str, material: Material) -> list[_Function]:
        number = self._next()
        name = f"do{number}" if material.suffix != ".go" else f"Do{number}"
        holes = {"«N»": name, "«K»": around, "«C»": str(number), "«D»": str(number + 7), "«A»": str(number % 97), "«P»": "",
                 "«T»": f"Does {number}", "«R»": "", "«S»": ""}  # fmt: skip
        after = dict(holes)
        hole = HOLES.get(edit, "")
        if hole:
            after[hole] = {
                "«P»": material.parameter,
                "«T»": f"Does {number} better",
                "«R»": self._random.choice([material.remark, f"{material.remark} {name}() {{"]),
                "«S»": self._random.choice(["  ", f"\n{material.indent * 3}"])
                if material.suffix != ".go"
                else "  ",
            }.get(hole, str(number + 100_000))
        if edit in NAMED:
            after["«N»"] = name.replace("o", "oMore", 1)
            if edit == "renamed and edited":
                after["«C»"] = str(number + 100_000)
        old = None if edit == "added" else self._fill(template.text, holes, material)
        new = None if edit == "deleted" else self._fill(template.text, after, material)
        change = EDITS[edit]
        made = [
            _Function(
                old, new, self._fill(template.name, after, material), change, template.skip, edit == "moved"
            )
        ]
        if template.twin:
            kept = self._fill(template.twin, holes, material)
            change = "added" if self._adding else None
            twin = _Function(kept, self._fill(template.twin, after, material), made[0].name, change)
            made.insert(self._random.randrange(2), twin)
        return made

    def _edits(self, template: Template) -> list[str]:
        allowed = [edit for edit in EDITS if edit not in HOLES or HOLES[edit] in template.text]
        if template.twin:  # the twin keeps the name
            allowed = [edit for edit in allowed if edit not in NAMED and edit != "moved"]
        if "«N»" not in template.name:
            allowed = [edit for edit in allowed if edit not in NAMED]
        if "«C»" not in template.text:
            allowed = [edit for edit in allowed if edit != "renamed and edited"]
        return allowed

    def _choose(self, templates: tuple[Template, ...], scenario: str) -> tuple[Template, str]:
        template = self._random.choice(templates)
        edits = self._edits(template)
        if scenario == "added":
            return template, "added"
        fresh = [edit for edit in edits if (template.text, edit) not in self.truth.edits]
        edit = self._random.choice(fresh or edits)
        self.truth.edits.add((template.text, edit))
        return template, edit

    # -- files

    def _file(self, language: str, material: Material, index: int) -> None:
        scenario = SCENARIOS[index % len(SCENARIOS)]
        stem = f"f{index}"
        path = PLACES.get(scenario, "src/{language}/{stem}{suffix}").format(
            language=language, stem=stem, suffix=material.suffix
        )
        if scenario == "test":
            path = TESTS[language].format(stem=stem)
        sides = ([material.header], [material.header])
        if scenario == "marked":
            for side in sides:
                side.insert(0, material.generated)
        if scenario.startswith("renamed"):
            padding = "".join(f"{material.remark} {stem} {number}\n" for number in range(120))
            for side in sides:
                side.append(padding + "\n")
        self._adding = scenario == "added"
        wanted: list[tuple[_Function, int, int]] = []
        count = self._random.randint(2, 3)
        break_at = self._random.randint(0, count) if scenario == "broken" else -1
        for place in range(count + 1):
            if place == break_at:
                sides[1].append(material.broken + "\n")
            if place == count:
                break
            places = [place for place in material.places if scenario != "added" or not place[0].holds]
            around, templates = self._random.choice(places)
            self._block(around, templates, material, scenario, sides, wanted)
        base, head = ("".join(side).encode() for side in sides)
        if scenario == "crlf":
            base, head = (side.replace(b"\n", b"\r\n") for side in (base, head))
        truth = self.truth
        old_path = path
        if scenario.startswith("renamed"):
            path = f"moved/{language}/{stem}{material.suffix}"
        if scenario != "added":
            truth.base[old_path] = base
        if scenario == "renamed only":
            truth.head[path] = base
            return
        if scenario == "deleted":
            return
        if scenario == "unchanged":
            truth.head[path] = base
            return
        truth.head[path] = head
        if base == head and scenario != "added":
            return
        reason = {
            "marked": "generated code",
            "attribute": "generated code",
            "they": "vendored code",
            "vendored": "vendored code",
        }.get(scenario)
        if reason:
            truth.skipped.append((path, "", reason))
            return
        left = []
        for function, first, last in wanted:
            why = (
                "test code"
                if scenario == "test" and function.skip != "declaration without a body"
                else function.skip
            )
            if why:
                left.append((path, function.name, why))
            else:
                assert function.change is not None
                truth.functions.append((path, function.name, language, first, last, function.change))
        if scenario == "test" and not left:
            left.append((path, "", "test code"))
        if scenario == "broken":
            truth.broken.append(path)
        truth.skipped += left

    def _block(
        self,
        around: Around,
        templates: tuple[Template, ...],
        material: Material,
        scenario: str,
        sides: tuple[list[str], list[str]],
        wanted: list[tuple[_Function, int, int]],
    ) -> None:
        name = f"Kind{self._next()}"
        made: list[_Function] = []
        once: set[str] = set()
        for _ in range(self._random.randint(1, 4)):
            template, edit = self._choose(templates, scenario)
            if (
                "«N»" not in template.name
            ):  # a constructor or operator: once, so that nobody must guess which is which
                if template.name in once:
                    continue
                once.add(template.name)
            made += self._make(template, edit, name, material)
        owner = around.owner.replace("«K»", name)
        for number, side in enumerate(sides):
            side.append(around.before.replace("«K»", name))
            ordered = made if number == 0 else sorted(made, key=lambda one: one.last)
            for function in ordered:
                text = function.before if number == 0 else function.after
                if text is None:
                    continue
                indented = "\n".join(
                    material.indent * around.depth + line if line.strip() else line
                    for line in text.split("\n")
                )
                if number == 1 and function.change is not None:
                    first = 1 + sum(part.count("\n") for part in side)
                    full = f"{owner}{material.separator}{function.name}" if owner else function.name
                    named = _Function(None, None, full, function.change, around.skip or function.skip)
                    wanted.append((named, first, first + indented.count("\n")))
                side.append(indented + "\n" + "\n" * self._random.randint(1, 2))
            side.append((around.behind or "").replace("«K»", name) + "\n")


SCENARIOS = (
    *("edited",) * 12, "added", "deleted", "renamed", "renamed", "renamed only", "unchanged", "marked", "attribute", "they", "vendored",
    "test", "crlf", "broken",
)  # fmt: skip
PLACES = {
    "attribute": "by_attribute/{language}/{stem}{suffix}",
    "they": "they/{language}/{stem}{suffix}",
    "vendored": "lib/third_party/{language}/{stem}{suffix}",
}
TESTS = {
    "python": "tests/test_{stem}.py",
    "java": "src/test/java/a/{stem}.java",
    "cpp": "cpp/tests/{stem}.cpp",
    "go": "go/{stem}_test.go",
    "rust": "tests/{stem}.rs",
}
