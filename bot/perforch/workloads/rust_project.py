"""Rust projects: packages of cargo, or one file with tests."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Mount
from perforch.workloads import builds
from perforch.workloads.rust_command import PLAIN, CargoTest
from perforch.workloads.rust_report import Executable, compiler_errors, executables
from perforch.workloads.unavailable import rust_reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.model import Failure, Tree

CARGO_HOME = "/perforch/cargo"


@dataclass(frozen=True, slots=True)
class Build:
    """Test programs of one build, and what the compiler says of those that do not compile, by their target ("" for all)."""

    place: Place
    programs: tuple[Executable, ...]
    errors: Mapping[str, tuple[Failure, ...]] = field(default_factory=dict)
    lacking: str = ""  # what is not on this machine, when nothing could be built for that
    seconds: float = 0.0
    libraries: str = ""  # where programs find Rust's shared libraries, when they need them

    @property
    def ok(self) -> bool:
        """Everything compiles."""
        return not self.errors


@dataclass(frozen=True, slots=True)
class Project:
    """Where a project stands in the repository. `file` is set when there is no cargo package."""

    root: str
    file: str = ""

    @property
    def home(self) -> str:
        """The working directory of builds and tests."""
        return f"{SOURCE}/{self.root}" if self.root else SOURCE

    def inside(self, path: str) -> str:
        """A path below the root, from the root."""
        return path.removeprefix(self.root + "/") if self.root else path


def manifest(tree: Tree, root: str) -> dict[str, Any]:
    """Cargo.toml of this folder; empty when there is none that can be read."""
    data = builds.read(tree.source, root, "Cargo.toml")
    try:
        return tomllib.loads(data.decode("utf-8", "replace")) if data else {}
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def find(tree: Tree, path: str) -> Project | None:
    """The nearest package above `path`, or the file by itself."""
    for folder in PurePosixPath(path).parents:
        root = "" if str(folder) == "." else str(folder)
        if "package" in manifest(tree, root):
            return Project(root)
    if not path.endswith(".rs"):
        return None
    root = str(PurePosixPath(path).parent)
    return Project("" if root == "." else root, file=_with_tests(tree, path))


def _with_tests(tree: Tree, path: str) -> str:
    """The file to compile: this one, or a neighbour with tests that declares it as a module."""
    if b"#[test]" in builds.read(tree.source, path):
        return path
    stem = PurePosixPath(path).stem.encode()
    folder = tree.source / PurePosixPath(path).parent
    for neighbour in sorted(folder.glob("*.rs")):
        text = builds.read(tree.source, neighbour)
        if b"#[test]" in text and (b"mod " + stem + b";" in text or f'"{Path(path).name}"'.encode() in text):
            return neighbour.relative_to(tree.source).as_posix()
    return path


def build(
    sandbox: Sandbox,
    project: Project,
    place: Place,
    *,
    release: bool,
    command: CargoTest = PLAIN,
    prepare: Sequence[str] | None = None,
) -> Build:
    """Compile the tests without running them.

    Args:
        prepare: a command that runs first, from the repository's root.
    """
    if prepare:
        made = sandbox.run(
            Command(
                tuple(prepare), cwd=SOURCE, env=environment(),
                mounts=(*place.mounts(writable=True), *registry(place.output / "cargo")), limits=builds.BUILD_LIMITS,
            )
        )  # fmt: skip
        if not made.ok:
            return Build(place, (), {"": compiler_errors(made.stderr or made.stdout)})
    if project.file:
        return _rustc(sandbox, project, place, release=release)
    locked = (place.source / project.root / "Cargo.lock").is_file() or (place.source / "Cargo.lock").is_file()
    argv = ["cargo", "test", "--no-run", "--message-format=json", "--offline", "--quiet", *command.build]
    argv += ["--release"] if release else []
    argv += ["--locked"] if locked else []
    targets = list(command.targets)
    done = _cargo(sandbox, project, place, [*argv, *targets])
    if b"no library targets found" in done.stderr:
        targets.remove("--lib")
        done = _cargo(sandbox, project, place, [*argv, *targets])
    if locked and done.returncode and b"--locked" in done.stderr:
        # The committed lock file is out of date; resolve anew from what is on this machine.
        argv.remove("--locked")
        done = _cargo(sandbox, project, place, [*argv, *targets])
    programs, errors = executables(done.stdout, SOURCE)
    if done.ok:
        return Build(place, programs, seconds=done.seconds, libraries=_libraries(sandbox, project, place))
    words = errors or {"": compiler_errors(done.stderr)}
    lacking = rust_reason(done.stderr.decode("utf-8", "replace")) if not errors else ""
    if errors and all(target.startswith("tests/") for target in errors):
        # An integration test that does not compile keeps no other from it.
        others = [one for one in _integration_tests(place, project) if f"tests/{one}" not in errors]
        some = [word for word in targets if word in {"--lib", "--bins"}]
        some += [word for one in others for word in ("--test", one)]
        done = _cargo(sandbox, project, place, [*argv, *some]) if some else done
        return Build(
            place, executables(done.stdout, SOURCE)[0] if done.ok else (), words, seconds=done.seconds
        )
    return Build(place, (), words, lacking, done.seconds)


def _libraries(sandbox: Sandbox, project: Project, place: Place) -> str:
    """Tests of procedural macros are linked with Rust's shared libraries, which cargo would name to them."""
    if b"proc-macro" not in builds.read(place.source, project.root, "Cargo.toml"):
        return ""
    command = Command(
        ("rustc", "--print", "target-libdir"), cwd=project.home, mounts=place.mounts(writable=False)
    )
    done = sandbox.run(command)
    return done.stdout.decode("utf-8", "replace").strip() if done.ok else ""


