"""Go modules: where the nearest one is, and the test binaries of its packages, built offline.

Only the go command itself runs while the build cache is writable; programs of the module run later, with everything read-only. So one cache
serves all trees: its entries are named by their contents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Mount
from perforch.workloads import builds
from perforch.workloads.model import Failure
from perforch.workloads.text import trimmed
from perforch.workloads.unavailable import go_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.languages.syntax import Definition
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.model import Tree
    from perforch.workloads.options import Options

_CACHE = "/perforch/gocache"
_AT_ONCE = 200  # packages of one command line
_COMMANDS = 64  # at most, where packages that cannot even be loaded keep others from building
_NOT_OURS = frozenset({"testdata", "vendor"})  # folders the go command does not look into
_ERROR = re.compile(r"^(?:vet: )?(?:\./)?([^\s:]+\.go):(\d+)(?::\d+)?: (.+)$", re.MULTILINE)
_OUTPUT = re.compile(rb"//\s*(?:Unordered output|output):", re.IGNORECASE)
_PACKAGE = re.compile(rb"^package\s+(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Module:
    """A folder with a go.mod and the module's path."""

    root: str
    path: str

    @property
    def home(self) -> str:
        """The folder inside the sandbox."""
        return f"{SOURCE}/{self.root}" if self.root else SOURCE

    def package(self, folder: str) -> str:
        """Import path of the package in `folder`, which counts from the repository's root."""
        inside = PurePosixPath(folder).relative_to(self.root) if self.root else PurePosixPath(folder)
        return self.path if str(inside) == "." else f"{self.path}/{inside}"

    def folder(self, package: str) -> str:
        """The folder of a package, from the module's root, as `./x`."""
        inside = package.removeprefix(self.path).strip("/")
        return f"./{inside}" if inside else "."

    def place(self, package: str) -> str:
        """The folder of a package inside the sandbox."""
        return str(PurePosixPath(self.home, self.folder(package)))


@dataclass(frozen=True, slots=True)
class Build:
    """Test binaries by package (paths below OUTPUT), and what keeps packages from building."""

    place: Place
    binaries: dict[str, str]
    errors: dict[str, tuple[Failure, ...]] = field(default_factory=dict)


def find(tree: Tree, path: str) -> Module | None:
    """The nearest module above `path`."""
    for folder in PurePosixPath(path).parents:
        root = "" if str(folder) == "." else str(folder)
        text = builds.read(tree.source, root, "go.mod")
        found = re.search(rb'^module\s+"?([^\s"]+)', text, re.MULTILINE)
        if found:
            return Module(root, found.group(1).decode("utf-8", "replace"))
    return None


def test_files(tree: Tree, module: Module) -> dict[str, bytes]:
    """The module's test files by path; nested modules are left out."""
    found = builds.sources(tree, module.root, ("_test.go", "go.mod"))
    home = PurePosixPath(module.root)
    nested = {PurePosixPath(path).parent for path in found if PurePosixPath(path).name == "go.mod"} - {home}
    return {
        path: text
        for path, text in found.items()
        if path.endswith("_test.go") and _is_listed(PurePosixPath(path).relative_to(home), home, nested)
    }


def _is_listed(path: PurePosixPath, home: PurePosixPath, nested: set[PurePosixPath]) -> bool:
    """Does the go command find this file below the module's root?"""
    hidden = any(part in _NOT_OURS or part[0] in "._" for part in path.parts[:-1]) or path.name[0] in "._"
    return not hidden and nested.isdisjoint(home / folder for folder in path.parents)


def cases(tree: Tree, module: Module) -> dict[str, tuple[str, ...]]:
    """Names of tests, examples and benchmarks by package import path."""
    found: dict[str, list[str]] = {}
    for path, text in test_files(tree, module).items():
        package = module.package(str(PurePosixPath(path).parent))
        for one in syntax.test_functions(Language.GO, text):
            if one.simple_name != "TestMain" and (is_checked(one, text) or is_benchmark(one.simple_name)):
                found.setdefault(package, []).append(one.simple_name)
    return {package: tuple(dict.fromkeys(names)) for package, names in found.items()}


def is_benchmark(name: str) -> bool:
    """Is this the name of a benchmark?"""
    return name.startswith("Benchmark")


def is_checked(one: Definition, source: bytes) -> bool:
    """A test, a fuzz test (which runs its seeds), or an example whose output is compared; other examples are compiled only."""
    if one.simple_name.startswith(("Test", "Fuzz")):
        return True
    body = source[one.start_byte : one.end_byte]
    return one.simple_name.startswith("Example") and _OUTPUT.search(body) is not None


def package_clause(text: bytes) -> str:
    """The name in the package clause."""
    found = _PACKAGE.search(text)
    return found.group(1).decode() if found else ""


