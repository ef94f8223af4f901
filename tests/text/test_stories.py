"""The story grammars: exact probabilities, facts that hold, faults that are found."""

import math
import random
import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.text import grammar, stories_en, stories_zh
from llm.text.corpus import Stories

LANGUAGES = {"en": stories_en, "zh": stories_zh}
EN, ZH = Stories("en"), Stories("zh")
EN_TEXTS, ZH_TEXTS = EN.texts(400, seed=3), ZH.texts(400, seed=3)
ENGLISH = stories_en.NUMBERS
CHINESE = "零一两三四五六七八九"

TOLD_EN = (
    "In May, Tom and Anna met at the lake. Tom had an orange kite, and Anna had two "
    "red drums. Tom picked four cherries and then one more, so he had five. He gave "
    "Anna four of them, and one cherry was left. Anna gave Tom her two red drums and "
    "got his orange kite in return. Now Anna had an orange kite, and Tom had two red "
    "drums. At last, Anna left the lake with her orange kite, and Tom with his two red "
    "drums."
)
TOLD_ZH = (
    "星期天上午，小明和小红在海边见面了。小明带着一只红色的风筝，小红带着两面蓝色的小旗。"
    "小红的个子比小明高，小刚又比小红高。三个人里，小刚的个子最高，小明的个子最矮。"
    "小明用那只红色的风筝换来了小红那两面蓝色的小旗。"
    "现在小明有两面蓝色的小旗，小红有一只红色的风筝。"
    "天快黑了，小红带着那只红色的风筝离开了海边，小明也带着那两面蓝色的小旗回家了。"
)


def replay(story, meanings):
    """The options of a story after certain choices; none at its end."""
    options = next(story)
    for meaning in meanings:
        options = grammar.go_on(story, meaning)
    return options


def derivations(make, *, following=None):
    """Every way to derive a text (that `following` begins with): text, probability.

    Tries all options, so it would see a text with two readings twice.
    """
    stack = [("", [], 1.0)]
    while stack:
        text, meanings, probability = stack.pop()
        options = replay(make(), meanings)
        if not options:
            yield text, probability
        for option, meaning in options.items():
            longer = text + option
            if following is None or following.startswith(longer):
                each = probability / len(options)
                stack.append((longer, [*meanings, meaning], each))


@pytest.fixture(params=["en", "zh"])
def small(request, monkeypatch):
    """A grammar with few words, so that all its stories can be listed."""
    module = LANGUAGES[request.param]
    for name in ["PEOPLE", "TIMES", "PLACES", "THINGS", "HARVEST", "MORE", "ENDINGS"]:
        table = list(getattr(module, name).items())
        kept = table[:3] if name == "PEOPLE" else table[:1]
        monkeypatch.setattr(module, name, dict(kept))
    monkeypatch.setattr(module, "SPOTS", module.SPOTS[:2])
    few = "numbers" if request.param == "en" else "counts"
    every = getattr(module, few)
    monkeypatch.setattr(
        module, few, lambda most, *unit: dict(list(every(most, *unit).items())[:2])
    )
    return Stories(request.param)


def test_the_probabilities_of_all_stories_sum_to_one_and_are_those_reported(small):
    exact = Counter()
    for text, probability in derivations(small.story):
        assert text not in exact, "a text with two derivations"
        exact[text] = probability
    assert len(exact) > 1000
    assert math.fsum(exact.values()) == pytest.approx(1, abs=1e-12)
    for text in random.Random(0).sample(sorted(exact), 300):
        assert small.log_prob(text) == pytest.approx(math.log(exact[text]), abs=1e-9)

    # What is drawn follows these probabilities: the mean of -log p is the entropy ...
    drawn = small.texts(4000, seed=7)
    assert set(drawn) <= set(exact)
    entropy = -math.fsum(p * math.log(p) for p in exact.values())
    spread = math.fsum(p * math.log(p) ** 2 for p in exact.values()) - entropy**2
    mean = -sum(map(small.log_prob, drawn)) / len(drawn)
    assert abs(mean - entropy) < 4 * math.sqrt(spread / len(drawn)) + 1e-9
    # ... and the stories come as often as they should, in groups by their middle.
    groups = ["picked", "hid", "was", "gave", "摘", "藏", "最", "换"]
    for word in groups:
        share = math.fsum(p for text, p in exact.items() if word in text)
        error = math.sqrt(share * (1 - share) / len(drawn))
        seen = sum(word in text for text in drawn) / len(drawn)
        assert abs(seen - share) <= 4 * error


