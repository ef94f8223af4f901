"""Objectives: from a model and a batch to a loss.

An objective returns the loss summed over its targets beside their number, not a mean.
Sums can be added over micro-batches and processes, and one division at the end gives
the exact mean even when batches hold unequal numbers of targets.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from llm.text.batches import IGNORE, Batch


class Loss(NamedTuple):
    """A loss before its division: `total` in nats over `count` targets, both ()."""

    total: Tensor
    count: Tensor  # type: ignore[assignment]  # hides tuple.count, which nobody needs


Objective = Callable[[nn.Module, Batch], Loss]


def next_token(model: nn.Module, batch: Batch) -> Loss:
    """Cross-entropy of each next token: -log p(targets | ids up to there).

    `batch` holds "ids" and "targets", both (B, T); a target of IGNORE carries no loss.
    """
    return cross_entropy(model(batch["ids"]), batch["targets"])


def cross_entropy(logits: Tensor, targets: Tensor) -> Loss:
    """-log p of each target, summed: logits (..., V), targets (...)."""
    total = F.cross_entropy(
        logits.flatten(0, -2).float(),  # half precision is too coarse for log-softmax
        targets.flatten(),
        ignore_index=IGNORE,
        reduction="sum",
    )
    return Loss(total, (targets != IGNORE).sum())


def text_to_text(model: nn.Module, batch: Batch) -> Loss:
    """Cross-entropy of each target token: -log p(targets | source, targets before).

    Teacher forcing: `batch` holds "ids", the targets one place later, next to "source",
    "mask" and "targets". See `llm.text.pairs`.
    """
    logits = model(batch["source"], batch["ids"], mask=batch["mask"])  # (B, T, V)
    return cross_entropy(logits, batch["targets"])
