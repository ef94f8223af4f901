"""Prompts as they are read, what fits and what does not, which examples are drawn."""

from collections import Counter

import pytest

from llm.tasks import Example, Format, build_prompt, choose_examples
from llm.text.tokenizer import Tokenizer

BYTES = Tokenizer.bytes()
SUMS = [Example("1 + 1", "2"), Example("2 + 3", "5")]
POOL = [Example(f"q{i}", "ab"[i % 3 == 0]) for i in range(30)]  # 10 of b, 20 of a


def test_zero_one_and_few_shots_differ_in_examples_only():
    prompts = [
        build_prompt("4 + 4", SUMS[:shots], tokenizer=BYTES, room=99)
        for shots in (0, 1, 2)
    ]
    assert [prompt.text for prompt in prompts] == [
        "Q: 4 + 4\nA:",
        "Q: 1 + 1\nA: 2\n\nQ: 4 + 4\nA:",
        "Q: 1 + 1\nA: 2\n\nQ: 2 + 3\nA: 5\n\nQ: 4 + 4\nA:",
    ]
    assert [(prompt.shots, prompt.dropped) for prompt in prompts] == [
        (0, 0),
        (1, 0),
        (2, 0),
    ]
    assert all(BYTES.decode(prompt.ids) == prompt.text for prompt in prompts)


def test_a_form_says_how_everything_is_written():
    form = Format("评论：{}\n", "情感：{}", "\n---\n", "判断情感。")
    prompt = build_prompt(
        "菜{}很好", [Example("菜很差", "差评")], tokenizer=BYTES, room=200, form=form
    )
    assert prompt.text == (
        "判断情感。\n---\n评论：菜很差\n情感：差评\n---\n评论：菜{}很好\n"
    )
    assert form.reply("好评") == "情感：好评"
    with pytest.raises(ValueError, match="answer ' 5' must have one"):
        Format(answer=" 5")
    with pytest.raises(ValueError, match=r"must have one .* for the text"):
        Format(question="{}{}")


@pytest.mark.parametrize("room", range(11, 50))
def test_the_last_examples_that_fit_are_kept(room):
    prompt = build_prompt("4 + 4", SUMS, tokenizer=BYTES, room=room)
    lengths = [len(Format().write("4 + 4", SUMS[2 - shots :])) for shots in range(3)]
    most = max(shots for shots in range(3) if lengths[shots] <= room)
    assert (prompt.shots, prompt.dropped) == (most, 2 - most)
    assert prompt.text == Format().write("4 + 4", SUMS[2 - most :])
    assert len(prompt.ids) <= room


def test_a_question_without_room_is_told():
    with pytest.raises(ValueError, match="11 tokens without any example, and room for"):
        build_prompt("4 + 4", SUMS, tokenizer=BYTES, room=10)
    with pytest.raises(ValueError, match="has 0 tokens"):
        build_prompt("", tokenizer=BYTES, room=10, form=Format("{}"))


def test_a_seed_draws_examples_without_return():
    drawn = choose_examples(POOL, 8, seed=1)
    assert len(set(drawn)) == 8 and set(drawn) <= set(POOL)
    assert drawn == choose_examples(POOL, 8, seed=1) != choose_examples(POOL, 8, seed=2)
    assert set(choose_examples(POOL, 30)) == set(POOL)
    assert choose_examples([], 0) == choose_examples([], 0, balanced=True) == []


@pytest.mark.parametrize("shots", [0, 1, 2, 7, 20])
def test_balanced_examples_differ_by_one_at_most(shots):
    for seed in range(5):
        drawn = choose_examples(POOL, shots, seed=seed, balanced=True)
        assert len(set(drawn)) == shots
        counts = Counter(example.answer for example in drawn)
        assert abs(counts["a"] - counts["b"]) == shots % 2


def test_neither_an_answer_nor_a_place_is_favoured():
    """With an odd number either answer may come once more, and stand anywhere."""
    draws = [choose_examples(POOL, 3, seed=i, balanced=True) for i in range(300)]
    for place in range(3):
        share = sum(draw[place].answer == "a" for draw in draws) / 300
        assert 0.4 < share < 0.6


def test_too_few_examples_are_told():
    with pytest.raises(ValueError, match="cannot draw 31 examples from 30"):
        choose_examples(POOL, 31)
    with pytest.raises(ValueError, match="cannot draw -1"):
        choose_examples(POOL, -1)
    with pytest.raises(ValueError, match="take 11 with the answer 'b': there are 10"):
        choose_examples(POOL, 22, balanced=True)
