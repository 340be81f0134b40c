"""The scripts of runner-config on an invented machine below a directory of its own, and the hook that keeps forks away."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "runner-config"
CPU = "sys/devices/system/cpu"

SYSTEMCTL = """#!/bin/sh
# Units are files in $UNITS that say active or inactive; AllowedCPUs are files ending in .cpus.
case "$1" in
  is-active) [ "$(cat "$UNITS/$3" 2>/dev/null)" = active ] ;;
  stop) echo inactive >"$UNITS/$2" ;;
  start) echo active >"$UNITS/$2" ;;
  list-units) cd "$UNITS" && grep -lx active ./*.timer | sed 's,^./,,; s,$, loaded active waiting,' ;;
  show) cat "$UNITS/$4.cpus" 2>/dev/null || true ;;
  set-property) echo "${4#AllowedCPUs=}" >"$UNITS/$3.cpus" ;;
  *) exit 9 ;;
esac
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Four cores with two threads each, an Intel driver, three C-states, systemd with control groups version 2."""
    root = tmp_path / "root"
    files = {
        f"{CPU}/present": "0-7",
        f"{CPU}/smt/control": "on",
        f"{CPU}/intel_pstate/no_turbo": "0",
        "proc/irq/default_smp_affinity": "ff",
        "proc/irq/24/smp_affinity_list": "0-7",
        "proc/irq/25/smp_affinity_list": "0,4",
        "proc/irq/26/smp_affinity_list": "3",
        "sys/devices/virtual/workqueue/cpumask": "ff",
        "proc/sys/kernel/nmi_watchdog": "1",
        "proc/sys/kernel/sched_autogroup_enabled": "1",
        "proc/sys/kernel/perf_event_paranoid": "4",
        "proc/sys/kernel/randomize_va_space": "2",
        "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids",
        "run/systemd/system/here": "",
    }
    for cpu in range(8):
        files[f"{CPU}/cpu{cpu}/topology/thread_siblings_list"] = f"{cpu % 4},{cpu % 4 + 4}"
        policy = f"{CPU}/cpufreq/policy{cpu}"
        files |= {
            f"{policy}/scaling_available_governors": "performance powersave",
            f"{policy}/scaling_governor": "powersave",
            f"{policy}/scaling_min_freq": "400000",
            f"{policy}/scaling_max_freq": "4200000",
            f"{policy}/base_frequency": "2100000",
        }
        for number, (name, latency) in enumerate((("POLL", 0), ("C1", 2), ("C6", 133))):
            state = f"{CPU}/cpu{cpu}/cpuidle/state{number}"
            files |= {f"{state}/name": name, f"{state}/latency": str(latency), f"{state}/disable": "0"}
    write(root, files)
    write(
        tmp_path,
        {
            "bin/systemctl": SYSTEMCTL,
            "units/irqbalance.service": "active",
            "units/apt-daily.timer": "active",
            "units/logrotate.timer": "active",
            "units/fstrim.timer": "inactive",
            "units/user.slice.cpus": "0-6",
        },
    )
    (tmp_path / "bin" / "systemctl").chmod(0o755)
    return root


def tune(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("bash", FOLDER / "tune.sh", *arguments, "--root", root),
        env={"PATH": f"{root.parent / 'bin'}:{os.environ['PATH']}", "UNITS": str(root.parent / "units")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text().strip()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "systemctl"
    }


def test_apply_sets_the_measuring_state_and_restore_brings_back_every_value(machine: Path) -> None:
    before = contents(machine.parent)
    done = tune(machine, "apply")
    assert done.returncode == 0, done.stdout + done.stderr
    now = contents(machine)
    assert now[f"{CPU}/smt/control"] == "off"
    assert now[f"{CPU}/intel_pstate/no_turbo"] == "1"
    for cpu in range(8):
        policy = f"{CPU}/cpufreq/policy{cpu}"
        assert now[f"{policy}/scaling_governor"] == "performance"
        assert now[f"{policy}/scaling_min_freq"] == now[f"{policy}/scaling_max_freq"] == "2100000"
        states = [now[f"{CPU}/cpu{cpu}/cpuidle/state{number}/disable"] for number in range(3)]
        assert states == ["0", "0", "1"]
    # The first core, CPUs 0 and 4, serves everything else.
    assert now["proc/irq/default_smp_affinity"] == now["sys/devices/virtual/workqueue/cpumask"] == "11"
    assert now["proc/irq/24/smp_affinity_list"] == now["proc/irq/26/smp_affinity_list"] == "0,4"
    assert now["proc/sys/kernel/nmi_watchdog"] == now["proc/sys/kernel/sched_autogroup_enabled"] == "0"
    assert now["proc/sys/kernel/perf_event_paranoid"] == now["proc/sys/kernel/randomize_va_space"] == "2"
    units = contents(machine.parent / "units")
    assert {name: units[name] for name in units if not name.endswith(".cpus")} == {
        "irqbalance.service": "inactive", "apt-daily.timer": "inactive", "logrotate.timer": "inactive", "fstrim.timer": "inactive",
    }  # fmt: skip
    slices = ("init.scope", "system.slice", "user.slice", "machine.slice")
    assert {units[f"{name}.cpus"] for name in slices} == {"0,4"}

    assert tune(machine, "status").returncode == 0
    restored = tune(machine, "restore")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    after = contents(machine.parent)
    unset = {name: text for name, text in after.items() if name not in before}
    assert unset == {f"units/{name}.cpus": "" for name in slices if name != "user.slice"}
    assert {name: after[name] for name in before} == before


def test_twice_is_once(machine: Path) -> None:
    before = contents(machine)
    tune(machine, "apply")
    once = contents(machine.parent)
    again = tune(machine, "apply")
    assert again.returncode == 0
    assert {line.split()[0] for line in again.stdout.splitlines()} == {"cpus", "ok"}
    assert contents(machine.parent) == once
    tune(machine, "restore")
    twice = tune(machine, "restore")
    assert (twice.returncode, twice.stdout.split()) == (0, ["ok", "nothing", "to", "restore"])
    assert contents(machine) == before


def test_a_dry_run_and_status_change_nothing(machine: Path) -> None:
    before = contents(machine.parent)
    dry = tune(machine, "apply", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "would    turbo off" in dry.stdout
    assert "would    interrupt balancing: stop irqbalance.service" in dry.stdout
    status = tune(machine, "status")
    assert status.returncode == 1
    assert "differs  SMT off" in status.stdout
    assert contents(machine.parent) == before
    tune(machine, "apply")
    applied = contents(machine.parent)
    assert "would    restore" in tune(machine, "restore", "--dry-run").stdout
    assert contents(machine.parent) == applied


def test_what_cannot_be_set_is_said_and_not_counted_as_done(tmp_path: Path) -> None:
    """A virtual machine: no frequency, no C-states, no SMT switch, no systemd."""
    root = tmp_path / "root"
    write(root, {f"{CPU}/present": "0-3", "proc/sys/kernel/randomize_va_space": "2"})
    done = tune(root, "apply")
    said = [line.split(None, 1)[1] for line in done.stdout.splitlines() if line.startswith("cannot")]
    for word in ("SMT", "turbo", "frequency", "C-states", "timers", "interrupts", "isolation", "watchdog"):
        assert any(line.startswith(word) for line in said), (word, done.stdout)
    assert "\nset " not in done.stdout
    assert done.returncode == 0
    assert not (root / "run/perforch/tune.state").exists()


@pytest.mark.parametrize("governors", ["powersave schedutil", ""])
def test_a_missing_governor_is_a_failure(machine: Path, governors: str) -> None:
    (machine / CPU / "cpufreq/policy3/scaling_available_governors").write_text(governors)
    done = tune(machine, "apply")
    assert done.returncode == 1
    assert "cannot   governor:" in done.stdout
    assert (machine / CPU / "cpufreq/policy3/scaling_governor").read_text().strip() == "powersave"


def test_a_value_that_the_kernel_keeps_is_said(machine: Path) -> None:
    """Read-only values of this machine's own kernel in the place of a locked switch and of an interrupt that belongs to one CPU."""
    for name in (f"{CPU}/intel_pstate/no_turbo", "proc/irq/26/smp_affinity_list"):
        (machine / name).unlink()
        (machine / name).symlink_to("/sys/devices/system/cpu/possible")
    for _ in range(2):
        done = tune(machine, "apply", "--cpus", "0-6")
        assert "cannot   turbo off: the kernel keeps" in done.stdout
        assert "cannot   interrupts: 1 belong to one CPU each" in done.stdout
        assert done.returncode == 1
    status = tune(machine, "status", "--cpus", "0-6")
    assert [line for line in status.stdout.splitlines() if line.startswith("differs")][1:] == []
    assert tune(machine, "restore").returncode == 0


def test_files_of_a_cpu_that_is_off_are_passed_over(machine: Path) -> None:
    """They are there and cannot be read; a folder in the place of a file cannot either."""
    for name in ("cpufreq/policy7/scaling_governor", "cpu7/cpuidle/state2/disable"):
        (machine / CPU / name).unlink()
        (machine / CPU / name).mkdir()
    done = tune(machine, "apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "address-space randomisation" in done.stdout
    assert tune(machine, "restore").returncode == 0


def test_amd_and_acpi_switches_are_known(machine: Path) -> None:
    (machine / CPU / "intel_pstate/no_turbo").unlink()
    write(machine, {f"{CPU}/cpufreq/boost": "1"})
    tune(machine, "apply")
    assert (machine / CPU / "cpufreq/boost").read_text() == "0\n"
    tune(machine, "restore")
    (machine / CPU / "cpufreq/boost").unlink()
    write(machine, {f"{CPU}/cpufreq/policy{cpu}/boost": "1" for cpu in range(8)})
    tune(machine, "apply")
    assert {path.read_text() for path in (machine / CPU / "cpufreq").glob("policy*/boost")} == {"0\n"}


