"""Byte-pair encoding against the `tokenizers` library and against brute force."""

import doctest
import json
import random
from collections import Counter
from itertools import pairwise

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.text import bpe
from llm.text.bpe import (
    BYTES,
    PATTERN,
    compile_pattern,
    count_words,
    learn_merges,
    merge_pair,
    read_merges,
    show_merges,
    vocabulary,
)
from llm.text.corpus import Stories

# Few letters make many ties; runs of one letter make pairs that overlap.
KNOTTY = st.one_of(
    st.text("ab", max_size=80),
    st.text("a ", max_size=80),
    st.text("abcde '1中文，é😀\n", max_size=80),
)


def library_merges(texts, size, *, pattern=PATTERN):
    """Merges by the `tokenizers` library, as pairs of ids."""
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    spell = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return library_train(
        tokenizers.pre_tokenizers.Sequence([split, spell]), texts, size
    )


def library_train(split, texts, size):
    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = split
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    ids = learner.get_vocab()
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [(ids[first], ids[second]) for first, second in merges]


def slow_merges(texts, size, *, pattern):
    """The textbook: recount every pair for every merge."""
    words = {
        tuple(BYTES.index(byte) for byte in word): count
        for word, count in count_words(texts, pattern).items()
    }
    merges = []
    for _ in range(size - 256):
        counts = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                counts[pair] += count
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        new = 256 + len(merges)
        merges.append(best)
        merged = Counter()
        for word, count in words.items():
            merged[tuple(merge_pair(list(word), best, new)[0])] += count
        words = merged
    return merges


@pytest.mark.parametrize("language", ["en", "zh"])
def test_merges_equal_those_of_the_tokenizers_library(language):
    texts = Stories(language).texts(200, seed=1)
    merges = learn_merges(texts, 1000, pattern=PATTERN)
    assert merges == library_merges(texts, 1000)


def test_merges_equal_those_of_the_library_with_gpt2s_own_split():
    texts = Stories("en").texts(200, seed=2)
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    split = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    expected = library_train(split, texts, 900)
    assert learn_merges(texts, 900, pattern=pattern) == expected


@given(KNOTTY, st.integers(256, 330))
def test_merges_equal_those_of_the_library_on_texts_full_of_ties(text, size):
    assert learn_merges([text], size, pattern=PATTERN) == library_merges([text], size)


@given(st.lists(st.text("abc ", max_size=30), max_size=4))
def test_counting_what_a_merge_touches_equals_counting_all_anew(texts):
    expected = slow_merges(texts, 300, pattern=PATTERN)
    assert learn_merges(texts, 300, pattern=PATTERN) == expected


def test_a_text_without_pairs_left_ends_the_training():
    assert learn_merges(["ab ab"], 4096, pattern=PATTERN) == [(64, 65), (220, 256)]
    assert learn_merges([], 4096, pattern=PATTERN) == []


@given(st.one_of(KNOTTY, st.text("a ", max_size=300)))
def test_no_two_merges_spell_the_same_token(text):
    merges = learn_merges([text], 500, pattern=PATTERN)
    assert len(vocabulary(merges)) == 256 + len(merges)


def test_training_never_merges_across_words():
    merges = learn_merges(["no no no"], 300, pattern=PATTERN)
    assert sorted(vocabulary(merges), key=len)[256:] == [b"no", b" no"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't know.", ["I", " don", "'t", " know", "."]),
        ("GPT模型有12345个参数，", ["GPT", "模型有", "123", "45", "个参数", "，"]),
        ("nai\u0308ve  café", ["nai\u0308ve", "  ", "café"]),
        ("a\n\n  b != c", ["a", "\n\n  ", "b", " !=", " c"]),
        ("hi 🤔\x00", ["hi", " 🤔\x00"]),
    ],
)
def test_words_are_runs_of_one_kind(text, words):
    assert compile_pattern(PATTERN).findall(text) == words


def test_every_character_is_in_some_word():
    every = "".join(map(chr, range(0x110000)))
    assert "".join(compile_pattern(PATTERN).findall(every)) == every


@given(st.text())
def test_words_lose_nothing(text):
    assert "".join(compile_pattern(PATTERN).findall(text)) == text


def test_words_are_bounded_so_that_no_run_makes_a_merge_slow():
    for char in "a中1! \n\x00":
        longest = max(count_words([char * 1000], PATTERN), key=len)
        assert len(longest.decode()) <= 25


@given(st.lists(st.integers(0, 3), max_size=20))
def test_a_merge_reports_the_pairs_that_it_changed(word):
    out, lost, gained = merge_pair(word, (1, 2), 9)
    pairs = Counter(pairwise(word))
    del pairs[1, 2]
    pairs.update(gained)
    pairs.subtract(lost)
    assert Counter(pairwise(out)) == +pairs


@given(KNOTTY)
@settings(max_examples=30)
def test_shown_merges_read_back(text):
    merges = learn_merges([text], 400, pattern=PATTERN)
    assert read_merges(show_merges(merges)) == merges


def test_shown_merges_look_like_those_of_gpt2():
    assert show_merges([(220, 83), (256, 71)]) == ["Ġ t", "Ġt h"]


@pytest.mark.parametrize("line", ["Ġ th", "x", "a  b", 7, ["a", "b"]])
def test_a_merge_of_unknown_tokens_is_named(line):
    with pytest.raises(ValueError, match="uses a token not made before it"):
        read_merges(["a b", line])


def test_a_token_made_twice_is_named():
    with pytest.raises(ValueError, match="'a bc' makes a token for the second time"):
        read_merges(["a b", "ab c", "b c", "a bc"])


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "is wrong: missing"), (r"x*", "the empty string")]
)
def test_a_useless_pattern_is_named(pattern, message):
    with pytest.raises(ValueError, match=message):
        learn_merges(["text"], 300, pattern=pattern)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(bpe) == (0, 2)


def test_the_order_of_the_texts_changes_nothing():
    texts = Stories("en").texts(30)
    shuffled = random.Random(0).sample(texts, len(texts))
    merges = learn_merges(texts, 400, pattern=PATTERN)
    assert learn_merges(shuffled, 400, pattern=PATTERN) == merges
