"""Go modules: where the nearest one is, and the test binaries of its packages, built offline.

Only the go command itself runs while the build cache is writable; programs of the module run later, with everything read-only. So one cache
serves all trees: its entries are named by their contents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Mount
from perforch.workloads import builds
from perforch.workloads.model import Failure
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.model import Tree
    from perforch.workloads.options import Options

_CACHE = "/perforch/gocache"
_ERROR = re.compile(r"^(?:vet: )?(?:\./)?([^\s:]+\.go):(\d+)(?::\d+)?: (.+)$", re.MULTILINE)
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
    """Test binaries by package (host-independent paths below OUTPUT), or why there are none."""

    place: Place
    binaries: dict[str, str]
    errors: tuple[Failure, ...] = ()


def find(tree: Tree, path: str) -> Module | None:
    """The nearest module above `path`."""
    for folder in PurePosixPath(path).parents:
        root = "" if str(folder) == "." else str(folder)
        text = builds.read(tree.source / root / "go.mod")
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
    """Test names by package import path."""
    found: dict[str, list[str]] = {}
    for path, text in test_files(tree, module).items():
        package = module.package(str(PurePosixPath(path).parent))
        for one in syntax.test_functions(Language.GO, text):
            if one.simple_name.startswith("Test") and one.simple_name != "TestMain":
                found.setdefault(package, []).append(one.simple_name)
    return {package: tuple(dict.fromkeys(names)) for package, names in found.items()}


def package_clause(text: bytes) -> str:
    """The name in the package clause."""
    found = _PACKAGE.search(text)
    return found.group(1).decode() if found else ""


def build(sandbox: Sandbox, module: Module, place: Place, packages: list[str], options: Options) -> Build:
    """Compile the test binary of each package."""
    cache = _cache(place, options)
    mounts = (*place.mounts(writable=True), Mount(cache, _CACHE, writable=True))
    binaries: dict[str, str] = {}
    errors: list[Failure] = []
    for number, package in enumerate(packages):
        target = f"{OUTPUT}/{number}.test"
        # No vet: it judges style; -trimpath: the same binary whatever the place.
        argv = ("go", "test", "-c", "-vet=off", "-trimpath", "-o", target, module.folder(package))
        done = sandbox.run(
            Command(
                argv,
                cwd=module.home,
                env=environment(place, module),
                mounts=mounts,
                limits=builds.BUILD_LIMITS,
            )
        )
        if done.ok:
            binaries[package] = target
        else:
            errors += _errors(done, module)
    return Build(place, binaries, tuple(errors))


def environment(place: Place, module: Module) -> dict[str, str]:
    """Variables of the go command: offline, the toolchain at hand, a module file that is not rewritten."""
    vendored = (place.source / module.root / "vendor" / "modules.txt").is_file()
    return {
        "GOCACHE": _CACHE,
        "GOFLAGS": f"-buildvcs=false -mod={'vendor' if vendored else 'readonly'}",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GONOSUMDB": "*",
        "GONOSUMCHECK": "1",
        "GOTELEMETRY": "off",
    }


def _cache(place: Place, options: Options) -> Path:
    cache = (options.cache if options.cache is not None else place.output) / "gocache"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _errors(done: Completed, module: Module) -> list[Failure]:
    text = (done.stderr + b"\n" + done.stdout).decode("utf-8", "replace")
    prefix = f"{module.root}/" if module.root else ""
    found = dict.fromkeys(match.groups() for match in _ERROR.finditer(text))
    if not found:
        said = builds.how_it_ended(done) if done.stopped else trimmed(text)
        return [Failure("build", said)]
    return [
        Failure(prefix + name, f"{prefix}{name}:{line}: {message}"[:500])
        for name, line, message in list(found)[:10]
    ]
