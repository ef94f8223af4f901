"""The note on byte-pair encoding: its formulae and its exercises."""

import re
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.text.bpe import PATTERN, count_words, learn_merges, vocabulary
from llm.text.corpus import Stories
from llm.text.tokenizer import Tokenizer

TEXTS = Stories("en").texts(40) + Stories("zh").texts(40)
TOKENIZER = Tokenizer.train(TEXTS, 600, special=())
RANKS = vocabulary(TOKENIZER.merges)
NEW = Stories("en").texts(5, seed=1) + Stories("zh").texts(5, seed=1)
WORDS = list(count_words([*NEW, "Ünïcödé 🤔 aaaaa"], PATTERN))


def as_letters(texts: list[str]) -> dict[str, int]:
    """Each word with one letter for each token: at first, for each byte."""
    found = count_words(texts, PATTERN)
    return {word.decode("latin-1"): number for word, number in found.items()}


def occurrences(words: dict[str, int], pair: str) -> int:
    """c(a, b) of the formula, where occurrences may overlap, by regular expression."""
    ahead = re.compile(f"(?={re.escape(pair)})")
    return sum(number * len(ahead.findall(word)) for word, number in words.items())


def length(words: dict[str, int]) -> int:
    return sum(number * len(word) for word, number in words.items())


@given(st.lists(st.text("abc ", max_size=40), max_size=4))
def test_the_pair_with_the_largest_count_is_merged_first(texts: list[str]) -> None:
    words = as_letters(texts)
    alphabet = sorted({letter for word in words for letter in word})
    counts = {a + b: occurrences(words, a + b) for a in alphabet for b in alphabet}
    merges = learn_merges(texts, 257, pattern=PATTERN)
    if not merges:
        assert not any(counts.values())
        return
    (token,) = set(vocabulary(merges)) - set(vocabulary([]))
    largest = max(counts.values())
    assert counts[token.decode("latin-1")] == largest
    # Of the pairs that share the count, the smallest: the space, id 220, is last.
    order = "abc "
    tied = [pair for pair in counts if counts[pair] == largest]
    first = min(tied, key=lambda pair: [order.index(letter) for letter in pair])
    assert token.decode("latin-1") == first


@given(st.lists(st.text("aab ", max_size=60), max_size=4))
def test_each_merge_shortens_the_text_by_no_more_than_the_one_before(
    texts: list[str],
) -> None:
    words = as_letters(texts)
    letters = {bytes([byte]): chr(byte) for byte in range(256)}
    tokens = list(vocabulary([]))
    before = None
    for first, second in learn_merges(texts, 290, pattern=PATTERN):
        pair = letters[tokens[first]] + letters[tokens[second]]
        tokens.append(tokens[first] + tokens[second])
        letters[tokens[-1]] = chr(0x4E00 + len(tokens))
        count = occurrences(words, pair)
        replaced = sum(number * word.count(pair) for word, number in words.items())
        merged = {
            word.replace(pair, letters[tokens[-1]]): number
            for word, number in words.items()
        }
        assert length(merged) == length(words) - replaced
        assert replaced == count if first != second else replaced <= count
        assert before is None or count <= before
        before, words = count, merged


def test_first_tokens_are_those_of_the_trainer(answer) -> None:
    merges = learn_merges(["banana band"], 260, pattern=PATTERN)
    assert answer.first_tokens() == list(vocabulary(merges))[256:]


@pytest.mark.parametrize("word", WORDS)
def test_encode_word_agrees_with_tiktoken(answer, word: bytes) -> None:
    assert answer.encode_word(word, RANKS) == TOKENIZER.encode_bytes(word)


@given(word=st.binary(max_size=12))
def test_encode_word_takes_any_bytes(answer, word: bytes) -> None:
    ids = answer.encode_word(word, RANKS)
    assert TOKENIZER.decode_bytes(ids) == word


@pytest.mark.parametrize("word", WORDS)
def test_drop_merges_with_no_dropout_drops_nothing(answer, word: bytes) -> None:
    ids = answer.drop_merges(word, RANKS, dropout=0.0, random=Random(0))
    assert ids == TOKENIZER.encode_bytes(word)


@pytest.mark.parametrize("word", WORDS)
def test_drop_merges_that_drops_all_leaves_bytes(answer, word: bytes) -> None:
    ids = answer.drop_merges(word, RANKS, dropout=1.0, random=Random(0))
    assert ids == [RANKS[bytes([byte])] for byte in word]


def test_drop_merges_spells_the_same_word_in_several_ways(answer) -> None:
    random = Random(0)
    cuts = [
        answer.drop_merges(b" there", RANKS, dropout=0.5, random=random)
        for _ in range(50)
    ]
    assert {TOKENIZER.decode_bytes(ids) for ids in cuts} == {b" there"}
    assert len(set(map(tuple, cuts))) > 3


def test_drop_merges_drops_each_candidate_by_the_given_chance(answer) -> None:
    # Of "abab" with the one merge "ab": a step does nothing when both are dropped,
    # 0.3²; from one "ab" made, the other is dropped by 0.3. Each may fall first.
    ranks = vocabulary([(64, 65)])
    random = Random(0)
    draws = Counter(
        len(answer.drop_merges(b"abab", ranks, dropout=0.3, random=random))
        for _ in range(4000)
    )
    expected = {4: 0.3**2, 3: (1 - 0.3**2) * 0.3, 2: (1 - 0.3**2) * 0.7}
    for tokens, share in expected.items():
        assert draws[tokens] / 4000 == pytest.approx(share, abs=0.035)
