"""Texts with tokens masked, to be named by a model that sees both directions.

Masked language modelling: Devlin et al. 2019 (arXiv:1810.04805), section 3.1, task 1,
and its released code. Of the tokens of a text 15 % become targets. Of these, 80 % are
replaced by [MASK], 10 % by a random token, and 10 % are left alone: in use there is no
[MASK], and a model that meets all three must keep a good idea of every token.

Next sentence: the same section, task 2. Liu et al. 2019 (arXiv:1907.11692), section
4.1, draw the masks anew whenever a text is seen; in BERT each text had ten maskings.

What differs: random tokens are never special ones, as in the code of RoBERTa. As all
our data, a batch depends on the seed and on the number of its step alone.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from llm.text.batches import IGNORE, Batch
from llm.text.tokenizer import Tokenizer

# To be handed to `Tokenizer.train(..., special=MARKS)`.
MARKS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")


class Marks(NamedTuple):
    """Ids of the special tokens, which are never masked.

    pad fills rows up, begin ([CLS]) opens a text, end ([SEP]) closes each of its
    segments, mask stands for what is to be named; others are any further ones.
    """

    pad: int
    begin: int
    end: int
    mask: int
    others: tuple[int, ...] = ()

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Self:
        """The marks of a tokenizer that has `MARKS` among its special tokens.

        Raises:
            ValueError: it lacks one of them.
        """
        special = tokenizer.special
        if lacking := [name for name in MARKS if name not in special]:
            raise ValueError(
                f"the tokenizer has no {', '.join(lacking)}: train it with "
                "special=MARKS"
            )
        others = tuple(special[name] for name in special if name not in MARKS)
        pad, begin, end, mask = (special[name] for name in MARKS)
        return cls(pad, begin, end, mask, others)

    @property
    def all(self) -> tuple[int, ...]:
        """Every special id."""
        return (self.pad, self.begin, self.end, self.mask, *self.others)


class Masking(NamedTuple):
    """How tokens are masked.

    Attributes:
        marks: the special tokens.
        vocab_size: V; random tokens are drawn from 0 to V - 1.
        rate: share of a row's ordinary tokens that become targets, at least one.
        hidden: share of the targets that become [MASK].
        replaced: share of them that become a random token; the rest stays as it is.
    """

    marks: Marks
    vocab_size: int
    rate: float = 0.15
    hidden: float = 0.8
    replaced: float = 0.1


def mask_tokens(
    ids: Tensor, masking: Masking, *, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Mask each row of `ids`, (..., T); return what the model sees, and the targets.

    Both are (..., T). A target is the id that stood there, or IGNORE where nothing is
    to be named. Of n ordinary tokens in a row, round(rate · n) are chosen, and at least
    one, each set of that size as likely as any other.

    Raises:
        ValueError: a row has nothing but special tokens, or the vocabulary has.
    """
    ordinary = torch.isin(ids, torch.tensor(masking.marks.all), invert=True)
    count = ordinary.sum(-1, keepdim=True)  # (..., 1)
    if not count.all():
        raise ValueError("a row has nothing but special tokens: nothing to mask")
    wanted = (masking.rate * count).round().clamp(min=1)  # (..., 1)
    lot = torch.from_numpy(random.random(ids.shape)).where(ordinary, 2.0)  # last of all
    chosen = lot.argsort(-1).argsort(-1) < wanted  # (..., T): the lowest lots

    fate = torch.from_numpy(random.random(ids.shape))
    other = random_tokens(masking, random, size=tuple(ids.shape))
    hidden = chosen & (fate < masking.hidden)
    replaced = chosen & ~hidden & (fate < masking.hidden + masking.replaced)
    seen = ids.where(~hidden, masking.marks.mask).where(~replaced, other)
    targets = ids.where(chosen, IGNORE)
    return seen, targets


def random_tokens(
    masking: Masking, random: np.random.Generator, *, size: tuple[int, ...]
) -> Tensor:
    """Ordinary tokens, each equally likely: int64 of shape `size`.

    Raises:
        ValueError: the vocabulary has nothing but special tokens.
    """
    special = sorted({id for id in masking.marks.all if id < masking.vocab_size})
    if len(special) == masking.vocab_size:
        raise ValueError(f"all {masking.vocab_size} tokens are special: none to draw")
    drawn = random.integers(masking.vocab_size - len(special), size=size)
    for id in special:  # all ids from a special one on move up by one
        drawn += drawn >= id
    return torch.from_numpy(drawn)


