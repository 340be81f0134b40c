from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perforch.measure.cpus import choose, left_to_us, parse_list

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"), [("0-2,5", (0, 1, 2, 5)), ("", ()), ("\n", ()), ("7", (7,)), ("0,2-3\n", (0, 2, 3))]
)
def test_kernel_lists(text: str, expected: tuple[int, ...]) -> None:
    assert parse_list(text) == expected


def alone(count: int) -> dict[int, tuple[int, ...]]:
    return {cpu: (cpu,) for cpu in range(count)}


def test_the_idlest_cpu_measures_and_never_cpu_0_on_a_tie() -> None:
    assert choose((0, 1, 2, 3), (), 1, {0: 0, 1: 5, 2: 9, 3: 9}, alone(4)).measuring == (0,)
    assert choose((0, 1, 2, 3), (), 1, dict.fromkeys(range(4), 0), alone(4)).measuring == (3,)


def test_isolated_cpus_come_first() -> None:
    plan = choose((0, 1), (2, 3), 2, dict.fromkeys(range(4), 0), alone(4))
    assert plan.measuring == (2, 3)
    assert plan.helping == (0, 1)
    assert plan.isolated


def test_a_sibling_of_the_measuring_cpu_stays_idle() -> None:
    cores = {0: (0, 2), 2: (0, 2), 1: (1, 3), 3: (1, 3)}
    plan = choose((0, 1, 2, 3), (), 1, dict.fromkeys(range(4), 0), cores)
    assert plan.measuring == (3,)
    assert plan.helping == (0, 2)


def test_one_cpu_always_remains_for_everything_else() -> None:
    plan = choose((0, 1), (), 16, {}, alone(2))
    assert plan.pinned
    assert len(plan.measuring) == 1
    single = choose((0,), (), 1, {}, alone(1))
    assert not single.pinned


@pytest.mark.parametrize(
    ("groups", "own", "expected"),
    [
        ({"perforch.slice": "0-7", "system.slice": "0", "user.slice": "0-1"}, "0::/perforch.slice/a.service\n", (2, 3, 4, 5, 6, 7)),
        ({"perforch.slice": "0-7", "system.slice": "0-7"}, "0::/perforch.slice/a.service\n", ()),
        ({"perforch.slice": "0-3", "system.slice": "0", "user.slice": ""}, "0::/perforch.slice/a.service\n", ()),
        ({"perforch.slice": "0-3", "system.slice": "0", "-dev-mqueue.mount": "0-3"}, "0::/perforch.slice\n", (1, 2, 3)),
        ({"perforch.slice": "0-3", "system.slice": "0"}, "0::/\n", ()),
        ({"perforch.slice": "0-3", "system.slice": "0"}, "4:cpuset:/perforch.slice\n", ()),
        ({}, "", ()),
    ],
    ids=["kept apart", "not kept apart", "no limit on one", "an empty group does not count", "in a container", "version 1", "nothing"],
)  # fmt: skip
def test_cpus_that_no_other_group_may_use(
    tmp_path: Path, groups: dict[str, str], own: str, expected: tuple[int, ...]
) -> None:
    for name, allowed in groups.items():
        folder = tmp_path / name.removeprefix("-")
        folder.mkdir()
        (folder / "cgroup.events").write_text(f"populated {int(not name.startswith('-'))}\nfrozen 0\n")
        (folder / "cpuset.cpus.effective").write_text(f"{allowed}\n")
    assert left_to_us(tmp_path, own) == expected
