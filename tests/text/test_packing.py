"""Rows of prompts and answers: written out by hand, and counted."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.text.batches import IGNORE
from llm.text.packing import (
    answer_batch,
    answer_row,
    pack,
    packed_batch,
    preference_batch,
    shorten,
    shuffled,
)

I = IGNORE  # noqa: E741
PAIRS = [([1, 2], [3, 4]), ([5], [6]), ([7, 8, 9], [10])]
ids = st.lists(st.integers(0, 9), min_size=1, max_size=8)
pairs_of = st.lists(st.tuples(ids, ids), min_size=1, max_size=30)


def test_the_answer_alone_is_learned():
    assert answer_row([1, 2], [3, 4]) == ([1, 2, 3, 4], [I, 3, 4, I])


def test_rows_are_filled_up_on_the_right():
    batch = answer_batch(PAIRS)
    assert batch["ids"].tolist() == [[1, 2, 3, 4], [5, 6, 0, 0], [7, 8, 9, 10]]
    assert batch["targets"].tolist() == [[I, 3, 4, I], [6, I, I, I], [I, I, 10, I]]
    assert batch["lengths"].tolist() == [4, 2, 4]


def test_chosen_and_rejected_stand_side_by_side():
    batch = preference_batch([([1], [2], [3, 4]), ([5, 6], [7], [8])])
    assert batch["ids"].tolist() == [[[1, 2, 0], [1, 3, 4]], [[5, 6, 7], [5, 6, 8]]]
    assert batch["targets"].tolist() == [[[2, I, I], [3, 4, I]], [[I, 7, I], [I, 8, I]]]
    assert batch["lengths"].tolist() == [[2, 3], [3, 3]]


def test_packed_rows_are_numbered_and_padding_is_a_segment_of_its_own():
    batch = packed_batch([PAIRS[:2], PAIRS[2:]], context=6)
    assert batch["ids"].tolist() == [[1, 2, 3, 5, 0, 0], [7, 8, 9, 0, 0, 0]]
    assert batch["targets"].tolist() == [[I, 3, 4, 6, I, I], [I, I, 10, I, I, I]]
    assert batch["segments"].tolist() == [[0, 0, 0, 1, 2, 2], [0, 0, 0, 2, 2, 2]]
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())


@settings(deadline=None, max_examples=50)
@given(pairs_of)
def test_packing_keeps_every_example_and_every_target(pairs):
    context = 15
    rows = pack(pairs, context=context)
    assert sorted(pair for row in rows for pair in row) == sorted(pairs)
    batch = packed_batch(rows, context=context)
    assert batch["ids"].shape == (len(rows), context)
    apart = answer_batch(pairs)["targets"]
    packed = batch["targets"]
    learned = [t[t != IGNORE].sort().values.tolist() for t in (apart, packed)]
    assert learned[0] == learned[1]


@settings(deadline=None, max_examples=50)
@given(pairs_of)
def test_no_two_rows_would_fit_into_one(pairs):
    rows = pack(pairs, context=15)
    filled = sorted(sum(len(p) + len(a) - 1 for p, a in row) for row in rows)
    assert filled[-1] <= 15
    assert len(filled) == 1 or filled[0] + filled[1] > 15


def test_the_tightest_row_is_taken():
    pairs = [([1], [2] * n) for n in (6, 5, 4, 3)]
    assert pack(pairs, context=9) == [[pairs[0], pairs[3]], [pairs[1], pairs[2]]]


def test_examples_beyond_the_context_are_counted_not_cut():
    with pytest.raises(
        ValueError, match=r"2 of 3 examples exceed .* 2 tokens.* with 3"
    ):
        pack(PAIRS, context=2)
    with pytest.raises(ValueError, match="4 tokens exceed the context of 3"):
        packed_batch([PAIRS[:2]], context=3)


def test_shortened_examples_keep_their_answers_and_are_counted():
    pairs = [([1, 2, 3], [4, 5]), ([1], [2, 3, 4, 5]), ([1], [2, 3])]
    short, cut = shorten(pairs, context=3)
    assert short == [([2, 3], [4, 5]), ([1], [2, 3, 4]), ([1], [2, 3])]
    assert cut == 2
    assert shorten(short, context=3) == (short, 0)


@pytest.mark.parametrize(
    ("pair", "message"), [(([], [1]), "no prompt"), (([1, 2], []), "empty answer")]
)
def test_empty_prompts_and_answers_are_refused(pair, message):
    with pytest.raises(ValueError, match=message):
        answer_batch([PAIRS[0], pair])


def test_every_epoch_gives_each_item_once_in_an_order_of_its_own():
    draw = shuffled(range(7), batch_size=3, seed=1)
    stream = [item for step in range(14) for item in draw(step)]
    epochs = [stream[i : i + 7] for i in range(0, 42, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 6


def test_items_depend_on_seed_and_step_only():
    draw = shuffled(range(100), batch_size=5, seed=1)
    later = draw(1000)
    draw(3)
    torch.manual_seed(9)
    assert shuffled(range(100), batch_size=5, seed=1)(1000) == later
    assert shuffled(range(100), batch_size=5, seed=2)(1000) != later


def test_a_batch_may_take_more_than_there_is():
    assert sorted(shuffled([1, 2], batch_size=5)(0))[1:4] in ([1, 1, 2], [1, 2, 2])


def test_nothing_to_draw_from_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        shuffled([], batch_size=1)
