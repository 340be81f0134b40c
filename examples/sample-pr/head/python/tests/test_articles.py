from stock.articles import cheapest, find_duplicates, roman, total


def test_cheapest():
    assert cheapest([]) == 0
    assert cheapest([300, 120, 250]) == 120


def test_find_duplicates_in_order_of_second_occurrence():
    assert find_duplicates([3, 1, 2, 1, 3, 1]) == [1, 3]
    assert find_duplicates([]) == []


def test_find_duplicates_in_a_long_list():
    articles = [number * 7919 % 3001 for number in range(900)] + list(range(100))
    found = find_duplicates(articles)
    assert len(found) == len(set(found))
    assert all(articles.count(article) > 1 for article in found[:3])


def test_total():
    assert total([]) == 0
    assert total(range(20_000)) == 199_990_000


def test_roman():
    numerals = {1: "I", 4: "IV", 14: "XIV", 40: "XL", 99: "XCIX", 444: "CDXLIV", 1990: "MCMXC", 3999: "MMMCMXCIX"}
    assert {number: roman(number) for number in numerals} == numerals
