"""Objectives against brute force."""

import torch

from llm.models import T5, T5Config
from llm.models.bert import BERT, BERTConfig
from llm.text.batches import IGNORE
from llm.text.pairs import to_batch
from llm.train.objectives import (
    masked_and_next_sentence,
    masked_token,
    next_token,
    text_to_text,
)


def test_next_token_equals_a_sum_over_targets_one_by_one(tiny):
    model = tiny()
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    targets = torch.tensor([[2, 3, IGNORE], [IGNORE, 6, 7]])
    loss = next_token(model, {"ids": ids, "targets": targets})
    probabilities = model(ids).double().softmax(-1)
    expected = -sum(
        probabilities[row, t, targets[row, t]].log()
        for row in range(2)
        for t in range(3)
        if targets[row, t] != IGNORE
    )
    torch.testing.assert_close(loss.total.double(), expected, rtol=1e-6, atol=0)
    assert loss.count == 4


def test_ignored_targets_carry_no_gradient(tiny):
    model = tiny()
    batch = {"ids": torch.tensor([[1]]), "targets": torch.tensor([[IGNORE]])}
    loss = next_token(model, batch)
    loss.total.backward()
    assert loss.count == 0
    assert all(not p.grad.any() for p in model.parameters())


def pair_batch():
    """Two rows of masked tokens, the second padded, with segments."""
    return {
        "ids": torch.tensor([[1, 3, 5, 2, 6, 2], [1, 3, 2, 3, 2, 0]]),
        "targets": torch.tensor(
            [
                [IGNORE, 7, IGNORE, IGNORE, IGNORE, IGNORE],
                [IGNORE, 8, IGNORE, 9, IGNORE, IGNORE],
            ]
        ),
        "mask": torch.tensor([[True] * 6, [True] * 5 + [False]]),
        "types": torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]]),
        "next": torch.tensor([1, 0]),
    }


def test_masked_token_equals_a_sum_over_targets_one_by_one():
    torch.manual_seed(0)
    model = BERT(BERTConfig(11, 6, layers=1, heads=2, width=8))
    batch = pair_batch()
    loss = masked_token(model, batch)
    logits = model(batch["ids"], mask=batch["mask"], types=batch["types"])
    p = logits.double().softmax(-1)
    expected = -(p[0, 1, 7].log() + p[1, 1, 8].log() + p[1, 3, 9].log())
    torch.testing.assert_close(loss.total.double(), expected, rtol=1e-6, atol=0)
    assert loss.count == 3
    # neither what padding holds nor whether it is named matters
    bare = {name: batch[name] for name in ("ids", "targets")}
    assert masked_token(model, bare).count == 3
    batch["ids"][1, 5] = 4
    assert masked_token(model, batch).total.equal(loss.total)


def test_masked_and_next_sentence_is_the_sum_of_both_means():
    torch.manual_seed(0)
    model = BERT(BERTConfig(11, 6, layers=1, heads=2, width=8))
    batch = pair_batch()
    loss = masked_and_next_sentence(model, batch)
    tokens = masked_token(model, batch)
    x = model.features(batch["ids"], mask=batch["mask"], types=batch["types"])
    p = model.follows(x).softmax(-1)
    expected = tokens.total / 3 - (p[0, 1].log() + p[1, 0].log()) / 2
    torch.testing.assert_close(loss.total / loss.count, expected)
    loss.total.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_text_to_text_equals_a_sum_over_targets_one_by_one():
    model = T5(T5Config(11, layers=1, heads=2, width=8))
    batch = to_batch([([1, 2, 3], [4, 5]), ([6], [7, 8, 9])], start=0)
    loss = text_to_text(model, batch)
    expected = 0.0
    for source, target in (([1, 2, 3], [4, 5]), ([6], [7, 8, 9])):
        for t, token in enumerate(target):
            seen = torch.tensor([[0, *target[:t]]])
            logits = model(torch.tensor([source]), seen)[0, -1].double()
            expected -= logits.log_softmax(-1)[token]
    torch.testing.assert_close(loss.total.double(), expected, rtol=1e-5, atol=0)
    assert loss.count == 5
