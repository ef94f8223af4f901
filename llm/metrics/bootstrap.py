"""How far would a figure move with other test examples? (Efron 1979)

The examples are drawn again, with return, many times, and the figure computed each
time; the interval holds the middle 95 % of what came out.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, TypeVar

Example = TypeVar("Example")


class Interval(NamedTuple):
    """From low to high."""

    low: float
    high: float


def bootstrap_interval(
    examples: Sequence[Example],
    statistic: Callable[[list[Example]], float],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """The percentile interval of a `statistic`, such as `statistics.fmean`.

    An example may be anything that `statistic` takes a list of: a number, or a pair of
    a truth and a prediction. To compare two models, give the differences example by
    example, and see whether 0 is in the interval. Raises ValueError without examples
    or resamples, or for a level that is not between 0 and 1.
    """
    if not examples:
        raise ValueError("there are no examples to draw from")
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(
            f"need a level between 0 and 1 and at least 1 resample: found {level} "
            f"and {resamples}"
        )
    random = Random(seed)
    values = sorted(
        statistic(random.choices(examples, k=len(examples))) for _ in range(resamples)
    )
    outside = (1 - level) / 2
    return Interval(quantile(values, outside), quantile(values, 1 - outside))


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of the sorted values is below, between two neighbours."""
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])
