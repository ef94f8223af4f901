"""The block that every layer repeats: attention, then a feed-forward network."""

from torch import Tensor, nn

from llm.nn.attention import KVCache, MultiHeadAttention
from llm.nn.feedforward import MLP, SwiGLU
from llm.nn.position import Rotation

Norm = nn.LayerNorm | nn.RMSNorm


class Block(nn.Module):
    """Read from the residual stream, add to it, twice.

    The norms stand before the two parts, not after the sums as in Vaswani et al. 2017:
    the stream itself is never rescaled, and deep stacks train without a long warm-up
    (Radford et al. 2019, section 2.3; Xiong et al. 2020, arXiv:2002.04745).

    Args:
        attention: lets positions exchange what they know.
        feedforward: works on each position alone.
        norms: what stands before the first, and before the second.
        dropout: probability with which a feature of either sum is dropped in training.
    """

    def __init__(
        self,
        attention: MultiHeadAttention,
        feedforward: MLP | SwiGLU,
        *,
        norms: tuple[Norm, Norm],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention_norm, self.feedforward_norm = norms
        self.attention = attention
        self.feedforward = feedforward
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        rotation: Rotation | None = None,
        cache: KVCache | None = None,
    ) -> Tensor:
        """(B, T, C) to (B, T, C); for the rest see `MultiHeadAttention.forward`."""
        seen = self.attention(
            self.attention_norm(x),
            mask=mask,
            causal=causal,
            rotation=rotation,
            cache=cache,
        )
        x = x + self.dropout(seen)  # (B, T, C)
        x = x + self.dropout(self.feedforward(self.feedforward_norm(x)))
        return x
