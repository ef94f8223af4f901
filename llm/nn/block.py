"""The block that every layer repeats: attention, then a feed-forward network."""

from collections.abc import Callable

from torch import Tensor, nn

from llm.nn.attention import KVCache, Memory, MultiHeadAttention
from llm.nn.feedforward import MLP, GatedMLP
from llm.nn.position import Rotation

Norm = nn.LayerNorm | nn.RMSNorm
Part = Callable[[Tensor], Tensor]  # (B, T, C) to (B, T, C)


class Block(nn.Module):
    """Read from the residual stream and add to it, part after part.

    With the norms before the parts, the stream itself is never rescaled, and deep
    stacks train without a long warm-up (Radford et al. 2019, section 2.3; Xiong et al.
    2020, arXiv:2002.04745). With `post_norm` they stand after the sums, as in Vaswani
    et al. 2017 (arXiv:1706.03762), section 3.1, and BERT.

    Args:
        attention: lets positions exchange what they know.
        feedforward: works on each position alone.
        norms: one for attention, one for the feed-forward network.
        cross: attention that reads from another sequence, between the two, and its
            norm; only in decoders that have an encoder.
        post_norm: where the norms stand.
        dropout: probability with which a feature of a sum is dropped in training.
    """

    def __init__(
        self,
        attention: MultiHeadAttention,
        feedforward: MLP | GatedMLP,
        *,
        norms: tuple[Norm, Norm],
        cross: tuple[MultiHeadAttention, Norm] | None = None,
        post_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention_norm, self.feedforward_norm = norms
        self.attention = attention
        if cross is not None:
            self.cross_attention, self.cross_norm = cross
        self.has_cross = cross is not None
        self.feedforward = feedforward
        self.post_norm = post_norm
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        bias: Tensor | None = None,
        rotation: Rotation | None = None,
        cache: KVCache | None = None,
        memory: Memory | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """(B, T, C) to (B, T, C).

        Args:
            x: the residual stream.
            mask: where a position may attend; see `MultiHeadAttention.forward`, as for
                the next four.
            causal: whether positions see the past alone.
            bias: what is added to the scores.
            rotation: what turns queries and keys.
            cache: earlier keys and values.
            memory: `cross_attention.keys_values` of the other sequence.
            memory_mask: True where a position may attend to the other sequence.
        """
        x = self.add(
            x,
            lambda x: self.attention(
                x, mask=mask, causal=causal, bias=bias, rotation=rotation, cache=cache
            ),
            norm=self.attention_norm,
        )  # (B, T, C)
        if self.has_cross:
            x = self.add(
                x,
                lambda x: self.cross_attention(x, memory=memory, mask=memory_mask),
                norm=self.cross_norm,
            )
        x = self.add(x, self.feedforward, norm=self.feedforward_norm)
        return x

    def add(self, x: Tensor, part: Part, *, norm: Part) -> Tensor:
        """x + part(norm(x)); with `post_norm`, norm(x + part(x))."""
        if self.post_norm:
            return norm(x + self.dropout(part(x)))
        x = x + self.dropout(part(norm(x)))
        return x