class MaskedTexts:
    """Batches of texts with masked tokens: `texts(step)` gives that of a step.

    A batch has "ids", "targets" and "mask" (False at padding), all (B, T), filled up on
    the right to the longest row. Every row is equally likely, each time anew.

    Args:
        rows: ids of the texts, with their special tokens.
        masking: how tokens are masked.
        batch_size: B.
        maskings: how many maskings each row has, drawn once: 10 in BERT, as static
            masking. None draws one anew each time: dynamic, as in RoBERTa.
        seed: with the step, determines the batch.

    Raises:
        ValueError: there are no rows, one has nothing to mask, or no masking.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[int]],
        masking: Masking,
        *,
        batch_size: int,
        maskings: int | None = None,
        seed: int = 0,
    ) -> None:
        if not rows:
            raise ValueError("there are no texts to mask")
        if maskings is not None and maskings < 1:
            raise ValueError(f"maskings {maskings} leaves a text none: give at least 1")
        for number, row in enumerate(rows):
            if not set(row) - set(masking.marks.all):
                raise ValueError(f"row {number} has nothing but special tokens")
        self.rows = [torch.tensor(row) for row in rows]
        self.masking = masking
        self.batch_size = batch_size
        self.maskings = maskings
        self.seed = seed

    def __call__(self, step: int) -> Batch:
        random = np.random.default_rng([self.seed, step])
        chosen = random.integers(len(self.rows), size=self.batch_size)
        pad = self.masking.marks.pad
        ids, mask = pad_right([self.rows[row] for row in chosen], fill=pad)
        if self.maskings is None:
            seen, targets = mask_tokens(ids, self.masking, random=random)
        else:
            again = random.integers(self.maskings, size=self.batch_size)
            masked = [self.masked(*one) for one in zip(chosen, again, strict=True)]
            seen = pad_right([seen for seen, _ in masked], fill=pad)[0]
            targets = pad_right([targets for _, targets in masked], fill=IGNORE)[0]
        return {"ids": seen, "targets": targets, "mask": mask}

    def masked(self, row: int, which: int) -> tuple[Tensor, Tensor]:
        """One of the maskings that a row has for good."""
        random = np.random.default_rng([self.seed, row, which])
        return mask_tokens(self.rows[row], self.masking, random=random)


class SentencePairs:
    """Batches of sentence pairs: does B follow A, and which tokens were masked?

    Half of the pairs are neighbours in a document; in the other half, B is a random
    sentence of another document. A row is [CLS] A [SEP] B [SEP]. A batch has what one
    of `MaskedTexts` has, "types" (B, T), 0 up to the first [SEP] and 1 after it, and
    "next" (B,), 0 where B follows A and 1 where it does not, as in the released code.

    Args:
        documents: sentences of ids, at least two in each document.
        masking: how tokens are masked.
        context: most tokens in a row; a longer pair loses the last tokens of whichever
            of its sentences is longer.
        batch_size: B.
        seed: with the step, determines the batch.

    Raises:
        ValueError: there are fewer than two documents, one has fewer than two
            sentences, a sentence has nothing to mask, or the context holds no pair.
    """

    def __init__(
        self,
        documents: Sequence[Sequence[Sequence[int]]],
        masking: Masking,
        *,
        context: int,
        batch_size: int,
        seed: int = 0,
    ) -> None:
        if len(documents) < 2:
            raise ValueError(
                f"a random sentence comes from another document: {len(documents)} of "
                "at least 2"
            )
        for number, document in enumerate(documents):
            if len(document) < 2:
                raise ValueError(f"document {number} has fewer than two sentences")
            if not all(set(row) - set(masking.marks.all) for row in document):
                raise ValueError(f"document {number} has a sentence without a word")
        if context < 5:
            raise ValueError(f"context {context} holds no pair: three marks, two words")
        self.documents = documents
        self.masking = masking
        self.context = context
        self.batch_size = batch_size
        self.seed = seed

    def __call__(self, step: int) -> Batch:
        random = np.random.default_rng([self.seed, step])
        pairs = [self.draw(random) for _ in range(self.batch_size)]
        rows, types, labels = zip(*pairs, strict=True)
        ids, mask = pad_right(rows, fill=self.masking.marks.pad)
        seen, targets = mask_tokens(ids, self.masking, random=random)
        return {
            "ids": seen,
            "targets": targets,
            "mask": mask,
            "types": pad_right(types, fill=0)[0],
            "next": torch.tensor(labels),
        }

    def draw(self, random: np.random.Generator) -> tuple[Tensor, Tensor, int]:
        """One pair: its ids, their types, and whether B is random."""
        marks, own = self.masking.marks, int(random.integers(len(self.documents)))
        place = int(random.integers(len(self.documents[own]) - 1))
        label = int(random.integers(2))
        other, then = own, place + 1
        if label:
            # Any document but `own`: those after it move down by one.
            other = int(random.integers(len(self.documents) - 1))
            other += other >= own
            then = int(random.integers(len(self.documents[other])))
        a, b = shorten(
            self.documents[own][place],
            self.documents[other][then],
            length=self.context - 3,
        )
        ids = [marks.begin, *a, marks.end, *b, marks.end]
        types = [0] * (len(a) + 2) + [1] * (len(b) + 1)
        return torch.tensor(ids), torch.tensor(types), label


def shorten(
    a: Sequence[int], b: Sequence[int], *, length: int
) -> tuple[list[int], list[int]]:
    """Take tokens off the end of the longer sequence until both fit into `length`."""
    a, b = list(a), list(b)
    while len(a) + len(b) > length:
        (a if len(a) > len(b) else b).pop()
    return a, b


def pad_right(rows: Sequence[Tensor], *, fill: int) -> tuple[Tensor, Tensor]:
    """Fill rows up on the right: (B, T) ids, and a mask (B, T) that is False there."""
    padded = torch.nn.utils.rnn.pad_sequence(
        list(rows), batch_first=True, padding_value=fill
    )
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(padded.size(1)) < lengths[:, None]
    return padded, mask
