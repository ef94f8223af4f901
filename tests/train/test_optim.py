"""Optimisers against their definitions."""

import pytest
import torch
from torch import nn

from llm.train.optim import (
    BETAS,
    Muon,
    load_state_tensors,
    make_optimizers,
    orthogonalize,
    set_rate,
    state_tensors,
)

RATES = {"lr": 0.04, "embedding_lr": 0.05, "other_lr": 0.01, "weight_decay": 0.1}


def adamw_by_hand(p, grads, *, lr, decay, eps=1e-8):
    """Algorithm 2 of Loshchilov and Hutter 2019, in float64."""
    p, (b1, b2) = p.double(), BETAS
    m = v = torch.zeros_like(p)
    for t, g in enumerate((g.double() for g in grads), start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        step = (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps)
        p = p - lr * (step + decay * p)
    return p


def quadratic(model, target):
    return sum(((p - target) ** 2).sum() for p in model.parameters())


def test_adamw_equals_the_paper_and_decays_matrices_only(tiny):
    model = tiny()
    (optimizer,) = make_optimizers(model, optimizer="adamw", **RATES)
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    grads = {n: [] for n in start}
    for step in range(5):
        optimizer.zero_grad()
        quadratic(model, step).backward()
        for n, p in model.named_parameters():
            grads[n].append(p.grad.clone())
        optimizer.step()
    for n, p in model.named_parameters():
        decay = 0.1 if p.ndim == 2 else 0.0
        expected = adamw_by_hand(start[n], grads[n], lr=0.04, decay=decay)
        torch.testing.assert_close(p.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (3, 5, 7)])
def test_orthogonalize_keeps_directions_and_flattens_singular_values(shape):
    matrix = torch.randn(shape)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalize(matrix, steps=10)
    inside = u.mT @ result @ vt.mT  # diagonal, if the directions are the same
    values = inside.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(inside, torch.diag_embed(values), rtol=0, atol=1e-4)
    assert values.min() > 0.65 and values.max() < 1.25  # of the quintic's fixed band
    assert (s.amax(-1) / s.amin(-1) > 2).all()  # the input was far from flat


def test_muon_moves_by_nesterov_momentum_orthogonalised():
    p = nn.Parameter(torch.randn(6, 3))
    before, momentum = p.detach().clone(), torch.zeros(6, 3)
    muon = Muon([p], lr=0.1, momentum=0.8, steps=4, weight_decay=0.2)
    for _ in range(3):
        p.grad = torch.randn(6, 3)
        momentum = 0.8 * momentum + p.grad
        update = orthogonalize(p.grad + 0.8 * momentum, steps=4)
        before = before * (1 - 0.1 * 0.2) - 0.1 * 2**0.5 * update
        muon.step()
        torch.testing.assert_close(p.detach(), before)


def test_matrices_of_one_shape_are_updated_as_if_alone():
    together = [nn.Parameter(torch.randn(4, 4)) for _ in range(3)]
    alone = [nn.Parameter(p.detach().clone()) for p in together]
    for a, b in zip(together, alone, strict=True):
        a.grad = b.grad = torch.randn(4, 4)
    Muon(together).step()
    for p in alone:
        Muon([p]).step()
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b)


def test_a_parameter_without_gradient_stays():
    p = nn.Parameter(torch.ones(2, 2))
    Muon([p], weight_decay=0.5).step()
    assert torch.equal(p, torch.ones(2, 2))


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_every_parameter_is_trained_exactly_once(tiny, kind):
    model = tiny()
    groups = [
        p
        for o in make_optimizers(model, optimizer=kind, **RATES)
        for g in o.param_groups
        for p in g["params"]
    ]
    assert len(groups) == len(set(groups)) == len(list(model.parameters()))


def rates_by_name(model, optimizers):
    names = {p: n for n, p in model.named_parameters()}
    return {
        names[p]: (type(o).__name__, g["lr"], g["weight_decay"])
        for o in optimizers
        for g in o.param_groups
        for p in g["params"]
    }


def test_muon_takes_hidden_matrices_and_adamw_the_rest_at_its_own_rates(tiny):
    model = tiny()
    rates = rates_by_name(model, make_optimizers(model, optimizer="muon", **RATES))
    assert rates == {
        "embed.weight": ("AdamW", 0.05, 0.0),
        "hidden.weight": ("Muon", 0.04, 0.1),
        "hidden.bias": ("AdamW", 0.01, 0.0),
        "norm.weight": ("AdamW", 0.01, 0.0),
        "norm.bias": ("AdamW", 0.01, 0.0),
        "head.weight": ("AdamW", 0.01, 0.0),
    }


def test_a_tied_head_learns_at_the_rate_of_the_embedding(tiny):
    model = tiny()
    model.head.weight = model.embed.weight
    rates = rates_by_name(model, make_optimizers(model, optimizer="muon", **RATES))
    assert rates["embed.weight"] == ("AdamW", 0.05, 0.0)


def test_frozen_parameters_are_left_out(tiny):
    model = tiny()
    model.hidden.weight.requires_grad_(False)
    for kind in ("adamw", "muon"):
        rates = rates_by_name(model, make_optimizers(model, optimizer=kind, **RATES))
        assert "hidden.weight" not in rates and "embed.weight" in rates


def test_set_rate_scales_every_group_from_its_peak(tiny):
    optimizers = make_optimizers(tiny(), optimizer="muon", **RATES)
    set_rate(optimizers, 0.1)
    set_rate(optimizers, 0.5)
    assert [g["lr"] for o in optimizers for g in o.param_groups] == [0.02, 0.025, 0.005]


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_optimiser_memory_survives_as_flat_tensors(tiny, kind):
    models = [tiny(), tiny()]
    both = [make_optimizers(m, optimizer=kind, **RATES) for m in models]

    def steps(index: int, count: int) -> None:
        for step in range(count):
            quadratic(models[index], step).backward()
            for o in both[index]:
                o.step()
                o.zero_grad()

    steps(0, 3)
    models[1].load_state_dict(models[0].state_dict())
    tensors = state_tensors(models[0], both[0])
    copies = {k: v.clone() for k, v in tensors.items()}
    load_state_tensors(models[1], both[1], copies)
    steps(0, 2)
    steps(1, 2)
    for a, b in zip(*(m.parameters() for m in models), strict=True):
        assert torch.equal(a, b)
