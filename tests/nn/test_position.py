"""Rotary positions against `transformers`, complex numbers and what they promise."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import (
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
)

from llm.nn import Rotary, rotate

D = 8


def at(rotary: Rotary, x: Tensor, position: int) -> Tensor:
    """The vector `x`, (D,), turned to a position."""
    return rotate(x.view(1, 1, 1, D), rotary(torch.tensor([position]))).flatten()


@pytest.mark.parametrize("base", [10_000.0, 500.0])
def test_equals_llama_of_transformers(base: float) -> None:
    config = LlamaConfig(
        hidden_size=2 * D,
        num_attention_heads=2,
        rope_parameters={"rope_type": "default", "rope_theta": base},
    )
    q, k = torch.randn(3, 2, 20, D), torch.randn(3, 2, 20, D)
    positions = torch.arange(20)
    cos, sin = LlamaRotaryEmbedding(config)(q, positions[None])
    theirs = apply_rotary_pos_emb(q, k, cos, sin)
    rotation = Rotary(D, context=32, base=base)(positions)
    torch.testing.assert_close(rotate(q, rotation), theirs[0])
    torch.testing.assert_close(rotate(k, rotation), theirs[1])


def test_each_pair_is_a_complex_number_turned() -> None:
    x, m = torch.randn(D), 7
    theta = torch.tensor([10_000 ** (-2 * i / D) for i in range(D // 2)])
    pairs = torch.complex(x[: D // 2], x[D // 2 :])
    turned = pairs * torch.polar(torch.ones(D // 2), m * theta)
    expected = torch.cat((turned.real, turned.imag))
    torch.testing.assert_close(at(Rotary(D, context=8), x, m), expected)


def test_later_pairs_turn_more_slowly() -> None:
    rotary = Rotary(D, context=2)
    torch.testing.assert_close(
        rotary.sin[1].asin(), torch.tensor([1.0, 0.1, 0.01, 0.001])
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 20))
def test_scores_depend_on_the_distance_alone(m: int, n: int, shift: int) -> None:
    generator = torch.Generator().manual_seed(m)
    q, k = torch.randn(2, D, generator=generator)
    rotary = Rotary(D, context=64)
    here = at(rotary, q, m) @ at(rotary, k, n)
    there = at(rotary, q, m + shift) @ at(rotary, k, n + shift)
    torch.testing.assert_close(here, there, atol=2e-5, rtol=0)


def test_position_0_turns_nothing_and_lengths_stay() -> None:
    x, rotary = torch.randn(D), Rotary(D, context=100)
    assert at(rotary, x, 0).equal(x)
    torch.testing.assert_close(at(rotary, x, 99).norm(), x.norm())


def test_each_sequence_may_have_positions_of_its_own() -> None:
    x, rotary = torch.randn(2, 3, 4, D), Rotary(D, context=10)
    positions = torch.tensor([[0, 0, 1, 2], [3, 4, 5, 6]])
    both = rotate(x, rotary(positions))
    for row in range(2):
        alone = rotate(x[row : row + 1], rotary(positions[row]))
        assert both[row : row + 1].equal(alone)


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="width 7 is odd"):
        Rotary(7, context=4)


def test_angles_are_no_part_of_what_is_saved() -> None:
    assert not Rotary(D, context=4).state_dict()
