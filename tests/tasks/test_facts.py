"""Questions answered by another reading of the passage, and answers made wrong."""

import json
import re
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from llm.tasks import Answer, Facts, read_squad

SENTENCE = {
    "en": r"(?P<who>[A-Z]\w+(?:'s \w+)?) "
    r"(?P<does>lives in|plays the|works as a|was born in) (?P<what>\w+)\.",
    "zh": "(?P<who>[^。]+?)(?P<does>住在|会弹奏|的职业是|出生于)(?P<what>[^。]+)。",
}
ASKED = {
    "en": {
        r"Where does (.+) live\?": "lives in",
        r"What does (.+) play\?": "plays the",
        r"What does (.+) work as\?": "works as a",
        r"When was (.+) born\?": "was born in",
    },
    "zh": {
        "(.+)住在哪里？": "住在",
        "(.+)会弹奏什么？": "会弹奏",
        "(.+)的职业是什么？": "的职业是",
        "(.+)出生于哪一年？": "出生于",
    },
}
BACK = {
    "en": r"Who (?:lives in|plays the|works as a|was born in) (.+)\?",
    "zh": "谁(?:住在|会弹奏|的职业是|出生于)(.+)？",
}


def answer(language, question):
    """The answer and its place from the sentences alone, None if there is none."""
    facts = list(re.finditer(SENTENCE[language], question.passage))
    if back := re.fullmatch(BACK[language], question.question):
        found = [(f["who"], f.start("who")) for f in facts if f["what"] == back[1]]
    else:
        [(who, does)] = [
            (match[1], does)
            for pattern, does in ASKED[language].items()
            if (match := re.fullmatch(pattern, question.question))
        ]
        found = [
            (f["what"], f.start("what"))
            for f in facts
            if (f["who"], f["does"]) == (who, does)
        ]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("unanswerable", [False, True])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_answers_follow_from_the_passage(language, unanswerable):
    facts = Facts(language, unanswerable=unanswerable)
    questions = facts.examples(200)
    for question in questions:
        expected = answer(language, question)
        assert facts.check(question) is None
        if question.answers:
            [given] = question.answers
            assert (given.text, given.start) == expected
            end = given.start + len(given.text)
            assert question.passage[given.start : end] == given.text
        else:
            assert expected is None
    without = sum(not question.answers for question in questions)
    assert (60 < without < 140) if unanswerable else without == 0
    backwards = sum(
        re.fullmatch(BACK[language], one.question) is not None for one in questions
    )
    assert backwards > 20


@pytest.mark.parametrize("language", ["en", "zh"])
def test_other_answers_are_rejected(language):
    facts = Facts(language, unanswerable=True)
    random = Random(0)
    for question in facts.examples(100):
        words = re.findall(r"\w+" if language == "en" else ".", question.passage)
        text = random.choice(words)
        wrong = Answer(text, question.passage.index(text))
        if (wrong,) != question.answers:
            assert facts.check(replace(question, answers=(wrong,))) is not None
        if question.answers:
            [right] = question.answers
            moved = Answer(right.text, right.start + 1)
            shorter = Answer(right.text[:-1], right.start)
            for answers in ((), (moved,), (shorter,), (right, right)):
                assert facts.check(replace(question, answers=answers)) is not None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_answer_has_distractors(language):
    """A value of the relation asked for is mostly not the only one in the passage."""
    alone, people = 0, Counter()
    for question in Facts(language).examples(200):
        found = list(re.finditer(SENTENCE[language], question.passage))
        assert 4 <= len(found) <= 8
        assert len({f["what"] for f in found}) == len(found)
        [given] = question.answers
        [own] = [f for f in found if f.start() <= given.start < f.end()]
        alone += [f["does"] for f in found].count(own["does"]) == 1
        names = {re.sub("'s .*|的.*", "", f["who"]) for f in found}
        assert len(names) == 2
        people.update(names)
    assert alone < 100
    assert len(people) == 8


def test_faults_are_told_in_words():
    facts = Facts("en")
    question = facts.examples(1)[0]
    fault = facts.check(replace(question, question="Why?"))
    assert "another of 14, found" in fault and "'Why?" in fault.replace('"', "'")
    assert facts.check(replace(question, answers=())) is not None  # none is untold here
    with pytest.raises(ValueError, match="no facts in 'fr': there are en and zh"):
        Facts("fr")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_seed_gives_one_set_that_can_be_written_and_read(language, tmp_path):
    facts = Facts(language, unanswerable=True)
    questions = facts.examples(20, seed=3)
    assert questions == facts.examples(30, seed=3)[:20]
    assert questions != facts.examples(20, seed=4)
    paragraphs = [
        {
            "context": one.passage,
            "qas": [
                {
                    "id": one.id,
                    "question": one.question,
                    "is_impossible": not one.answers,
                    "answers": [
                        {"text": a.text, "answer_start": a.start} for a in one.answers
                    ],
                }
            ],
        }
        for one in questions
    ]
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), "utf-8")
    assert read_squad(path) == questions
