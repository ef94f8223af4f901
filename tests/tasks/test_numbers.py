"""Numbers against a table and another reading of them; sentences both ways, mutated."""

import re
from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.tasks import Numbers, Translation, chinese_number, read_chinese_number
from llm.tasks.numbers import FIRST, LAST, Clause, write_chinese, write_english

TABLE = {
    0: "零",
    1: "一",
    10: "十",
    12: "十二",
    20: "二十",
    100: "一百",
    105: "一百零五",
    110: "一百一十",
    115: "一百一十五",
    1000: "一千",
    1001: "一千零一",
    1010: "一千零一十",
    1100: "一千一百",
    1234: "一千二百三十四",
    10_000: "一万",
    10_010: "一万零一十",
    11_000: "一万一千",
    100_000: "十万",
    100_100: "十万零一百",
    101_000: "十万一千",
    120_345: "十二万零三百四十五",
    10_001_000: "一千万一千",
    10_000_001: "一千万零一",
    100_000_000: "一亿",
    100_001_000: "一亿零一千",
    1_000_010_001: "十亿零一万零一",
    123_456_789: "一亿二千三百四十五万六千七百八十九",
    200_020_000: "二亿零二万",
    10**12 - 1: "九千九百九十九亿九千九百九十九万九千九百九十九",
}
PAIRS = {
    "1,234": "一千二百三十四",
    "3 March 2021": "2021年3月3日",
    "Anna sold 1,234 books on 3 March 2021.": (
        "安娜在2021年3月3日卖了一千二百三十四本书。"
    ),
    "Tom bought 1 horse, and Emma counted 12 trees.": (
        "汤姆买了一匹马，艾玛数了十二棵树。"
    ),
    "Before Lucy saved 10,010 letters, Jack sold 2 cars.": (
        "在露西存一万零一十封信之前，杰克卖了两辆车。"
    ),
}


def value(text):
    """Another way to read a number: split at the largest unit, then each side."""
    for unit, name in (
        (10**8, "亿"),
        (10**4, "万"),
        (1000, "千"),
        (100, "百"),
        (10, "十"),
    ):
        before, found, after = text.partition(name)
        if found:
            return (value(before) if before else 1) * unit + value(after)
    return sum("零一二三四五六七八九".index(letter) for letter in text)


@pytest.mark.parametrize("number", TABLE)
def test_numbers_are_written_as_in_the_table(number):
    assert chinese_number(number) == TABLE[number]
    assert read_chinese_number(TABLE[number]) == number


NUMBERS = st.one_of(
    st.integers(0, 10**12 - 1),
    # Many zeros: where the rules of 零 are.
    st.lists(st.sampled_from("00001"), min_size=1, max_size=12).map(
        lambda digits: int("".join(digits))
    ),
)


@given(NUMBERS)
def test_numbers_are_read_as_they_are_written(number):
    text = chinese_number(number)
    assert value(text) == number == read_chinese_number(text)
    assert "零零" not in text and (number == 0 or not text.endswith("零"))
    assert not text.startswith("一十")


@given(st.text("零一二十百千万亿两1", max_size=8))
def test_what_is_read_is_written_so_and_nothing_else_is_read(text):
    try:
        number = read_chinese_number(text)
    except ValueError as error:
        assert "is no number as Chinese writes it" in str(error)
    else:
        assert chinese_number(number) == text


@pytest.mark.parametrize("number", [-1, 10**12])
def test_numbers_beyond_the_units_are_told(number):
    with pytest.raises(ValueError, match="is not in 0"):
        chinese_number(number)


@pytest.mark.parametrize("english", PAIRS)
def test_sentences_are_translated_both_ways(english):
    assert Numbers("en").translate(english) == PAIRS[english]
    assert Numbers("zh").translate(PAIRS[english]) == english


@pytest.mark.parametrize("source", ["en", "zh"])
def test_every_pair_is_right_and_every_changed_one_is_not(source):
    numbers, other = Numbers(source), Numbers({"en": "zh", "zh": "en"}[source])
    random = Random(0)
    alphabet = "0123456789, abdegnrst.零一二三九十百千万年月日了本书在"
    kinds = set()
    for pair in numbers.examples(300):
        assert numbers.check(pair) is None
        assert other.check(Translation(pair.target, pair.source)) is None
        kinds.add(re.sub("[^.,，。在年]|(?<=[0-9]),", "", pair.target)[-2:])
        place, letter = random.randrange(len(pair.target)), random.choice(alphabet)
        end = random.choice([place, place + 1])
        changed = pair.target[:place] + letter + pair.target[end:]
        if changed != pair.target:
            fault = numbers.check(Translation(pair.source, changed))
            assert fault == f"expected {pair.target!r}, found {changed!r}"
    assert len(kinds) > 2


CLAUSES = st.builds(
    Clause,
    st.sampled_from(["Anna", "Tom"]),
    st.sampled_from(["sold", "saved"]),
    st.integers(1, 10**12 - 1),
    st.sampled_from(["book", "tree"]),
)


@given(CLAUSES, CLAUSES, st.dates(FIRST, LAST))
def test_no_two_sentences_share_a_translation(one, other, day):
    for kind, parts in (
        ("number", (one.number,)),
        ("date", (day,)),
        ("dated", (one, day)),
        ("both", (one, other)),
        ("before", (one, other)),
    ):
        english, chinese = write_english(kind, parts), write_chinese(kind, parts)
        assert Numbers("en").translate(english) == chinese
        assert Numbers("zh").translate(chinese) == english


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("en", "1234"),
        ("en", "1,23"),
        ("en", "01"),
        ("en", "1,000,000,000,000"),
        ("en", "31 June 2021"),
        ("en", "03 March 2021"),
        ("en", "Anna sold 1 books on 3 March 2021."),
        ("en", "Anna sold 2 book on 3 March 2021."),
        ("en", "Anna sold 2 books on 3 March 2021"),
        ("en", "Ben sold 2 books on 3 March 2021."),
        ("zh", "一十"),
        ("zh", "2021年13月3日"),
        ("zh", "安娜在2021年3月3日卖了二本书。"),
        ("zh", "两"),
        ("zh", ""),
    ],
)
def test_what_is_no_sentence_is_told(source, text):
    with pytest.raises(ValueError, match="is no sentence of this set"):
        Numbers(source).translate(text)
    assert "no sentence" in Numbers(source).check(Translation(text, "一"))


def test_a_seed_gives_one_set_and_other_languages_are_told():
    numbers = Numbers("en")
    assert numbers.examples(20, seed=3) == numbers.examples(30, seed=3)[:20]
    assert numbers.examples(20, seed=3) != numbers.examples(20, seed=4)
    turned = [Translation(pair.target, pair.source) for pair in numbers.examples(20)]
    assert Numbers("zh").examples(20) == turned
    with pytest.raises(ValueError, match="no numbers in 'fr': there are en and zh"):
        Numbers("fr")
    for write in (write_english, write_chinese):
        with pytest.raises(ValueError, match="no sentence 'date' of"):
            write("date", (date(2021, 3, 3), 4))
