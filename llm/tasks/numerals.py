"""Whole numbers as Chinese writes them, and back.

Digits are grouped by four, from the right: 万 is ten thousand, 亿 a hundred million.
2 is 二 everywhere; before a measure word alone it would be 两, and before 百, 千, 万
and 亿 either is right.
"""

import re

LIMIT = 10**12  # the next unit, 兆, is a million in some places and 10^12 in others
DIGITS = "零一二三四五六七八九"


def chinese_number(number: int) -> str:
    """A number in Chinese: 1234 is 一千二百三十四, 100010 is 十万零一十.

    Zeros between other digits are one 零, however many, but those that end a group are
    none: 10001000 is 一千万一千.

    Raises ValueError unless 0 <= number < 10^12.
    """
    if not 0 <= number < LIMIT:
        raise ValueError(f"{number} is not in 0 ... 10^12 - 1")
    text, above = "", 0
    for unit, name in ((10**8, "亿"), (10**4, "万"), (1, "")):
        group = number // unit % 10**4
        if group and text and (group < 1000 or above == 0):
            text += "零"
        if group:
            text += thousands(group) + name
        above = group
    # At the beginning, ten is 十 and not 一十.
    return re.sub("^一十", "十", text) or "零"


def thousands(group: int) -> str:
    """A number below 10,000, without zeros before or behind."""
    text = ""
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = group // unit % 10
        if digit:
            text += DIGITS[digit] + name
        elif text and group % unit:  # a zero with something on both sides
            text += "" if text.endswith("零") else "零"
    return text


def read_chinese_number(text: str) -> int:
    """The number that `chinese_number` writes so; ValueError for any other text."""
    total, group, digit = 0, 0, 0
    for letter in "一" + text if text.startswith("十") else text:
        if letter in DIGITS:
            digit = DIGITS.index(letter)
        elif letter in "十百千":
            group += digit * 10 ** ("十百千".index(letter) + 1)
            digit = 0
        elif letter in "万亿":
            total += (group + digit) * (10**4 if letter == "万" else 10**8)
            group = digit = 0
    number = total + group + digit
    if number >= LIMIT or chinese_number(number) != text:
        raise ValueError(f"{text!r} is no number as Chinese writes it")
    return number
