"""Tasks with a head that labels: a text, or each of its words.

Each class says how a file is read, how an example becomes ids, and how well a model
does: see `llm.cli.tasks.Task`.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from llm.metrics import accuracy, macro_f1, span_f1
from llm.models.bert import BERT
from llm.models.gpt import GPT
from llm.models.heads import SequenceClassifier, TokenClassifier
from llm.tasks import (
    Labelled,
    Tagged,
    labels_of,
    read_conll,
    read_labelled,
)
from llm.text.batches import IGNORE, Batch
from llm.text.masking import pad_right
from llm.text.tokenizer import Tokenizer
from llm.train.labels import labels as label_loss
from llm.train.objectives import Objective
from llm.train.trainer import to_device

Figures = dict[str, float]
Columns = Sequence[str]  # names of the columns, or keys, of a text and its label
COLUMNS = ("text", "label")
MEASURED = 32  # examples at once
HAN = re.compile("[\u3400-\u9fff]")


class Frame(NamedTuple):
    """The ids around one text or two: before, between, after."""

    before: list[int]
    between: list[int]
    after: list[int]

    @classmethod
    def of(cls, model: Any, tok: Tokenizer) -> "Frame":
        """What `model` knows from pre-training.

        A GPT has seen the end token between texts, and reads a text at its last token.

        Raises:
            ValueError: a BERT with a tokenizer that has no such tokens.
        """
        if not isinstance(model, BERT):
            end = [] if tok.end is None else [tok.end]
            return cls(end, tok.encode("\n"), end)
        for begin, end_mark, twice in (("[CLS]", "[SEP]", 1), ("<s>", "</s>", 2)):
            if begin in tok.special and end_mark in tok.special:
                end = [tok.special[end_mark]]
                return cls([tok.special[begin]], end * twice, end)
        raise ValueError(
            "the tokenizer of this BERT has neither [CLS] and [SEP] nor <s> and </s>"
        )


class Classify:
    """A label for a text, from TSV or JSON Lines; measured by accuracy and macro F1."""

    models: tuple[type[nn.Module], ...] = (GPT, BERT)

    def __init__(self, model: Any, tok: Tokenizer, labels: Sequence[str]) -> None:
        self.model = model
        self.tok = tok
        self.labels = list(labels)
        self.frame = Frame.of(model.model, tok)

    @staticmethod
    def read(
        path: str, labels: Sequence[str] | None = None, columns: Columns = COLUMNS
    ) -> list[Labelled]:
        """The examples of a file; with `labels`, any other is an error."""
        text, label = columns
        return read_labelled(path, labels, text=text, label=label)

    @staticmethod
    def labels_of(examples: Sequence[Labelled]) -> list[str]:
        """The labels; ValueError for a single one."""
        found = labels_of(examples)
        if len(found) < 2:
            raise ValueError(f"all examples have the label {found[0]!r}: give two")
        return found

    @staticmethod
    def head(model: nn.Module, labels: Sequence[str]) -> nn.Module:
        """`model` under a new head."""
        return SequenceClassifier(model, len(labels))

    @staticmethod
    def objective(model: nn.Module) -> Objective:
        """Cross-entropy of the label."""
        return label_loss

    def encode(
        self, examples: Sequence[Labelled]
    ) -> tuple[list[tuple[list[int], int]], int]:
        """Ids and number of the label; how many texts were cut."""
        before, _, after = self.frame
        room = self.model.model.config.context - len(before) - len(after)
        rows = [self.tok.encode(example.text) for example in examples]
        items = [
            ([*before, *row[:room], *after], self.labels.index(example.label))
            for row, example in zip(rows, examples, strict=True)
        ]
        return items, sum(len(row) > room for row in rows)

    def batch(self, items: Sequence[tuple[list[int], int]]) -> Batch:
        """ "ids", "mask" (B, T) and "targets" (B,)."""
        ids, mask = padded(self.model.model, [ids for ids, _ in items])
        targets = torch.tensor([label for _, label in items])
        return {"ids": ids, "mask": mask, "targets": targets}

    def measure(self, items: Sequence[tuple[list[int], int]]) -> Figures:
        """Accuracy and macro F1."""
        truth = [label for _, label in items]
        said = [label for row in logits(self, items) for label in row.argmax(-1)]
        predicted = [int(label) for label in said]
        return {
            "accuracy": accuracy(truth, predicted),
            "macro_f1": macro_f1(truth, predicted),
        }


class Words(NamedTuple):
    """A sentence as ids, where each word is read (None: cut off), and its tags."""

    ids: list[int]
    places: list[int | None]
    tags: tuple[str, ...]


class Tag:
    """Spans of tagged words in CoNLL's columns; measured by span F1.

    BERT tells a word's tag at its first token (Devlin et al. 2019, section 5.3), a GPT
    at its last, where it has read the word.
    """

    models: tuple[type[nn.Module], ...] = (GPT, BERT)

    def __init__(self, model: Any, tok: Tokenizer, labels: Sequence[str]) -> None:
        self.model = model
        self.tok = tok
        self.labels = list(labels)
        self.frame = Frame.of(model.model, tok)
        self.last = not isinstance(model.model, BERT)

    @staticmethod
    def read(
        path: str, labels: Sequence[str] | None = None, columns: Columns = COLUMNS
    ) -> list[Tagged]:
        """The sentences of a file; with `labels`, any other tag is an error."""
        sentences = read_conll(path)
        found = {tag for sentence in sentences for tag in sentence.tags}
        if labels is not None and (unseen := sorted(found - set(labels))):
            raise ValueError(
                f"{path}: expected the tags {', '.join(labels)}, found {unseen[0]!r}"
            )
        return sentences

    @staticmethod
    def labels_of(examples: Sequence[Tagged]) -> list[str]:
        """O, then B- and I- of each type; ValueError where no word is in a span."""
        tags = {tag for sentence in examples for tag in sentence.tags}
        types = sorted({tag[2:] for tag in tags - {"O"}})
        if not types:
            raise ValueError("all words are tagged O: there is nothing to learn")
        return ["O", *(f"{place}-{type_}" for type_ in types for place in "BI")]

    @staticmethod
    def head(model: nn.Module, labels: Sequence[str]) -> nn.Module:
        """`model` under a new head."""
        return TokenClassifier(model, len(labels))

    @staticmethod
    def objective(model: nn.Module) -> Objective:
        """Cross-entropy of each word's tag."""
        return label_loss

    def encode(self, examples: Sequence[Tagged]) -> tuple[list[Words], int]:
        """Ids and places of words; how many sentences were cut."""
        before, _, after = self.frame
        room = self.model.model.config.context - len(after)
        items, cut = [], 0
        for sentence in examples:
            ids = list(before)
            places: list[int | None] = []
            for word in sentence.words:
                pieces = self.tok.encode(spaced(word))
                place = len(ids) + (len(pieces) - 1 if self.last else 0)
                ids += pieces
                places.append(place if pieces and place < room else None)
            cut += len(ids) > room
            items.append(Words([*ids[:room], *after], places, sentence.tags))
        return items, cut

    def batch(self, items: Sequence[Words]) -> Batch:
        """ "ids", "mask" and "targets", all (B, T)."""
        ids, mask = padded(self.model.model, [item.ids for item in items])
        targets = torch.full_like(ids, IGNORE)
        for row, item in enumerate(items):
            for place, tag in zip(item.places, item.tags, strict=True):
                if place is not None:
                    targets[row, place] = self.labels.index(tag)
        return {"ids": ids, "mask": mask, "targets": targets}

    def measure(self, items: Sequence[Words]) -> Figures:
        """Precision, recall and F1 of spans; what was cut off counts as O."""
        rows = [row for batch in logits(self, items) for row in batch.argmax(-1)]
        predicted = [
            ["O" if place is None else self.labels[row[place]] for place in item.places]
            for row, item in zip(rows, items, strict=True)
        ]
        found = span_f1([item.tags for item in items], predicted)
        return {"precision": found.precision, "recall": found.recall, "f1": found.f1}


def spaced(word: str) -> str:
    """The word as it stands in running text: Chinese has no spaces between words."""
    return word if HAN.match(word) else f" {word}"


def padded(model: Any, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Rows filled up on the right, (B, T), and a mask that is False there."""
    fill = getattr(model.config, "padding", None) or 0
    return pad_right([torch.tensor(row) for row in rows], fill=fill)


@torch.no_grad()
def logits(task: Any, items: Sequence[Any]) -> list[Tensor]:
    """What the model of `task` says of all items, a tensor for each MEASURED of them.

    On the CPU, where lists are made of it.
    """
    model = task.model.eval()
    device = next(model.parameters()).device
    rows = []
    for start in range(0, len(items), MEASURED):
        batch = to_device(task.batch(items[start : start + MEASURED]), device)
        said = model(batch["ids"], mask=batch["mask"], types=batch.get("types"))
        rows.append(said.float().cpu())
    return rows
