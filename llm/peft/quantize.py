"""Four bits a weight: NF4, the type in which QLoRA keeps the frozen base.

Dettmers et al. 2023 (arXiv:2305.14314), section 3. Weights are nearly normal, so the
16 code values are quantiles of the normal distribution, each of which is used about as
often. Every 64 weights share one scale, the largest of their sizes. Each product takes
the weights back to float, and does so again for its gradient: none are kept.

What differs: scales stay in float32 (0.5 bits a weight) instead of being quantised in
turn, and nothing is written in machine code, so it saves memory and costs time.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from llm.peft.methods import matches

# Weights that share a scale; section 4 of the paper.
BLOCK = 64


def nf4_values() -> Tensor:
    """The 16 code values, rising from -1 to 1, 0 among them: (16,) float32.

    Appendix E of the paper: quantiles at 8 even steps of the positive half and 7 of the
    negative, zero between them; the outermost step leaves out half a step of either
    kind, where the quantile would be infinite.
    """
    outermost = 1 - (1 / 30 + 1 / 32) / 2
    shares = torch.linspace(outermost, 0.5, 9, dtype=torch.float64)[:-1]
    positive = torch.special.ndtri(shares)  # (8,)
    shares = torch.linspace(outermost, 0.5, 8, dtype=torch.float64)[:-1]
    negative = -torch.special.ndtri(shares)  # (7,)
    values = torch.cat((negative, positive.new_zeros(1), positive.flip(0)))
    return (values / values.max()).float()


def quantize_nf4(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and scales of `weight`, in order of its numbers.

    Args:
        weight: of N numbers, any shape.

    Returns:
        Two codes a byte, (⌈N/64⌉, 32) uint8, and one scale a block, (⌈N/64⌉, 1)
        float32. The last block is filled up with zeros.
    """
    flat = weight.detach().float().flatten()
    blocks = F.pad(flat, (0, -flat.numel() % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(1, keepdim=True)  # (blocks, 1)
    shares = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)  # in [-1, 1]
    values = nf4_values().to(weight.device)
    codes = torch.bucketize(shares, (values[1:] + values[:-1]) / 2)  # the nearest
    codes = codes.to(torch.uint8)
    return codes[:, 0::2] * 16 + codes[:, 1::2], scales


def dequantize_nf4(codes: Tensor, scales: Tensor) -> Tensor:
    """The numbers that codes and scales stand for: (64 · blocks,) float32."""
    values = nf4_values().to(codes.device)
    pairs = torch.stack((codes // 16, codes % 16), dim=-1)  # (blocks, 32, 2)
    return (values[pairs.int()].flatten(1) * scales).flatten()


class NF4Linear(nn.Module):
    """A linear layer that is frozen and keeps its weight in NF4, its bias as it was."""

    codes: Tensor
    scales: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.dtype = layer.weight.dtype
        codes, scales = quantize_nf4(layer.weight)
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)
        self.bias = layer.bias

    @property
    def weight(self) -> Tensor:
        """The weight, taken back to float: (out, in)."""
        flat = dequantize_nf4(self.codes, self.scales).to(self.dtype)
        rows, columns = self.out_features, self.in_features
        return flat[: rows * columns].view(rows, columns)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        y: Tensor = checkpoint(
            self.product, x, use_reentrant=False, preserve_rng_state=False
        )
        return y

    def product(self, x: Tensor) -> Tensor:
        """W x + b."""
        return F.linear(x, self.weight, self.bias)


Linear = nn.Linear | NF4Linear


def quantize(model: nn.Module, targets: tuple[str, ...] = ("*blocks.*",)) -> nn.Module:
    """Take linear layers of `model` to NF4, in place; call it before `inject`.

    Args:
        model: what to change.
        targets: patterns of their names. By default all in blocks: head and embedding
            stay as they are, as in the paper.

    Raises:
        ValueError: no layer matches.
    """
    found = [
        (name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and matches(name, targets)
    ]
    if not found:
        raise ValueError(f"no linear layer matches {targets}")
    for name, layer in found:
        model.set_submodule(name, NF4Linear(layer))
    return model
