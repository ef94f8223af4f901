"""Two stacks of blocks: one reads a source, the other writes while looking at it.

Vaswani et al. 2017 (arXiv:1706.03762), section 3.1. The encoder sees the whole source
at once. The decoder sees what it has written so far, and, through cross-attention, what
the encoder made of the source. Keys and values of the source depend on nothing that is
written: they are computed once, and every step of the decoder uses them again.

`llm.models.transformer` and `llm.models.t5` put embeddings and a head around these.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import cast

from torch import Tensor, nn

from llm.nn import Block, KVCache, RelativeBias, causal_mask, padding_mask
from llm.nn.attention import Memory


class Encoder(nn.Module):
    """Blocks whose positions all see each other.

    Args:
        blocks: the layers, bottom first.
        norm: what comes after the last.
        relative: a bias of the scores by distance, shared by all layers.
        dropout: probability with which a feature is dropped, before and after.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        *,
        norm: nn.Module,
        relative: RelativeBias | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.blocks = cast(Sequence[Block], nn.ModuleList(blocks))
        self.norm = norm
        self.relative = relative
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Vectors of the source in its own context: (B, S, C) to (B, S, C).

        Args:
            x: embedded source.
            mask: False at padding, (B, S), on either side; what comes out there means
                nothing.
        """
        S = x.size(1)
        seen = None if mask is None else padding_mask(mask)  # (B, 1, 1, S)
        bias = None if self.relative is None else self.relative(S, S)  # (H, S, S)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, mask=seen, bias=bias)
        x = self.dropout(self.norm(x))
        return x


class Decoder(nn.Module):
    """Blocks that see the past, and the source through cross-attention.

    Args:
        blocks: the layers, bottom first, each with cross-attention.
        norm: what comes after the last.
        relative: a bias of the scores by distance, shared by all layers.
        dropout: probability with which a feature is dropped, before and after.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        *,
        norm: nn.Module,
        relative: RelativeBias | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.blocks = cast(Sequence[Block], nn.ModuleList(blocks))
        self.norm = norm
        self.relative = relative
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: list[Memory],
        *,
        mask: Tensor | None = None,
        cache: list[KVCache] | None = None,
    ) -> Tensor:
        """Vectors from which the next tokens are read: (B, T, C) to (B, T, C).

        Args:
            x: embedded tokens written so far, or those after what `cache` has seen.
            memory: `memorise` of the encoded source.
            mask: False at padding of the source, (B, S).
            cache: `new_cache`, which earlier calls have filled.
        """
        T = x.size(1)
        length = T + (cache[0].length if cache else 0)
        causal = causal_mask(T, length, device=x.device)  # (T, length)
        seen = None if mask is None else padding_mask(mask)  # (B, 1, 1, S)
        bias = None if self.relative is None else self.relative(T, length)
        x = self.dropout(x)
        for block, source, kept in zip(
            self.blocks, memory, cache or repeat(None), strict=False
        ):
            x = block(
                x, mask=causal, bias=bias, cache=kept, memory=source, memory_mask=seen
            )
        x = self.dropout(self.norm(x))
        return x

    def memorise(self, encoded: Tensor) -> list[Memory]:
        """Keys and values of the source, (B, S, C), for each layer: (B, H, S, D)."""
        return [block.cross_attention.keys_values(encoded) for block in self.blocks]

    def new_cache(self, batch: int, *, capacity: int) -> list[KVCache]:
        """One empty cache a layer, for `batch` texts of at most `capacity` tokens."""
        caches = []
        for block in self.blocks:
            key, heads = block.attention.key.weight, block.attention.kv_heads
            width = len(key) // heads
            caches.append(
                KVCache(batch, heads, capacity=capacity, width=width, like=key)
            )
        return caches


def embedded(embedding: nn.Embedding, ids: Tensor) -> Tensor:
    """Vectors of tokens: (B, T) to (B, T, C).

    Raises:
        ValueError: ids are not (B, T), or exceed the vocabulary. On a GPU, looking at
            them would make it wait: there the device fails with an assertion.
    """
    if ids.dim() != 2:
        raise ValueError(f"ids are of shape {tuple(ids.shape)}, not (B, T)")
    try:
        x: Tensor = embedding(ids)  # (B, T, C)
    except IndexError:
        raise ValueError(
            f"ids from {ids.min()} to {ids.max()} exceed the vocabulary: "
            f"0 to {embedding.num_embeddings - 1}"
        ) from None
    return x


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Parameters of each kind of part; their sum counts every parameter once.

    A tied head has none of its own.
    """
    kinds = {
        "embedding": "embedding",
        "head": "head",
        "attention": "attention",
        "cross_attention": "attention",
        "feedforward": "feedforward",
        "relative": "position",
    }
    count = dict.fromkeys([*kinds.values(), "norm"], 0)
    for name, parameter in model.named_parameters():
        part = next((kinds[p] for p in name.split(".") if p in kinds), "norm")
        count[part] += parameter.numel()
    return count
