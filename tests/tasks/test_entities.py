"""Tags against another reading of the sentences, and what names alone can tell."""

import re
from collections import Counter, defaultdict
from dataclasses import replace
from random import Random

import pytest

from llm.metrics import find_spans, span_f1
from llm.tasks import Entities, Tagged, read_conll

# What stands before a name and what behind it tells its type: not the grammar's way.
CONTEXT = {
    "en": {
        "PER": (
            r"(?:visited by|elected|married|wrote to|hired|director ,|, where) $",
            r" (?:flew|was born|joined|sued|married|wrote)",
        ),
        "LOC": (
            r"(?:flew to|born in|rain than|rail to|branch in|seat to) $",
            r" (?:had|was linked|was visited|elected|, (?:where|the seat))",
        ),
        "ORG": (
            r"(?:joined|sued|bought|the seat of|money to) $",
            r" (?:hired|lost|opened|moved|bought|lent)",
        ),
    },
    "zh": {
        "PER": (
            "(?:嫁给了|写信给|选|飘着白云，|迎来了|聘请了|的经理)$",
            "(?:飞往|出生在|加入了|起诉了|嫁给了|写信给)",
        ),
        "LOC": (
            "(?:飞往|出生在|开通了到|多过|在|迁到)$",
            "(?:开通了|的雨水|选|的天上|新建了|迎来了)",
        ),
        "ORG": (
            "(?:加入了|起诉了|新建了|收购了|拒绝了)$",
            "(?:聘请了|收购了|在|的经理|总部|拒绝了)",
        ),
    },
}
DATE = r"(\d+ )?[A-Z][a-z]+( \d{4})?|\d{4}年\d+月\d+日|[一二三四五六七八九十]+月"


def text_of(language, words):
    return (" " if language == "en" else "").join(words)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_tags_follow_from_the_words_around(language):
    joint = " " if language == "en" else ""
    for sentence in Entities(language).examples(300):
        words = sentence.words
        spans = find_spans(sentence.tags, scheme="IOB2")
        names = [span for span in spans if span.type != "DATE"]
        assert len(names) == 2 and len(spans) <= 3
        first = names[0]
        for span in names:
            before = text_of(language, words[: span.start]) + joint
            after = joint + text_of(language, words[span.end :])
            begin, end = CONTEXT[language][span.type]
            found = re.match(end, after) if span is first else re.search(begin, before)
            assert found, (words, span)
        for span in spans:
            text = text_of(language, words[span.start : span.end])
            assert span.type != "DATE" or re.fullmatch(DATE, text)
        # Nothing outside a span is a number or, in English, a name.
        outside = [w for w, tag in zip(words, sentence.tags, strict=True) if tag == "O"]
        assert not any(w.isdigit() for w in outside)
        if language == "en":
            assert all(w.islower() or w in ("On", "In", ".", ",") for w in outside)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_rule_accepts_its_tags_and_no_others(language):
    entities = Entities(language)
    random = Random(0)
    kinds = ["O", *(f"{p}-{t}" for p in "BI" for t in entities.types)]
    for sentence in entities.examples(150):
        assert entities.check(sentence) is None
        assert len(sentence.words) == len(sentence.tags)
        place, tag = random.randrange(len(sentence.tags)), random.choice(kinds)
        tags = (*sentence.tags[:place], tag, *sentence.tags[place + 1 :])
        if tags != sentence.tags:
            assert "expected" in entities.check(replace(sentence, tags=tags))
        for tags in (sentence.tags[:-1], (*sentence.tags, "O")):
            assert entities.check(replace(sentence, tags=tags)) is not None
        joined = ("".join(sentence.words[:2]), *sentence.words[2:])
        assert entities.check(Tagged(joined, sentence.tags[1:])) is not None
    assert "after ''" in entities.check(Tagged(("X",), ("O",)))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_word_alone_does_not_tell_its_tag(language):
    """The most frequent tag of each word, the best without context, stays far below."""
    train, test = (Entities(language).examples(1500, seed=seed) for seed in (0, 1))
    counts = defaultdict(Counter)
    for sentence in train:
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            counts[word][tag] += 1
    said = [
        [
            counts[word].most_common(1)[0][0] if word in counts else "O"
            for word in s.words
        ]
        for s in test
    ]
    f1 = span_f1([sentence.tags for sentence in test], said).f1
    assert 0.2 < f1 < 0.8
    several = [word for word, tags in counts.items() if len(tags) > 1]
    assert len(several) >= 10


@pytest.mark.parametrize("language", ["en", "zh"])
def test_dates_stand_in_some_sentences_and_not_in_others(language):
    sentences = Entities(language).examples(400)
    dated = sum("B-DATE" in sentence.tags for sentence in sentences)
    assert 40 < dated < 360
    if language == "en":
        tagged = [pair for s in sentences for pair in zip(s.words, s.tags, strict=True)]
        tags = {tag for word, tag in tagged if word == "May"}
        assert {"B-PER", "B-DATE", "I-DATE"} <= tags


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_seed_gives_one_set_that_can_be_written_and_read(language, tmp_path):
    entities = Entities(language)
    sentences = entities.examples(20, seed=3)
    assert sentences == entities.examples(30, seed=3)[:20]
    assert sentences != entities.examples(20, seed=4)
    blocks = [
        "\n".join(f"{w} {tag}" for w, tag in zip(s.words, s.tags, strict=True))
        for s in sentences
    ]
    path = tmp_path / "entities.conll"
    path.write_text("\n\n".join(blocks), "utf-8")
    assert read_conll(path) == sentences


def test_other_languages_are_told():
    with pytest.raises(ValueError, match="no entities in 'fr': there are en and zh"):
        Entities("fr")
