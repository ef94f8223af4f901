"""The note "The pre-training loop": its exercises and its formulae."""

import math
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from llm import GPT, GPTConfig, TrainConfig, Trainer
from llm.metrics import bits_per_byte, perplexity
from llm.text.batches import IGNORE, Batch
from llm.train import evaluate, next_token

V = 7


def tiny(*, seed: int = 0, dropout: float = 0.0) -> GPT:
    torch.manual_seed(seed)
    return GPT(GPTConfig(V, context=6, layers=1, heads=2, width=8, dropout=dropout))


def data(step: int) -> Batch:
    """Three rows; the last has so many targets less as the step is odd."""
    ids = torch.randint(V, (3, 7), generator=torch.Generator().manual_seed(step))
    targets = ids[:, 1:].clone()
    targets[2, 1 + step % 3 :] = IGNORE
    return {"ids": ids[:, :-1], "targets": targets}


def surprises(logits: Tensor, targets: Tensor) -> list[float]:
    """-log p of each target, one by one, with nothing but math.exp."""
    found = []
    for scores, target in zip(logits.flatten(0, 1), targets.flatten(), strict=True):
        if target != IGNORE:
            weights = [math.exp(score) for score in scores.tolist()]
            found.append(-math.log(weights[target] / sum(weights)))
    return found


def gradient(model: nn.Module) -> Tensor:
    return torch.cat(
        [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    )


def test_cross_entropy() -> None:
    model, batch = tiny(), data(1)
    found = surprises(model(batch["ids"]), batch["targets"])
    loss = next_token(model, batch)
    assert len(found) == loss.count == 6 + 6 + 2
    assert loss.total.item() / len(found) == pytest.approx(sum(found) / len(found))


def test_perplexity() -> None:
    """exp of the mean surprise: the geometric mean of 1 / p; V for a blind guess."""
    p = [0.5, 0.25, 0.125]
    loss = sum(-math.log(q) for q in p) / 3
    assert math.exp(loss) == pytest.approx(math.prod(1 / q for q in p) ** (1 / 3))
    assert perplexity(loss) == pytest.approx(4.0)
    assert math.exp(math.log(V)) == pytest.approx(V)


def test_gradient_of_unequal_micro_batches() -> None:
    """Gradients of the sums, added and divided once, are that of the mean over all."""
    model = tiny()
    whole, rows = data(2), range(3)
    F.cross_entropy(model(whole["ids"]).mT, whole["targets"]).backward()
    expected = gradient(model)
    sums, means, count = torch.zeros_like(expected), torch.zeros_like(expected), 0
    for row in rows:
        part = {name: tensor[row : row + 1] for name, tensor in whole.items()}
        model.zero_grad()
        loss = next_token(model, part)
        loss.total.backward()
        sums += gradient(model)
        means += gradient(model) / loss.count / len(rows)
        count += int(loss.count)
    torch.testing.assert_close(sums / count, expected)
    assert (means - expected).norm() > 0.01 * expected.norm()


def test_perplexity_and_bits(answer: ModuleType) -> None:
    logits, targets = torch.randn(2, 5, V), torch.randint(V, (2, 5))
    targets[1, 3:] = IGNORE
    found = surprises(logits, targets)
    by_token, by_byte = answer.perplexity_and_bits(logits, targets, byte_count=19)
    assert by_token == pytest.approx(perplexity(sum(found) / 8), rel=1e-4)
    assert by_byte == pytest.approx(bits_per_byte(sum(found), byte_count=19), rel=1e-4)


def test_fit(answer: ModuleType) -> None:
    """Loss by loss as the Trainer's."""
    ours, theirs = tiny(), tiny()
    config = TrainConfig(steps=12, lr=0.02, schedule="constant", log_every=1)
    log = Trainer(theirs, data, config=config).fit()
    losses = answer.fit(ours, data, steps=12, lr=0.02)
    assert losses == pytest.approx([record["loss"] for record in log], rel=1e-4)
    assert any(record["grad_norm"] > 1 for record in log)  # the clip did matter


def test_gap(answer: ModuleType) -> None:
    known, new = [data(0), data(1)], [data(2), data(3), data(5)]
    for mode in (True, False):
        model = tiny(dropout=0.5).train(mode)
        found = answer.gap(model, known, new)
        assert model.training is mode
        expected = evaluate(model, new)["loss"] - evaluate(model, known)["loss"]
        assert found == pytest.approx(expected, abs=1e-6)


def test_go_on(answer: ModuleType, tmp_path: Path) -> None:
    """Bit for bit the run that was planned to be longer from the start."""
    short = TrainConfig(steps=4, schedule="constant", warmup=2)
    long = TrainConfig(steps=9, schedule="constant", warmup=2, log_every=1)
    unbroken, prolonged = tiny(dropout=0.2), tiny(seed=5, dropout=0.2)
    log = Trainer(unbroken, data, config=long).fit()
    Trainer(tiny(dropout=0.2), data, config=short, out=tmp_path).fit()
    losses = answer.go_on(prolonged, data, config=short, out=tmp_path, more=5)
    assert losses == [record["loss"] for record in log[4:]]
    for p, q in zip(unbroken.parameters(), prolonged.parameters(), strict=True):
        assert torch.equal(p, q)


batches = st.lists(
    st.lists(st.floats(0, 10), min_size=1, max_size=6), min_size=1, max_size=5
)


@given(batches)
def test_error_of_mean_of_means(answer: ModuleType, losses: list[list[float]]) -> None:
    everything = [loss for batch in losses for loss in batch]
    exact = sum(everything) / len(everything)
    means = [sum(batch) / len(batch) for batch in losses]
    counts = [len(batch) for batch in losses]
    error = sum(means) / len(means) - exact
    found = answer.error_of_mean_of_means(means, counts)
    assert found == pytest.approx(error, abs=1e-9)
