"""A run whose engine sees differences where there are none is not published."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from github_fake import Fake
from publishing import post
from samples import proposal, result

from perforch.result import Canaries, Result

Make = Callable[..., Fake]


def record(fake: Fake, decisions: int, false_claims: int) -> Result:
    canaries = Canaries(decisions=decisions, false_claims=false_claims)
    return result(fake, proposal(fake, "src/a.py")).model_copy(update={"canaries": canaries})


@pytest.mark.parametrize("asked", [False, True])
def test_false_claims_beyond_chance_stop_publication(make_fake: Make, asked: bool) -> None:
    fake = make_fake()
    report = post(fake, record(fake, 4, 3), asked=asked)
    assert not fake.comments
    assert not fake.reviews
    assert not report.summary
    assert "3 of 4 comparisons of a program with itself" in report.remarks[0]


def test_a_false_claim_that_chance_explains_does_not(make_fake: Make) -> None:
    fake = make_fake()
    assert post(fake, record(fake, 20, 1)).summary
