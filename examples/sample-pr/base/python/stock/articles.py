"""Functions over article numbers."""


def find_duplicates(articles):
    """Return the articles that occur more than once, each once, in the order of their second occurrence."""
    duplicates = []
    for index, article in enumerate(articles):
        if article in articles[:index] and article not in duplicates:
            duplicates.append(article)
    return duplicates


def total(prices):
    """Return the sum of the prices, in cents."""
    result = 0
    for price in prices:
        result = result + price
    return result