@pytest.mark.parametrize(
    ("present", "mask", "wanted"),
    [("0-7", "ff", "03"), ("0-35", "f,ffffffff", "0,00000003"), ("0-3", "0000000f", "00000003")],
)
def test_masks_are_written_as_the_kernel_prints_them(
    machine: Path, present: str, mask: str, wanted: str
) -> None:
    write(machine, {f"{CPU}/present": present, "proc/irq/default_smp_affinity": mask})
    last = present.partition("-")[2]
    assert tune(machine, "apply", "--cpus", f"2-{last}").returncode == 0
    assert (machine / "proc/irq/default_smp_affinity").read_text().strip() == wanted


@pytest.mark.parametrize(
    "arguments", [(), ("begin",), ("apply", "--cpus", "all"), ("apply", "--cpus"), ("apply", "--cpus", "0-7"), ("apply", "status")]
)  # fmt: skip
def test_bad_arguments_are_refused(machine: Path, arguments: tuple[str, ...]) -> None:
    before = contents(machine)
    assert tune(machine, *arguments).returncode == 2
    assert contents(machine) == before


# --- installation ---


def install(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("bash", FOLDER / "install-runner.sh", *arguments, "--root", root),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_installation_is_repeatable_and_reversible(tmp_path: Path) -> None:
    dry = install(tmp_path, "install", "--repository", "owner/name", "--dry-run")
    assert dry.returncode == 0
    assert not list(tmp_path.iterdir())
    for _ in range(2):
        done = install(tmp_path, "install", "--repository", "owner/name")
        assert done.returncode == 0, done.stderr
        found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
        assert found == {
            "opt/perforch-runner/tune.sh", "opt/perforch-runner/job-started.sh", "opt/perforch-runner/job_started.py",
            "etc/systemd/system/perforch-tune.service", "etc/systemd/system/perforch.slice",
            "etc/systemd/system/perforch-runner.service", "etc/perforch/jobs.json",
        }  # fmt: skip
    assert json.loads((tmp_path / "etc/perforch/jobs.json").read_text())["repositories"] == ["owner/name"]
    assert install(tmp_path, "uninstall").returncode == 0
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["jobs.json"]


@pytest.mark.parametrize("name", [(), ("--repository", "name"), ("--repository", 'o/n"], "workflows": ["')])
def test_installation_wants_a_repository(tmp_path: Path, name: tuple[str, ...]) -> None:
    assert install(tmp_path, "install", *name).returncode == 2
    assert not list(tmp_path.iterdir())


def test_the_runner_unit_starts_the_hook_that_is_installed() -> None:
    unit = (FOLDER / "systemd" / "perforch-runner.service").read_text()
    assert "ACTIONS_RUNNER_HOOK_JOB_STARTED=/opt/perforch-runner/job-started.sh" in unit
    assert "Slice=perforch.slice" in unit


def test_the_pod_gets_whole_cpus_of_its_own_and_no_rights() -> None:
    values = yaml.safe_load((FOLDER / "kubernetes" / "arc-values.yaml").read_text())
    spec = values["template"]["spec"]
    (runner,) = spec["containers"]
    resources = runner["resources"]
    assert resources["requests"] == resources["limits"]
    assert str(resources["limits"]["cpu"]).isdigit()
    assert spec["hostUsers"] is False
    assert spec["automountServiceAccountToken"] is False
    assert runner["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert runner["securityContext"]["allowPrivilegeEscalation"] is False
    assert "privileged" not in json.dumps(values)
    assert "containerMode" not in values
    hook = next(entry["value"] for entry in runner["env"] if entry["name"].endswith("JOB_STARTED"))
    (mount,) = runner["volumeMounts"]
    assert hook == f"{mount['mountPath']}/job-started.sh"
    assert mount["readOnly"] is True
    kubelet = yaml.safe_load((FOLDER / "kubernetes" / "kubelet.yaml").read_text())
    assert kubelet["cpuManagerPolicy"] == "static"


# --- the hook ---

HERE = {"id": 1, "full_name": "Owner/Name", "default_branch": "main", "fork": False}
FORK = {"id": 2, "full_name": "stranger/Name", "default_branch": "main", "fork": True}
MAIN = "Owner/Name/.github/workflows/perforch.yml@refs/heads/main"


def ask(tmp_path: Path, event: object, policy: str | None = None, **environment: str) -> tuple[int, str]:
    folder = tmp_path / "hook"
    install(folder, "install", "--repository", "owner/name")
    place = folder / "opt/perforch-runner"
    text = (folder / "etc/perforch/jobs.json").read_text() if policy is None else policy
    (place / "jobs.json").write_text(text)
    path = tmp_path / "event.json"
    path.write_text(event if isinstance(event, str) else json.dumps(event))
    usual = {
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_REPOSITORY": "Owner/Name",
        "GITHUB_WORKFLOW_REF": MAIN,
        "GITHUB_REF": "refs/heads/main",
        "PATH": "/nonexistent",
    }
    done = subprocess.run(
        (place / "job-started.sh",),
        env=usual | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout + done.stderr


def pull(head: dict[str, Any] | None) -> dict[str, Any]:
    return {"repository": HERE, "pull_request": {"head": {"repo": head}, "base": {"repo": HERE}}}


PULL = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/3/merge",
        "GITHUB_WORKFLOW_REF": MAIN.replace("heads/main", "pull/3/merge")}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "environment"),
    [
        (pull(HERE), PULL),
        ({"repository": HERE}, {"GITHUB_EVENT_NAME": "issue_comment"}),
        ({"repository": HERE}, {"GITHUB_EVENT_NAME": "schedule"}),
        ({"repository": HERE}, {"GITHUB_EVENT_NAME": "workflow_dispatch"}),
    ],
    ids=["pull request", "comment", "schedule", "dispatch"],
)
def test_own_jobs_may_run(tmp_path: Path, event: object, environment: dict[str, str]) -> None:
    assert ask(tmp_path, event, **environment) == (0, "perforch: this job may run here.\n")


