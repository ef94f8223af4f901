"""Positions against `transformers`, their formulae and what they promise."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import LlamaConfig, T5Config
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.llama.modeling_llama import (
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
)
from transformers.models.t5.modeling_t5 import T5Attention

from llm.nn import RelativeBias, RopeScaling, Rotary, alibi, rotate, sinusoids

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


@pytest.mark.parametrize("context", [8, 6_000])
@pytest.mark.parametrize(("low", "high"), [(1.0, 4.0), (0.5, 30.0)])
def test_stretched_angles_are_those_of_llama_3(
    context: int, low: float, high: float
) -> None:
    config = LlamaConfig(
        hidden_size=64,
        num_attention_heads=2,
        max_position_embeddings=8 * context,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500.0,
            "factor": 8.0,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": context,
        },
    )
    positions = torch.arange(20)
    cos, sin = LlamaRotaryEmbedding(config)(torch.zeros(1), positions[None])
    scaling = RopeScaling(8.0, low, high, context)
    ours = Rotary(32, context=20, base=500.0, scaling=scaling)(positions)
    torch.testing.assert_close(torch.cat((ours[0], ours[0]), -1), cos)
    torch.testing.assert_close(torch.cat((ours[1], ours[1]), -1), sin)


@pytest.mark.parametrize(
    "values", [(0.0, 1.0, 4.0, 8), (8.0, 4.0, 4.0, 8), (8.0, 0.0, 4.0, 8), (8, 1, 4, 0)]
)
def test_a_stretch_that_cannot_be_is_named(
    values: tuple[float, float, float, int],
) -> None:
    with pytest.raises(ValueError, match=r"RopeScaling.*positive, and low below high"):
        RopeScaling(*values)


def test_sinusoids_are_those_of_the_formula() -> None:
    length, width = 50, 6
    expected = torch.empty(length, width, dtype=torch.float64)
    for position in range(length):
        for i in range(width // 2):
            angle = position / 10_000 ** (2 * i / width)
            expected[position, 2 * i] = math.sin(angle)
            expected[position, 2 * i + 1] = math.cos(angle)
    torch.testing.assert_close(
        sinusoids(length, width).double(), expected, atol=1e-5, rtol=0
    )


def test_sinusoids_of_odd_width_are_refused() -> None:
    with pytest.raises(ValueError, match="width 5 is odd"):
        sinusoids(4, 5)


@pytest.mark.parametrize("heads", [1, 2, 3, 6, 8, 12, 16])
def test_alibi_is_that_of_bloom_but_for_a_number_a_row(heads: int) -> None:
    T = 7
    theirs = build_alibi_tensor(torch.ones(1, T), heads, torch.float32)  # (H, 1, T)
    past = torch.ones(T, T, dtype=torch.bool).tril()
    scores = torch.randn(heads, T, T).masked_fill(~past, float("-inf"))
    ours = alibi(heads, T, T)
    torch.testing.assert_close(
        (scores + ours).softmax(-1), (scores + theirs).softmax(-1)
    )
    assert ours.mT.equal(ours)  # the future is as far as the past
    assert alibi(heads, 2, T).equal(ours[:, -2:])


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (8, 20), (10, 17)])
def test_buckets_of_distance_are_those_of_t5(
    both: bool, buckets: int, farthest: int
) -> None:
    distance = torch.arange(-3 * farthest, 3 * farthest)
    theirs = T5Attention._relative_position_bucket(
        distance, bidirectional=both, num_buckets=buckets, max_distance=farthest
    )
    bias = RelativeBias(2, buckets=buckets, farthest=farthest, both=both)
    assert bias.bucket(distance).equal(theirs)
    if both:
        assert len(theirs.unique()) == buckets - 1  # 0 is no distance to the future
    else:
        assert len(theirs.unique()) == buckets


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(("target", "source"), [(9, 9), (3, 9), (1, 200)])
def test_bias_of_distance_is_that_of_t5(both: bool, target: int, source: int) -> None:
    config = T5Config(d_model=8, d_kv=4, num_heads=3, is_decoder=not both)
    theirs = T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    ours = RelativeBias(3, both=both)
    ours.table.load_state_dict(theirs.relative_attention_bias.state_dict())
    past = source - target
    expected = theirs.compute_bias(target, source, past_seen_tokens=past)
    assert ours(target, source).equal(expected[0])
