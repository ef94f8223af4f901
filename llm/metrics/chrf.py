"""chrF (Popović 2015) and chrF++ (Popović 2017), as sacrebleu computes them.

    chrF = (1 + β²) · P · R / (β² · P + R)

P and R are the means of the precisions and recalls of n-grams of 1 to 6 characters,
white space left out; chrF++ adds those of 1 and 2 words. With β = 2 recall weighs twice
as much. Characters need no tokenizer, so Chinese and English are treated alike.
"""

import string
from collections import Counter
from collections.abc import Sequence

from llm.metrics.bleu import ngrams
from llm.metrics.score import same_length

CHARACTERS = 6  # orders of characters, as in the paper
BETA = 2
# Of each order: n-grams of the prediction, of the reference, and of both.
Counts = list[tuple[int, int, int]]


def corpus_chrf(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, words: int = 0
) -> float:
    """chrF of a corpus from 0 to 100, or chrF++ with `words=2`.

    `references[i]` are the references of `predictions[i]`; the one that fits best
    counts. Counts are summed over the corpus before anything is divided. Raises
    ValueError for another number of references, or a sentence without a reference.
    """
    same_length(len(references), len(predictions))
    sums = [(0, 0, 0)] * (CHARACTERS + words)
    for prediction, texts in zip(predictions, references, strict=True):
        if isinstance(texts, str) or not texts:
            raise ValueError(
                f"a list of references is needed for {prediction!r}, found {texts!r}"
            )
        own = orders(prediction, words)
        best = max((compare(own, orders(text, words)) for text in texts), key=f_score)
        sums = [
            (a + x, b + y, c + z)
            for (a, b, c), (x, y, z) in zip(sums, best, strict=True)
        ]
    return f_score(sums)


def sentence_chrf(
    prediction: str, references: Sequence[str], *, words: int = 0
) -> float:
    """chrF of one sentence, or chrF++ with `words=2`; see `corpus_chrf`."""
    return corpus_chrf([prediction], [references], words=words)


def orders(text: str, words: int) -> list[Counter[tuple[str, ...]]]:
    """The n-grams of 1..6 characters, then of 1..`words` words."""
    characters = "".join(text.split())
    return [ngrams(characters, n) for n in range(1, CHARACTERS + 1)] + [
        ngrams(split_words(text), n) for n in range(1, words + 1)
    ]


def split_words(text: str) -> list[str]:
    """Words, with one ASCII mark split off the end, or else the beginning, of each."""
    words = []
    for word in text.split():
        if len(word) > 1 and word[-1] in string.punctuation:
            words += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in string.punctuation:
            words += [word[0], word[1:]]
        else:
            words.append(word)
    return words


def compare(
    own: list[Counter[tuple[str, ...]]], other: list[Counter[tuple[str, ...]]]
) -> Counts:
    """Count the n-grams of each order; none where the reference is too short."""
    return [
        (mine.total() if theirs else 0, theirs.total(), (mine & theirs).total())
        for mine, theirs in zip(own, other, strict=True)
    ]


def f_score(counts: Counts) -> float:
    """The equation above, over the orders that both sides are long enough for."""
    used = [row for row in counts if row[0] and row[1]]
    if not any(both for _, _, both in used):
        return 0.0
    precision = sum(both / mine for mine, _, both in used) / len(used)
    recall = sum(both / theirs for _, theirs, both in used) / len(used)
    weight = BETA**2
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall)
