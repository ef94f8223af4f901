"""Span corruption: what is cut out can be put back, and is as much as asked for."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.text.batches import IGNORE
from llm.text.pairs import to_batch
from llm.text.spans import SpanCorruption, corrupt, restore, split

SENTINELS = range(1000, 1200)
rates = st.floats(0.01, 0.99)
lengths = st.floats(1, 12)
texts = st.lists(st.integers(0, 999), min_size=2, max_size=120)
seeds = st.integers(0, 2**32)


@settings(max_examples=200, deadline=None)
@given(texts, rates, lengths, seeds)
def test_spans_put_back_at_their_sentinels_give_the_text(
    ids: list[int], rate: float, length: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    source, target = corrupt(
        ids, sentinels=SENTINELS, random=random, rate=rate, length=length
    )
    assert restore(source, target, sentinels=SENTINELS) == ids
    cut = [token for token in target if token < 1000]
    left = [token for token in source if token < 1000]
    spans = len(source) - len(left)
    assert len(cut) == min(max(round(len(ids) * rate), 1), len(ids) - 1)
    assert spans == min(max(round(len(cut) / length), 1), len(left) + 1)
    # Sentinels stand in order, in the target one more, at its end; no span is empty.
    assert [t for t in source if t >= 1000] == list(SENTINELS[:spans])
    assert [t for t in target if t >= 1000] == list(SENTINELS[: spans + 1])
    assert target[-1] == SENTINELS[spans]
    for row in (source, target):
        assert not any(a >= 1000 and b >= 1000 for a, b in pairwise(row))


def test_by_hand() -> None:
    """Three tokens, of which one is cut out: each as often as the others."""
    drawn = Counter()
    random = np.random.default_rng(0)
    for _ in range(3000):
        source, target = corrupt([7, 8, 9], sentinels=[50, 51], random=random)
        drawn[tuple(source), tuple(target)] += 1
    expected = {
        ((50, 8, 9), (50, 7, 51)),
        ((7, 50, 9), (50, 8, 51)),
        ((7, 8, 50), (50, 9, 51)),
    }
    assert drawn.keys() == expected
    assert min(drawn.values()) > 900  # 1000, standard deviation 26


def test_every_way_to_split_is_equally_likely() -> None:
    random = np.random.default_rng(0)
    drawn = Counter(tuple(split(5, 3, random=random)) for _ in range(6000))
    ways = {(a, b, 5 - a - b) for a in range(1, 4) for b in range(1, 5 - a)}
    assert drawn.keys() == ways and len(ways) == 6
    assert min(drawn.values()) > 880  # 1000, standard deviation 29


def test_the_figure_of_the_paper() -> None:
    text = [
        "Thank",
        "you",
        "for",
        "inviting",
        "me",
        "to",
        "your",
        "party",
        "last",
        "week",
    ]
    X, Y, Z = "⟨X⟩", "⟨Y⟩", "⟨Z⟩"
    source = ["Thank", "you", X, "me", "to", "your", "party", Y, "week"]
    target = [X, "for", "inviting", Y, "last", Z]
    names = {word: i for i, word in enumerate([*text, X, Y, Z])}

    def ids(words: list[str]) -> list[int]:
        return [names[word] for word in words]

    back = restore(ids(source), ids(target), sentinels=ids([X, Y, Z]))
    assert back == ids(text)


def test_what_a_model_leaves_out_is_left_out() -> None:
    source = [1, 50, 2, 51, 3]
    assert restore(source, [9, 50, 7, 8], sentinels=[50, 51, 52]) == [1, 7, 8, 2, 3]
    assert restore(source, [51, 6, 52, 9], sentinels=[50, 51, 52]) == [1, 2, 6, 3]


@pytest.mark.parametrize("size", [20, 64, 200])
def test_by_default_15_percent_in_spans_of_3(size: int) -> None:
    random = np.random.default_rng(0)
    _, target = corrupt(range(size), sentinels=SENTINELS, random=random)
    spans = sum(token >= 1000 for token in target) - 1
    cut = len(target) - spans - 1
    assert cut == round(0.15 * size)
    assert spans == round(cut / 3)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    def make(seed: int) -> SpanCorruption:
        rows = [list(range(i, i + 30 + i)) for i in range(10)]
        return SpanCorruption(
            rows, sentinels=SENTINELS, start=999, batch_size=4, seed=seed
        )

    first, again, other = make(0), make(0), make(1)
    first(5)
    for name, tensor in first(7).items():
        assert tensor.equal(again(7)[name])
        assert tensor.size(0) == 4
    assert not first(7)["source"].equal(first(8)["source"])
    assert first.pairs(7) != other.pairs(7)


def test_a_batch_shows_the_target_one_place_later() -> None:
    batch = to_batch([([1, 2, 3], [4, 5]), ([6], [7, 8, 9])], start=0)
    assert batch["source"].tolist() == [[1, 2, 3], [6, 0, 0]]
    assert batch["mask"].tolist() == [[True, True, True], [True, False, False]]
    assert batch["ids"].tolist() == [[0, 4, 0], [0, 7, 8]]
    assert batch["targets"].tolist() == [[4, 5, IGNORE], [7, 8, 9]]
    assert all(batch[k].dtype == torch.int64 for k in ("source", "ids", "targets"))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "no pairs"),
        ([([1], [2]), ([], [2])], "the source of pair 1 is empty"),
        ([([1], [])], "the target of pair 0 is empty"),
    ],
)
def test_bad_pairs_are_named(pairs: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_batch(pairs, start=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": [1]}, "a text has 1 tokens"),
        ({"ids": [1, 50, 2]}, r"the text has the sentinels \[50\] among its tokens"),
        ({"rate": 0.0}, r"rate 0.0 is not in \(0, 1\)"),
        ({"rate": 1.0}, r"rate 1.0 is not in \(0, 1\)"),
        ({"length": 0.5}, "length 0.5 is below 1"),
        ({"rate": 0.5, "length": 1.0}, "has 5 spans, and needs 6 sentinels, not 2"),
    ],
)
def test_what_cannot_be_corrupted_is_named(
    changes: dict[str, object], message: str
) -> None:
    arguments = {"ids": list(range(10)), "sentinels": [50, 51], **changes}
    with pytest.raises(ValueError, match=message):
        corrupt(**arguments, random=np.random.default_rng(0))


def test_texts_are_checked_at_once() -> None:
    for rows, message in (([], "no texts"), ([[1, 2, 3], [1]], "1 tokens")):
        with pytest.raises(ValueError, match=message):
            SpanCorruption(rows, sentinels=SENTINELS, start=0, batch_size=2)
