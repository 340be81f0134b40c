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

if TYPE_CHECKING:
    from perforch.languages.syntax import Definition
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.model import Tree
    from perforch.workloads.options import Options

_CACHE = "/perforch/gocache"
_AT_ONCE = 200  # packages of one command line
_ERROR = re.compile(r"^(?:vet: )?(?:\./)?([^\s:]+\.go):(\d+)(?::\d+)?: (.+)$", re.MULTILINE)
_OUTPUT = re.compile(rb"//\s*(?:Unordered output|output):", re.IGNORECASE)
_PACKAGE = re.compile(rb"^package\s+(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Module:
    """A folder with a go.mod (or sources without one) and the module's path."""

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
    found = builds.sources(tree, module.root, ("_test.go",))
    nested = [
        str(PurePosixPath(path).parent)
        for path in builds.sources(tree, module.root, ("go.mod",))
        if str(PurePosixPath(path).parent) not in {module.root, "."}
        or (module.root and str(PurePosixPath(path).parent) == ".")
    ]
    return {
        path: text
        for path, text in found.items()
        if not any(path.startswith(f"{folder}/") for folder in nested if folder != (module.root or "."))
        and "/testdata/" not in f"/{path}"
    }


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
    """A test, or an example whose output is compared; examples without an output comment are compiled only."""
    if one.simple_name.startswith("Test"):
        return True
    body = source[one.start_byte : one.end_byte]
    return one.simple_name.startswith("Example") and _OUTPUT.search(body) is not None


def package_clause(text: bytes) -> str:
    """The name in the package clause."""
    found = _PACKAGE.search(text)
    return found.group(1).decode() if found else ""


def build(sandbox: Sandbox, module: Module, place: Place, packages: list[str], options: Options) -> Build:
    """Compile the test binaries of the packages; one that does not compile does not keep the others from it."""
    cache = _cache(place, options)
    mounts = (
        *place.mounts(writable=True),
        Mount(cache, _CACHE, writable=True),
        Mount(Path(__file__).parent / "harness", builds.HARNESS),
    )
    binaries: dict[str, str] = {}
    errors: dict[str, tuple[Failure, ...]] = {}
    folders = {
        f"{SOURCE}/{module.root}/{module.folder(one)}".rstrip("/.").replace("/./", "/"): one
        for one in packages
    }
    for start in range(0, len(packages), _AT_ONCE):
        some = packages[start : start + _AT_ONCE]
        # No vet: it judges style; -trimpath: the same binary whatever the place. The go command hands each binary to a script of
        # ours instead of running it: one command builds all packages, in every version of Go.
        script = f"sh {builds.HARNESS}/keep.sh {OUTPUT}"
        argv = ("go", "test", "-vet=off", "-trimpath", "-count=1", "-p=2", "-exec", script)
        done = sandbox.run(
            Command(
                (*argv, *(module.folder(package) for package in some)),
                cwd=module.home,
                env=environment(place, module),
                mounts=mounts,
                limits=builds.BUILD_LIMITS,
            )
        )
        kept = builds.written(place.output, place.output / "kept").decode("utf-8", "replace").splitlines()
        binaries |= {
            folders[folder]: path
            for folder, path in zip(kept[::2], kept[1::2], strict=False)
            if folder in folders
        }
        said = _said(done, module)
        for package in some:
            if package not in binaries:
                errors[package] = said.get(package) or said.get("") or _whole(done)
    return Build(place, binaries, errors)


def workspace(place: Place, module: Module) -> str:
    """GOWORK: "off" where the workspace above the module does not use it."""
    for folder in (module.root, *map(str, PurePosixPath(module.root).parents)) if module.root else ("",):
        root = "" if folder == "." else folder
        text = builds.read(place.source, root, "go.work").decode("utf-8", "replace")
        if text:
            inside = (
                PurePosixPath(module.root).relative_to(root) if root else PurePosixPath(module.root or ".")
            )
            used = {
                str(PurePosixPath(word))
                for word in re.findall(r"(?:^use\s+|^\s+)\"?(\.[^\s\")]*)", text, re.MULTILINE)
            }
            return "" if str(inside) in used else "off"
    return ""


def environment(place: Place, module: Module) -> dict[str, str]:
    """Variables of the go command: offline, the toolchain at hand, a module file that is not rewritten."""
    vendored = (place.source / module.root / "vendor" / "modules.txt").is_file()
    work = workspace(place, module)
    return {
        "GOCACHE": _CACHE,
        "GOFLAGS": f"-buildvcs=false -mod={'vendor' if vendored else 'readonly'}",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GONOSUMDB": "*",
        "GONOSUMCHECK": "1",
        "GOTELEMETRY": "off",
        **({"GOWORK": work} if work else {}),
    }


def _cache(place: Place, options: Options) -> Path:
    cache = (options.cache if options.cache is not None else place.output) / "gocache"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _said(done: Completed, module: Module) -> dict[str, tuple[Failure, ...]]:
    """What the go command says of each package that does not build."""
    found: dict[str, tuple[Failure, ...]] = {}
    for part in re.split(r"^# ", done.stderr.decode("utf-8", "replace"), flags=re.MULTILINE):
        words = part.split(None, 1)
        if not words:
            continue
        package = words[0].removesuffix("_test").removesuffix(".test")
        found[package] = found.get(package, ()) + _errors(part.encode(), module)
    return found


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
