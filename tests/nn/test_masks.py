"""Masks against brute force: each entry is asked for on its own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.nn import (
    causal_mask,
    padding_mask,
    permutation_mask,
    prefix_mask,
    segment_mask,
    segment_positions,
)

lengths = st.integers(1, 8)


@settings(max_examples=50, deadline=None)
@given(lengths, st.integers(0, 5), st.none() | st.integers(1, 9))
def test_a_window_shows_the_latest_positions(
    target: int, past: int, window: int | None
) -> None:
    mask = causal_mask(target, target + past, window=window)
    for t in range(target):
        place = past + t  # the last target stands on the last source
        seen = range(max(0, place + 1 - (window or place + 1)), place + 1)
        assert mask[t].nonzero().flatten().tolist() == list(seen)


def test_the_narrowest_window_is_oneself_and_the_widest_all() -> None:
    assert causal_mask(4, window=1).equal(torch.eye(4, dtype=torch.bool))
    assert causal_mask(4, window=4).equal(causal_mask(4))


@settings(max_examples=50, deadline=None)
@given(lengths, st.integers(0, 9))
def test_a_prefix_is_seen_by_all_and_the_rest_is_causal(
    length: int, prefix: int
) -> None:
    mask = prefix_mask(length, prefix)
    assert mask.tolist() == [
        [s <= t or s < prefix for s in range(length)] for t in range(length)
    ]


def test_padding_is_hidden_from_every_target() -> None:
    real = torch.tensor([[True, True, False], [False, True, True]])
    mask = padding_mask(real).expand(2, 4, 5, 3)
    assert all(mask[:, h, t].equal(real) for h in range(4) for t in range(5))


@pytest.mark.parametrize("itself", [True, False])
@settings(max_examples=50, deadline=None)
@given(st.permutations(range(6)))
def test_in_an_order_those_before_are_seen(itself: bool, order: list[int]) -> None:
    mask = permutation_mask(torch.tensor(order), itself=itself)
    for turn, place in enumerate(order):
        seen = order[: turn + 1] if itself else order[:turn]
        assert mask[place].nonzero().flatten().tolist() == sorted(seen)


def test_the_order_of_reading_is_the_causal_mask() -> None:
    assert permutation_mask(torch.arange(5), itself=True).equal(causal_mask(5))


def test_each_row_may_have_an_order_of_its_own() -> None:
    orders = torch.stack([torch.randperm(5) for _ in range(6)]).view(2, 3, 5)
    masks = permutation_mask(orders, itself=False)
    assert masks.shape == (2, 3, 5, 5)
    for i in range(2):
        for j in range(3):
            assert masks[i, j].equal(permutation_mask(orders[i, j], itself=False))


def test_segments_see_themselves_and_count_from_zero() -> None:
    segments = torch.tensor([[4, 4, 7, 7, 7, 1], [0, 1, 1, 1, 2, 2]])
    mask = segment_mask(segments)
    assert mask.shape == (2, 1, 6, 6)
    for row in range(2):
        for t in range(6):
            for s in range(6):
                assert mask[row, 0, t, s] == (segments[row, t] == segments[row, s])
    expected = [[0, 1, 0, 1, 2, 0], [0, 0, 1, 2, 0, 1]]
    assert segment_positions(segments).tolist() == expected
