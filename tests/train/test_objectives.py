"""Objectives against brute force."""

import torch

from llm.text.batches import IGNORE
from llm.train.objectives import next_token


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
