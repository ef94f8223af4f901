"""Heads for tasks: a label for a text, a label for each token, or a span of the text.

Each stands on a whole model and is trained with it: fine-tuning, Devlin et al. 2019
(arXiv:1810.04805), section 4. RoBERTa has no trained pooler, so its sequence classifier
brings a layer of its own. A decoder knows the whole text only at its last token, and is
read there (Radford et al. 2018, section 3.3).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from llm.models.bert import BERT, BERTConfig
from llm.models.checkpoint import (
    CONFIG,
    load_saved,
    read_json,
    save_model,
)
from llm.models.config import whole
from llm.models.gpt import GPT, GPTConfig
from llm.models.huggingface import bert_heads as huggingface
from llm.models.huggingface.layout import load_theirs, reading

Place = Literal["first", "last"]


class SequenceClassifier(nn.Module):
    """One label for a whole text.

    Reads the pooler of the model, if it has one; else the first token through a tanh
    layer of its own; at "last", the last real token as it is.

    Args:
        model: what the head stands on: it has `features` and `config.width`.
        classes: number of labels.
        reads: the token that is read; the last one of a GPT, the first one of others.

    Raises:
        ValueError: `classes` is not a positive whole number.
    """

    model: Any

    def __init__(self, model: Any, classes: int, *, reads: Place | None = None) -> None:
        super().__init__()
        whole("classes", classes)
        self.model = model
        self.classes = classes
        self.reads = reads or ("last" if isinstance(model, GPT) else "first")
        self.pools = isinstance(model, BERT) and model.config.has_pooler
        if self.reads == "first" and not self.pools:
            C = model.config.width
            self.dense = new_linear(C, C)
        self.dropout = nn.Dropout(model.config.dropout)
        self.classifier = new_linear(model.config.width, classes)

    def forward(
        self, ids: Tensor, *, mask: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """Logits over the labels, (B, classes). Arguments: see `BERT.forward`."""
        x = features(self.model, ids, mask=mask, types=types)  # (B, T, C)
        if self.reads == "last":
            x = last_real(x, mask)  # (B, C)
        elif self.pools:
            x = self.model.pooled(x)
        else:
            x = torch.tanh(self.dense(self.dropout(x[:, 0])))
        logits: Tensor = self.classifier(self.dropout(x))
        return logits

    def save(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors, each whole or not at all."""
        own = {"classes": self.classes, "reads": self.reads}
        save_head(self, directory, name="sequence-classifier", own=own)

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what `save` wrote; errors as in `BERT.load`."""
        model, own = load_below(directory, name="sequence-classifier")
        with reading(Path(directory) / CONFIG):
            head = cls(model, own["classes"], reads=own["reads"])
        return load_saved(head, directory)

    @classmethod
    def from_hf(cls, source: str | Path) -> Self:
        """Read a Bert- or RobertaForSequenceClassification; errors: `BERT.from_hf`."""
        read = huggingface.read(source, kind="SequenceClassification")
        head = cls(BERT(read.config), read.classes)
        load_theirs(head, read.tensors, layout=read.layout, source=read.directory)
        return head.eval()

    def to_hf(self, directory: str | Path) -> None:
        """Write what `transformers` loads as Bert- or RobertaForSequenceClassification.

        Raises:
            ValueError: the model is neither BERT nor RoBERTa, or not read at its first
                token.
        """
        if self.reads != "first":
            raise ValueError("checkpoints of BERT are read at their first token")
        huggingface.write(self, directory, kind="SequenceClassification")


class TokenClassifier(nn.Module):
    """A label for each token.

    Args:
        model: what the head stands on: it has `features` and `config.width`.
        classes: number of labels.

    Raises:
        ValueError: `classes` is not a positive whole number.
    """

    model: Any

    def __init__(self, model: Any, classes: int) -> None:
        super().__init__()
        whole("classes", classes)
        self.model = model
        self.classes = classes
        self.dropout = nn.Dropout(model.config.dropout)
        self.classifier = new_linear(model.config.width, classes)

    def forward(
        self, ids: Tensor, *, mask: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """Logits over the labels, (B, T, classes). Arguments: see `BERT.forward`."""
        x = features(self.model, ids, mask=mask, types=types)  # (B, T, C)
        logits: Tensor = self.classifier(self.dropout(x))
        return logits

    def save(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors, each whole or not at all."""
        own = {"classes": self.classes}
        save_head(self, directory, name="token-classifier", own=own)

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what `save` wrote; errors as in `BERT.load`."""
        model, own = load_below(directory, name="token-classifier")
        with reading(Path(directory) / CONFIG):
            head = cls(model, own["classes"])
        return load_saved(head, directory)

    @classmethod
    def from_hf(cls, source: str | Path) -> Self:
        """Read a Bert- or RobertaForTokenClassification; errors: `BERT.from_hf`."""
        read = huggingface.read(source, kind="TokenClassification")
        head = cls(BERT(read.config), read.classes)
        load_theirs(head, read.tensors, layout=read.layout, source=read.directory)
        return head.eval()

    def to_hf(self, directory: str | Path) -> None:
        """Write what `transformers` loads as Bert- or RobertaForTokenClassification.

        Raises:
            ValueError: the model is neither BERT nor RoBERTa.
        """
        huggingface.write(self, directory, kind="TokenClassification")


class SpanExtractor(nn.Module):
    """Where an answer begins and where it ends: Devlin et al. 2019, section 4.2.

    Args:
        model: what the head stands on: it has `features` and `config.width`.
    """

    model: Any

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.classes = 2
        self.classifier = new_linear(model.config.width, 2)

    def forward(
        self, ids: Tensor, *, mask: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """Logits over the places of the first token, and of the last: (B, 2, T).

        Padding has logits, too, as in the reference. Arguments: see `BERT.forward`.
        """
        x = features(self.model, ids, mask=mask, types=types)  # (B, T, C)
        logits: Tensor = self.classifier(x).mT
        return logits

    def save(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors, each whole or not at all."""
        save_head(self, directory, name="span-extractor", own={})

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what `save` wrote; errors as in `BERT.load`."""
        model, _ = load_below(directory, name="span-extractor")
        return load_saved(cls(model), directory)

    @classmethod
    def from_hf(cls, source: str | Path) -> Self:
        """Read a Bert- or RobertaForQuestionAnswering; errors: `BERT.from_hf`."""
        read = huggingface.read(source, kind="QuestionAnswering")
        head = cls(BERT(read.config))
        load_theirs(head, read.tensors, layout=read.layout, source=read.directory)
        return head.eval()

    def to_hf(self, directory: str | Path) -> None:
        """Write what `transformers` loads as Bert- or RobertaForQuestionAnswering.

        Raises:
            ValueError: the model is neither BERT nor RoBERTa.
        """
        huggingface.write(self, directory, kind="QuestionAnswering")


def features(
    model: Any, ids: Tensor, *, mask: Tensor | None, types: Tensor | None
) -> Tensor:
    """What `model` makes of `ids`: (B, T) to (B, T, C).

    Raises:
        ValueError: segments for a model that knows none.
    """
    x: Tensor
    if types is None:
        x = model.features(ids, mask=mask)
    elif isinstance(model, GPT):
        raise ValueError("types are for BERT: a GPT has no segments")
    else:
        x = model.features(ids, mask=mask, types=types)
    return x


def last_real(x: Tensor, mask: Tensor | None) -> Tensor:
    """Features of the last token that is not padding: (B, T, C) to (B, C)."""
    if mask is None:
        return x[:, -1]
    places = torch.arange(x.size(1), device=x.device)  # (T,)
    last = (places * mask).argmax(1)  # (B,)
    return x[torch.arange(len(x), device=x.device), last]


def new_linear(width: int, out: int) -> nn.Linear:
    """A layer that begins as those of BERT: noise of 0.02, biases zero."""
    linear = nn.Linear(width, out)
    nn.init.trunc_normal_(linear.weight, std=0.02, a=-0.04, b=0.04)
    nn.init.zeros_(linear.bias)
    return linear


def save_head(
    head: Any, directory: str | Path, *, name: str, own: Mapping[str, Any]
) -> None:
    """Write a head with the model below it; `own` is what else its class takes."""
    values = {"model": name, **own, "of": head.model.config.as_dict()}
    save_model(head, directory, config=values)


def load_below(directory: str | Path, *, name: str) -> tuple[nn.Module, dict[str, Any]]:
    """A model of the shape that a saved head stands on, and what else was saved.

    Raises:
        FileNotFoundError: there is no config.json.
        ValueError: it is of something else, or damaged.
    """
    path = Path(directory) / CONFIG
    values = read_json(path)
    if values.get("model") != name:
        found = values.get("model")
        raise ValueError(f"{path} is of a model {found!r}, and not of a {name!r}")
    below = values.get("of") or {}
    if below.get("model") == "gpt":
        return GPT(GPTConfig.of(below, source=path)), values
    return BERT(BERTConfig.of(below, source=path)), values
