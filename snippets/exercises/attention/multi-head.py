"""Exercises of the note "Masks and multi-head attention". Complete each function, then
run

ANSWER=this_file.py python -m pytest tests/notes/attention/test_multi_head.py
"""

from collections.abc import Callable

import torch
from torch import Tensor

from llm.nn import MultiHeadAttention

# Five attempts at a window: each position sees itself and the two before it.
WINDOWS: dict[str, Callable[[int], Tensor]] = {
    "a": lambda T: torch.ones(T, T, dtype=torch.bool).tril().triu(-3),
    "b": lambda T: (torch.arange(T)[:, None] - torch.arange(T)).abs() < 3,
    "c": lambda T: torch.ones(T, T, dtype=torch.bool).tril().triu(-2),
    "d": lambda T: ~torch.ones(T, T, dtype=torch.bool).tril().triu(-2),
    "e": lambda T: torch.ones(T, T, dtype=torch.bool).triu().tril(2).T,
}


def predict(
    batch: int, length: int, *, width: int, heads: int
) -> dict[str, tuple[int, ...] | int]:
    """Shapes of "query", "scores", "merged" and "out", and the count of "parameters".

    "query" is split into heads, "scores" are of all heads, "merged" is what the output
    projection reads, "out" what it returns. All four projections have biases.
    """
    raise NotImplementedError


def broken(masks: dict[str, Callable[[int], Tensor]], *, window: int) -> set[str]:
    """Names of the masks that let some position see too much or too little.

    Right is a mask by which each position sees itself and the `window` - 1 before it.
    """
    raise NotImplementedError


def prefix_attention(q: Tensor, k: Tensor, v: Tensor, *, prefix: int) -> Tensor:
    """Attention by which everyone sees the first `prefix` positions and its own past.

    q, k and v are (B, H, T, D), and so is what returns.
    """
    raise NotImplementedError


def least_needed(attention: MultiHeadAttention, loss: Callable[[], float]) -> int:
    """The head whose removal raises `loss()` least. Leaves `attention` as it was.

    `loss` measures the model that `attention` is part of, as it is at that moment.
    """
    raise NotImplementedError


def permute_heads(attention: MultiHeadAttention, order: list[int]) -> None:
    """Reorder heads in place, so that head i is what was head order[i].

    What `attention` computes stays the same.
    """
    raise NotImplementedError
