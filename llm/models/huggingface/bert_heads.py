"""Checkpoints of BERT and RoBERTa that were fine-tuned: an encoder under one head.

Of all that the model below may have beside (masked head, next-sentence head), they hold
nothing. What the sequence classifier reads goes through a dense layer: the pooler of
the encoder in BERT, a part of the head in RoBERTa.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor

from llm.models.bert_config import BERTConfig
from llm.models.huggingface.bert import config_to_hf, encoder
from llm.models.huggingface.bert import read as read_bert
from llm.models.huggingface.files import write_checkpoint
from llm.models.huggingface.layout import Layout, entries, to_theirs

Kind = Literal["SequenceClassification", "TokenClassification", "QuestionAnswering"]
CLASSIFIER: dict[Kind, dict[str, str]] = {
    "SequenceClassification": {"bert": "classifier", "roberta": "classifier.out_proj"},
    "TokenClassification": {"bert": "classifier", "roberta": "classifier"},
    "QuestionAnswering": {"bert": "qa_outputs", "roberta": "qa_outputs"},
}
DENSE = {"bert": "bert.pooler.dense", "roberta": "classifier.dense"}


class Fine(NamedTuple):
    """A fine-tuned checkpoint: the encoder below, the head's classes, all tensors."""

    config: BERTConfig
    classes: int
    tensors: dict[str, Tensor]
    layout: Layout
    directory: Path


def read(source: str | Path, *, kind: Kind) -> Fine:
    """Read a fine-tuned checkpoint.

    Raises:
        FileNotFoundError: the directory, one of its files, or the repository is
            missing.
        ValueError: a file is damaged, asks for what we do not have, or has no such
            head.
    """
    config, tensors, directory = read_bert(source)
    pooler = kind == "SequenceClassification" and config.style == "bert"
    config = replace(config, masked_head=False, next_sentence=False, pooler=pooler)
    name = f"{CLASSIFIER[kind][config.style]}.weight"
    if name not in tensors:
        raise ValueError(
            f"{directory} has no {name}: it is no checkpoint for {kind}; a new head "
            "stands on BERT.from_hf(...)"
        )
    return Fine(
        config,
        classes=len(tensors[name]),
        tensors=tensors,
        layout=layout(config, kind=kind),
        directory=directory,
    )


def write(head: Any, directory: str | Path, *, kind: Kind) -> None:
    """Write a fine-tuned checkpoint from a head of `llm.models.heads`.

    Raises:
        ValueError: it stands on a model that is neither BERT nor RoBERTa.
    """
    config = head.model.config
    if not isinstance(config, BERTConfig):
        below = type(head.model).__name__
        raise ValueError(f"checkpoints for {kind} are of BERT, and not of a {below}")
    labels = [f"LABEL_{label}" for label in range(head.classes)]
    values = config_to_hf(replace(config, masked_head=False, next_sentence=False))
    family = values["architectures"][0].removesuffix("Model")
    values |= {
        "architectures": [f"{family}For{kind}"],
        "id2label": dict(enumerate(labels)),
        "label2id": {name: label for label, name in enumerate(labels)},
    }
    tensors = to_theirs(head, layout(config, kind=kind))
    write_checkpoint(directory, config=values, tensors=tensors)


def layout(config: BERTConfig, *, kind: Kind) -> Layout:
    """Where every tensor of a fine-tuned checkpoint stands."""
    names = {"classifier": CLASSIFIER[kind][config.style]}
    if kind == "SequenceClassification":
        dense = "model.pooler" if config.has_pooler else "dense"
        names[dense] = DENSE[config.style]
    return [*encoder(config, within="model."), *entries(names)]
