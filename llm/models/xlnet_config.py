"""What an XLNet is like."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Self

from llm.models.checkpoint import config_of_json, config_to_json
from llm.models.config import whole
from llm.nn.feedforward import ACTIVATIONS, Activation


@dataclass(frozen=True)
class XLNetConfig:
    """The shape of an XLNet. It has no longest context: distances are computed.

    Args:
        vocab_size: V, number of tokens known.
        layers: number of blocks.
        heads: H, heads in each block.
        width: C, width of both streams, even and divisible by H.
        hidden: width inside the feed-forward network; 4·C when None.
        activation: inside the feed-forward network, see `llm.nn.feedforward`.
        dropout: probability of dropping a feature in training: of the embedding and of
            the output, of the distances, of a sum, and of an attention weight.
        norm_eps: what keeps a norm from dividing by zero.
        memory: how many positions of earlier segments are remembered, the latest; all
            when None.
        reuse: how many of the first positions of a segment are remembered; all when
            None.
        farthest: distance from which all are alike; no two are when None.
        tied: the embedding serves as head, too.

    Raises:
        ValueError: a value is out of range, or two do not go together.
    """

    vocab_size: int
    layers: int
    heads: int
    width: int
    hidden: int | None = None
    activation: Activation = "gelu_exact"
    dropout: float = 0.0
    norm_eps: float = 1e-12
    memory: int | None = None
    reuse: int | None = None
    farthest: int | None = None
    tied: bool = True

    def __post_init__(self) -> None:
        for name in ("vocab_size", "layers", "heads", "width"):
            whole(name, getattr(self, name))
        for name in ("hidden", "memory", "reuse", "farthest"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name))
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not divisible by heads {self.heads}"
            )
        if self.width % 2:
            raise ValueError(
                f"distances are pairs of features, and width {self.width} is odd"
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation {self.activation!r} is none of {tuple(ACTIVATIONS)}"
            )
        if self.tied not in (True, False):
            raise ValueError(f"tied {self.tied!r} is neither True nor False")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        if not 0 < self.norm_eps < inf:
            raise ValueError(f"norm_eps {self.norm_eps} is not positive")

    @property
    def hidden_width(self) -> int:
        """`hidden`, or 4·C."""
        return 4 * self.width if self.hidden is None else self.hidden

    def as_dict(self) -> dict[str, Any]:
        """What config.json holds."""
        return config_to_json(self, model="xlnet")

    @classmethod
    def of(cls, values: Mapping[str, Any], *, source: Path) -> Self:
        """The configuration that config.json, read from `source`, holds.

        Raises:
            ValueError: it is not that of an XLNet, or has unknown keys or bad values.
        """
        return config_of_json(cls, values, model="xlnet", source=source)
