"""What a BERT is like: its shape, and its parts in the style of BERT or of RoBERTa."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal, Self

from llm.models.checkpoint import config_of_json, config_to_json
from llm.models.config import whole

CHOICES = {
    "style": ("bert", "roberta"),
    "next_sentence": (None, True, False),
    "pooler": (None, True, False),
    "masked_head": (True, False),
    "tied": (True, False),
}


@dataclass(frozen=True)
class BERTConfig:
    """The shape of a BERT. Where a part is None, the style chooses it.

    Args:
        vocab_size: V, number of tokens known.
        context: most tokens that the model can see.
        layers: number of blocks.
        heads: H, attention heads in each block.
        width: C, width of the residual stream, divisible by H.
        types: how many kinds of segment a text may have; 2 in BERT, sentence A and
            sentence B, and 1 in RoBERTa.
        style: "bert" or "roberta".
        padding: id of padding, whose vector begins as zero and learns nothing from
            where it is read. RoBERTa must know it: it counts the positions of all
            other tokens from `padding` + 1 on.
        hidden: width inside the feed-forward network; 4·C when None.
        dropout: probability of dropping a feature in training: of the embedding, of
            what a block adds to the stream, and of an attention weight.
        norm_eps: what keeps a norm from dividing by zero.
        init_std: spread of the first weights. 0.02 was chosen for a width of 768; what
            a sum over C features needs to come out alike grows as 1/√C.
        masked_head: whether there is a head that names masked tokens.
        next_sentence: whether there is a head that tells if B follows A; in BERT.
        pooler: whether a last layer reads the whole text off its first token; as
            `next_sentence`, which needs it.
        tied: the embedding serves as the matrix of the masked head, too.

    Raises:
        ValueError: a value is out of range, or two do not go together.
    """

    vocab_size: int
    context: int
    layers: int
    heads: int
    width: int
    types: int | None = None
    style: Literal["bert", "roberta"] = "bert"
    padding: int | None = None
    hidden: int | None = None
    dropout: float = 0.0
    norm_eps: float = 1e-12
    init_std: float = 0.02
    masked_head: bool = True
    next_sentence: bool | None = None
    pooler: bool | None = None
    tied: bool = True

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context", "layers", "heads", "width"):
            whole(name, getattr(self, name))
        for name in ("types", "hidden"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name))
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {allowed}")
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not divisible by heads {self.heads}"
            )
        if self.padding is not None and self.padding not in range(self.vocab_size):
            raise ValueError(
                f"padding {self.padding!r} is no id of the vocabulary: "
                f"0 to {self.vocab_size - 1}"
            )
        if self.style == "roberta" and self.padding is None:
            raise ValueError(
                "RoBERTa counts positions from after its padding id: set padding"
            )
        if self.has_next_sentence and not self.has_pooler:
            raise ValueError("next_sentence reads what the pooler gives: pooler=True")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        for name in ("norm_eps", "init_std"):
            if not 0 < getattr(self, name) < inf:
                raise ValueError(f"{name} {getattr(self, name)} is not positive")

    @property
    def type_count(self) -> int:
        """`types`, or what the style has."""
        return self.types or {"bert": 2, "roberta": 1}[self.style]

    @property
    def hidden_width(self) -> int:
        """`hidden`, or 4·C."""
        return self.hidden or 4 * self.width

    @property
    def has_next_sentence(self) -> bool:
        """`next_sentence`, or what the style has."""
        chosen = self.next_sentence
        return self.style == "bert" if chosen is None else chosen

    @property
    def has_pooler(self) -> bool:
        """`pooler`, or what the next-sentence head needs."""
        return self.has_next_sentence if self.pooler is None else self.pooler

    @property
    def first_position(self) -> int:
        """Row of the position table that belongs to the first token."""
        if self.style == "bert":
            return 0
        assert self.padding is not None
        return self.padding + 1

    def as_dict(self) -> dict[str, Any]:
        """What config.json holds."""
        return config_to_json(self, model="bert")

    @classmethod
    def of(cls, values: Mapping[str, Any], *, source: Path) -> Self:
        """The configuration that config.json, read from `source`, holds.

        Raises:
            ValueError: it is not that of a BERT, or has unknown keys or bad values.
        """
        return config_of_json(cls, values, model="bert", source=source)
