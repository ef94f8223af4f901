"""Tasks that a model can only learn from its context: each episode has its own rule.

An episode is a row of tokens: questions, each followed by its answer. The rule that
leads from one to the other is drawn anew for every row, so weights cannot hold it;
what they can hold is how to find a rule in what was seen (Chan et al. 2022,
arXiv:2205.05055; Garg et al. 2022, arXiv:2208.01066). How the error falls from the
first pair of a row to the last is in-context learning, measured.

- `KeyLabels`: every key has a label, drawn by lot. A key seen before can be answered.
- `Linear`: y = a x + b modulo a prime. Two pairs tell all; a table of one row does not.
- `Recall`: a list without pattern, then "what came after x?" (Olsson et al. 2022,
  arXiv:2209.11895). One attention layer cannot do that, two can.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from llm.generate.decoding import evaluating
from llm.text.batches import IGNORE, Batch

Array = np.ndarray[tuple[int, int], np.dtype[np.int64]]


class Task(Protocol):
    """Rows to learn from, and where their answers stand."""

    @property
    def vocab_size(self) -> int:
        """The number of different tokens."""

    @property
    def asked(self) -> list[int]:
        """The places in a row whose next token is an answer, in order."""

    def rows(self, random: np.random.Generator, count: int) -> Array:
        """Episodes, each by a rule of its own: (count, T + 1)."""


class Episodes:
    """Batches of episodes, a new one for each step: data for the Trainer.

    `episodes(step)` gives "ids" and "targets", both (B, T). Targets are the answers
    alone, since nothing tells the questions. The batch follows from the seed and the
    step; take another seed to evaluate.
    """

    def __init__(self, task: Task, *, batch_size: int, seed: int = 0) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size} is below 1")
        self.task = task
        self.batch_size = batch_size
        self.seed = seed

    def __call__(self, step: int) -> Batch:
        random = np.random.default_rng([self.seed, step])
        rows = torch.from_numpy(self.task.rows(random, self.batch_size))  # (B, T + 1)
        targets = torch.full_like(rows[:, 1:], IGNORE)
        targets[:, self.task.asked] = rows[:, 1:][:, self.task.asked]
        return {"ids": rows[:, :-1], "targets": targets}


@dataclass(frozen=True)
class KeyLabels:
    """Keys and their labels: k1 l1 k2 l2 ..., a key with one label all the row long.

    Keys are the ids from 0, labels follow them.

    keys    number of keys in all
    labels  number of labels
    pairs   pairs in a row
    used    number of keys in one episode; fewer come more often

    Raises ValueError unless 1 <= used <= keys, 2 <= labels and 1 <= pairs.
    """

    keys: int = 16
    labels: int = 4
    pairs: int = 16
    used: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.used <= self.keys or self.labels < 2 or self.pairs < 1:
            raise ValueError(f"expected 1 <= used <= keys, 2 labels, a pair: {self}")

    @property
    def vocab_size(self) -> int:
        """Keys and labels."""
        return self.keys + self.labels

    @property
    def asked(self) -> list[int]:
        """Every other place, from the first."""
        return list(range(0, 2 * self.pairs, 2))

    def rows(self, random: np.random.Generator, count: int) -> Array:
        """Draw keys, their labels and then pairs of them: (count, 2 pairs)."""
        # Random numbers in order are a draw without return.
        own = random.random((count, self.keys)).argsort(1)[:, : self.used]
        rule = random.integers(self.labels, size=(count, self.used))
        places = random.integers(self.used, size=(count, self.pairs))
        keys = np.take_along_axis(own, places, 1)  # (count, pairs)
        labels = self.keys + np.take_along_axis(rule, places, 1)
        return side_by_side(keys, labels)

    def shots(self, ids: Tensor) -> Tensor:
        """How often each key stood in its row before, (B, T) to (B, pairs)."""
        keys = ids[:, self.asked]  # (B, pairs)
        same = keys[:, :, None] == keys[:, None, :]  # (B, pairs, pairs)
        return same.tril(-1).sum(-1)


@dataclass(frozen=True)
class Linear:
    """x1 y1 x2 y2 ..., with y = a x + b modulo `modulus`; a, b by lot for each row.

    The x of a row are all different. Ids are the numbers themselves.

    Raises ValueError for a modulus that is no prime, or pairs not in 1 ... modulus.
    """

    modulus: int = 11
    pairs: int = 8

    def __post_init__(self) -> None:
        divisors = range(2, self.modulus)
        if self.modulus < 2 or any(self.modulus % d == 0 for d in divisors):
            raise ValueError(
                f"modulus {self.modulus} is no prime: two pairs would not tell the rule"
            )
        if not 1 <= self.pairs <= self.modulus:
            raise ValueError(f"{self.pairs} pairs with {self.modulus} different x")

    @property
    def vocab_size(self) -> int:
        """One token for each number."""
        return self.modulus

    @property
    def asked(self) -> list[int]:
        """Every other place, from the first."""
        return list(range(0, 2 * self.pairs, 2))

    def rows(self, random: np.random.Generator, count: int) -> Array:
        """Draw a, b and different x: (count, 2 pairs)."""
        a, b = random.integers(self.modulus, size=(2, count, 1))
        x = random.random((count, self.modulus)).argsort(1)[:, : self.pairs]
        return side_by_side(x, (a * x + b) % self.modulus)


@dataclass(frozen=True)
class Recall:
    """A list of different symbols, a mark, then symbols of the list and what followed.

    With a list s1 s2 s3 s4: s1 s2 s3 s4 | s3 s4 s1 s2 ... The symbols asked are drawn
    by lot from all but the last, each time anew. The mark has the id `symbols`.

    Raises ValueError unless 2 <= length <= symbols and 1 <= questions.
    """

    symbols: int = 16
    length: int = 8
    questions: int = 4

    def __post_init__(self) -> None:
        if not 2 <= self.length <= self.symbols or self.questions < 1:
            raise ValueError(f"expected 2 <= length <= symbols, a question: {self}")

    @property
    def vocab_size(self) -> int:
        """Symbols and the mark."""
        return self.symbols + 1

    @property
    def asked(self) -> list[int]:
        """Every other place behind the mark."""
        begin = self.length + 1
        return list(range(begin, begin + 2 * self.questions, 2))

    def rows(self, random: np.random.Generator, count: int) -> Array:
        """Draw lists and questions: (count, length + 1 + 2 questions)."""
        listed = random.random((count, self.symbols)).argsort(1)[:, : self.length]
        places = random.integers(self.length - 1, size=(count, self.questions))
        asked = np.take_along_axis(listed, places, 1)
        answers = np.take_along_axis(listed, places + 1, 1)
        mark = np.full((count, 1), self.symbols)
        return np.concatenate([listed, mark, side_by_side(asked, answers)], axis=1)


def side_by_side(questions: Array, answers: Array) -> Array:
    """q1 a1 q2 a2 ..., from (count, N) and (count, N)."""
    return np.stack([questions, answers], axis=2).reshape(len(questions), -1)


class Answered(NamedTuple):
    """What a model answered.

    Attributes:
        right: whether its likeliest token was the answer, (B, answers) bool.
        log_probs: log p of the answer in nats, (B, answers).
    """

    right: Tensor
    log_probs: Tensor


@torch.inference_mode()
def answer_episodes(model: nn.Module, task: Task, batch: Batch) -> Answered:
    """How a model answers each question of a batch; the mean over rows is a curve.

    `right.float().mean(0)` is the accuracy after 0, 1, 2, ... pairs, the in-context
    learning curve.
    """
    with evaluating(model):
        logits = model(batch["ids"])[:, task.asked]  # (B, answers, V)
    answers = batch["targets"][:, task.asked]  # (B, answers)
    log_p = logits.float().log_softmax(-1).gather(-1, answers[..., None])[..., 0]
    return Answered(logits.argmax(-1) == answers, log_p)
