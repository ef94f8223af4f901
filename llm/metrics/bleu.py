"""BLEU (Papineni et al. 2002), as sacrebleu computes it (Post 2018).

    BLEU = BP · exp(mean over n = 1..4 of log p_n),   BP = min(1, exp(1 - r / c))

p_n is the share of the n-grams of the translations that are in their references, each
counted no more often than in the reference that has it most; c is the length of the
translations and r that of the references nearest in length. Counts are summed over the
corpus before anything is divided. An order without a match counts as 1/2, 1/4 ... of
one match ("exp", the smoothing of mteval-v13a).

A BLEU without its tokenizer is no figure: 13a for English, zh for Chinese.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from llm.metrics.score import same_length

ORDERS = 4  # n-grams up to this length, as in the paper


class BLEU(NamedTuple):
    """The score from 0 to 100, and what it is made of."""

    score: float
    precisions: tuple[float, ...]  # of n = 1..4, in per cent, smoothed
    brevity_penalty: float
    length: int  # of the translations, in tokens
    reference_length: int


class Counts(NamedTuple):
    """What one sentence adds to the counts of its corpus."""

    length: int
    reference_length: int
    matches: tuple[int, ...]  # of n = 1..4
    totals: tuple[int, ...]


def corpus_bleu(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    tokenize: str = "13a",
) -> BLEU:
    """BLEU of a corpus: `references[i]` are the references of `predictions[i]`.

    `tokenize` is 13a, zh, char or none (split at white space). Raises ValueError for
    any other name, another number of references, or a sentence without a reference.
    """
    same_length(len(references), len(predictions))
    rows = [
        count(prediction, texts, tokenize=tokenize)
        for prediction, texts in zip(predictions, references, strict=True)
    ]
    return combine(rows, orders=ORDERS)


def sentence_bleu(
    prediction: str, references: Sequence[str], *, tokenize: str = "13a"
) -> BLEU:
    """BLEU of one sentence; sentences of under four words have fewer orders.

    Raises ValueError as `corpus_bleu` does.
    """
    counts = count(prediction, references, tokenize=tokenize)
    return combine([counts], orders=min(ORDERS, counts.length))


def combine(rows: list[Counts], *, orders: int) -> BLEU:
    """The equation above, of counts summed over sentences."""
    length = sum(row.length for row in rows)
    reference_length = sum(row.reference_length for row in rows)
    matches = [
        sum(column) for column in zip(*(row.matches for row in rows), strict=True)
    ]
    totals = [sum(column) for column in zip(*(row.totals for row in rows), strict=True)]

    brevity = 1.0
    if length < reference_length:
        brevity = math.exp(1 - reference_length / length) if length else 0.0
    if not any(matches):
        return BLEU(0.0, (0.0,) * ORDERS, brevity, length, reference_length)

    precisions, smoothed = [0.0] * ORDERS, 1.0
    for n, (match, total) in enumerate(zip(matches, totals, strict=True)):
        if total and not match:
            smoothed /= 2
        if total:
            precisions[n] = 100 * (match or smoothed) / total
    used = precisions[:orders]
    score = 0.0
    if all(used):
        score = brevity * math.exp(sum(map(math.log, used)) / orders)
    return BLEU(score, tuple(precisions), brevity, length, reference_length)


def count(prediction: str, references: Sequence[str], *, tokenize: str) -> Counts:
    """Count n-grams, and those that are in a reference."""
    if tokenize not in TOKENIZERS:
        raise ValueError(
            f"no tokenizer {tokenize!r}: there are {', '.join(TOKENIZERS)}"
        )
    if isinstance(references, str) or not references:
        raise ValueError(
            f"a list of references is needed for {prediction!r}, found {references!r}"
        )
    words = TOKENIZERS[tokenize](prediction.rstrip())
    others = [TOKENIZERS[tokenize](reference.rstrip()) for reference in references]
    # Of two references as near in length, the shorter one: a tie is no penalty.
    _, nearest = min((abs(len(other) - len(words)), len(other)) for other in others)
    matches, totals = [], []
    for n in range(1, ORDERS + 1):
        known: Counter[tuple[str, ...]] = Counter()
        for other in others:
            known |= ngrams(other, n)
        matches.append((ngrams(words, n) & known).total())
        totals.append(max(len(words) - n + 1, 0))
    return Counts(len(words), nearest, tuple(matches), tuple(totals))


def ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of n words occurs."""
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


# Marks that always stand alone; an apostrophe, comma, hyphen or full stop may not.
MARKS = re.compile(f"((?![',.-])[{re.escape(string.punctuation)}])")
ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}


def tokenize_13a(text: str) -> list[str]:
    """Words and marks as mteval-v13a.pl of WMT splits them: "1,000.5" is one word."""
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, mark in ENTITIES.items():  # in this order: "&amp;lt;" becomes "<"
        text = text.replace(entity, mark)
    return split_marks(f" {text} ")


def split_marks(text: str) -> list[str]:
    """The part of 13a that Chinese shares: ASCII marks come off words."""
    text = MARKS.sub(r" \1 ", text)
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)  # no digit before
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)  # no digit after
    text = re.sub(r"([0-9])(-)", r"\1 \2 ", text)  # a hyphen after a digit: 3 - year
    return text.split()


# What sacrebleu takes for Chinese: marks, radicals, ideographs, compatibility and full
# width. Its ranges of rare ideographs beyond U+FFFF are miswritten there: they mean
# U+2001 to U+2A6D, dashes and curly quotes among them, and scores depend on it.
CHINESE = re.compile(
    "([\u2001-\u2a6d\u2e80-\u2eff\u2f00-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf"
    "\u31c0-\u31ef\u3200-\u4db5\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9"
    "\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef])"
)


def tokenize_zh(text: str) -> list[str]:
    """Every Chinese character and mark alone, the rest as 13a has it."""
    return split_marks(CHINESE.sub(r" \1 ", text.strip()))


def tokenize_char(text: str) -> list[str]:
    """Every character alone; white space goes."""
    return list("".join(text.split()))


TOKENIZERS: dict[str, Callable[[str], list[str]]] = {
    "13a": tokenize_13a,
    "zh": tokenize_zh,
    "char": tokenize_char,
    "none": str.split,
}
