"""Accuracy, macro F1 and calibration of labels."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

from llm.metrics.score import Score, same_length, score

Label = TypeVar("Label", bound=Hashable)


def accuracy(truth: Sequence[Hashable], predicted: Sequence[Hashable]) -> float:
    """Share of the labels that are right.

    Raises ValueError for another number of predictions, or none.
    """
    same_length(len(truth), len(predicted))
    hits = sum(a == b for a, b in zip(truth, predicted, strict=True))
    return hits / len(truth)


def label_scores(
    truth: Sequence[Label], predicted: Sequence[Label]
) -> dict[Label, Score]:
    """Precision, recall and F1 of every label that is true or predicted somewhere.

    Raises ValueError for another number of predictions, or none.
    """
    same_length(len(truth), len(predicted))
    pairs = list(zip(truth, predicted, strict=True))
    return {
        label: score(
            sum(a == b == label for a, b in pairs),
            said=sum(b == label for _, b in pairs),
            wanted=sum(a == label for a, _ in pairs),
        )
        for label in dict.fromkeys([*truth, *predicted])
    }


def macro_f1(truth: Sequence[Hashable], predicted: Sequence[Hashable]) -> float:
    """The mean of the labels' F1: a rare label weighs as much as a common one.

    Raises ValueError for another number of predictions, or none.
    """
    scores = label_scores(truth, predicted)
    return sum(score.f1 for score in scores.values()) / len(scores)


def calibration_error(
    confidences: Sequence[float], correct: Sequence[bool], *, bins: int = 10
) -> float:
    """Expected calibration error (Guo et al. 2017, equation 3), from 0 to 1.

        ECE = sum over bins of |B| / n · |accuracy(B) - mean confidence(B)|

    `confidences` are the probabilities given to the predicted labels; bin m of M holds
    those in ((m - 1) / M, m / M], and the first one 0 too. Raises ValueError for
    unequal lengths, no bins, or a confidence that is not from 0 to 1.
    """
    same_length(len(correct), len(confidences))
    if bins < 1:
        raise ValueError(f"there must be a bin at least: bins is {bins}")
    wrong = [value for value in confidences if not 0 <= value <= 1]
    if wrong:
        raise ValueError(f"a confidence is a probability from 0 to 1, found {wrong[0]}")
    edges = [edge / bins for edge in range(1, bins + 1)]
    gaps = [0.0] * bins  # correct answers less confidence, of each bin
    for value, right in zip(confidences, correct, strict=True):
        gaps[next(i for i, edge in enumerate(edges) if value <= edge)] += right - value
    return sum(map(abs, gaps)) / len(correct)
