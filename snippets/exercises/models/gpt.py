"""Exercises of the note "GPT from scratch". Complete each function, then run

ANSWER=this_file.py python -m pytest tests/notes/models/test_gpt.py
"""

from torch import Tensor, nn


def attention_share(width: int, hidden: int) -> float:
    """Share of a block's weight matrices that belongs to attention, from 0 to 1.

    Biases and norms do not count; the feed-forward network has one hidden layer.
    """
    raise NotImplementedError


def gpt2_parameters(*, vocab_size: int, context: int, layers: int, width: int) -> int:
    """Number of parameters of a GPT-2: all biases and norms, tied head."""
    raise NotImplementedError


def first_leak(model: nn.Module, ids: Tensor) -> int | None:
    """First position of `ids` (T,) whose logits change when only later ids change.

    None when there is no such position: then the model is causal.
    """
    raise NotImplementedError


def greedy(model: nn.Module, ids: list[int], *, max_tokens: int) -> list[int]:
    """`ids` and the `max_tokens` most likely next tokens, found with `model` alone."""
    raise NotImplementedError
