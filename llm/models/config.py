"""What a GPT is like: its shape, and its parts in the style of GPT-2 or of Llama."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import ceil, inf
from pathlib import Path
from typing import Any, Literal, Self, get_args

from llm.models.checkpoint import config_of_json, config_to_json
from llm.nn import RopeScaling

Position = Literal["learned", "sinusoids", "rotary", "alibi", "none"]


@dataclass(frozen=True)
class Parts:
    """What a GPT is built from, wherever GPT-2 and Llama differ."""

    position: Position
    norm: Literal["layer", "rms"]
    feedforward: Literal["gelu", "gelu_exact", "swiglu"]
    bias: bool  # in projections and norms
    tied: bool  # the head is the transposed embedding


STYLES = {
    "gpt2": Parts("learned", "layer", "gelu", bias=True, tied=True),
    "llama": Parts("rotary", "rms", "swiglu", bias=False, tied=False),
}
CHOICES = {
    "style": tuple(STYLES),
    "position": (None, *get_args(Position)),
    "norm": (None, "layer", "rms"),
    "feedforward": (None, "gelu", "gelu_exact", "swiglu"),
    "bias": (None, True, False),
    "tied": (None, True, False),
    "qk_norm": (True, False),
    "zero_init": (True, False),
}


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a GPT. Where a part is None, the style chooses it: see `STYLES`.

    Args:
        vocab_size: V, number of tokens known.
        context: most positions that the model can see.
        layers: number of blocks.
        heads: H, query heads in each block.
        width: C, width of the residual stream, divisible by H.
        kv_heads: key and value heads, a divisor of H; H when None.
        style: "gpt2" or "llama".
        dropout: probability of dropping a feature in training: of the embedding, of
            what a block adds to the stream, and of an attention weight.
        position: "learned" vectors or "sinusoids" added to the embedding, "rotary"
            attention, "alibi" penalties on its scores, or "none".
        norm: "layer" or "rms".
        feedforward: "gelu" (tanh approximation), "gelu_exact" or "swiglu".
        bias: biases in projections and norms.
        tied: the embedding serves as head, too.
        hidden: width inside the feed-forward network; see `hidden_width`.
        norm_eps: what keeps a norm from dividing by zero.
        rope_base: base of the rotary angles.
        rope_scaling: how they are stretched to a longer context.
        window: how many of the latest positions attention sees; all when None.
        qk_norm: normalise queries and keys.
        zero_init: begin with output projections of zero instead of small noise, so
            that each block is the identity at first.

    Raises:
        ValueError: a value is out of range, or two do not go together.
    """

    vocab_size: int
    context: int
    layers: int
    heads: int
    width: int
    kv_heads: int | None = None
    style: Literal["gpt2", "llama"] = "gpt2"
    dropout: float = 0.0
    position: Position | None = None
    norm: Literal["layer", "rms"] | None = None
    feedforward: Literal["gelu", "gelu_exact", "swiglu"] | None = None
    bias: bool | None = None
    tied: bool | None = None
    hidden: int | None = None
    norm_eps: float = 1e-5
    rope_base: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    window: int | None = None
    qk_norm: bool = False
    zero_init: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.rope_scaling, dict):  # as config.json holds it
            scaling = RopeScaling(**self.rope_scaling)
            object.__setattr__(self, "rope_scaling", scaling)
        for name in ("vocab_size", "context", "layers", "heads", "width"):
            whole(name, getattr(self, name))
        for name in ("kv_heads", "hidden", "window"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name))
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {allowed}")
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not divisible by heads {self.heads}"
            )
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise ValueError(
                f"heads {self.heads} is not divisible by kv_heads {self.kv_heads}"
            )
        if self.parts.position == "sinusoids" and self.width % 2:
            raise ValueError(
                f"sinusoids come in pairs of features, and width {self.width} is odd"
            )
        if self.parts.position == "rotary" and self.head_width % 2:
            raise ValueError(
                "rotary positions turn pairs of features, and heads of width "
                f"{self.head_width} leave one over"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        for name in ("norm_eps", "rope_base"):
            if not 0 < getattr(self, name) < inf:
                raise ValueError(f"{name} {getattr(self, name)} is not positive")

    @property
    def parts(self) -> Parts:
        """The parts of the style, exchanged where this configuration names its own."""
        named = {part.name: getattr(self, part.name) for part in fields(Parts)}
        own = {name: part for name, part in named.items() if part is not None}
        return replace(STYLES[self.style], **own)

    @property
    def head_width(self) -> int:
        """D = C / H."""
        return self.width // self.heads

    @property
    def hidden_width(self) -> int:
        """`hidden`, or what costs 8·C² weights a block: 4·C, and 8/3·C for SwiGLU.

        SwiGLU has three matrices instead of two. Its width is rounded up to a multiple
        of 8, which is what matrix units of GPUs work in.
        """
        if self.hidden is not None:
            return self.hidden
        if self.parts.feedforward == "swiglu":
            return ceil(self.width / 3) * 8
        return 4 * self.width

    def as_dict(self) -> dict[str, Any]:
        """What config.json holds."""
        return config_to_json(self, model="gpt")

    @classmethod
    def of(cls, values: Mapping[str, Any], *, source: Path) -> Self:
        """The configuration that config.json, read from `source`, holds.

        Raises:
            ValueError: it is not that of a GPT, or has unknown keys or bad values.
        """
        return config_of_json(cls, values, model="gpt", source=source)


def whole(name: str, value: Any) -> None:
    """Refuse what is no positive whole number."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} {value!r} is not a positive whole number")
