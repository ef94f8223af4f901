"""Rotary positions: turn queries and keys by an angle that grows with the position.

Su et al. 2021 (arXiv:2104.09864), equations 14 and 15: feature pair i of position m is
a point of the plane, and turns by m·θᵢ with θᵢ = base^(-2i/D), i from 0. A query at m
and a key at n then meet at an angle that depends on m - n alone.

What differs: the paper pairs neighbours, features 2i and 2i + 1; here, as in the Llama
checkpoints on Hugging Face, feature i is paired with feature i + D/2. Both are the same
up to an order of the features, but weights trained with one do not work with the other.
"""

import torch
from torch import Tensor, nn

# Cosine and sine of the angles of each position, broadcast to (B, H, T, D/2).
Rotation = tuple[Tensor, Tensor]


class Rotary(nn.Module):
    """Cosines and sines of every angle, computed once and looked up by position.

    Args:
        width: D, width of a head, even.
        context: number of positions.
        base: how slowly the slowest pair turns; longer contexts want a larger one.

    Raises:
        ValueError: `width` is odd.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, width: int, *, context: int, base: float = 10_000.0) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"rotary positions pair features: head width {width}")
        theta = 1.0 / base ** (torch.arange(0, width, 2) / width)  # (D/2,)
        angle = torch.outer(torch.arange(context), theta)  # (context, D/2)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, positions: Tensor) -> Rotation:
        """Look up `positions`, (T,) or (B, T): two tensors (1, T, D/2) or (B, 1, ...).

        The 1 is where the heads are, all of which turn alike.
        """
        return self.cos[positions].unsqueeze(-3), self.sin[positions].unsqueeze(-3)


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn each pair (xᵢ, xᵢ₊D/2) of `x`, (B, H, T, D), by its position's angle."""
    cos, sin = rotation  # (B, 1, T, D/2)
    first, second = x.chunk(2, dim=-1)  # (B, H, T, D/2)
    turned = (first * cos - second * sin, second * cos + first * sin)
    return torch.cat(turned, dim=-1)  # (B, H, T, D)
