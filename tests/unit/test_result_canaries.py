from __future__ import annotations

import pytest

from perforch.result import Canaries


@pytest.mark.parametrize(
    ("decisions", "false_claims", "level", "possible"),
    [
        (0, 0, 0.02, True),
        (20, 0, 0.02, True),
        (20, 1, 0.02, True),
        (1, 1, 0.02, True),
        (2, 2, 0.02, False),
        (20, 5, 0.02, False),
        (1, 1, 0.0005, False),  # many rows share the level
        (400, 9, 0.02, True),
        (400, 21, 0.02, False),
    ],
)
def test_more_false_claims_than_chance_gives_are_an_alarm(
    decisions: int, false_claims: int, level: float, possible: bool
) -> None:
    canaries = Canaries(decisions=decisions, false_claims=false_claims, level=level)
    assert canaries.possible is possible
    assert (canaries.alarm == "") is possible
    if not possible:
        assert canaries.alarm.startswith(f"{false_claims} of {decisions} comparisons")
