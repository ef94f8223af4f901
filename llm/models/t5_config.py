"""What a T5 is like: its shape, and the parts in which 1.1 differs."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from llm.models.config import whole


@dataclass(frozen=True)
class T5Config:
    """The shape of a T5. The defaults are the original's; 1.1 names three others.

    Args:
        vocab_size: V, number of tokens known.
        layers: number of blocks in the encoder.
        heads: H, heads of each attention.
        width: C, width of the residual stream.
        decoder_layers: number of blocks in the decoder; `layers` when None.
        head_width: D, width of a head; C / H when None.
        hidden: width inside the feed-forward network; 4·C when None.
        feedforward: "relu", or "geglu" as in 1.1.
        tied: the embedding serves as head, too; not in 1.1.
        scaled: divide by √C before the head; not in 1.1.
        buckets: ranges of distance that have a bias of their own.
        farthest: distance from which all are alike.
        dropout: probability of dropping a feature in training: of what enters and
            leaves a stack, of what a block adds, and of an attention weight.
        norm_eps: what keeps a norm from dividing by zero.
        start: token that the decoder sees before the first it writes.

    Raises:
        ValueError: a value is out of range, or two do not go together.
    """

    vocab_size: int
    layers: int
    heads: int
    width: int
    decoder_layers: int | None = None
    head_width: int | None = None
    hidden: int | None = None
    feedforward: Literal["relu", "geglu"] = "relu"
    tied: bool = True
    scaled: bool = True
    buckets: int = 32
    farthest: int = 128
    dropout: float = 0.0
    norm_eps: float = 1e-6
    start: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "layers", "heads", "width", "buckets", "farthest"):
            whole(name, getattr(self, name))
        for name in ("decoder_layers", "head_width", "hidden"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name))
        if self.head_width is None and self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not divisible by heads {self.heads}: "
                "give a head_width"
            )
        if self.feedforward not in ("relu", "geglu"):
            raise ValueError(f"feedforward {self.feedforward!r} is not relu or geglu")
        # The encoder halves its buckets by direction, and half of those are single.
        if self.buckets < 4 or self.buckets % 2:
            raise ValueError(f"buckets {self.buckets} is not an even number from 4 on")
        if self.farthest <= self.buckets // 2:
            raise ValueError(
                f"farthest {self.farthest} is not beyond the {self.buckets // 2} "
                "distances that have a bucket of their own"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        if not 0 < self.norm_eps < inf:
            raise ValueError(f"norm_eps {self.norm_eps} is not positive")
        if type(self.start) is not int or not 0 <= self.start < self.vocab_size:
            raise ValueError(
                f"start {self.start!r} is no id of a vocabulary of {self.vocab_size}"
            )

    @property
    def depth(self) -> tuple[int, int]:
        """Number of blocks in encoder and decoder."""
        return self.layers, self.decoder_layers or self.layers
