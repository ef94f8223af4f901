"""Recurrent models against the equations of their cells, and what a state promises."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from llm.models.recurrent import Recurrent, RecurrentConfig, State
from llm.train import TrainConfig, Trainer

V, C = 11, 6
CELLS = ["rnn", "lstm", "gru"]


@pytest.fixture(params=CELLS)
def model(
    request: pytest.FixtureRequest, redraw: Callable[[nn.Module], None]
) -> Recurrent:
    """A tiny model of two layers, every tensor drawn."""
    model = Recurrent(RecurrentConfig(V, 2, C, cell=request.param)).eval()
    redraw(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 4
    return model


def some_ids(*shape: int) -> Tensor:
    """Random ids."""
    return torch.randint(V, shape)


def step(model: Recurrent, layer: int, x: Tensor, h: Tensor, c: Tensor) -> Any:
    """The equations of one cell: from input, state and memory to both of them."""
    names = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
    W, b, U, d = (getattr(model.cells, f"{name}_l{layer}") for name in names)
    if model.config.cell == "rnn":
        return torch.tanh(W @ x + b + U @ h + d), c
    if model.config.cell == "lstm":
        i, f, g, o = (W @ x + b + U @ h + d).chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
    (r, z, n), (s, y, m) = (W @ x + b).chunk(3), (U @ h + d).chunk(3)
    z = (z + y).sigmoid()
    return (1 - z) * (n + (r + s).sigmoid() * m).tanh() + z * h, c


@torch.no_grad()
def test_logits_are_those_of_the_equations(model: Recurrent) -> None:
    ids = some_ids(7)
    h, c = torch.zeros(2, C), torch.zeros(2, C)
    for t in range(7):
        x = model.embedding.weight[ids[t]]
        for layer in range(2):
            h[layer], c[layer] = step(model, layer, x, h[layer], c[layer])
            x = h[layer]
        expected = model.embedding.weight @ x
        torch.testing.assert_close(model(ids[None])[0, t], expected)


@pytest.mark.parametrize("chunks", [(9,), (1,) * 9, (4, 1, 4)])
@torch.no_grad()
def test_a_carried_state_changes_nothing(
    model: Recurrent, chunks: tuple[int, ...]
) -> None:
    ids, state = some_ids(2, 9), State()
    parts = [model(part, state=state) for part in ids.split(chunks, dim=1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(ids))
    assert len(state.tensors) == (2 if model.config.cell == "lstm" else 1)
    assert all(tensor.shape == (2, 2, C) for tensor in state.tensors)


@torch.no_grad()
def test_the_future_changes_nothing_at_all_and_the_past_does(model: Recurrent) -> None:
    ids = some_ids(1, 9)
    for place in range(9):
        changed = ids.clone()
        changed[:, place] = (ids[:, place] + 1) % V
        moved = (model(changed) - model(ids)).abs().amax((0, 2))
        assert moved[:place].eq(0).all() and moved[place:].gt(0).all()


def test_gradients_stop_at_a_state(model: Recurrent) -> None:
    state = State()
    model(some_ids(1, 5), state=state)
    assert not any(tensor.requires_grad for tensor in state.tensors)


@torch.no_grad()
def test_greedy_text_is_the_most_likely_token_again_and_again(model: Recurrent) -> None:
    ids = some_ids(2, 3)
    written = model.write(ids, max_tokens=8, temperature=0)
    for _ in range(8):
        ids = torch.cat((ids, model(ids)[:, -1:].argmax(-1)), 1)
    assert written.equal(ids)


def test_a_seed_repeats_a_text_and_dropout_is_off() -> None:
    model = Recurrent(RecurrentConfig(V, 1, C, dropout=0.5)).train()
    ids = some_ids(2, 3)
    first = model.write(ids, max_tokens=20, seed=3)
    assert first.equal(model.write(ids, max_tokens=20, seed=3))
    assert not first.equal(model.write(ids, max_tokens=20, seed=4))
    assert model.write(ids, max_tokens=0).equal(ids)
    assert model.write(ids, max_tokens=2).shape == (2, 5)
    assert model.training


@torch.no_grad()
def test_drawn_tokens_are_as_likely_as_the_model_says(model: Recurrent) -> None:
    ids = some_ids(1, 3)
    drawn = model.write(ids.expand(4_000, 3), max_tokens=1, temperature=0.5, seed=0)
    chances = (model(ids)[0, -1] / 0.5).softmax(-1)
    shares = drawn[:, -1].bincount(minlength=V) / 4_000
    assert (shares - chances).abs().max() < 0.04  # five standard deviations


@pytest.mark.parametrize(
    ("ids", "arguments", "message"),
    [
        ([[]], {"max_tokens": 1}, "ids are empty"),
        ([[1]], {"max_tokens": -1}, "max_tokens -1 .* below 0"),
        ([[1]], {"max_tokens": 1, "temperature": -0.1}, "temperature -0.1 is below 0"),
        ([[1, 11]], {"max_tokens": 1}, "ids from 1 to 11 exceed .* 0 to 10"),
    ],
)
def test_what_cannot_be_continued_is_named(
    ids: list[list[int]], arguments: dict[str, Any], message: str
) -> None:
    model = Recurrent(RecurrentConfig(V, 1, C))
    with pytest.raises(ValueError, match=message):
        model.write(torch.tensor(ids, dtype=torch.long), **arguments)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_saved_model_comes_back_bit_for_bit(
    cell: Any, tied: bool, tmp_path: Path
) -> None:
    model = Recurrent(RecurrentConfig(V, 2, C, cell=cell, tied=tied)).eval()
    model.save(tmp_path)
    back = Recurrent.load(tmp_path)
    assert back.config == model.config and not back.training
    assert (back.head.weight is back.embedding.weight) == tied
    ids = some_ids(2, 9)
    assert back(ids).equal(model(ids))


@pytest.mark.parametrize("cell", CELLS)
def test_weights_begin_as_documented(cell: Any) -> None:
    model = Recurrent(RecurrentConfig(50, 2, 64, cell=cell))
    for name, parameter in model.named_parameters():
        if "bias" not in name:
            assert 0.12 < parameter.abs().max() <= 0.125
        elif cell == "lstm" and "bias_ih" in name:
            assert parameter[64:128].eq(1).all() and parameter.sum() == 64
        else:
            assert parameter.eq(0).all()


def test_parameters_are_counted_once() -> None:
    count = Recurrent(RecurrentConfig(V, 2, C, cell="lstm")).parameter_count()
    assert count == {
        "embedding": V * C,
        "cells": 2 * 4 * (2 * C * C + 2 * C),
        "head": 0,
    }
    assert Recurrent(RecurrentConfig(V, 2, C, tied=False)).parameter_count()["head"]


def test_dropout_acts_in_training_only() -> None:
    model = Recurrent(RecurrentConfig(V, 2, C, dropout=0.5))
    ids = some_ids(1, 6)
    assert not model(ids).equal(model(ids))
    model.eval()
    assert model(ids).equal(model(ids))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width 0 is not a positive whole number"),
        ({"cell": "mlp"}, r"cell 'mlp' is none of \('rnn', 'lstm', 'gru'\)"),
        ({"dropout": -0.1}, r"dropout -0.1 is not in \[0, 1\)"),
        ({"tied": None}, "tied None is neither True nor False"),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecurrentConfig(**{"vocab_size": V, "layers": 1, "width": C, **changes})


def test_files_of_another_model_are_named(tmp_path: Path) -> None:
    from llm import GPT, GPTConfig

    GPT(GPTConfig(V, 8, 1, 2, 8)).save(tmp_path)
    with pytest.raises(ValueError, match="is of a model 'gpt', and not of a 'recurr"):
        Recurrent.load(tmp_path)


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_through_the_trainer_to_remember_a_token(cell: Any) -> None:
    def batch(step: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(step)
        ids = torch.zeros(16, 6, dtype=torch.long)
        ids[:, 0] = torch.randint(1, V, (16,), generator=generator)
        targets = torch.full_like(ids, -100)
        targets[:, -1] = ids[:, 0]
        return {"ids": ids, "targets": targets}

    model = Recurrent(RecurrentConfig(V, 1, 24, cell=cell))
    config = TrainConfig(steps=200, lr=0.02, warmup=0, log_every=10)
    records = Trainer(model, batch, config=config).fit()
    assert records[0]["loss"] > 1.5 > 0.3 > records[-1]["loss"]
