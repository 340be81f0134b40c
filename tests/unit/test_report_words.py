from __future__ import annotations

import pytest

from perforch.report import words
from perforch.result import FunctionResult, Language, Measurement, Metric, Regression, Result, Verdict

TIME = Measurement(
    unit="ms", before=40, after=20, ratio=2.0, ci_low=1.9, ci_high=2.1, pairs=12, confidence=0.99
)
MORE = Measurement(
    unit="ms", before=40, after=10, ratio=4.0, ci_low=3.0, ci_high=5.0, pairs=12, confidence=0.99
)
SLOWER = Measurement(unit="ms", before=20, after=40, ratio=0.5, ci_low=0.4, ci_high=0.6, pairs=12)


def one(verdict: Verdict, found: Measurement | None = None, metric: Metric = Metric.TIME) -> FunctionResult:
    measurements = {} if found is None else {metric: found}
    return FunctionResult(
        path="a", name="f", language=Language.GO, start_line=1, end_line=2, verdict=verdict, measurements=measurements
    )  # fmt: skip


IMPROVED, FIXED, WRITTEN, SAME = Verdict.IMPROVED, Verdict.FIXED, Verdict.GENERATED, Verdict.NO_CHANGE


@pytest.mark.parametrize(
    ("functions", "slower", "expected"),
    [
        ([], 0, "Nothing to measure: no function changed that can be optimised"),
        ([one(SAME)], 0, "No significant change proven in 1 changed function"),
        ([one(IMPROVED, TIME), one(SAME)], 0, "1 of 2 changed functions can be made 2.00× faster (≥ 1.90×, 99 %)"),
        ([one(IMPROVED, MORE), one(IMPROVED, TIME)], 0, "2 of 2 changed functions can be made 2.00× to 4.00× faster (each ≥ 1.90×, 99 %)"),
        ([one(IMPROVED, TIME), one(FIXED)], 2, "1 of 2 changed functions can be made 2.00× faster (≥ 1.90×, 99 %), 1 fixed; 2 became slower"),
        ([one(FIXED)], 0, "1 of 1 changed function fixed: the tests pass now"),
        ([one(FIXED), one(FIXED), one(WRITTEN), one(SAME)], 1, "2 of 4 changed functions fixed, 1 written: the tests pass now; 1 became slower"),
        ([one(WRITTEN)], 0, "1 of 1 changed function written: the tests pass now"),
        ([one(SAME)], 1, "1 function became slower"),
        ([one(SAME)], 2, "2 functions became slower"),
        ([one(IMPROVED, TIME), one(IMPROVED)], 0, "2 of 2 changed functions can be improved"),
    ],
)  # fmt: skip
def test_headlines(functions: list[FunctionResult], slower: int, expected: str) -> None:
    regression = Regression(
        path="a", name="f", language=Language.GO, start_line=1, end_line=2, measurements={Metric.TIME: SLOWER}
    )
    result = Result(perforch="x", functions=tuple(functions), regressions=(regression,) * slower)
    assert words.headline(result) == expected


def test_memory_is_not_faster() -> None:
    less = one(IMPROVED, TIME.model_copy(update={"unit": "KiB"}), Metric.MAX_MEMORY)
    result = Result(perforch="x", metric=Metric.MAX_MEMORY, functions=(less,))
    assert words.headline(result) == "1 of 1 changed function can run with 2.00× less memory (≥ 1.90×, 99 %)"
