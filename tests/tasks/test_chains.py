"""Answers found in what models write, and votes counted by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llm.generate import generate
from llm.models import GPT, GPTConfig
from llm.tasks import explained, extract_answer, self_consistency, vote
from llm.tasks.chains import STEP_BY_STEP
from llm.text.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3 + 4 = 7. The answer is 7.", "7"),
        ("The answer is 3.5. Next question", "3.5"),
        ("so THE ANSWER IS: 1,234\nQ: more", "1,234"),
        ('The answer is "New York"!', "New York"),
        ("The answer is 4. No, the answer is 5", "5"),
        ("三加四得七。答案是7。", "7"),
        ("答案是：“北京”；因为……", "北京"),
        ("答案是3.5。", "3.5"),
        ("The answer is St. Ives.", "St"),  # a point before a space ends a sentence
        ("There is no answer", None),
        ("The answer is", None),
        ("The answer is .", None),
        ("bathe answer is 3", None),
        ("", None),
    ],
)
def test_an_answer_stands_behind_its_words(text, answer):
    assert extract_answer(text) == answer


@given(
    st.sampled_from(["en", "zh"]),
    st.text("abc +=一二三", max_size=20),
    st.one_of(st.integers().map(str), st.decimals(allow_nan=False).map(str)),
)
def test_what_is_explained_is_extracted(language, steps, answer):
    assert extract_answer(explained(steps, answer, language=language)) == answer


def test_a_chain_of_thought_is_written_as_its_language_does():
    assert explained("3 + 4 = 7.", "7") == "3 + 4 = 7. The answer is 7."
    assert explained("三加四得七。", "7", language="zh") == "三加四得七。答案是7。"
    assert STEP_BY_STEP.keys() == {"en", "zh"}


def test_most_votes_win_and_the_earliest_of_equals():
    found = vote(["7", "8", None, "8", "7", "9"])
    assert found == ("7", 2 / 6, {"7": 2, "8": 2, "9": 1})
    assert vote([None, None]) == (None, 0.0, {})


def test_weights_decide_where_they_are_given():
    found = vote(["7", "8", "7"], [0.25, 1.0, 0.5])
    assert found == ("8", 1 / 1.75, {"7": 0.75, "8": 1.0})


@pytest.mark.parametrize(
    ("answers", "weights", "message"),
    [
        ([], None, "0 answers"),
        (["7"], [1.0, 2.0], "1 answers with 2 weights"),
        (["7", "8"], [1.0, -0.5], "none below 0"),
        (["7"], [0.0], "positive in sum"),
    ],
)
def test_votes_that_cannot_be_counted_are_told(answers, weights, message):
    with pytest.raises(ValueError, match=message):
        vote(answers, weights)


class Said:
    """A tokenizer whose tokens are whole pieces of a chain."""

    pieces = (" Hm", " The answer is 1.", " The answer is 2.", "\n\n", "<end>")

    def encode(self, text):
        return [0]

    def decode(self, ids):
        return "".join(self.pieces[i] for i in ids)


def test_chains_are_drawn_cut_and_counted():
    torch.manual_seed(3)
    model = GPT(GPTConfig(vocab_size=5, context=8, layers=1, heads=1, width=8))
    draw = {"max_tokens": 5, "temperature": 2.0, "seed": 11}
    found = self_consistency(model, Said(), prompt=" Hm", chains=40, stop=[4], **draw)
    expected = []
    for i in range(40):
        row = generate(model, [0], stop=[4], **(draw | {"seed": 11 + i}))[1:]
        row = row[: row.index(4)] if 4 in row else row
        row = row[: row.index(3)] if 3 in row else row
        said = [token for token in row if token in (1, 2)]
        expected.append(str(said[-1]) if said else None)
    assert found == vote(expected)
    assert set(expected) == {"1", "2", None}


def test_no_chains_cannot_vote():
    tokenizer = Tokenizer.bytes()
    with pytest.raises(ValueError, match="0 chains cannot vote"):
        self_consistency(None, tokenizer, prompt="?", chains=0, max_tokens=1)
