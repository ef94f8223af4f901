"""Solutions to the exercises of the note "The pre-training loop"."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.text.batches import IGNORE, Batch
from llm.train import TrainConfig, Trainer, next_token


def perplexity_and_bits(
    logits: Tensor, targets: Tensor, *, byte_count: int
) -> tuple[float, float]:
    """Perplexity a token, and bits a byte, of a text of `byte_count` bytes.

    `logits` (B, T, V) and `targets` (B, T); a target of IGNORE does not count.
    """
    log_p = logits.log_softmax(-1)  # (B, T, V)
    kept = targets != IGNORE
    chosen = log_p[kept].gather(-1, targets[kept][:, None])  # (N, 1)
    total = -chosen.sum().item()
    return math.exp(total / len(chosen)), total / math.log(2) / byte_count


def fit(
    model: nn.Module, data: Callable[[int], Batch], *, steps: int, lr: float
) -> list[float]:
    """Train with a constant rate; return the loss of every step.

    AdamW with betas 0.9 and 0.95 and no decay, gradients clipped to a norm of 1. Every
    target of the batch `data(step)` has the same weight.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.0
    )
    losses = []
    for step in range(steps):
        batch = data(step)
        loss = F.cross_entropy(model(batch["ids"]).mT, batch["targets"])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def gap(model: nn.Module, known: Sequence[Batch], new: Sequence[Batch]) -> float:
    """Loss on batches of new text minus loss on batches of known text, in nats a token.

    Without dropout; the model is left in the mode in which it came.
    """
    training = model.training
    model.eval()
    means = []
    with torch.no_grad():
        for batches in (known, new):
            losses = [next_token(model, batch) for batch in batches]
            total = sum(loss.total.item() for loss in losses)
            means.append(total / sum(loss.count.item() for loss in losses))
    model.train(training)
    return means[1] - means[0]


def go_on(
    model: nn.Module,
    data: Callable[[int], Batch],
    *,
    config: TrainConfig,
    out: Path,
    more: int,
) -> list[float]:
    """Train `more` steps beyond a finished run; return the losses of those steps.

    The run of `config` is in the directory `out`. `model` has the same shape and any
    weights; at the end it has those of the prolonged run.
    """
    longer = replace(config, steps=config.steps + more, log_every=1)
    records = Trainer(model, data, config=longer, out=out).fit(resume=True)
    return [r["loss"] for r in records if r["step"] > config.steps]


def error_of_mean_of_means(means: Sequence[float], counts: Sequence[int]) -> float:
    """How much the plain mean of `means` exceeds the mean of all losses.

    Computed as minus the covariance of means and counts, over the mean count.
    """
    mean = sum(means) / len(means)
    count = sum(counts) / len(counts)
    covariance = sum(
        (m - mean) * (n - count) for m, n in zip(means, counts, strict=True)
    ) / len(means)
    return -covariance / count
