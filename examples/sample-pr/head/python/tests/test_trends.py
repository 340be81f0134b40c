import pytest
from stock.trends import moving_average


def test_moving_average():
    assert moving_average([1, 2, 3, 4], 2) == [1.5, 2.5, 3.5]
    assert moving_average([5, 7], 2) == [6.0]


def test_moving_average_refuses_an_empty_window():
    with pytest.raises(ValueError, match="width"):
        moving_average([1], 0)
