"""Objectives: from a model and a batch to a loss.

An objective returns the loss summed over its targets beside their number, not a mean.
Sums can be added over micro-batches and processes, and one division at the end gives
the exact mean even when batches hold unequal numbers of targets.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from llm.nn import permutation_mask
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


def masked_token(model: nn.Module, batch: Batch) -> Loss:
    """Cross-entropy of each masked token: Devlin et al. 2019, section 3.1, task 1.

    `batch` holds "ids" and "targets", both (B, T), IGNORE where nothing was masked; and
    "mask" and "types" where the model shall have them: see `llm.text.masking`.
    """
    logits = model(batch["ids"], mask=batch.get("mask"), types=batch.get("types"))
    return cross_entropy(logits, batch["targets"])


def masked_and_next_sentence(model: Any, batch: Batch) -> Loss:
    """The mean loss of masked tokens plus that of pairs, as BERT was trained.

    Devlin et al. 2019, appendix A.2. `model` has `features`, `predict` and `follows`;
    `batch` holds beside what `masked_token` needs "next" (B,), 0 where B follows A.
    The loss of a pair is counted as `count` / B targets, so that the division by
    `count` gives the sum of both means.
    """
    x = model.features(batch["ids"], mask=batch.get("mask"), types=batch.get("types"))
    tokens = cross_entropy(model.predict(x), batch["targets"])
    pairs = cross_entropy(model.follows(x), batch["next"])
    total = tokens.total + pairs.total / pairs.count * tokens.count
    return Loss(total, tokens.count)


def permuted_token(model: nn.Module, batch: Batch) -> Loss:
    """Cross-entropy of each target, given the tokens before it in the order drawn.

    Yang et al. 2019 (arXiv:1906.08237), equation 5. `model` is an `XLNet`; `batch` is
    one of `llm.text.permutation.draw_orders`: "ids" and "order", both (B, T), "places"
    and "targets", both (B, K). What differs: here the tokens that are no targets see
    each other in the order drawn, as in the equation, and in the authors' program all.
    """
    visible = permutation_mask(batch["order"], itself=False)  # (B, T, T)
    logits = model(batch["ids"], visible=visible, targets=batch["places"])  # (B, K, V)
    return cross_entropy(logits, batch["targets"])


def text_to_text(model: nn.Module, batch: Batch) -> Loss:
    """Cross-entropy of each target token: -log p(targets | source, targets before).

    Teacher forcing: `batch` holds "ids", the targets one place later, next to "source",
    "mask" and "targets". See `llm.text.pairs`.
    """
    logits = model(batch["source"], batch["ids"], mask=batch["mask"])  # (B, T, V)
    return cross_entropy(logits, batch["targets"])
