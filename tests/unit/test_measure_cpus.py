from __future__ import annotations

import pytest

from perforch.measure.cpus import choose, parse_list


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
