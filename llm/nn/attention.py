"""Multi-head attention and its cache.

    attention(Q, K, V) = softmax(Q Kᵀ / √D + mask) V

Vaswani et al. 2017 (arXiv:1706.03762), equation 1 and section 3.2.2. What differs:
several query heads may share keys and values (Ainslie et al. 2023, arXiv:2305.13245),
and queries and keys may be normalised (Henry et al. 2020, arXiv:2010.04245) and rotated
(see `llm.nn.position`) before they meet. Masks: see `llm.nn.masks`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.nn.position import Rotation, rotate

# Else RMSNorm takes the resolution of the type, which is 0.8 % for bfloat16.
QK_EPS = 1e-6
# Keys and values of one layer, each (B, H, S, D).
Memory = tuple[Tensor, Tensor]


class KVCache:
    """Keys and values of one layer for the positions seen so far, in buffers made once.

    Args:
        batch: B, sequences decoded together.
        heads: H, heads of keys and values.
        capacity: most positions that are kept.
        width: D, width of a head.
        like: a tensor of the device and the type that the buffers shall have.
    """

    def __init__(
        self, batch: int, heads: int, *, capacity: int, width: int, like: Tensor
    ) -> None:
        self.keys = like.new_empty(batch, heads, capacity, width)
        self.values = like.new_empty(batch, heads, capacity, width)
        self.length = 0

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the next `k` and `v`, (B, H, T, D); return all so far, (B, H, S, D)."""
        start, self.length = self.length, self.length + k.size(2)
        self.keys[:, :, start : self.length] = k
        self.values[:, :, start : self.length] = v
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def keep(self, rows: Tensor) -> None:
        """Go on with these `rows` of the batch, (B',); one may stand there often."""
        self.keys, self.values = self.keys[rows], self.values[rows]


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each over its own slice of the width.

    Args:
        width: C, width of the input and of the output.
        heads: H, number of query heads.
        kv_heads: number of key and value heads, a divisor of `heads`; H / kv_heads
            neighbouring query heads share one. 1 is multi-query attention, and `heads`,
            the default, is the attention of 2017.
        bias: whether the four projections add a bias.
        dropout: probability with which an attention weight is dropped in training.
        head_width: D, width of a head; C / H when not given.
        scale: what scores are multiplied by; 1/√D when not given.
        qk_norm: divide each query and each key by its root mean square, so that no
            score can exceed √D. A learned gain changed no loss that we measured.

    Raises:
        ValueError: C is not divisible by H and no `head_width` is given, or H is not
            divisible by kv_heads.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        head_width: int | None = None,
        scale: float | None = None,
        qk_norm: bool = False,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.kv_heads = heads if kv_heads is None else kv_heads
        if head_width is None and width % heads:
            raise ValueError(f"width {width} is not divisible by heads {heads}")
        if heads % self.kv_heads:
            raise ValueError(f"heads {heads} is not divisible by kv_heads {kv_heads}")
        self.dropout = dropout
        self.scale = scale

        D = width // heads if head_width is None else head_width
        self.query = nn.Linear(width, heads * D, bias=bias)
        self.key = nn.Linear(width, self.kv_heads * D, bias=bias)
        self.value = nn.Linear(width, self.kv_heads * D, bias=bias)
        self.out = nn.Linear(heads * D, width, bias=bias)
        norm = nn.RMSNorm if qk_norm else nn.Identity
        self.query_norm = norm(D, QK_EPS, elementwise_affine=False)
        self.key_norm = norm(D, QK_EPS, elementwise_affine=False)

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
    ) -> Tensor:
        """Let each position of `x` gather values: (B, T, C) to (B, T, C).

        Args:
            x: the input, (B, T, C).
            mask: True where a position may attend, broadcast to (B, H, T, S).
            causal: the same as `mask=causal_mask(T)`, without building it; only with
                S = T, and neither mask nor bias.
            bias: what is added to the scores, broadcast to (B, H, T, S).
            rotation: cosine and sine of the angles to turn queries and keys by.
            cache: earlier keys and values, to attend to and to add to.
            memory: `keys_values` of another sequence, to attend to instead of `x`:
                cross-attention.
        """
        q = self.query_norm(split_heads(self.query(x), self.heads))  # (B, H, T, D)
        k, v = self.keys_values(x) if memory is None else memory  # (B, H, S, D)
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        if cache is not None:
            k, v = cache.append(k, v)
        heads = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=masked(bias, mask),
            is_causal=causal,
            dropout_p=self.dropout if self.training else 0.0,
            scale=self.scale,
            enable_gqa=self.kv_heads < self.heads,
        )  # (B, H, T, D)
        x = self.out(merge_heads(heads))  # (B, T, C)
        return x

    def keys_values(self, x: Tensor) -> Memory:
        """What others find of `x`, (B, S, C), by, and what they get: (B, H, S, D)."""
        k = self.key_norm(split_heads(self.key(x), self.kv_heads))
        v = split_heads(self.value(x), self.kv_heads)
        return k, v


def masked(bias: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """One term of the scores for both: `bias`, and next to -∞ where `mask` forbids.

    Not -∞ itself: a row that may attend to nothing would become NaN, and spread.
    """
    if bias is None or mask is None:
        return mask if bias is None else bias
    return bias.masked_fill(~mask, torch.finfo(bias.dtype).min)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Cut the width into `heads` slices: (B, T, H·D) to (B, H, T, D)."""
    B, T, _ = x.shape
    return x.view(B, T, heads, -1).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Lay the slices side by side again: (B, H, T, D) to (B, T, H·D)."""
    return x.transpose(1, 2).flatten(2)