def _integration_tests(place: Place, project: Project) -> list[str]:
    """Names of the package's integration tests."""
    folder = place.source / project.root / "tests"
    found = [one.stem for one in folder.glob("*.rs")] + [one.parent.name for one in folder.glob("*/main.rs")]
    text = builds.read(place.source, project.root, "Cargo.toml").decode("utf-8", "replace")
    try:
        entries = tomllib.loads(text).get("test", [])
    except (tomllib.TOMLDecodeError, RecursionError):
        entries = []
    named = [str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry]
    return sorted({*found, *named})


def _cargo(sandbox: Sandbox, project: Project, place: Place, argv: list[str]) -> Completed:
    home = place.output / "cargo"
    return sandbox.run(
        Command(
            argv=tuple(argv),
            cwd=project.home,
            env=environment(),
            mounts=(*place.mounts(writable=True), *registry(home)),
            limits=builds.BUILD_LIMITS,
        )
    )


def environment() -> dict[str, str]:
    """Of cargo and of the tests it builds."""
    return {
        "CARGO_TARGET_DIR": f"{OUTPUT}/target",
        "CARGO_HOME": CARGO_HOME,
        "CARGO_NET_OFFLINE": "true",
        "CARGO_TERM_COLOR": "never",
        "CARGO_INCREMENTAL": "0",
        "CARGO_BUILD_JOBS": "2",
    }


def registry(home: Path) -> tuple[Mount, ...]:
    """A private home for cargo with the downloaded crates of this machine, read-only."""
    mounts = [Mount(home, CARGO_HOME, writable=True)]
    shared = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    for name in ("registry", "git"):
        (home / name).mkdir(parents=True, exist_ok=True)
        if (shared / name).is_dir():
            mounts.append(Mount(shared / name, f"{CARGO_HOME}/{name}"))
    return tuple(mounts)