BRANCH = {"GITHUB_REF": "refs/heads/evil", "GITHUB_WORKFLOW_REF": MAIN.replace("main", "evil")}


@pytest.mark.parametrize(
    ("event", "environment", "named"),
    [
        (pull(FORK), PULL, "comes from a fork, stranger/Name"),
        (pull(None), PULL, "no repository any more"),
        (pull({**HERE, "id": 7}), PULL, "comes from a fork"),
        (pull(HERE), PULL | {"GITHUB_EVENT_NAME": "pull_request_target"}, "starts no job here"),
        (pull(HERE), PULL | {"GITHUB_EVENT_NAME": ""}, "without a name"),
        ({"repository": HERE}, {"GITHUB_EVENT_NAME": "push"}, "push starts no job"),
        ({"repository": HERE}, {"GITHUB_EVENT_NAME": "workflow_dispatch"} | BRANCH, "default branch only"),
        ({"repository": HERE}, {"GITHUB_EVENT_NAME": "schedule"} | BRANCH, "default branch only"),
        ({"repository": HERE}, {"GITHUB_EVENT_NAME": "schedule", "GITHUB_REPOSITORY": "other/repo"}, "list"),
        (pull(HERE), PULL | {"GITHUB_WORKFLOW_REF": MAIN.replace("perforch.yml", "mine.yml")}, "mine.yml is not"),
        (pull(HERE), PULL | {"GITHUB_WORKFLOW_REF": MAIN.replace("Owner", "stranger")}, "lies in stranger/Name"),
        (pull(HERE), PULL | {"GITHUB_WORKFLOW_REF": ""}, "cannot be told"),
        ({}, PULL, "cannot be read (KeyError"),
        ([], PULL, "cannot be read"),
        ("{", PULL, "cannot be read"),
        (pull(HERE), PULL | {"GITHUB_EVENT_PATH": "/nonexistent"}, "cannot be read"),
    ],
)  # fmt: skip
def test_everything_else_is_refused(
    tmp_path: Path, event: object, environment: dict[str, str], named: str
) -> None:
    code, words = ask(tmp_path, event, **environment)
    assert code == 1
    assert named in words
    assert words.count("\n") == 1


def test_the_job_cannot_bring_a_policy_or_an_interpreter_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text('{"repositories": ["owner/name"], "workflows": ["perforch.yml"]}')
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(0)")
    tricks = {
        "PERFORCH_POLICY": str(own),
        "PYTHONPATH": str(tmp_path),
        "BASH_ENV": "/dev/stdin",
        "PATH": str(tmp_path),
    }
    code, words = ask(tmp_path, pull(FORK), policy='{"repositories": [], "workflows": []}', **PULL | tricks)
    assert code == 1
    assert "not on this runner's list" in words


def test_no_policy_is_a_refusal(tmp_path: Path) -> None:
    code, words = ask(tmp_path, pull(HERE), policy="", **PULL)
    assert (code, "cannot be read" in words) == (1, True)


def test_the_hook_runs_on_the_oldest_interpreter() -> None:
    """Debian's and Ubuntu's own Python, without packages."""
    ast.parse((FOLDER / "job_started.py").read_text(), feature_version=(3, 9))
