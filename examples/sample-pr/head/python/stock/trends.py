"""Functions over series of numbers."""


def moving_average(values, width):
    """Return the mean of each window of `width` neighbouring values, first window first."""
    if width < 1:
        raise ValueError("width must be at least 1")
    averages = []
    window = sum(values[:width])
    for index in range(width, len(values)):
        averages.append(window / width)
        window += values[index] - values[index - width]
    return averages