def _rustc(sandbox: Sandbox, project: Project, place: Place, *, release: bool) -> Build:
    options = ("-C", "opt-level=3") if release else ("-C", "debuginfo=0")
    name = PurePosixPath(project.file).stem
    program = f"{OUTPUT}/{'release' if release else 'debug'}"
    done = sandbox.run(
        Command(
            argv=("rustc", "--test", "--edition", "2021", "--crate-name", _crate(name), "--color", "never",
                  "-A", "warnings", *options, "-o", program, f"{SOURCE}/{project.file}"),
            cwd=project.home,
            mounts=place.mounts(writable=True),
            limits=builds.BUILD_LIMITS,
        )
    )  # fmt: skip
    if done.ok:
        return Build(place, (Executable(program, name, project.file),))
    return Build(
        place, (), {"": compiler_errors(done.stderr)}, rust_reason(done.stderr.decode("utf-8", "replace"))
    )


def _crate(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in f"t_{name}")


def identifier(tree: Tree, project: Project, path: str, name: str) -> str:
    """Id of a test in a package, from its file; "" for files that are not part of a test program.

    Follows cargo's layout and the `path` keys of [lib] and [[test]]; modules moved by `#[path]` are not followed.
    """
    package = manifest(tree, project.root)
    default = str(package.get("package", {}).get("name", "")).replace("-", "_")
    library = package.get("lib", {})
    inside = project.inside(path)
    for entry in package.get("test", []):
        if isinstance(entry, dict) and entry.get("path") == inside:
            return f"tests/{entry.get('name', PurePosixPath(inside).stem)}::{name}"
    parts = PurePosixPath(inside).parts
    if parts[0] == "tests":
        target, modules = _test_target(tree, project, parts)
        return "::".join([f"tests/{target}", *modules, name]) if target else ""
    for entry in package.get("bin", []):
        if isinstance(entry, dict) and entry.get("path") == inside:
            return f"bin/{entry.get('name', PurePosixPath(inside).stem)}::{name}"
    if parts[:2] == ("src", "bin") and len(parts) == 3:
        return f"bin/{PurePosixPath(inside).stem}::{name}"
    root = PurePosixPath(str(library.get("path", "src/lib.rs")))
    folder = root.parent.parts
    has_library = (tree.source / project.root / root).is_file()
    if parts[: len(folder)] != folder:
        return ""
    target = str(library.get("name", default)) if has_library else f"bin/{package['package'].get('name', '')}"
    if inside == "src/main.rs":
        return f"bin/{package['package'].get('name', '')}::{name}"
    modules = [] if inside == str(root) else _modules(parts[len(folder) :])
    elsewhere = bool(modules) and has_library and not _declares(tree, project, str(root), modules[0])
    if elsewhere and _declares(tree, project, "src/main.rs", modules[0]):
        target = f"bin/{package['package'].get('name', '')}"
    return "::".join([target, *modules, name])


def _declares(tree: Tree, project: Project, path: str, module: str) -> bool:
    """Is the module one of this root file?"""
    text = builds.read(tree.source, project.root, path)
    return re.search(rb"\bmod\s+(r#)?" + re.escape(module.encode()) + rb"\b", text) is not None


def _modules(parts: tuple[str, ...]) -> list[str]:
    names = [*parts[:-1], PurePosixPath(parts[-1]).stem]
    return names[:-1] if names[-1] == "mod" else names


def _test_target(tree: Tree, project: Project, parts: tuple[str, ...]) -> tuple[str, list[str]]:
    if len(parts) == 2:
        return PurePosixPath(parts[1]).stem, []
    if (tree.source / project.root / "tests" / parts[1] / "main.rs").is_file():
        return parts[1], [] if parts[2:] == ("main.rs",) else _modules(parts[2:])
    return "", []


def description(project: Project, flags: Sequence[str], tests: Sequence[str], count: int) -> str:
    """What a person would type to run the tests as they are timed."""
    shown = " ".join(test.partition("::")[2] for test in tests[:5]) + (" ..." if len(tests) > 5 else "")
    times = f"  # {count} times in one process" if count > 1 else ""
    if project.file:
        return f"rustc --test -O {project.file} && ./{PurePosixPath(project.file).stem} {shown}{times}"
    where = f"cd {project.root} && " if project.root else ""
    words = "".join(f"{shlex.quote(flag)} " for flag in flags)
    return f"{where}cargo test --release {words}-- --exact {shown}{times}"
