"""Objectives against brute force."""

import torch

from llm.models import T5, T5Config
from llm.text.batches import IGNORE
from llm.text.pairs import to_batch
from llm.train.objectives import next_token, text_to_text


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
