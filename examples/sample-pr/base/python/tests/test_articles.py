from stock.articles import find_duplicates, total


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
