from stock.articles import cheapest


def test_cheapest():
    assert cheapest([]) == 0
    assert cheapest([300, 120, 250]) == 120
