"""Decoding rules against `transformers`, by hand, and their promises."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor
from transformers import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from llm.generate import sampling

IDS = torch.zeros(1, 1, dtype=torch.long)  # the reference wants them and ignores them

# Rows of logits, ties among them.
logits_rows = arrays.arrays(
    "float32", (2, 9), elements=st.integers(-20, 20).map(lambda i: i / 4)
).map(torch.from_numpy)
probabilities = st.floats(0.01, 0.99)
RULES = {
    "temperature": probabilities,
    "top_k": st.integers(1, 12),
    "top_p": probabilities,
    "min_p": probabilities,
}


def kept(logits: Tensor) -> list[int]:
    """Tokens that may still be drawn."""
    return logits.isfinite().nonzero().flatten().tolist()


@pytest.mark.parametrize("value", [0.3, 1.0, 2.5])
def test_temperature_is_that_of_the_reference(value: float) -> None:
    logits = torch.randn(3, 50)
    theirs = TemperatureLogitsWarper(value)(IDS, logits)
    assert sampling.temperature(logits, value).equal(theirs)


@pytest.mark.parametrize("k", [1, 3, 50, 80])
def test_top_k_is_that_of_the_reference(k: int) -> None:
    logits = torch.randn(3, 50).round(decimals=1)  # with ties
    assert sampling.top_k(logits, k).equal(TopKLogitsWarper(k)(IDS, logits))


@pytest.mark.parametrize("p", [0.05, 0.3, 0.9, 0.999, 1.0])
def test_top_p_is_that_of_the_reference(p: float) -> None:
    logits = 3 * torch.randn(200, 50)
    assert sampling.top_p(logits, p).equal(TopPLogitsWarper(p)(IDS, logits))


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 1.0])
def test_min_p_is_that_of_the_reference(p: float) -> None:
    logits = 3 * torch.randn(200, 50)
    assert sampling.min_p(logits, p).equal(MinPLogitsWarper(p)(IDS, logits))


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.5, [0]), (0.51, [0, 1]), (0.76, [0, 1, 2]), (1.0, [0, 1, 2, 3])],
)
def test_top_p_by_hand(p: float, expected: list[int]) -> None:
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125]).log()
    assert kept(sampling.top_p(logits, p)) == expected


def test_min_p_by_hand() -> None:
    logits = torch.tensor([0.5, 0.25, 0.2, 0.05]).log()
    assert kept(sampling.min_p(logits, 0.45)) == [0, 1]
    assert kept(sampling.min_p(logits, 0.1)) == [0, 1, 2, 3]
    assert kept(sampling.min_p(logits, 0.11)) == [0, 1, 2]


def test_ties() -> None:
    logits = torch.tensor([1.0, 2.0, 2.0, 2.0])
    assert kept(sampling.top_k(logits, 2)) == [1, 2, 3]
    assert kept(sampling.min_p(logits, 1.0)) == [1, 2, 3]
    assert kept(sampling.top_p(logits, 0.4)) == [1, 2]
    assert kept(sampling.top_p(torch.zeros(1_000), 0.2499)) == list(range(250))


@settings(max_examples=100, deadline=None)
@given(st.data(), logits_rows, st.sampled_from(sorted(RULES)))
def test_every_rule_keeps_the_most_likely_and_the_order(
    data: st.DataObject, logits: Tensor, name: str
) -> None:
    rule = getattr(sampling, name)
    value, before = data.draw(RULES[name]), logits.clone()
    after = rule(logits, value)
    assert after[0].equal(rule(logits[0], value))  # a row alone is as good
    assert logits.equal(before)  # what was given is left alone
    assert after.shape == logits.shape
    assert after.argmax(-1).equal(logits.argmax(-1))
    for was, now in zip(logits, after, strict=True):
        left = now.isfinite()
        assert left[was.argmax()]
        assert not (was[~left][:, None] > was[left]).any()
        assert now[left].argsort(stable=True).equal(was[left].argsort(stable=True))


@settings(max_examples=100, deadline=None)
@given(logits_rows, probabilities)
def test_top_p_keeps_enough_and_no_more(logits: Tensor, p: float) -> None:
    after = sampling.top_p(logits, p)
    for was, now in zip(logits.double().softmax(-1), after, strict=True):
        share = was[now.isfinite()]
        assert share.sum() > p - 1e-5
        assert share.sum() - share.min() < p + 1e-5


@settings(max_examples=50, deadline=None)
@given(st.data(), logits_rows, st.sampled_from(["top_k", "top_p", "min_p"]))
def test_stricter_values_keep_fewer(
    data: st.DataObject, logits: Tensor, name: str
) -> None:
    a, b = sorted((data.draw(RULES[name]), data.draw(RULES[name])))
    rule = getattr(sampling, name)
    low, high = rule(logits, a).isfinite(), rule(logits, b).isfinite()
    strict, loose = (high, low) if name == "min_p" else (low, high)
    assert (strict <= loose).all()


def test_temperature_sharpens_and_flattens() -> None:
    logits = torch.tensor([1.0, 2.0, 4.0])

    def entropy(t: float) -> float:
        p = sampling.temperature(logits, t).softmax(-1)
        return -(p * p.log()).sum().item()

    assert 0 < entropy(0.5) < entropy(1.0) < entropy(2.0) < math.log(3)


def test_draws_follow_the_probabilities_and_never_touch_what_was_dropped() -> None:
    p = torch.tensor([0.1, 0.0, 0.6, 0.3])
    generators = [torch.Generator().manual_seed(i) for i in range(4_000)]
    drawn = sampling.draw(p.log().expand(4_000, 4), generators)
    share = drawn.bincount(minlength=4) / 4_000
    # Three standard deviations of a share are 0.023 at most.
    torch.testing.assert_close(share, p, atol=0.025, rtol=0)
    assert share[1] == 0


def test_a_row_draws_the_same_in_any_company() -> None:
    logits = torch.randn(5, 30)

    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(i) for i in range(5)]

    both = sampling.draw(logits, generators())
    alone = [
        sampling.draw(logits[i : i + 1], generators()[i : i + 1]) for i in range(5)
    ]
    assert both.equal(torch.cat(alone))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature", [0.0, -1.0, math.inf, math.nan]),
        ("top_k", [0, -3]),
        ("top_p", [0.0, -0.1, 1.1, math.nan]),
        ("min_p", [0.0, -0.1, 1.1, math.nan]),
    ],
)
def test_values_out_of_range_are_named(name: str, values: list[float]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=f"{name} {value} is"):
            getattr(sampling, name)(torch.zeros(3), value)
