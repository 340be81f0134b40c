"""Functions over article numbers and prices."""


def cheapest(prices):
    """Return the lowest price, in cents; 0 for none."""
    return min(prices, default=0)
