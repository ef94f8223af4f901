"""Attention that knows how far apart two positions are, and remembers a segment.

Dai et al. 2019 (arXiv:1901.02860), section 3.3, as Yang et al. 2019 (arXiv:1906.08237)
have it, section 2.2 and appendix A.2. The score of a query q for a key k at distance i
is a sum of three, each with a bias of its own beside the query:

    (q + u)·k + (q + v)·Rᵢ + (q + w)·s

Rᵢ is a projected sinusoid, and s one of two learned vectors: both are of one segment of
the text (a sentence of a pair), or not. Dai et al. shift the rows of the second term
(appendix B); here each source looks its distance up, so queries may stand anywhere.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.nn.attention import merge_heads, split_heads
from llm.nn.position import frequencies


class SegmentMemory:
    """What one layer read in the segments before: attended to, never trained through.

    Dai et al. 2019 (arXiv:1901.02860), section 3.2.

    Args:
        capacity: how many positions are kept, the latest; all when None.
        reuse: how many of the first positions of a segment are kept, for segments that
            overlap; all when None.
    """

    def __init__(
        self, *, capacity: int | None = None, reuse: int | None = None
    ) -> None:
        self.capacity = capacity
        self.reuse = reuse
        self.states: Tensor | None = None  # (B, M, C)

    @property
    def length(self) -> int:
        """M, number of positions kept."""
        return 0 if self.states is None else self.states.size(1)

    def append(self, x: Tensor) -> Tensor:
        """What was kept, then `x`, (B, T, C): (B, M + T, C). Keeps what comes next."""
        past = x[:, :0] if self.states is None else self.states
        kept = torch.cat((past, x[:, : self.reuse]), dim=1).detach()
        self.states = kept if self.capacity is None else kept[:, -self.capacity :]
        return torch.cat((past, x), dim=1)


class Found(NamedTuple):
    """What queries look through, and what they get from it.

    keys, values    of S sources, (B, H, S, D)
    distances       keys of the distances from S - 1 down, (H, N, D)
    """

    keys: Tensor
    values: Tensor
    distances: Tensor


class View(NamedTuple):
    """Where queries stand, and what they see.

    places     among the sources, (T,) or (B, T)
    mask       True where they may look, broadcast to (B, H, T, S); None for everywhere
    differ     True where a source is of another segment, broadcast to (B, H, T, S);
               None where there are no segments
    """

    places: Tensor
    mask: Tensor | None = None
    differ: Tensor | None = None

    def at(self, chosen: Tensor) -> "View":
        """The view of some of all the queries, (B, K), each an index below T."""
        row = chosen[:, None, :, None]  # (B, 1, K, 1)
        mask, differ = (
            None if grid is None else grid.take_along_dim(row, dim=2)  # (B, 1, K, S)
            for grid in (self.mask, self.differ)
        )
        return View(self.places[chosen], mask, differ)


class RelativeAttention(nn.Module):
    """Multi-head attention with distances and segments in its scores.

    A query that may see nothing gets nothing. (Implementations that subtract a large
    number from what is hidden give it the mean of all, hidden ones included.)

    Args:
        width: C, width of the input and of the output.
        heads: H; D = C / H.
        dropout: probability with which an attention weight is dropped in training.

    Raises:
        ValueError: C is not divisible by H.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not divisible by heads {heads}")
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.distance = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        D = width // heads
        self.content_bias = nn.Parameter(torch.zeros(heads, 1, D))  # u
        self.distance_bias = nn.Parameter(torch.zeros(heads, 1, D))  # v
        self.segment_bias = nn.Parameter(torch.zeros(heads, 1, D))  # w
        self.segments = nn.Parameter(torch.zeros(2, heads, D))  # the same, another

    def find(self, sources: Tensor, distances: Tensor) -> Found:
        """Keys and values of `sources`, (B, S, C), and keys of `distances`, (N, C)."""
        k = split_heads(self.key(sources), self.heads)  # (B, H, S, D)
        v = split_heads(self.value(sources), self.heads)
        r = split_heads(self.distance(distances)[None], self.heads)[0]  # (H, N, D)
        return Found(k, v, r)

    def forward(self, x: Tensor, found: Found, *, view: View) -> Tensor:
        """Let each position of `x` gather values: (B, T, C) to (B, T, C)."""
        k, v, r = found
        q = split_heads(self.query(x), self.heads)  # (B, H, T, D)
        bias = by_source(
            (q + self.distance_bias) @ r.mT, view.places, source=k.size(2)
        )  # (B, H, T, S)
        if view.differ is not None:
            s = (q + self.segment_bias) @ self.segments.permute(1, 2, 0)  # (B, H, T, 2)
            bias = bias + torch.where(view.differ, s[..., 1:], s[..., :1])
        bias = bias * q.size(-1) ** -0.5  # as the product of queries and keys
        if view.mask is not None:
            bias = bias.masked_fill(~view.mask, float("-inf"))
        heads = F.scaled_dot_product_attention(
            q + self.content_bias,
            k,
            v,
            attn_mask=bias,
            dropout_p=self.dropout if self.training else 0.0,
        )  # (B, H, T, D)
        x = self.out(merge_heads(heads))  # (B, T, C)
        return x


def by_source(scores: Tensor, places: Tensor, *, source: int) -> Tensor:
    """Scores of sources from scores of distances: (B, H, T, N) to (B, H, T, S).

    Args:
        scores: column n is of the distance S - 1 - n, a source before its query.
        places: where the queries stand among the sources, (T,) or (B, T).
        source: S.
    """
    distance = places[..., None] - torch.arange(source, device=places.device)
    column = (source - 1 - distance).unsqueeze(-3)  # (..., 1, T, S)
    return scores.gather(-1, column.expand(*scores.shape[:-1], source))


def distance_vectors(
    target: int,
    source: int,
    width: int,
    *,
    farthest: int | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """A fixed vector for each distance from S - 1 down to 1 - T: (S + T - 1, C).

    The sinusoids of `llm.nn.sinusoids`, all sines first and then all cosines.

    Args:
        target: T, positions that attend, the last of the sources.
        source: S, positions attended to.
        width: C, even.
        farthest: distance from which all are alike, in either direction; no two are
            when None.
        device: where the vectors are made.

    Raises:
        ValueError: `width` is odd.
    """
    distance = torch.arange(source - 1, -target, -1)
    if farthest is not None:
        distance = distance.clamp(-farthest, farthest)
    angle = torch.outer(distance, frequencies(width))  # (N, C/2)
    return torch.cat((angle.sin(), angle.cos()), dim=-1).to(device)  # (N, C)
