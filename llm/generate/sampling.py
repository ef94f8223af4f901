"""Decoding rules: what is done to logits before the next token is drawn from them.

Each rule takes logits (..., V) and gives logits of the same shape, with -inf where a
token may no longer be drawn. The most likely token always stays. Tokens of equal logits
share their fate, but for `top_p`, which takes those of lower ids first.
"""

import math

import torch
from torch import Tensor

NEVER = float("-inf")


def temperature(logits: Tensor, t: float) -> Tensor:
    """Divide by `t`: below 1 the likely gain, above 1 the unlikely do.

    Ackley et al. 1985 (doi:10.1207/s15516709cog0901_7). As t goes to 0, what is drawn
    becomes the most likely token; 0 itself is no division, and `draw` handles it.

    Raises:
        ValueError: `t` is not a positive number.
    """
    if not 0 < t < math.inf:
        raise ValueError(f"temperature {t} is not a positive number")
    return logits / t


def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the `k` most likely tokens (Fan et al. 2018, arXiv:1805.04833).

    Tokens as likely as the k-th stay as well, so there may be more; a `k` beyond the
    vocabulary keeps all.

    Raises:
        ValueError: `k` is below 1.
    """
    if k < 1:
        raise ValueError(f"top_k {k} is below 1")
    kth = logits.topk(min(k, logits.size(-1))).values[..., -1:]  # (..., 1)
    return logits.masked_fill(logits < kth, NEVER)


def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the most likely tokens until their probabilities sum to `p` or more.

    Nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751): a token stays if those
    more likely than it sum to less than `p`.

    Raises:
        ValueError: `p` is not in (0, 1].
    """
    if not 0 < p <= 1:
        raise ValueError(f"top_p {p} is not in (0, 1]")
    if p == 1:
        return logits  # a sum rounded up to 1 would drop the rarest
    order = logits.argsort(dim=-1, descending=True, stable=True)  # (..., V)
    probability = logits.gather(-1, order).softmax(-1, dtype=torch.float32)
    before = probability.cumsum(-1) - probability  # (..., V)
    dropped = torch.zeros_like(order, dtype=torch.bool)
    return logits.masked_fill(dropped.scatter(-1, order, before >= p), NEVER)


def min_p(logits: Tensor, p: float) -> Tensor:
    """Keep tokens at least `p` times as likely as the most likely.

    Nguyen et al. 2024 (arXiv:2407.01082): few stay where the model is sure, many where
    it is not. A ratio of probabilities is a difference of logits.

    Raises:
        ValueError: `p` is not in (0, 1].
    """
    if not 0 < p <= 1:
        raise ValueError(f"min_p {p} is not in (0, 1]")
    least = logits.amax(-1, keepdim=True) + math.log(p)  # (..., 1)
    return logits.masked_fill(logits < least, NEVER)


def draw(logits: Tensor, generators: list[torch.Generator]) -> Tensor:
    """One token for each row of `logits`, (B, V) to (B,), each by its own generator."""
    rows = zip(logits.softmax(-1, dtype=torch.float32), generators, strict=True)
    drawn = [torch.multinomial(row, 1, generator=own) for row, own in rows]
    return torch.cat(drawn)  # (B,)
