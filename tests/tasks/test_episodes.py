"""Episodes: their rules hold, nothing but the context tells them, and models learn."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from llm.tasks import Episodes, KeyLabels, Linear, Recall, answer_episodes
from llm.text.batches import IGNORE

TASKS = [KeyLabels(), Linear(), Recall(), KeyLabels(3, 2, 1, 1), Recall(2, 2, 1)]


def pairs_of(task, ids, targets):
    """Question and answer, pair by pair, of one row."""
    return [(ids[i].item(), targets[i].item()) for i in task.asked]


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_batch_follows_from_seed_and_step(task):
    episodes = Episodes(task, batch_size=6, seed=5)
    batch, again = episodes(3), Episodes(task, batch_size=6, seed=5)(3)
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    for other in (episodes(4), Episodes(task, batch_size=6, seed=6)(3)):
        assert not torch.equal(other["ids"], batch["ids"])
    ids, targets = batch["ids"], batch["targets"]
    assert ids.shape == targets.shape and ids.dtype == targets.dtype == torch.int64
    assert ids.min() >= 0 and ids.max() < task.vocab_size
    # Answers are targets, and stand in the row as what follows.
    learned = targets != IGNORE
    assert all(row.nonzero()[:, 0].tolist() == task.asked for row in learned)
    assert torch.equal(ids[:, 1:][learned[:, :-1]], targets[:, :-1][learned[:, :-1]])


def test_a_key_keeps_its_label_and_shots_are_counted():
    task = KeyLabels(keys=8, labels=3, pairs=10, used=4)
    batch = Episodes(task, batch_size=50)(0)
    shots = task.shots(batch["ids"])
    for row, counts in enumerate(shots.tolist()):
        label, seen = {}, Counter()
        for (key, answer), count in zip(
            pairs_of(task, batch["ids"][row], batch["targets"][row]),
            counts,
            strict=True,
        ):
            assert 0 <= key < 8 <= answer < 11
            assert label.setdefault(key, answer) == answer
            assert seen[key] == count
            seen[key] += 1
        assert len(label) <= 4


def test_weights_cannot_hold_the_labels():
    """Over many episodes every key has every label equally often."""
    task = KeyLabels(keys=4, labels=4, pairs=1, used=1)
    batch = Episodes(task, batch_size=8000)(0)
    counts = np.zeros((4, 4))
    np.add.at(counts, (batch["ids"][:, 0], batch["targets"][:, 0] - 4), 1)
    assert (abs(counts / 8000 - 1 / 16) < 0.015).all()


def test_two_pairs_tell_all_that_follow_in_a_linear_episode():
    task = Linear(modulus=7, pairs=7)
    batch = Episodes(task, batch_size=40)(0)
    for ids, targets in zip(batch["ids"], batch["targets"], strict=True):
        pairs = pairs_of(task, ids, targets)
        assert len({x for x, _ in pairs}) == 7
        lines = [
            (a, b)
            for a in range(7)
            for b in range(7)
            if all((a * x + b) % 7 == y for x, y in pairs[:2])
        ]
        [(a, b)] = lines
        assert all((a * x + b) % 7 == y for x, y in pairs)


def test_recall_asks_what_followed_in_the_list():
    task = Recall(symbols=9, length=5, questions=6)
    batch = Episodes(task, batch_size=40)(0)
    firsts = set()
    for ids, targets in zip(batch["ids"], batch["targets"], strict=True):
        listed = ids[:5].tolist()
        assert len(set(listed)) == 5 and max(listed) < 9 and ids[5] == 9
        followed = dict(pairwise(listed))
        pairs = pairs_of(task, ids, targets)
        assert all(followed[x] == y for x, y in pairs)
        firsts.add(listed.index(pairs[0][0]))
    assert firsts == {0, 1, 2, 3}  # no place in the list is asked more than others


class Rule(nn.Module):
    """Certain of the next token of row 0, wrong about every other row."""

    def __init__(self, batch, vocab):
        super().__init__()
        self.targets, self.vocab = batch["targets"].clamp(min=0), vocab

    def forward(self, ids):
        said = self.targets.clone()
        said[1:] = (said[1:] + 1) % self.vocab
        return 9.0 * nn.functional.one_hot(said, self.vocab)


@pytest.mark.parametrize("task", TASKS[:3], ids=str)
def test_right_answers_are_counted_at_each_place(task):
    batch = Episodes(task, batch_size=3)(0)
    found = answer_episodes(Rule(batch, task.vocab_size), task, batch)
    assert found.right.shape == found.log_probs.shape == (3, len(task.asked))
    assert found.right.tolist() == [[row == 0] * len(task.asked) for row in range(3)]
    z = math.log(math.exp(9) + task.vocab_size - 1)
    assert torch.allclose(found.log_probs[0], torch.tensor(9 - z), atol=1e-5)
    assert torch.allclose(found.log_probs[1:], torch.tensor(-z))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KeyLabels(used=17), "1 <= used <= keys"),
        (lambda: KeyLabels(labels=1), "2 labels"),
        (lambda: Linear(modulus=9), "modulus 9 is no prime"),
        (lambda: Linear(modulus=1), "modulus 1 is no prime"),
        (lambda: Linear(modulus=5, pairs=6), "6 pairs with 5 different x"),
        (lambda: Recall(length=1), "2 <= length <= symbols"),
        (lambda: Recall(length=17), "2 <= length <= symbols"),
        (lambda: Recall(questions=0), "a question"),
        (lambda: Episodes(Recall(), batch_size=0), "batch_size 0"),
    ],
)
def test_what_is_no_episode_is_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()
