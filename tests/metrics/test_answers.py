"""The rules of SQuAD: hand-computed cases, and the rules taken another way."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.metrics import answer_f1, exact_match, squad

WORDS = ["The", "a", "an", "cat", "cats", "U.S.", "U", "S", "...", "1,000", "–", "Anne"]
TEXTS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", "", "  ", "\n", "-"])),
    max_size=6,
).map(lambda pairs: "".join(word + space for word, space in pairs))


def normal(text):
    """The rules by regular expressions alone; ours go letter by letter."""
    text = re.sub(r"[!-/:-@\[-`{-~]", "", text.lower())
    return " ".join(re.sub(r"\b(?:an?|the)\b", " ", text).split())


def overlap(one, other):
    """F1 by striking out shared words one by one; ours takes bags."""
    ones, others = normal(one).split(), normal(other).split()
    if not ones or not others:
        return float(ones == others)
    rest = list(others)
    for word in ones:
        if word in rest:
            rest.remove(word)
    return 2 * (len(others) - len(rest)) / (len(ones) + len(others))


@settings(max_examples=1000, deadline=None)
@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_scores_are_those_of_the_rules(prediction, answers):
    right = [answer for answer in answers if normal(answer)] or [""]
    exact = max(float(normal(prediction) == normal(answer)) for answer in right)
    f1 = max(overlap(prediction, answer) for answer in right)
    assert exact_match(prediction, answers) == exact
    assert answer_f1(prediction, answers) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("prediction", "answers", "exact", "f1"),
    [
        ("The U.S. Army!", ["us army"], 1, 1),
        ("an apple", ["The Apple."], 1, 1),
        ("in Paris, France", ["Paris"], 0, 1 / 2),
        ("Paris", ["London", "Paris France"], 0, 2 / 3),
        ("b b c", ["b c c"], 0, 2 / 3),
        ("theory", ["ory"], 0, 0),
        ("", ["Paris"], 0, 0),
        ("", [], 1, 1),
        ("the", [], 1, 1),
        ("Paris", [], 0, 0),
        ("state-of-the-art", ["stateoftheart"], 1, 1),
    ],
)
def test_hand_computed_cases(prediction, answers, exact, f1):
    assert exact_match(prediction, answers) == exact
    assert answer_f1(prediction, answers) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("prediction", "answers", "exact", "f1"),
    [
        ("《红楼梦》。", ["红楼梦"], 1, 1),
        ("北京市", ["北京"], 0, 4 / 5),
        ("2024年 5月", ["2024年5月"], 1, 1),
        ("上海", ["北京"], 0, 0),
        ("the GPT模型", ["the gpt 模型"], 1, 1),
        ("", [], 1, 1),
    ],
)
def test_chinese_counts_characters(prediction, answers, exact, f1):
    assert exact_match(prediction, answers, language="zh") == exact
    assert answer_f1(prediction, answers, language="zh") == pytest.approx(f1)


def test_questions_with_and_without_answers_are_shown_apart():
    scores = squad(["Paris", "", "x", "b c"], [["Paris"], [], [], ["c d", "e"]])
    assert scores == (50, 62.5, 50, 75, 50)
    assert squad(["a b"], [["b"]]).unanswerable is None
    assert squad([""], [[]])[2:] == (None, None, 100)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="no rules for 'fr': there are en and zh"):
        exact_match("a", ["a"], language="fr")
    with pytest.raises(ValueError, match="a list of answers is needed, found the text"):
        answer_f1("a", "a")
    with pytest.raises(ValueError, match="1 predictions for 2 examples"):
        squad(["a"], [["a"], ["b"]])
