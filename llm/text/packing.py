"""Prompts and answers as batches: one example a row, or several packed into one.

Only the answer is to be learned, so only its tokens are targets. A row as long as its
longest example is mostly padding where lengths differ; packed rows are full. Examples
that share a row must not see each other: a packed batch numbers them in "segments",
which `GPT` takes, so that each is read as if alone (Krell et al. 2021,
arXiv:2107.02027).
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch

from llm.text.batches import IGNORE, Batch

Item = TypeVar("Item")
Ids = Sequence[int]
Pair = tuple[Ids, Ids]  # prompt, answer
Triple = tuple[Ids, Ids, Ids]  # prompt, chosen answer, rejected answer


def answer_row(prompt: Ids, answer: Ids) -> tuple[list[int], list[int]]:
    """The ids of an example and their targets: what follows each, in the answer only.

    >>> answer_row([1, 2], [3, 4])
    ([1, 2, 3, 4], [-100, 3, 4, -100])

    Raises:
        ValueError: prompt or answer is empty.
    """
    if not prompt:
        raise ValueError(f"the answer {list(answer)} has no prompt: give it one token")
    if not answer:
        raise ValueError(f"the prompt {list(prompt)} has an empty answer: leave it out")
    targets = [IGNORE] * (len(prompt) - 1) + list(answer) + [IGNORE]
    return [*prompt, *answer], targets


def answer_batch(pairs: Sequence[Pair]) -> Batch:
    """One example a row, filled up on the right, which a causal model never sees.

    Returns "ids" and "targets", both (B, T), and "lengths" (B,), prompt and answer.

    Raises:
        ValueError: a prompt or an answer is empty.
    """
    rows = [answer_row(*pair) for pair in pairs]
    lengths = [len(ids) for ids, _ in rows]
    return {
        "ids": filled([ids for ids, _ in rows], max(lengths), 0),
        "targets": filled([targets for _, targets in rows], max(lengths), IGNORE),
        "lengths": torch.tensor(lengths),
    }


def preference_batch(triples: Sequence[Triple]) -> Batch:
    """Two answers to each prompt: the chosen one at place 0, the rejected one at 1.

    Returns "ids" and "targets", both (B, 2, T), and "lengths" (B, 2).

    Raises:
        ValueError: a prompt or an answer is empty.
    """
    both = [(prompt, answer) for prompt, *answers in triples for answer in answers]
    return {name: t.view(-1, 2, *t.shape[1:]) for name, t in answer_batch(both).items()}


def packed_batch(rows: Sequence[Sequence[Pair]], *, context: int) -> Batch:
    """Several examples a row, each without its last token, which predicts nothing.

    Returns "ids", "targets" and "segments", all (B, `context`). Padding at the end of a
    row is a segment of its own.

    Raises:
        ValueError: a prompt or an answer is empty, or a row exceeds the context.
    """
    ids, targets, segments = [], [], []
    for row in rows:
        examples = [answer_row(*pair) for pair in row]
        lengths = [len(tokens) - 1 for tokens, _ in examples]
        if sum(lengths) > context:
            raise ValueError(f"{sum(lengths)} tokens exceed the context of {context}")
        ids.append([token for tokens, _ in examples for token in tokens[:-1]])
        targets.append([token for _, tokens in examples for token in tokens[:-1]])
        segments.append([i for i, length in enumerate(lengths) for _ in range(length)])
    return {
        "ids": filled(ids, context, 0),
        "targets": filled(targets, context, IGNORE),
        "segments": filled(segments, context, max(map(len, rows))),
    }


def filled(rows: list[list[int]], length: int, fill: int) -> torch.Tensor:
    """Rows of unequal length as (B, length), filled up on the right."""
    return torch.tensor([row + [fill] * (length - len(row)) for row in rows])


def pack(pairs: Sequence[Pair], *, context: int) -> list[list[Pair]]:
    """Share the examples out among as few rows of `context` tokens as we can.

    From the longest to the shortest, each goes where the least room stays: best-fit
    decreasing, which never takes more than 11/9 of the fewest rows possible, and four
    (Johnson et al. 1974, doi:10.1137/0203025).

    Raises:
        ValueError: examples exceed the context; `shorten` cuts them.
    """
    lengths = [len(prompt) + len(answer) - 1 for prompt, answer in pairs]
    if long := [length for length in lengths if length > context]:
        raise ValueError(
            f"{len(long)} of {len(pairs)} examples exceed the context of {context} "
            f"tokens, the longest with {max(long)}: shorten them"
        )
    rows: list[list[Pair]] = []
    free: list[tuple[int, int]] = []  # room and row, the least room first
    for i in sorted(range(len(pairs)), key=lambda i: -lengths[i]):
        place = bisect_left(free, (lengths[i], 0))
        if place == len(free):
            free.append((context, len(rows)))
            rows.append([])
        room, row = free.pop(place)
        rows[row].append(pairs[i])
        insort(free, (room - lengths[i], row))
    return rows


def shorten(pairs: Sequence[Pair], *, context: int) -> tuple[list[Pair], int]:
    """Cut examples to `context` tokens and their last target; how many were cut.

    The answer is what shall be learned, so the prompt loses its first tokens. Only an
    answer that leaves no room for a single token of it loses its last.
    """
    fitting = []
    for prompt, answer in pairs:
        kept = answer[:context]
        room = context + 1 - len(kept)  # at least 1
        fitting.append((prompt[-room:], kept))
    cut = sum(len(p) + len(a) > context + 1 for p, a in pairs)
    return fitting, cut


def shuffled(
    items: Sequence[Item], *, batch_size: int, seed: int = 0
) -> Callable[[int], list[Item]]:
    """The items of each step: every epoch gives each once, in an order of its own.

    What a step gets depends on it and on the seed alone. A batch may reach from one
    epoch into the next.

    >>> rows = shuffled([1, 2, 3], batch_size=2)
    >>> sorted(rows(0) + rows(1)[:1])
    [1, 2, 3]

    Raises:
        ValueError: there are no items.
    """
    if not items:
        raise ValueError("there is nothing to draw batches from")

    def drawn(step: int) -> list[Item]:
        numbers = range(step * batch_size, (step + 1) * batch_size)
        epochs = {number // len(items) for number in numbers}
        order = {
            epoch: np.random.default_rng([seed, epoch]).permutation(len(items))
            for epoch in epochs
        }
        return [items[order[n // len(items)][n % len(items)]] for n in numbers]

    return drawn
