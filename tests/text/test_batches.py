"""Windows and padding, against slices written out by hand."""

import pytest
import torch

from llm.text.batches import IGNORE, RandomWindows, pad_left, tiled_windows


def test_targets_are_the_ids_that_follow():
    batch = RandomWindows(torch.arange(100), context=7, batch_size=16)(0)
    assert batch["ids"].shape == batch["targets"].shape == (16, 7)
    assert batch["ids"].dtype == batch["targets"].dtype == torch.int64
    assert torch.equal(batch["targets"], batch["ids"] + 1)
    assert torch.equal(batch["ids"][:, 1:], batch["ids"][:, :-1] + 1)


def test_a_batch_depends_on_seed_and_step_only():
    ids = torch.arange(1000, dtype=torch.int32)
    windows = RandomWindows(ids, context=4, batch_size=3, seed=5)
    later = windows(1000)["ids"]
    windows(3)
    torch.manual_seed(99)
    again = RandomWindows(ids, context=4, batch_size=3, seed=5)
    assert torch.equal(again(1000)["ids"], later)
    assert not torch.equal(windows(1001)["ids"], later)
    other = RandomWindows(ids, context=4, batch_size=3, seed=6)
    assert not torch.equal(other(1000)["ids"], later)
    # (seed, step) pairs whose sum or low bits agree are different pairs
    swapped = RandomWindows(ids, context=4, batch_size=3, seed=1000)
    assert not torch.equal(swapped(5)["ids"], later)
    far = RandomWindows(ids, context=4, batch_size=3, seed=5 + 2**32)
    assert not torch.equal(far(1000)["ids"], later)


def test_every_place_comes_up_about_equally_often():
    windows = RandomWindows(torch.arange(12), context=2, batch_size=100)
    starts = torch.cat([windows(step)["ids"][:, 0] for step in range(50)])
    counts = torch.bincount(starts, minlength=10)
    assert len(counts) == 10  # places 0 to 9: the last window ends at the last target
    assert counts.min() > 400 and counts.max() < 600  # 500 each, deviation 21


def test_a_text_of_one_window_is_enough():
    windows = RandomWindows(torch.arange(5), context=4, batch_size=2)
    assert windows(0)["targets"].tolist() == [[1, 2, 3, 4]] * 2


def test_a_text_shorter_than_one_window_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="has 4 tokens, and one window takes 5"):
        RandomWindows(torch.arange(4), context=4, batch_size=1)


@pytest.mark.parametrize("size", [2, 3, 8, 9, 10, 33])
def test_every_token_but_the_first_is_a_target_exactly_once(size):
    ids = torch.arange(size, dtype=torch.int32)
    batches = tiled_windows(ids, context=4, batch_size=2)
    targets = torch.cat([batch["targets"].flatten() for batch in batches])
    inputs = torch.cat([batch["ids"].flatten() for batch in batches])
    real = targets != IGNORE
    assert targets[real].tolist() == list(range(1, size))
    assert inputs[real].tolist() == list(range(size - 1))
    assert inputs[~real].tolist() == [0] * int((~real).sum())
    assert (~real).sum() < 4
    assert all(batch["ids"].shape[1] == 4 for batch in batches)
    assert all(batch["ids"].dtype == torch.int64 for batch in batches)
    assert [len(batch["ids"]) for batch in batches][:-1] == [2] * (len(batches) - 1)


@pytest.mark.parametrize("size", [0, 1])
def test_a_text_without_a_target_is_refused(size):
    with pytest.raises(ValueError, match=f"has {size} tokens"):
        tiled_windows(torch.arange(size), context=4, batch_size=2)


def test_padding_on_the_left_keeps_the_rows():
    ids, mask = pad_left([[1, 2, 3], [4], [5, 6]], pad=9)
    assert ids.tolist() == [[1, 2, 3], [9, 9, 4], [9, 5, 6]]
    assert ids.dtype == torch.int64
    assert mask.tolist() == [[True] * 3, [False, False, True], [False, True, True]]


@pytest.mark.parametrize(
    ("rows", "message"), [([], "no rows"), ([[1], []], "row 1 is")]
)
def test_nothing_to_pad_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        pad_left(rows, pad=0)
