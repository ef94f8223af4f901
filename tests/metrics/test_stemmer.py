"""The stemmer against NLTK's, on the words of the Python manual and on made-up ones."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer

from llm.metrics.stemmer import IRREGULAR, STEP_2, STEP_3, STEP_4, stem
from llm.text.corpus import manual

REFERENCE = PorterStemmer()
ENDINGS = [
    *STEP_2,
    *STEP_3,
    *STEP_4,
    *["s", "es", "ed", "ing", "ies", "ied", "eed", "y", "e", "ll", "ion", "logi"],
]
MADE_UP = st.lists(
    st.sampled_from([*ENDINGS, *"aeiouybcdlnrstwxz", "0", "qu", "tt", "ss", "zz"]),
    max_size=6,
).map("".join)


def test_every_word_of_the_manual_has_nltks_stem():
    words = {*re.findall("[a-z0-9]+", manual().lower()), *IRREGULAR}
    assert len(words) > 3000
    assert {word: stem(word) for word in words} == {
        word: REFERENCE.stem(word) for word in words
    }


@settings(max_examples=3000, deadline=None)
@given(MADE_UP)
def test_made_up_words_have_nltks_stem(word):
    assert stem(word) == REFERENCE.stem(word)


def test_the_examples_of_the_paper():
    assert stem("relational") == stem("related") == "relat"
    assert stem("controlling") == "control"
    assert stem("ponies") == "poni"
