"""From a row of ids to batches: windows to learn from, windows to measure with.

A batch is a dictionary of tensors: "ids" (B, T) and "targets" (B, T), both int64. The
target at a place is the id that follows it, or IGNORE where there is nothing to
learn. Training data is a function from the number of a step to its batch: what step
1000 sees depends on the seed and on 1000 alone, so a resumed run needs no other state.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

IGNORE = -100  # the target that carries no loss: torch's cross_entropy skips it
Batch = dict[str, Tensor]


class RandomWindows:
    """Windows of `context` ids from random places of a long row of ids (N,).

    `windows(step)` gives the batch of that step. Every place is equally likely, each
    time anew, as in GPT training: there are no epochs.

    Raises ValueError when the row has no window and its last target to offer.
    """

    def __init__(
        self, ids: Tensor, *, context: int, batch_size: int, seed: int = 0
    ) -> None:
        if len(ids) <= context:
            raise ValueError(
                f"the text has {len(ids)} tokens, and one window takes {context + 1} "
                f"(context {context} and the last target): give more text or a "
                "smaller context"
            )
        # A view: row i is ids[i : i + context + 1].
        self.rows = ids.unfold(0, context + 1, 1)  # (N - T, T + 1)
        self.batch_size = batch_size
        self.seed = seed

    def __call__(self, step: int) -> Batch:
        # torch's generator would keep only 32 bits of the pair; NumPy mixes them all.
        random = np.random.default_rng([self.seed, step])
        places = random.integers(len(self.rows), size=self.batch_size)
        rows = self.rows[torch.from_numpy(places)].long()  # (B, T + 1)
        return {"ids": rows[:, :-1], "targets": rows[:, 1:]}


def tiled_windows(ids: Tensor, *, context: int, batch_size: int) -> list[Batch]:
    """Cut a row of ids (N,) into windows side by side, for evaluation.

    Every id but the first is a target exactly once. The end of the last window is
    filled up with id 0 and target IGNORE; the last batch may have fewer windows.

    Raises ValueError when there is no target: fewer than two ids.
    """
    if len(ids) < 2:
        raise ValueError(
            f"the text has {len(ids)} tokens, and a prediction takes 2: give more text"
        )
    missing = -(len(ids) - 1) % context
    fill = torch.nn.functional.pad
    inputs = fill(ids[:-1].long(), (0, missing), value=0).view(-1, context)
    targets = fill(ids[1:].long(), (0, missing), value=IGNORE).view(-1, context)
    return [
        {"ids": inputs[i : i + batch_size], "targets": targets[i : i + batch_size]}
        for i in range(0, len(inputs), batch_size)
    ]


def pad_left(rows: Sequence[Sequence[int]], *, pad: int) -> tuple[Tensor, Tensor]:
    """Bring rows of unequal length to one by padding on the left with the id `pad`.

    Returns ids (B, T) int64 and mask (B, T) bool, True at a real token.

    Raises ValueError for no rows and for an empty row.
    """
    lengths = [len(row) for row in rows]
    if not lengths:
        raise ValueError("there are no rows to pad")
    if 0 in lengths:
        raise ValueError(f"row {lengths.index(0)} is empty")
    longest = max(lengths)
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros(len(rows), longest, dtype=torch.bool)
    for index, row in enumerate(rows):
        ids[index, longest - len(row) :] = torch.tensor(row)
        mask[index, longest - len(row) :] = True
    return ids, mask