def build(
    sandbox: Sandbox,
    module: Module,
    place: Place,
    packages: Sequence[str],
    options: Options,
    *,
    flags: Sequence[str] = (),
    prepare: Sequence[str] | None = None,
) -> Build:
    """Compile the test binaries of the packages; one that does not compile does not keep the others from it.

    Args:
        flags: of the go command.
        prepare: a command that runs first, from the repository's root.
    """
    env = environment(place, module, flags)
    if prepare:
        # It may run programs of the tree, so it gets a cache of its own.
        made = sandbox.run(
            Command(
                tuple(prepare), cwd=SOURCE, env={**env, "GOCACHE": f"{OUTPUT}/gocache"},
                mounts=place.mounts(writable=True), limits=builds.BUILD_LIMITS,
            )
        )  # fmt: skip
        if not made.ok:
            return Build(place, {}, dict.fromkeys(packages, _whole(made)))
    mounts = (
        *place.mounts(writable=True),
        Mount(_cache(place, options), _CACHE, writable=True),
        Mount(Path(__file__).parent / "harness", builds.HARNESS),
    )
    # No vet: it judges style. The go command hands each binary to a script of ours instead of running it: one command builds all
    # packages, in every version of Go.
    script = f"sh {builds.HARNESS}/keep.sh {OUTPUT}"
    argv = ("go", "test", "-vet=off", "-count=1", "-p=2", *flags, "-exec", script)
    binaries: dict[str, str] = {}
    errors: dict[str, tuple[Failure, ...]] = {}
    left = [list(packages[start : start + _AT_ONCE]) for start in range(0, len(packages), _AT_ONCE)]
    for _ in range(_COMMANDS):
        if not left:
            break
        some = left.pop(0)
        folders = tuple(module.folder(package) for package in some)
        done = sandbox.run(
            Command((*argv, *folders), cwd=module.home, env=env, mounts=mounts, limits=builds.BUILD_LIMITS)
        )
        made_here = _kept(place, module, some)
        binaries |= made_here
        said = _said(done, module)
        # Until Go 1.21, a package that cannot be loaded ends the command before any other is built.
        if not made_here and len(some) > 1 and not done.stopped and not said.keys() >= set(some):
            left += [some[: len(some) // 2], some[len(some) // 2 :]]
            continue
        errors |= {
            one: said.get(one) or _blamed(said) or _whole(done) for one in some if one not in made_here
        }
    unbuilt = (Failure("build", "the package was not built: too many others cannot be loaded"),)
    return Build(place, binaries, errors | {package: unbuilt for some in left for package in some})


def _kept(place: Place, module: Module, packages: Sequence[str]) -> dict[str, str]:
    """Binaries of these packages that the script has put away."""
    lines = builds.written(place.output, place.output / "kept").decode("utf-8", "replace").splitlines()
    found = dict(zip(lines[::2], lines[1::2], strict=False))
    folders = {package: module.place(package) for package in packages}
    return {package: found[folder] for package, folder in folders.items() if folder in found}


def workspace(place: Place, module: Module) -> bool | None:
    """Does the go.work above the module use it? None when there is no such file."""
    for folder in (PurePosixPath(module.root), *PurePosixPath(module.root).parents):
        text = builds.read(place.source, folder, "go.work").decode("utf-8", "replace")
        if text:
            used = re.findall(r"(?:^use\s+|^\s+)\"?(\.[^\s\")]*)", text, re.MULTILINE)
            return PurePosixPath(module.root) in {folder / word for word in used}
    return None


def environment(place: Place, module: Module, flags: Sequence[str] = ()) -> dict[str, str]:
    """Variables of the go command: offline, the toolchain at hand, a module file that is not rewritten."""
    used = workspace(place, module)
    vendored = (place.source / module.root / "vendor" / "modules.txt").is_file()
    ours = [f"-mod={'vendor' if vendored else 'readonly'}"]
    if used or any(flag.startswith(("-mod=", "-modfile=")) for flag in flags):
        ours = []  # a workspace has a vendor folder of its own, or none
    return {
        "GOCACHE": _CACHE,
        "GOFLAGS": " ".join(["-buildvcs=false", *ours]),
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOTOOLCHAIN": "local",
        "GOTELEMETRY": "off",
        **({"GOWORK": "off"} if used is False else {}),
    }


def _cache(place: Place, options: Options) -> Path:
    cache = (options.cache if options.cache is not None else place.output) / "gocache"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _said(done: Completed, module: Module) -> dict[str, tuple[Failure, ...]]:
    """What the go command says of each package that does not build."""
    found: dict[str, tuple[Failure, ...]] = {}
    text = done.stderr.decode("utf-8", "replace")
    wanted = ", ".join(re.findall(r"^go: downloading (\S+) \S+$", text, re.MULTILINE)[:3])
    # The import of a module that is not there is told without the module's name.
    text = re.sub(r"(module lookup disabled)", rf"(wanted: {wanted} ) \1", text) if wanted else text
    for part in re.split(r"^# ", text, flags=re.MULTILINE):
        words = part.split(None, 1)
        if not words:
            continue
        package = words[0].removesuffix("_test").removesuffix(".test")
        found[package] = found.get(package, ()) + _errors((words[1] if words[1:] else "").encode(), module)
    return found


def _blamed(said: dict[str, tuple[Failure, ...]]) -> tuple[Failure, ...]:
    """What keeps a package from building that nothing is said about: errors in the code of what it may import come first."""
    wrong = [one for one in said.values() if not go_reason("\n".join(failure.message for failure in one))]
    return tuple(failure for some in wrong or said.values() for failure in some)[:10]


def _whole(done: Completed) -> tuple[Failure, ...]:
    said = builds.how_it_ended(done) if done.stopped else trimmed(done.stderr + b"\n" + done.stdout)
    return (Failure("build", said),)


def _errors(output: bytes, module: Module) -> tuple[Failure, ...]:
    text = output.decode("utf-8", "replace")
    prefix = f"{module.root}/" if module.root else ""
    found = dict.fromkeys(match.groups() for match in _ERROR.finditer(text))
    if not found:
        return (Failure("build", trimmed(text)),)
    return tuple(
        Failure(prefix + name, f"{prefix}{name}:{line}: {message}"[:500])
        for name, line, message in list(found)[:10]
    )