@pytest.mark.parametrize("stories", [EN, ZH], ids=["en", "zh"])
def test_log_prob_equals_a_search_over_all_derivations(stories):
    for text in stories.texts(40, seed=11):
        [(found, probability)] = derivations(stories.story, following=text)
        assert found == text
        assert stories.log_prob(text) == pytest.approx(math.log(probability))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_option_begins_with_another(language):
    for text in Stories(language).texts(100, seed=4):
        story, at = LANGUAGES[language].story(), 0
        options = next(story)
        while options:
            ordered = sorted(options)
            assert all(ordered)
            for first, second in pairwise(ordered):
                assert not second.startswith(first)
            taken = next(option for option in options if text.startswith(option, at))
            at += len(taken)
            options = grammar.go_on(story, options[taken])


@pytest.mark.parametrize("stories", [EN, ZH], ids=["en", "zh"])
def test_a_seed_gives_its_stories_again(stories):
    assert stories.texts(5, seed=1) == stories.texts(9, seed=1)[:5]
    assert stories.texts(5, seed=1) != stories.texts(5, seed=2)


@pytest.mark.parametrize(("texts", "stop"), [(EN_TEXTS, "."), (ZH_TEXTS, "。")])
def test_stories_are_varied_and_of_four_to_nine_sentences(texts, stop):
    sentences = [text.rstrip(stop).split(stop) for text in texts]
    assert {len(story) for story in sentences} <= set(range(4, 10))
    assert len({sentence for story in sentences for sentence in story}) > 2000
    assert len(set(texts)) == len(texts)


def test_hand_told_stories_obey():
    assert EN.check(TOLD_EN) is None
    assert ZH.check(TOLD_ZH) is None
    assert math.isfinite(EN.log_prob(TOLD_EN)) and math.isfinite(ZH.log_prob(TOLD_ZH))


def test_a_probability_worked_out_by_hand():
    # times, 12 and 11 people, places, 192 things twice, whose turn, 4 verbs, 40
    # harvests, 4 more, 1 to 4 given, turn or ending, 3 verbs, ending, who goes first
    choices = [5, 12, 11, 5, 192, 192, 2, 4, 40, 4, 4, 5, 3, 3, 2]
    expected = -sum(map(math.log, choices))
    assert EN.log_prob(TOLD_EN) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("so he had five", "so he had six", "expected 'five.', found 'six."),
        ("so he had", "so she had", "expected 'he had five.', found 'she had"),
        ("was left", "were left", "expected 'was left.', found 'were left"),
        ("one cherry", "one cherries", "expected 'cherry was left.', found 'cherries"),
        ("gave Tom her two", "gave Tom her three", "expected 'two red drums"),
        ("Now Anna had an orange", "Now Anna had a red", "expected 'an orange kite"),
        ("lake with her orange", "lake with her red", "expected 'orange kite"),
        ("left the lake", "left the park", "expected 'lake with"),
        ("had two red drums.", "had two red drum.", "expected 'drums'"),
        ("Tom and Anna", "Tom and Tom", "after 'In May, Tom and '"),
        ("In May", "in may", "after ''"),
        ("his two red drums.", "his two red drums. X", "expected the end of the text"),
    ],
)
def test_an_english_fault_is_told_in_words(right, wrong, expected):
    assert right in TOLD_EN
    text = TOLD_EN.replace(right, wrong)
    assert expected in EN.check(text)
    assert EN.log_prob(text) == -math.inf


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("带着一只红色", "带着一个红色", "expected '一个红色的皮球' or another of 192"),
        ("小刚的个子最高", "小红的个子最高", "expected '小刚的个子最高"),
        ("个子最矮", "个子最短", "expected '小明的个子最矮"),
        ("换来了小红那两面", "换来了小红那二面", "换来了小红那两面"),
        ("离开了海边", "离开了河边", "离开了海边"),
        ("也带着那两面蓝色", "也带着那两面红色", "也带着那两面蓝色"),
    ],
)
def test_a_chinese_fault_is_told_in_words(right, wrong, expected):
    assert right in TOLD_ZH
    text = TOLD_ZH.replace(right, wrong)
    assert expected in ZH.check(text)
    assert ZH.log_prob(text) == -math.inf


