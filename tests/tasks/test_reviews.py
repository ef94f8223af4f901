"""Generated reviews: their labels by another count, and what a word alone tells."""

import re
from collections import Counter

import pytest

from llm.tasks import Reviews, read_labelled

REVERSE = {
    "en": "I doubt that|not |hardly |far from ",
    "zh": "我不觉得|不(?!觉得)",
}
GOOD = {
    "en": "good|great|lovely|wonderful|pleasant",
    "zh": "好|棒|出色|讨人喜欢|让人满意",
}


def count_label(language, text):
    """The label by counting words in each sentence, without the grammar."""
    praises = 0
    sentences = re.findall("[^.；。]+", text)
    for sentence in sentences:
        turns = len(re.findall(REVERSE[language], sentence))
        good = re.search(GOOD[language], sentence) is not None
        praises += good if turns % 2 == 0 else not good
    return Reviews(language).labels[praises > len(sentences) / 2]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_labels_follow_from_the_words(language):
    reviews = Reviews(language)
    examples = reviews.examples(300)
    for example in examples:
        assert example.label == count_label(language, example.text)
        assert reviews.check(example.text, example.label) is None
        (other,) = set(reviews.labels) - {example.label}
        fault = reviews.check(example.text, other)
        assert f"expected '{example.label}', found '{other}'" in fault
    assert {len(re.findall("[.；。]", one.text)) for one in examples} == {1, 3}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_good_word_alone_says_nothing(language):
    short = [
        (re.search(GOOD[language], one.text) is not None, one.label)
        for one in Reviews(language).examples(4000)
        if len(re.findall("[.；。]", one.text)) == 1
    ]
    counts = Counter(short)
    for good in (True, False):
        of_both = [counts[good, label] for label in Reviews(language).labels]
        assert 0.45 < of_both[0] / sum(of_both) < 0.55


def test_what_is_no_review_is_told():
    fault = Reviews("en").check("The food is good. The food is bad.", "positive")
    assert "after 'The food is good. The " in fault
    assert Reviews("zh").check("菜很好", "好评") is not None
    with pytest.raises(ValueError, match="no reviews in 'fr': there are en and zh"):
        Reviews("fr")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_seed_gives_one_set_that_can_be_written_and_read(language, tmp_path):
    reviews = Reviews(language)
    examples = reviews.examples(20, seed=3)
    assert examples == reviews.examples(30, seed=3)[:20]
    assert examples != reviews.examples(20, seed=4)
    path = tmp_path / "reviews.tsv"
    rows = ["text\tlabel", *(f"{one.text}\t{one.label}" for one in examples)]
    path.write_text("\n".join(rows), "utf-8")
    assert read_labelled(path, reviews.labels) == examples
