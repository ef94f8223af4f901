"""Span corruption: cut spans out of a text, and ask for them.

Raffel et al. 2020 (arXiv:1910.10683), section 3.1.4 and figure 2: each span that is cut
out leaves one sentinel, a token that occurs nowhere else; the target is every sentinel
followed by its span, and one more sentinel as the end.

    source   Thank you ⟨X⟩ me to your party ⟨Y⟩ week
    target   ⟨X⟩ for inviting ⟨Y⟩ last ⟨Z⟩

How much is cut, and how long spans are: section 3.3.4. What differs: a text may begin
with a span or end without one; each choice of spans that the numbers leave is equally
likely.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from llm.text.batches import Batch
from llm.text.pairs import to_batch

# Raffel et al. 2020, section 3.3.4: what they settle on.
RATE, LENGTH = 0.15, 3.0
Pair = tuple[list[int], list[int]]


class SpanCorruption:
    """Batches of corrupted texts: a function from the number of a step.

    Texts and spans depend on the seed and the step alone.

    Args:
        texts: ids of each text.
        sentinels: ids that occur in no text, one more than spans in the longest.
        start: what the decoder sees first; fills up targets, too.
        batch_size: B, texts in a batch.
        rate: share of tokens that is cut out.
        length: mean length of a span.
        seed: what is drawn.

    Raises:
        ValueError: there are no texts, or `corrupt` refuses one.
    """

    def __init__(
        self,
        texts: Sequence[list[int]],
        *,
        sentinels: Sequence[int],
        start: int,
        batch_size: int,
        rate: float = RATE,
        length: float = LENGTH,
        seed: int = 0,
    ) -> None:
        if not texts:
            raise ValueError("there are no texts to corrupt")
        self.texts = texts
        self.sentinels = sentinels
        self.start = start
        self.batch_size = batch_size
        self.rate = rate
        self.length = length
        self.seed = seed
        for text in (min(texts, key=len), max(texts, key=len)):
            count_spans(len(text), sentinels=sentinels, rate=rate, length=length)

    def pairs(self, step: int) -> list[Pair]:
        """Sources and targets of a step."""
        random = np.random.default_rng([self.seed, step])
        return [
            corrupt(
                self.texts[i],
                sentinels=self.sentinels,
                random=random,
                rate=self.rate,
                length=self.length,
            )
            for i in random.integers(len(self.texts), size=self.batch_size)
        ]

    def __call__(self, step: int) -> Batch:
        return to_batch(self.pairs(step), start=self.start)


def corrupt(
    ids: Sequence[int],
    *,
    sentinels: Sequence[int],
    random: np.random.Generator,
    rate: float = RATE,
    length: float = LENGTH,
) -> Pair:
    """Cut spans out of a text: its source, with sentinels, and its target, the spans.

    Args:
        ids: the text.
        sentinels: ids that do not occur in it, one more than spans.
        random: what the spans are drawn from.
        rate: share of tokens that is cut out; one is at least, and one is left.
        length: mean length of a span.

    Raises:
        ValueError: the text has fewer than two tokens or a sentinel among them, there
            are too few sentinels, or `rate` or `length` is out of range.
    """
    if used := sorted(set(ids) & set(sentinels)):
        raise ValueError(f"the text has the sentinels {used} among its tokens")
    cut, spans = count_spans(len(ids), sentinels=sentinels, rate=rate, length=length)
    lengths = split(cut, spans, random=random)
    # Between two spans there is a token at least; before the first and after the last
    # there may be none, so these are drawn one longer than they are.
    gaps = split(len(ids) - cut + 2, spans + 1, random=random)
    gaps[0], gaps[-1] = gaps[0] - 1, gaps[-1] - 1
    source: list[int] = []
    target: list[int] = []
    place = 0
    for sentinel, gap, span in zip(sentinels, gaps, lengths, strict=False):
        source += [*ids[place : place + gap], sentinel]
        place += gap
        target += [sentinel, *ids[place : place + span]]
        place += span
    return [*source, *ids[place:]], [*target, sentinels[spans]]


def restore(
    source: Sequence[int], target: Sequence[int], *, sentinels: Sequence[int]
) -> list[int]:
    """Put the spans of a target back where its sentinels stand in the source.

    A sentinel whose span the target lacks, as that of a model may, is left out.
    """
    spans: dict[int, list[int]] = {sentinel: [] for sentinel in sentinels}
    span: list[int] = []  # what stands before the first sentinel belongs nowhere
    for token in target:
        if token in spans:
            span = spans[token]
        else:
            span.append(token)
    pieces = [spans.get(token, [token]) for token in source]
    return [token for piece in pieces for token in piece]


def count_spans(
    size: int, *, sentinels: Sequence[int], rate: float, length: float
) -> tuple[int, int]:
    """How many of `size` tokens are cut out, and in how many spans.

    Raises:
        ValueError: see `corrupt`.
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate {rate} is not in (0, 1)")
    if not length >= 1:
        raise ValueError(f"length {length} is below 1: no span is shorter")
    if size < 2:
        raise ValueError(f"a text has {size} tokens: one to cut and one to leave")
    cut = min(max(round(size * rate), 1), size - 1)
    # Two spans that touch are one, so what is left must part them.
    spans = min(max(round(cut / length), 1), size - cut + 1)
    if len(sentinels) <= spans:
        raise ValueError(
            f"a text of {size} tokens has {spans} spans, and needs {spans + 1} "
            f"sentinels, not {len(sentinels)}"
        )
    return cut, spans


def split(total: int, parts: int, *, random: np.random.Generator) -> list[int]:
    """Cut `total` into `parts` of 1 at least, each way equally likely."""
    cuts = 1 + random.choice(total - 1, size=parts - 1, replace=False)
    places = [0, *sorted(int(cut) for cut in cuts), total]
    return [b - a for a, b in pairwise(places)]
