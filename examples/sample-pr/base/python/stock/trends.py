"""Functions over series of numbers."""


def moving_average(values, width):
    """Return the mean of each window of `width` neighbouring values, first window first."""
    if width < 1:
        raise ValueError("width must be at least 1")
    return [sum(values[start : start + width]) / width for start in range(len(values) - width + 1)]