@given(st.sampled_from([EN, ZH]), st.integers(0, 99), st.floats(0, 1))
def test_a_story_cut_anywhere_obeys_only_as_unfinished(stories, seed, share):
    [text] = stories.texts(1, seed=seed)
    cut = text[: int(share * (len(text) - 1))]
    assert stories.check(cut, unfinished=True) is None
    assert stories.check(text, unfinished=True) is None
    assert "found the end of the text" in stories.check(cut)
    assert stories.log_prob(cut) == -math.inf
    assert stories.check(cut + "\x00", unfinished=True) is not None


def test_english_sums_and_agreement_hold():
    picked = re.compile(
        r"picked (\w+) (\w+) and then (\w+) more, so \w+ had (\w+)\. "
        r"\w+ gave \w+ (\w+) of them, and (\w+) (\w+) (was|were) left"
    )
    sums = [found for text in EN_TEXTS for found in picked.findall(text)]
    assert len(sums) > 100
    for first, fruit, more, total, given_away, left, noun, verb in sums:
        a, b, c, d, e = map(ENGLISH.index, (first, more, total, given_away, left))
        assert a + b == c and c - d == e and d > 0 and e > 0
        assert (e == 1) == (verb == "was") == (not noun.endswith("s"))
        assert (a == 1) == (not fruit.endswith("s"))


def test_chinese_sums_and_measure_words_hold():
    picked = re.compile(
        "摘了(.)(.)(\\w+)，又摘了(.)(.)，一共是(.)(.)。.分给..(.)(.)，自己还剩(.)(.)(\\w+)。"
    )
    sums = [found for text in ZH_TEXTS for found in picked.findall(text)]
    assert len(sums) > 100
    for found in sums:
        a, b, c, d, e = (CHINESE.index(found[i]) for i in (0, 3, 5, 7, 9))
        assert a + b == c and c - d == e and d > 0 and e > 0
        assert len({found[i] for i in (1, 4, 6, 8, 10)}) == 1
        assert found[2] == found[11]


def test_english_comparisons_lead_to_their_conclusion():
    told = re.compile(
        r"(\w+) was (\w+)er than (\w+), and (\w+) was (\w+)er than (\w+)\. "
        r"So (\w+) was the (\w+)est of the three, and (\w+) was"
    )
    found = [match for text in EN_TEXTS for match in told.findall(text)]
    assert len(found) > 100
    for a, more, b, c, same, d, first, most, last in found:
        assert more == same == most
        below = {a: b, c: d}
        assert len({a, b, c, d}) == 3
        assert below[below[first]] == last


def test_chinese_comparisons_lead_to_their_conclusion():
    told = re.compile(
        "(..)的..比(..)(.)，(..)又比(..)(.)。三个人里，(..)的..最(.)，(..)的"
    )
    found = [match for text in ZH_TEXTS for match in told.findall(text)]
    assert len(found) > 100
    for a, b, more, c, d, same, first, most, last in found:
        assert more == same == most
        below = {a: b, c: d}
        assert below[below[first]] == last


def test_english_things_go_home_with_their_owner():
    had = re.compile(r"(\w+) had (?:an? |(two|three) )(\w+ \w+)[,.]")
    home = re.compile(
        r", (\w+) left .* with \w+ (?:(two|three) )?(\w+ \w+), "
        r"and (\w+) with \w+ (?:(two|three) )?(\w+ \w+)\.$"
    )
    for text in EN_TEXTS:
        owned = {who: what for who, *what in had.findall(text)}  # the last word counts
        found = home.search(text).groups(default="")
        assert owned[found[0]] == [*found[1:3]]
        assert owned[found[3]] == [*found[4:6]]


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="no stories in 'fr'"):
        Stories("fr")
