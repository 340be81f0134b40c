from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from perforch.measure import pairs


def test_tosses_repeat_with_a_seed_and_differ_when_confirming() -> None:
    first = list(itertools.islice(pairs.schedule(7), 50))
    assert first == list(itertools.islice(pairs.schedule(7), 50))
    assert first != list(itertools.islice(pairs.schedule(7, confirm=True), 50))
    assert first != list(itertools.islice(pairs.schedule(None), 50))
    assert 10 < sum(before_first for before_first, _ in first) < 40
    assert len({seed for _, seed in first}) == 50


def test_seed_is_a_legal_hash_seed() -> None:
    assert pairs.seed_env(2**32 + 5) == {"PYTHONHASHSEED": "5"}


def test_affordable_stays_within_time_and_cap() -> None:
    assert pairs.affordable(10, 0.5, 60) == 20
    assert pairs.affordable(100, 0.5, 60) == 60
    assert pairs.affordable(0.1, 0.5, 60) == 1


def test_noise_of_steady_runs_is_one_and_grows_with_spread() -> None:
    assert pairs.noise([100.0] * 10) == 1
    random = np.random.default_rng(1)
    runs = [100 * math.exp(value) for value in random.normal(0, 0.02, 4000)]
    assert pairs.noise(runs) == pytest.approx(math.exp(0.02 * math.sqrt(2)), rel=0.01)
    assert pairs.noise([100, 101]) is None


def test_smallest_effect_grows_with_scatter() -> None:
    effects = [pairs.smallest_effect(sd, 0.01, 60) for sd in (0.01, 0.03, 0.1)]
    assert None not in effects
    assert effects == sorted(effects)
    assert 0.02 < effects[0] < 0.04
    assert pairs.smallest_effect(0.01, 0.01, 6) is None
