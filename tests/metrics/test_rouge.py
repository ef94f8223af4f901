"""ROUGE against rouge-score, and its common subsequences against brute force."""

import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from llm.metrics import latin_stems, rouge_scores, words_and_characters
from llm.metrics.rouge import common

sys.path.insert(0, str(Path(__file__).parent))
from metric_texts import ANY, HARD

KINDS = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
REFERENCE = RougeScorer(KINDS)
STEMMED = RougeScorer(KINDS, use_stemmer=True)
LETTERS = st.lists(st.sampled_from("abc"), max_size=7)
# Lines of few words: the common subsequences are many, and which is taken matters.
LINES = st.lists(LETTERS.map(" ".join), max_size=4).map("\n".join)


class Characters:
    """Our tokenizer for Chinese, in the shape that rouge-score takes."""

    def tokenize(self, text):
        return words_and_characters(text)


CHINESE = RougeScorer(KINDS, tokenizer=Characters())


def check(reference, summary):
    theirs = REFERENCE.score(reference, summary)
    assert rouge_scores(reference, summary) == theirs
    ours = rouge_scores(reference, summary, tokenize=latin_stems)
    assert ours == STEMMED.score(reference, summary)
    ours = rouge_scores(reference, summary, tokenize=words_and_characters)
    assert ours == CHINESE.score(reference, summary)


@settings(max_examples=500, deadline=None)
@given(ANY, ANY)
def test_scores_of_any_texts_equal_rouge_score(reference, summary):
    check(reference, summary)


@settings(max_examples=500, deadline=None)
@given(LINES, LINES)
def test_scores_of_lines_equal_rouge_score(reference, summary):
    check(reference, summary)


@pytest.mark.parametrize(("reference", "summary"), HARD)
def test_scores_of_hand_picked_texts_equal_rouge_score(reference, summary):
    check(reference, summary)
    check(f"{reference}\n{summary}", f"{summary}\n\n{reference}")


@given(LETTERS, LETTERS)
def test_the_common_words_are_a_longest_row_of_both(first, second):
    def rows(words):
        return {row for n in range(len(words) + 1) for row in combinations(words, n)}

    found = common(first, second)
    assert found == sorted(found)
    assert tuple(first[i] for i in found) in rows(second)
    assert len(found) == max(map(len, rows(first) & rows(second)))


def test_chinese_counts_characters_when_told_to():
    reference, summary = "会议在北京举行", "会议在上海举行"
    assert rouge_scores(reference, summary)["rouge1"].f1 == 0
    ours = rouge_scores(reference, summary, tokenize=words_and_characters)
    assert ours["rouge1"].f1 == ours["rougeL"].f1 == pytest.approx(5 / 7)
