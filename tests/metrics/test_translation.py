"""BLEU and chrF against sacrebleu."""

import logging
import sys
from pathlib import Path

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import _get_tokenizer

from llm.metrics import corpus_bleu, corpus_chrf, sentence_bleu, sentence_chrf
from llm.metrics.bleu import TOKENIZERS

sys.path.insert(0, str(Path(__file__).parent))
from metric_texts import ANY, HARD, TEXTS

logging.getLogger("sacrebleu").setLevel(logging.ERROR)
CORPUS = st.lists(
    st.tuples(TEXTS, st.lists(TEXTS, min_size=2, max_size=2)), min_size=1, max_size=4
)


def columns(references):
    """The way sacrebleu wants them: a list for each first, second ... reference."""
    return [list(column) for column in zip(*references, strict=True)]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokens_of_any_text_equal_sacrebleus(name):
    reference = _get_tokenizer(name)()

    @settings(max_examples=400, deadline=None)
    @given(ANY)
    def check(text):
        assert TOKENIZERS[name](text.rstrip()) == reference(text.rstrip()).split()

    check()


@pytest.mark.parametrize("name", ["13a", "zh"])
def test_every_character_is_treated_as_sacrebleu_does(name):
    reference = _get_tokenizer(name)()
    for code in [*range(0xD800), *range(0xE000, 0x10000), 0x20000, 0x2F81A, 0x1F600]:
        text = f"7{chr(code)}a{chr(code)}{chr(code)}"
        assert TOKENIZERS[name](text) == reference(text).split(), hex(code)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_bleu_equals_sacrebleu(name):
    @settings(max_examples=250, deadline=None)
    @given(CORPUS)
    def check(pairs):
        predictions, references = map(list, zip(*pairs, strict=True))
        ours = corpus_bleu(predictions, references, tokenize=name)
        theirs = sacrebleu.corpus_bleu(predictions, columns(references), tokenize=name)
        assert ours.score == pytest.approx(theirs.score, abs=1e-9)
        assert ours.precisions == pytest.approx(theirs.precisions, abs=1e-9)
        assert ours[2:] == (theirs.bp, theirs.sys_len, theirs.ref_len)
        one = sentence_bleu(predictions[0], references[0], tokenize=name)
        other = sacrebleu.sentence_bleu(predictions[0], references[0], tokenize=name)
        assert one.score == pytest.approx(other.score, abs=1e-9)

    check()


@pytest.mark.parametrize("words", [0, 2])
def test_chrf_equals_sacrebleu(words):
    @settings(max_examples=500, deadline=None)
    @given(CORPUS)
    def check(pairs):
        predictions, references = map(list, zip(*pairs, strict=True))
        ours = corpus_chrf(predictions, references, words=words)
        theirs = sacrebleu.corpus_chrf(
            predictions, columns(references), word_order=words
        )
        assert ours == pytest.approx(theirs.score, abs=1e-9)
        one = sentence_chrf(predictions[0], references[0], words=words)
        other = sacrebleu.sentence_chrf(predictions[0], references[0], word_order=words)
        assert one == pytest.approx(other.score, abs=1e-9)

    check()


@pytest.mark.parametrize(("prediction", "reference"), HARD)
def test_hand_picked_sentences_equal_sacrebleu(prediction, reference):
    for name in TOKENIZERS:
        theirs = sacrebleu.sentence_bleu(prediction, [reference], tokenize=name)
        ours = sentence_bleu(prediction, [reference], tokenize=name)
        assert ours.score == pytest.approx(theirs.score, abs=1e-9)
    for words in (0, 2):
        other = sacrebleu.sentence_chrf(prediction, [reference], word_order=words)
        ours = sentence_chrf(prediction, [reference], words=words)
        assert ours == pytest.approx(other.score, abs=1e-9)


def test_a_sentence_may_have_more_references_than_another():
    references = [["a b c d e", "a b c d"], ["f g h i"]]
    assert corpus_bleu(["a b c d", "f g h i"], references).score == pytest.approx(100)


def test_chinese_needs_its_tokenizer():
    prediction, reference = "他喜欢喝绿茶和红茶。", "他爱喝绿茶和红茶。"
    assert sentence_bleu(prediction, [reference]).score == 0
    assert sentence_bleu(prediction, [reference], tokenize="zh").score > 50


@pytest.mark.parametrize("measure", [corpus_bleu, corpus_chrf])
def test_references_that_do_not_fit_are_named(measure):
    with pytest.raises(ValueError, match="1 predictions for 2 examples"):
        measure(["a"], [["a"], ["b"]])
    with pytest.raises(ValueError, match="a list of references is needed for 'a', fou"):
        measure(["a"], [[]])
    with pytest.raises(ValueError, match="found 'text'"):
        measure(["a"], ["text"])


def test_an_unknown_tokenizer_is_named():
    with pytest.raises(
        ValueError, match="no tokenizer 'intl': there are 13a, zh, char"
    ):
        sentence_bleu("a", ["a"], tokenize="intl")
