"""Layers that stand in for a linear layer and hold it, frozen, inside.

Each begins as exactly the layer that it holds: the product of LoRA and the correction
of an adapter are zero, the gains of IA3 and DoRA are 1.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.peft.quantize import Linear

Side = Literal["input", "output"]


class LoRALinear(nn.Module):
    """A linear layer with W + scale · B A in place of W, and DoRA. See `methods.LoRA`.

    Args:
        base: the layer with W, (out, in).
        rank: rows of A.
        scale: what B A is multiplied by.
        dropout: probability with which A does not see an input feature.
        dora: scale each row of the sum to a norm that is learned.
    """

    magnitude: nn.Parameter | None

    def __init__(
        self,
        base: Linear,
        *,
        rank: int,
        scale: float,
        dropout: float = 0.0,
        dora: bool = False,
    ) -> None:
        super().__init__()
        self.base = base
        like = base.weight
        A = nn.Linear(base.in_features, rank, bias=False)  # drawn as torch draws them
        B = nn.Linear(rank, base.out_features, bias=False)
        nn.init.zeros_(B.weight)
        self.down, self.up = A.to(like), B.to(like)
        self.dropout = nn.Dropout(dropout)
        self.scale = scale
        self.magnitude = nn.Parameter(row_norms(like)) if dora else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        y: Tensor = self.base(x)
        change: Tensor = self.scale * self.up(self.down(self.dropout(x)))
        if self.magnitude is None:
            return y + change
        gain = self.gain()  # (out,)
        product = y if self.base.bias is None else y - self.base.bias  # W x
        y = y + (gain - 1) * product + gain * change
        return y

    def sum(self) -> Tensor:
        """W + scale · B A: (out, in)."""
        product: Tensor = self.up.weight @ self.down.weight
        return self.base.weight + self.scale * product

    def gain(self) -> Tensor:
        """What brings each row to its norm: (out,).

        The norm that it divides by is taken for a constant by the gradient, which costs
        little and saves memory (Liu et al. 2024, section 4.3).
        """
        assert self.magnitude is not None
        return self.magnitude / row_norms(self.sum())

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One linear layer that computes the same, without dropout."""
        weight = self.sum()
        if self.magnitude is not None:
            weight = self.gain()[:, None] * weight
        return linear(weight, self.base.bias)


class ScaledLinear(nn.Module):
    """A linear layer whose input or output is multiplied, feature by feature: IA3."""

    def __init__(self, base: Linear, *, side: Side) -> None:
        super().__init__()
        self.base = base
        self.side = side
        width = base.in_features if side == "input" else base.out_features
        self.gain = nn.Parameter(base.weight.new_ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        y: Tensor
        if self.side == "input":
            y = self.base(self.gain * x)
        else:
            y = self.gain * self.base(x)
        return y

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One linear layer that computes the same."""
        if self.side == "input":
            return linear(self.base.weight * self.gain, self.base.bias)
        bias = None if self.base.bias is None else self.gain * self.base.bias
        return linear(self.gain[:, None] * self.base.weight, bias)


class AdapterLinear(nn.Module):
    """A linear layer and a bottleneck that corrects its output. See `Adapters`."""

    def __init__(self, base: Linear, *, width: int) -> None:
        super().__init__()
        self.base = base
        like = base.weight
        self.down = nn.Linear(base.out_features, width).to(like)
        self.up = nn.Linear(width, base.out_features).to(like)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        y: Tensor = self.base(x)
        y = y + self.up(F.gelu(self.down(y)))
        return y


Mergeable = LoRALinear | ScaledLinear
Injected = LoRALinear | ScaledLinear | AdapterLinear


@torch.no_grad()
def row_norms(weight: Tensor) -> Tensor:
    """Length of each row, without gradient: (out, in) to (out,)."""
    norms: Tensor = torch.linalg.vector_norm(weight, dim=1)
    return norms


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A frozen linear layer with copies of these."""
    rows, columns = weight.shape
    layer = nn.Linear(columns, rows, bias=bias is not None).to(weight)
    layer.weight.data.copy_(weight)
    if bias is not None:
        layer.bias.data.copy_(bias)
    return layer.requires_grad_(False)


def injected(model: nn.Module) -> Sequence[tuple[str, Injected]]:
    """Every layer of `model` that stands in for a linear one, and its name."""
    found = model.named_modules()
    return [(name, layer) for name, layer in found if isinstance(layer, Injected)]
