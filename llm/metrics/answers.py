"""Exact match and F1 of answers, by the rules of SQuAD 1.1 and 2.0.

Two answers are the same when they differ only in case, punctuation, the articles a, an,
the, and white space (Rajpurkar et al. 2016). F1 is that of their words taken as bags.
Of several right answers the best counts. A question without an answer (SQuAD 2.0,
Rajpurkar et al. 2018) wants the empty string, and gives all or nothing.

Chinese writes no spaces: with `language="zh"` every Chinese character is a word, and
its punctuation goes too. (The script of CMRC 2018 takes the longest common substring
instead of the bag.)
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from llm.metrics.score import same_length, score

HAN = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")


class AnswerScores(NamedTuple):
    """Means in per cent; those of a kind of question are None where there is none."""

    exact: float
    f1: float
    answerable_exact: float | None
    answerable_f1: float | None
    unanswerable: float | None  # exact match and F1 are the same here


def squad(
    predictions: Sequence[str],
    answers: Sequence[Sequence[str]],
    *,
    language: str = "en",
) -> AnswerScores:
    """The scores of a data set: `answers[i]` are the right answers to question i.

    No answers, [], stand for a question that has none; its prediction should be "".
    Raises ValueError for another number of predictions, or a language that is neither
    en nor zh.
    """
    same_length(len(answers), len(predictions))
    rows = [
        (
            exact_match(prediction, right, language=language),
            answer_f1(prediction, right, language=language),
            bool(right),
        )
        for prediction, right in zip(predictions, answers, strict=True)
    ]
    with_answer = [row for row in rows if row[2]]
    without = [row for row in rows if not row[2]]
    return AnswerScores(
        percent([exact for exact, _, _ in rows]),
        percent([f1 for _, f1, _ in rows]),
        percent([exact for exact, _, _ in with_answer]) if with_answer else None,
        percent([f1 for _, f1, _ in with_answer]) if with_answer else None,
        percent([exact for exact, _, _ in without]) if without else None,
    )


def percent(values: Sequence[float]) -> float:
    """100 times the mean."""
    return 100 * sum(values) / len(values)


def exact_match(
    prediction: str, answers: Sequence[str], *, language: str = "en"
) -> float:
    """1.0 when the prediction is one of the answers, but for what does not matter."""
    said = answer_words(prediction, language=language)
    right = wanted_words(answers, language)
    return float(said in right)


def answer_f1(
    prediction: str, answers: Sequence[str], *, language: str = "en"
) -> float:
    """F1 of the words, with the answer that fits best."""
    said = answer_words(prediction, language=language)
    return max(bag_f1(said, words) for words in wanted_words(answers, language))


def wanted_words(answers: Sequence[str], language: str) -> list[list[str]]:
    """The words of each answer that has any; of the empty answer if none has."""
    if isinstance(answers, str):
        raise ValueError(f"a list of answers is needed, found the text {answers!r}")
    rows = [answer_words(answer, language=language) for answer in answers]
    return [row for row in rows if row] or [[]]


def bag_f1(said: list[str], wanted: list[str]) -> float:
    """F1 of two bags of words; two empty ones are equal."""
    if not said or not wanted:
        return float(said == wanted)
    shared = (Counter(said) & Counter(wanted)).total()
    return score(shared, said=len(said), wanted=len(wanted)).f1


def answer_words(text: str, *, language: str = "en") -> list[str]:
    """The words of an answer that matter: "The U.S. Army!" is ["us", "army"].

    Marks go before articles do, so "a." is no word, and "U.S.A" is one.
    """
    if language not in ("en", "zh"):
        raise ValueError(f"no rules for {language!r}: there are en and zh")
    text = text.lower()
    if language == "en":
        bare = "".join(letter for letter in text if letter not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", bare).split()
    bare = "".join(
        letter
        for letter in text
        if letter not in string.punctuation and unicodedata.category(letter)[0] != "P"
    )
    return HAN.sub(r" \1 ", bare).split()
