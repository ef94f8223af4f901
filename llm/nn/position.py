"""Where a token stands: added to its vector, turned into it, or added to the scores.

Added to the embedding: `sinusoids` (2017), or a learned `nn.Embedding` (BERT, GPT-2).
Turned into queries and keys: `Rotary` (Llama). Added to the scores: `alibi`, and
`RelativeBias` (T5). XLNet's are part of its attention: see `llm.nn.relative`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Cosine and sine of the angles of each position, broadcast to (B, H, T, D/2).
Rotation = tuple[Tensor, Tensor]


def sinusoids(length: int, width: int) -> Tensor:
    """A fixed vector for each position: (T, C).

    Vaswani et al. 2017 (arXiv:1706.03762), section 3.5: features 2i and 2i + 1 are sine
    and cosine of position / 10000^(2i/C).

    Args:
        length: T, number of positions.
        width: C, even.

    Raises:
        ValueError: `width` is odd.
    """
    angle = torch.outer(torch.arange(length), frequencies(width))  # (T, C/2)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)  # (T, C)


def frequencies(width: int, *, base: float = 10_000.0) -> Tensor:
    """Radians a position for each pair of features, base^(-2i/D) from i = 0: (D/2,).

    Raises:
        ValueError: `width` is odd.
    """
    if width % 2:
        raise ValueError(f"sines and cosines come in pairs, and width {width} is odd")
    return 1.0 / base ** (torch.arange(0, width, 2) / width)


@dataclass(frozen=True)
class RopeScaling:
    """How Llama 3 stretches rotary angles to a longer context than it was trained on.

    Pairs that turn more than `high` times within the old context keep their speed, for
    they tell near positions apart. Those that turn less than `low` times are slowed by
    `factor`, and between the two the speed goes over from one to the other.

    Args:
        factor: how much longer the new context is.
        low: turns within the old context below which a pair is slowed down fully.
        high: turns above which it is left as it is.
        context: the old context, in positions.

    Raises:
        ValueError: the values are not positive, or `low` is not below `high`.
    """

    factor: float
    low: float
    high: float
    context: int

    def __post_init__(self) -> None:
        if not (self.factor > 0 and 0 < self.low < self.high and self.context > 0):
            raise ValueError(f"{self}: all must be positive, and low below high")

    def __call__(self, theta: Tensor) -> Tensor:
        """Scale radians a position, (D/2,)."""
        turns = self.context * theta / (2 * math.pi)  # (D/2,)
        kept = ((turns - self.low) / (self.high - self.low)).clamp(0, 1)
        return theta * (kept + (1 - kept) / self.factor)


class Rotary(nn.Module):
    """Rotary positions: turn queries and keys by an angle that grows with the position.

    Su et al. 2021 (arXiv:2104.09864), equations 14 and 15: feature pair i of position m
    is a point of the plane, and turns by m·θᵢ with θᵢ = base^(-2i/D), i from 0. A query
    at m and a key at n then meet at an angle that depends on m - n alone.

    What differs: the paper pairs neighbours, features 2i and 2i + 1; here, as in the
    Llama checkpoints on Hugging Face, feature i is paired with feature i + D/2. Both
    are the same up to an order of the features, but weights trained with one do not
    work with the other.

    The cosines and sines of every angle are computed once and looked up by position.

    Args:
        width: D, width of a head, even.
        context: number of positions.
        base: how slowly the slowest pair turns; longer contexts want a larger one.
        scaling: stretches the angles for a longer context.

    Raises:
        ValueError: `width` is odd.
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        width: int,
        *,
        context: int,
        base: float = 10_000.0,
        scaling: RopeScaling | None = None,
    ) -> None:
        super().__init__()
        theta = frequencies(width, base=base)  # (D/2,)
        theta = theta if scaling is None else scaling(theta)
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


def distances(target: int, source: int, device: torch.device | None) -> Tensor:
    """How far each source stands after each target, negative for the past: (T, S)."""
    places = torch.arange(source, device=device)
    return places - places[source - target :, None]  # the last stand on each other


def alibi(
    heads: int, target: int, source: int, *, device: torch.device | None = None
) -> Tensor:
    """A penalty on the score that grows with the distance: (H, T, S).

    Press et al. 2022 (arXiv:2108.12409), section 3: head h of H subtracts the distance
    times 2^(-8h/H), h from 1. For H that is no power of two, the slopes of the next
    smaller power come first, then every other one of the next larger.

    Args:
        heads: H.
        target: T, positions that attend; the last stands on the last source.
        source: S, positions attended to.
        device: where the penalty is made.
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * h / power) for h in range(1, power + 1)]
    slopes += [2 ** (-4 * h / power) for h in range(1, 2 * (heads - power), 2)]
    distance = distances(target, source, device).abs()  # (T, S)
    return -torch.tensor(slopes, device=device)[:, None, None] * distance


class RelativeBias(nn.Module):
    """A learned number for each head and range of distances, added to the score.

    Raffel et al. 2020 (arXiv:1910.10683), section 2.1. Near distances have a bucket
    each; farther ones share buckets that widen with the logarithm of the distance; all
    from `farthest` on share the last.

    Args:
        heads: H.
        buckets: number of ranges.
        farthest: distance from which all are alike.
        both: whether past and future are told apart, half of the buckets for each; a
            causal decoder has no future and gives all of them to the past.
    """

    def __init__(
        self, heads: int, *, buckets: int = 32, farthest: int = 128, both: bool
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(buckets, heads)
        self.farthest = farthest
        self.both = both

    def forward(self, target: int, source: int) -> Tensor:
        """What to add to the scores of T targets, the last of S sources: (H, T, S)."""
        distance = distances(target, source, self.table.weight.device)  # (T, S)
        bias: Tensor = self.table(self.bucket(distance))  # (T, S, H)
        return bias.permute(2, 0, 1)

    def bucket(self, distance: Tensor) -> Tensor:
        """The bucket of each signed distance, source minus target."""
        buckets = self.table.num_embeddings // (2 if self.both else 1)
        near = buckets // 2  # as many distances have a bucket of their own
        far = distance.abs() if self.both else (-distance).clamp(min=0)
        share = (far.clamp(min=1) / near).log() / math.log(self.farthest / near)
        wide = (near + (share * (buckets - near)).long()).clamp(max=buckets - 1)
        bucket = torch.where(far < near, far, wide)
        return bucket + buckets * (distance > 0) if self.both else bucket
