"""Precision, recall and their harmonic mean, which spans, ROUGE and labels share."""

from typing import NamedTuple


class Score(NamedTuple):
    """How much of what was said is right, and how much of what is right was said."""

    precision: float
    recall: float
    f1: float


def score(shared: int, *, said: int, wanted: int) -> Score:
    """The score of `said` things of which `shared` are among the `wanted` ones.

    0 where a denominator is 0: who says nothing gets nothing.
    """
    precision = shared / said if said else 0.0
    recall = shared / wanted if wanted else 0.0
    both = precision + recall
    return Score(precision, recall, 2 * precision * recall / both if both else 0.0)


def same_length(truth: int, predicted: int) -> None:
    """Raise ValueError unless there are as many predictions as truths, and one."""
    if truth != predicted:
        raise ValueError(f"{predicted} predictions for {truth} examples")
    if not truth:
        raise ValueError("there are no examples to measure")
