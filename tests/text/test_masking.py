"""Masking, against what the papers say, counted over many draws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.text.batches import IGNORE
from llm.text.masking import (
    MARKS,
    Marks,
    MaskedTexts,
    Masking,
    SentencePairs,
    mask_tokens,
    pad_right,
    shorten,
)
from llm.text.tokenizer import Tokenizer

V = 30
MASKS = Marks(pad=0, begin=1, end=2, mask=3, others=(9,))
MASKING = Masking(MASKS, V)
ROWS = [[1, *range(10, 20), 2], [1, *range(10, 14), 2], [1, 20, 21, 22, 2]]


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_fifteen_percent_are_targets_and_of_these_80_10_10() -> None:
    ids = torch.randint(10, V, (400, 100))
    seen, targets = mask_tokens(ids, MASKING, random=generator())
    chosen = targets != IGNORE
    assert (chosen.sum(1) == 15).all()
    assert targets[chosen].equal(ids[chosen])
    assert seen[~chosen].equal(ids[~chosen])
    share_hidden = (seen[chosen] == MASKS.mask).float().mean()
    share_kept = (seen[chosen] == ids[chosen]).float().mean()
    # 6000 draws: deviations 0.005 and 0.004. A random token is the right one in 1/25.
    assert abs(share_hidden - 0.8) < 0.02
    assert abs(share_kept - (0.1 + 0.1 / 25)) < 0.016


def test_every_place_is_chosen_equally_often() -> None:
    ids = torch.arange(10, 30).repeat(4000, 1)
    _, targets = mask_tokens(ids, MASKING, random=generator())
    share = (targets != IGNORE).float().mean(0)
    assert (share - 3 / 20).abs().max() < 0.025  # deviation 0.0056


def test_random_tokens_are_any_ordinary_ones() -> None:
    """Also where one special token plays two parts, as in GPT."""
    ids = torch.full((200, 100), 10)
    marks = MASKS._replace(others=(9, MASKS.end))
    always = Masking(marks, V, hidden=0.0, replaced=1.0)
    seen, targets = mask_tokens(ids, always, random=generator())
    drawn = set(seen[targets != IGNORE].tolist())
    assert drawn == set(range(V)) - set(MASKS.all)


@settings(deadline=None, max_examples=60)
@given(
    row=st.lists(st.integers(0, V - 1), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
    rate=st.floats(0.0, 1.0),
)
def test_special_tokens_are_never_masked(
    row: list[int], seed: int, rate: float
) -> None:
    ids = torch.tensor([*row, 10])
    special = torch.tensor([id in MASKS.all for id in ids.tolist()])
    masking = MASKING._replace(rate=rate)
    seen, targets = mask_tokens(ids, masking, random=generator(seed))
    assert seen[special].equal(ids[special])
    assert (targets[special] == IGNORE).all()
    ordinary = int((~special).sum())
    # torch rounds halves to even
    expected = max(1, torch.tensor(rate * ordinary).round().int())
    assert (targets != IGNORE).sum() == expected


def test_a_batch_depends_on_seed_and_step_only() -> None:
    texts = MaskedTexts(ROWS, MASKING, batch_size=8, seed=5)
    later = texts(1000)
    texts(3)
    again = MaskedTexts(ROWS, MASKING, batch_size=8, seed=5)(1000)
    assert all(again[name].equal(later[name]) for name in later)
    assert not texts(1001)["ids"].equal(later["ids"])
    other = MaskedTexts(ROWS, MASKING, batch_size=8, seed=6)(1000)
    assert other["ids"].shape != later["ids"].shape or not other["ids"].equal(
        later["ids"]
    )


def test_rows_are_filled_up_with_padding_that_is_no_target() -> None:
    batch = MaskedTexts(ROWS, MASKING, batch_size=50)(0)
    assert batch["ids"].shape == (50, 12)
    assert batch["ids"].dtype == batch["targets"].dtype == torch.int64
    assert set(batch["mask"].sum(1).tolist()) == {12, 6, 5}
    assert (batch["ids"][~batch["mask"]] == MASKS.pad).all()
    assert (batch["targets"][~batch["mask"]] == IGNORE).all()
    rows = batch["ids"].where(batch["targets"] == IGNORE, batch["targets"])
    for row, mask in zip(rows, batch["mask"], strict=True):
        assert row[mask].tolist() in ROWS


def maskings_seen(maskings: int | None) -> set[tuple[int, ...]]:
    """Every masking of one row in 300 batches."""
    texts = MaskedTexts(ROWS[:1], MASKING, batch_size=1, maskings=maskings)
    return {
        (*batch["ids"][0].tolist(), *batch["targets"][0].tolist())
        for batch in map(texts, range(300))
    }


def test_static_masking_repeats_itself_and_dynamic_does_not() -> None:
    assert len(maskings_seen(1)) == 1
    assert 2 <= len(maskings_seen(4)) <= 4
    assert len(maskings_seen(None)) > 40


def test_pairs_are_neighbours_or_of_another_document() -> None:
    # Document d, sentence s is the one token 10 + 5 d + s.
    documents = [[[10 + 5 * d + s] for s in range(4)] for d in range(3)]
    masking = MASKING._replace(hidden=0.0, replaced=0.0)  # to read what is there
    pairs = SentencePairs(documents, masking, context=9, batch_size=2000)
    batch = pairs(0)
    assert (batch["ids"][:, [0, 2, 4]] == torch.tensor([1, 2, 2])).all()
    assert (batch["types"] == torch.tensor([0, 0, 0, 1, 1])).all()
    a, b = batch["ids"][:, 1], batch["ids"][:, 3]
    random = batch["next"].bool()
    assert (b - a == 1)[~random].all()
    assert ((a - 10) // 5 != (b - 10) // 5)[random].all()
    assert abs(random.float().mean() - 0.5) < 0.05
    counts = torch.bincount(b[random] - 10, minlength=15).view(3, 5)[:, :4]
    assert counts.min() > 50  # any sentence of any document: about 83 each
    assert pairs(0)["ids"].equal(batch["ids"])


def test_pairs_are_masked_typed_and_padded() -> None:
    documents = [[[10, 11, 12], [13]], [[14, 15], [16, 17, 18, 19, 20, 21]]]
    batch = SentencePairs(documents, MASKING, context=8, batch_size=40)(0)
    assert batch["ids"].size(1) <= 8
    assert ((batch["targets"] != IGNORE).sum(1) >= 1).all()
    ends = (batch["ids"] == MASKS.end).cumsum(1) - (batch["ids"] == MASKS.end).int()
    assert batch["types"].equal(ends.where(batch["mask"], 0))
    assert (~batch["mask"]).any()


def test_the_longer_of_two_is_shortened() -> None:
    assert shorten([1, 2, 3, 4], [5, 6], length=5) == ([1, 2, 3], [5, 6])
    assert shorten([1, 2, 3, 4], [5, 6], length=3) == ([1, 2], [5])
    assert shorten([1], [5], length=9) == ([1], [5])


def test_padding_stands_on_the_right() -> None:
    ids, mask = pad_right([torch.tensor([5, 6]), torch.tensor([7])], fill=0)
    assert ids.tolist() == [[5, 6], [7, 0]]
    assert mask.tolist() == [[True, True], [True, False]]


def test_marks_are_those_of_the_tokenizer() -> None:
    special = ("<|endoftext|>", *MARKS)
    tokenizer = Tokenizer.train(["a b a b"], 270, special=special)
    marks = Marks.of(tokenizer)
    assert marks.mask == tokenizer.special["[MASK]"]
    assert marks.others == (tokenizer.special["<|endoftext|>"],)
    assert sorted(marks.all) == sorted(tokenizer.special.values())
    with pytest.raises(ValueError, match=r"has no \[PAD\], \[CLS\], \[SEP\], \[MASK\]"):
        Marks.of(Tokenizer.train(["a b a b"], 262))


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "no texts to mask"), ([[1, 10, 2], [1, 2]], "row 1 has nothing but special")],
)
def test_texts_without_words_are_refused(rows: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedTexts(rows, MASKING, batch_size=1)


def test_rows_and_vocabularies_without_words_are_refused() -> None:
    with pytest.raises(ValueError, match="maskings 0 leaves a text none"):
        MaskedTexts(ROWS, MASKING, batch_size=1, maskings=0)
    with pytest.raises(ValueError, match="nothing to mask"):
        mask_tokens(torch.tensor([[10, 2], [1, 2]]), MASKING, random=generator())
    small = Masking(Marks(0, 1, 2, 3), vocab_size=4)
    with pytest.raises(ValueError, match="all 4 tokens are special"):
        mask_tokens(torch.tensor([5]), small, random=generator())


@pytest.mark.parametrize(
    ("documents", "context", "message"),
    [
        ([[[10], [11]]], 9, "1 of at least 2"),
        ([[[10], [11]], [[12]]], 9, "document 1 has fewer than two sentences"),
        ([[[10], [11]], [[12], [2]]], 9, "document 1 has a sentence without a word"),
        ([[[10], [11]], [[12], [13]]], 4, "context 4 holds no pair"),
    ],
)
def test_documents_without_pairs_are_refused(
    documents: list[list[list[int]]], context: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SentencePairs(documents, MASKING, context=context, batch_size=1)
