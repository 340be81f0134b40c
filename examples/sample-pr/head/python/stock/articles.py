"""Functions over article numbers and prices."""


def cheapest(prices):
    """Return the lowest price, in cents; 0 for none."""
    return min(prices, default=0)


def find_duplicates(articles):
    """Return the articles that occur more than once, each once, in the order of their second occurrence."""
    articles = list(articles)
    duplicates = []
    for index, article in enumerate(articles):
        if article in articles[:index] and article not in duplicates:
            duplicates.append(article)
    return duplicates


def total(prices):
    """Return the sum of the prices, in cents."""
    return sum(prices)


def roman(number):
    """Return the Roman numeral of a number from 1 to 3999, such as XIV for 14."""
    raise NotImplementedError
