"""Timings beside their goals: `python -m bench`. No test depends on a clock."""

from collections.abc import Callable
from typing import NamedTuple


class Comparison(NamedTuple):
    """Two ways to do a thing; the first should take at most `goal` times the second."""

    name: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    goal: float


class Budget(NamedTuple):
    """A figure in `unit` that should be at most `goal`; compared with nothing else."""

    name: str
    measure: Callable[[], float]
    unit: str
    goal: float
