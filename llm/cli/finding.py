"""Answers in passages: a task with a head that points at two places.

How a file is read, how an example becomes ids, and how well a model does: see
`llm.cli.tasks.Task`.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from llm.cli.labelling import COLUMNS, HAN, Columns, Figures, Frame, logits, padded
from llm.metrics import squad
from llm.models.bert import BERT
from llm.models.gpt import GPT
from llm.models.heads import SpanExtractor
from llm.tasks import Question, read_squad
from llm.text.batches import Batch
from llm.text.masking import pad_right
from llm.text.tokenizer import Tokenizer
from llm.train.labels import labels as label_loss
from llm.train.objectives import Objective

WORD = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]")
# In tokens. Answers of SQuAD have 3 words on average; longer spans are slips.
LONGEST_ANSWER = 30


class Asked(NamedTuple):
    """A question with its passage as ids, and what the answer is.

    Attributes:
        types: 0 up to the passage, 1 from there on.
        words: where the word of each token stands in the passage; None elsewhere.
        target: first and last token of the answer; 0 and 0 where there is none.
    """

    ids: list[int]
    types: list[int]
    words: list[tuple[int, int] | None]
    target: tuple[int, int]
    question: Question


class Find:
    """Answers in passages, from SQuAD's JSON; measured by exact match and F1."""

    models: tuple[type[nn.Module], ...] = (GPT, BERT)

    def __init__(self, model: Any, tok: Tokenizer, labels: Sequence[str]) -> None:
        self.model = model
        self.tok = tok
        self.frame = Frame.of(model.model, tok)
        below = model.model
        self.typed = isinstance(below, BERT) and below.config.type_count > 1

    @staticmethod
    def read(
        path: str, labels: Sequence[str] | None = None, columns: Columns = COLUMNS
    ) -> list[Question]:
        """The questions of a file."""
        return read_squad(path)

    @staticmethod
    def labels_of(examples: Sequence[Question]) -> list[str]:
        """None: the labels are places."""
        return []

    @staticmethod
    def head(model: nn.Module, labels: Sequence[str]) -> nn.Module:
        """`model` under a new head."""
        return SpanExtractor(model)

    @staticmethod
    def objective(model: nn.Module) -> Objective:
        """Cross-entropy of the first and of the last token."""
        return label_loss

    def encode(self, examples: Sequence[Question]) -> tuple[list[Asked], int]:
        """Ids and the answer's place; how many passages were cut."""
        items = [self.encode_one(example) for example in examples]
        return [item for item, _ in items], sum(cut for _, cut in items)

    def encode_one(self, example: Question) -> tuple[Asked, bool]:
        """Question and passage; words are told apart first, as in BERT's own code."""
        context = self.model.model.config.context
        asked = self.tok.encode(example.question)
        front = [*self.frame.before, *asked[: context // 2], *self.frame.between]
        ids = list(front)
        words: list[tuple[int, int] | None] = [None] * len(front)
        passage = example.passage
        for match in WORD.finditer(passage):
            start, end = match.span()
            space = " " if passage[start - 1 : start].isspace() else ""
            pieces = self.tok.encode(space + match.group())
            ids += pieces
            words += [(start, end)] * len(pieces)
        room = context - len(self.frame.after)
        cut = len(ids) > room or len(asked) > context // 2
        ids, words = ids[:room] + self.frame.after, words[:room]
        words += [None] * len(self.frame.after)
        types = [0] * len(front) + [1] * (len(ids) - len(front))
        target = place_of(example, words)
        return Asked(ids, types, words, target, example), cut

    def batch(self, items: Sequence[Asked]) -> Batch:
        """ "ids", "mask", "types" if the model has them, (B, T); "targets" (B, 2)."""
        ids, mask = padded(self.model.model, [item.ids for item in items])
        batch = {"ids": ids, "mask": mask}
        if self.typed:
            rows = [torch.tensor(item.types) for item in items]
            batch["types"], _ = pad_right(rows, fill=0)
        return batch | {"targets": torch.tensor([item.target for item in items])}

    def measure(self, items: Sequence[Asked]) -> Figures:
        """Exact match and F1 in per cent, by the rules of SQuAD."""
        rows = [row for batch in logits(self, items) for row in batch]
        said = [best_answer(row, item) for row, item in zip(rows, items, strict=True)]
        answers = [[a.text for a in item.question.answers] for item in items]
        chinese = any(HAN.search(item.question.passage) for item in items)
        scores = squad(said, answers, language="zh" if chinese else "en")
        return {"exact": scores.exact, "f1": scores.f1}


def place_of(
    question: Question, words: Sequence[tuple[int, int] | None]
) -> tuple[int, int]:
    """First and last token of the first answer; 0 and 0 if none is in what is seen."""
    if not question.answers:
        return 0, 0
    answer = question.answers[0]
    first, last = answer.start, answer.start + len(answer.text)
    inside = [
        i for i, word in enumerate(words) if word and word[0] < last and word[1] > first
    ]
    known = inside and (words[inside[-1]] or (0, 0))[1] >= last
    return (inside[0], inside[-1]) if known else (0, 0)


def best_answer(row: Tensor, item: Asked) -> str:
    """The likeliest span of the passage, "" where the first token is likelier.

    Devlin et al. 2019, sections 4.2 and 4.3. `row` is (2, T).
    """
    T = len(item.ids)
    outside = torch.tensor([word is None for word in item.words])  # (T,)
    first, last = row[:, :T].masked_fill(outside, -torch.inf)
    near = torch.ones(T, T, dtype=torch.bool).triu().tril(LONGEST_ANSWER - 1)
    both = (first[:, None] + last).masked_fill(~near, -torch.inf)  # (T, T)
    start, end = divmod(int(both.argmax()), T)
    begin, stop = item.words[start], item.words[end]
    if begin is None or stop is None or both.max() < row[0, 0] + row[1, 0]:
        return ""
    return item.question.passage[begin[0] : stop[1]]
