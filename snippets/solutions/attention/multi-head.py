"""Solutions to the exercises of the note "Masks and multi-head attention"."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from llm.nn import MultiHeadAttention, causal_mask


def predict(
    batch: int, length: int, *, width: int, heads: int
) -> dict[str, tuple[int, ...] | int]:
    """Shapes of "query", "scores", "merged" and "out", and the count of "parameters".

    "query" is split into heads, "scores" are of all heads, "merged" is what the output
    projection reads, "out" what it returns. All four projections have biases.
    """
    return {
        "query": (batch, heads, length, width // heads),
        "scores": (batch, heads, length, length),
        "merged": (batch, length, width),
        "out": (batch, length, width),
        "parameters": 4 * width * width + 4 * width,  # heads do not enter
    }


def broken(masks: dict[str, Callable[[int], Tensor]], *, window: int) -> set[str]:
    """Names of the masks that let some position see too much or too little.

    Right is a mask by which each position sees itself and the `window` - 1 before it.
    """
    length = 2 * window  # long enough for both edges of the window to show
    right = [[0 <= t - s < window for s in range(length)] for t in range(length)]
    return {name for name, make in masks.items() if make(length).tolist() != right}


def prefix_attention(q: Tensor, k: Tensor, v: Tensor, *, prefix: int) -> Tensor:
    """Attention by which everyone sees the first `prefix` positions and its own past.

    q, k and v are (B, H, T, D), and so is what returns.
    """
    mask = causal_mask(q.size(2))  # (T, T)
    mask[:, :prefix] = True
    scores = (q @ k.mT) / math.sqrt(q.size(-1))  # (B, H, T, T)
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ v


def least_needed(attention: MultiHeadAttention, loss: Callable[[], float]) -> int:
    """The head whose removal raises `loss()` least. Leaves `attention` as it was.

    `loss` measures the model that `attention` is part of, as it is at that moment.
    """
    weight = attention.out.weight  # (C, H·D)
    kept = weight.detach().clone()
    losses = []
    with torch.no_grad():
        for head in range(attention.heads):
            weight.unflatten(1, (attention.heads, -1))[:, head] = 0  # (C, H, D)
            losses.append(loss())
            weight.copy_(kept)
    return losses.index(min(losses))


def permute_heads(attention: MultiHeadAttention, order: list[int]) -> None:
    """Reorder heads in place, so that head i is what was head order[i].

    What `attention` computes stays the same.
    """
    H = attention.heads
    with torch.no_grad():
        for layer in (attention.query, attention.key, attention.value):
            for part in (layer.weight, layer.bias):  # heads lie along the rows
                part.copy_(part.unflatten(0, (H, -1))[order].flatten(0, 1))
        weight = attention.out.weight  # heads lie along the columns
        weight.copy_(weight.unflatten(1, (H, -1))[:, order].flatten(1))
