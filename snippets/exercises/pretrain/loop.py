"""Exercises of the note "The pre-training loop". Complete each function, then run

ANSWER=this_file.py python -m pytest tests/notes/pretrain/test_loop.py
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor, nn

from llm.text.batches import Batch
from llm.train import TrainConfig


def perplexity_and_bits(
    logits: Tensor, targets: Tensor, *, byte_count: int
) -> tuple[float, float]:
    """Perplexity a token, and bits a byte, of a text of `byte_count` bytes.

    `logits` (B, T, V) and `targets` (B, T); a target of IGNORE does not count.
    """
    raise NotImplementedError


def fit(
    model: nn.Module, data: Callable[[int], Batch], *, steps: int, lr: float
) -> list[float]:
    """Train with a constant rate; return the loss of every step.

    AdamW with betas 0.9 and 0.95 and no decay, gradients clipped to a norm of 1. Every
    target of the batch `data(step)` has the same weight.
    """
    raise NotImplementedError


def gap(model: nn.Module, known: Sequence[Batch], new: Sequence[Batch]) -> float:
    """Loss on batches of new text minus loss on batches of known text, in nats a token.

    Without dropout; the model is left in the mode in which it came.
    """
    raise NotImplementedError


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
    raise NotImplementedError


def error_of_mean_of_means(means: Sequence[float], counts: Sequence[int]) -> float:
    """How much the plain mean of `means` exceeds the mean of all losses.

    Computed as minus the covariance of means and counts, over the mean count.
    """
    raise NotImplementedError
