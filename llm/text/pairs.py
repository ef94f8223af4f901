"""From pairs of texts to batches for an encoder-decoder.

A batch has "source" (B, S), "mask" (B, S), True at its tokens, "ids" (B, T), what the
decoder sees, and "targets" (B, T), what it shall write.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from llm.text.batches import IGNORE, Batch


def to_batch(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]], *, start: int
) -> Batch:
    """One batch of all `pairs`, filled up on the right.

    The decoder is shown the target that it shall write (teacher forcing, Williams and
    Zipser 1989), one place later: before the first token it sees `start`.

    Args:
        pairs: source and target of each row.
        start: what the decoder sees first, and what fills rows up.

    Raises:
        ValueError: there are no pairs, or a source or target is empty.
    """
    if not pairs:
        raise ValueError("there are no pairs to make a batch of")
    for i, (source, target) in enumerate(pairs):
        if not (source and target):
            which = "target" if source else "source"
            raise ValueError(f"the {which} of pair {i} is empty")
    sources, targets = zip(*pairs, strict=True)
    lengths = torch.tensor([len(source) for source in sources])  # (B,)
    return {
        "source": filled(sources, start),
        "mask": torch.arange(int(lengths.max())) < lengths[:, None],
        "ids": filled([[start, *target[:-1]] for target in targets], start),
        "targets": filled(targets, IGNORE),
    }


def filled(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    """Rows as a tensor, filled up on the right to the longest: (B, T) int64."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])
