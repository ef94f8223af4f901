"""Numbers and dates in English and Chinese: sentences with one right translation.

    Anna sold 1,234 books on 3 March 2021.
    安娜在2021年3月3日卖了一千二百三十四本书。

English counts in thousands, Chinese in ten thousands; a date turns round, and time
stands elsewhere in the sentence. Nothing else may be said in two ways, so each
sentence has exactly one translation, in both directions, and a wrong digit is found.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from llm.tasks.numerals import DIGITS, chinese_number, read_chinese_number
from llm.tasks.parallel import Translation

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)  # four digits, as all of these have

NAMES = {"Anna": "安娜", "Tom": "汤姆", "Lucy": "露西", "Jack": "杰克", "Emma": "艾玛"}
VERBS = {"sold": "卖", "bought": "买", "counted": "数", "saved": "存"}
THINGS = {
    "book": "本书",
    "table": "张桌子",
    "car": "辆车",
    "horse": "匹马",
    "tree": "棵树",
    "letter": "封信",
}


@dataclass(frozen=True)
class Clause:
    """Somebody did something to a number of things."""

    name: str
    verb: str
    number: int
    thing: str

    @property
    def english(self) -> str:
        """As in: Anna sold 1,234 books."""
        ending = "" if self.number == 1 else "s"
        return f"{self.name} {self.verb} {self.number:,} {self.thing}{ending}"

    @property
    def amount(self) -> str:
        """As in: 一千二百三十四本书; before a measure word, 2 is 两."""
        number = "两" if self.number == 2 else chinese_number(self.number)
        return number + THINGS[self.thing]


Parts = tuple[Clause | date | int, ...]


def english_date(day: date) -> str:
    """As in: 3 March 2021."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def chinese_date(day: date) -> str:
    """As in: 2021年3月3日."""
    return f"{day.year}年{day.month}月{day.day}日"


def write_english(kind: str, parts: Parts) -> str:
    """The sentence of a kind in English."""
    match kind, parts:
        case "number", (int(number),):
            return f"{number:,}"
        case "date", (date() as day,):
            return english_date(day)
        case "dated", (Clause() as clause, date() as day):
            return f"{clause.english} on {english_date(day)}."
        case "both", (Clause() as one, Clause() as other):
            return f"{one.english}, and {other.english}."
        case "before", (Clause() as one, Clause() as other):
            return f"Before {one.english}, {other.english}."
    raise ValueError(f"no sentence {kind!r} of {parts}")


def write_chinese(kind: str, parts: Parts) -> str:
    """The sentence of a kind in Chinese."""
    match kind, parts:
        case "number", (int(number),):
            return chinese_number(number)
        case "date", (date() as day,):
            return chinese_date(day)
        case "dated", (Clause() as clause, date() as day):
            who, does = NAMES[clause.name], VERBS[clause.verb]
            return f"{who}在{chinese_date(day)}{does}了{clause.amount}。"
        case "both", (Clause() as one, Clause() as other):
            return f"{plain(one)}，{plain(other)}。"
        case "before", (Clause() as one, Clause() as other):
            who, does = NAMES[one.name], VERBS[one.verb]
            return f"在{who}{does}{one.amount}之前，{plain(other)}。"
    raise ValueError(f"no sentence {kind!r} of {parts}")


def plain(clause: Clause) -> str:
    """A clause in Chinese that says when nothing happened."""
    return f"{NAMES[clause.name]}{VERBS[clause.verb]}了{clause.amount}"


def one_of(texts: Iterable[str]) -> str:
    """A pattern of any of these texts."""
    return "|".join(texts)


def english_clause(i: int) -> str:
    """A pattern of a clause in English, the parts of which end in a number."""
    return (
        f"(?P<name{i}>{one_of(NAMES)}) (?P<verb{i}>{one_of(VERBS)}) "
        f"(?P<number{i}>[0-9,]+) (?P<thing{i}>{one_of(THINGS)})s?"
    )


def chinese_clause(i: int, *, between: str = "", after: str = "了") -> str:
    """A pattern of a clause in Chinese, with something after the name or the verb."""
    return (
        f"(?P<name{i}>{one_of(NAMES.values())}){between}"
        f"(?P<verb{i}>{one_of(VERBS.values())}){after}"
        f"(?P<number{i}>两|[{DIGITS}十百千万亿]+)(?P<thing{i}>{one_of(THINGS.values())})"
    )


ENGLISH_DATE = f"(?P<day>[0-9]+) (?P<month>{one_of(MONTHS)}) (?P<year>[0-9]{{4}})"
CHINESE_DATE = "(?P<year>[0-9]{4})年(?P<month>[0-9]+)月(?P<day>[0-9]+)日"
PATTERNS = {
    "en": {
        "number": "(?P<number>[0-9,]+)",
        "date": ENGLISH_DATE,
        "dated": rf"{english_clause(1)} on {ENGLISH_DATE}\.",
        "both": rf"{english_clause(1)}, and {english_clause(2)}\.",
        "before": rf"Before {english_clause(1)}, {english_clause(2)}\.",
    },
    "zh": {
        "number": f"(?P<number>[{DIGITS}十百千万亿]+)",
        "date": CHINESE_DATE,
        "dated": f"{chinese_clause(1, between=f'在{CHINESE_DATE}')}。",
        "both": f"{chinese_clause(1)}，{chinese_clause(2)}。",
        "before": f"在{chinese_clause(1, after='')}之前，{chinese_clause(2)}。",
    },
}


def read_parts(language: str, found: Mapping[str, str]) -> Parts:
    """What a sentence speaks of, from the groups of its pattern.

    Raises ValueError for a day that there is not, and for no number.
    """
    parts: list[Clause | date | int] = []
    for i in ("1", "2"):
        if "name" + i in found:
            name, verb, thing = (found[key + i] for key in ("name", "verb", "thing"))
            if language == "zh":
                name, verb, thing = (
                    {chinese: english for english, chinese in words.items()}[text]
                    for words, text in ((NAMES, name), (VERBS, verb), (THINGS, thing))
                )
            number = read_number(language, found["number" + i])
            parts.append(Clause(name, verb, number, thing))
    if "number" in found:
        parts.append(read_number(language, found["number"]))
    if "day" in found:
        month = found["month"]
        number = MONTHS.index(month) + 1 if language == "en" else int(month)
        parts.append(date(int(found["year"]), number, int(found["day"])))
    return tuple(parts)


def read_number(language: str, text: str) -> int:
    """The number that a text writes in either language, perhaps against its rules."""
    if language == "zh":
        return 2 if text == "两" else read_chinese_number(text)
    return int(text.replace(",", ""))


def draw(random: Random) -> tuple[str, Parts]:
    """A sentence by lot: its kind, and what it speaks of."""
    kind = random.choice(list(PATTERNS["en"]))
    day = FIRST + timedelta(random.randrange((LAST - FIRST).days + 1))
    # Numbers of every length, up to nine digits, are equally likely.
    numbers = [random.randrange(1, 10 ** random.randint(1, 9)) for _ in range(2)]
    # People differ, so that each clause has a subject of its own.
    clauses = [
        Clause(name, random.choice(list(VERBS)), number, random.choice(list(THINGS)))
        for name, number in zip(random.sample(list(NAMES), 2), numbers, strict=True)
    ]
    parts: dict[str, Parts] = {
        "number": (numbers[0],),
        "date": (day,),
        "dated": (clauses[0], day),
        "both": tuple(clauses),
        "before": tuple(clauses),
    }
    return kind, parts[kind]


class Numbers:
    """Pairs of sentences from a language, "en" or "zh", into the other.

    Raises ValueError for any other language.
    """

    def __init__(self, source: str) -> None:
        if source not in PATTERNS:
            raise ValueError(f"no numbers in {source!r}: there are en and zh")
        self.source = source

    def examples(self, count: int, seed: int = 0) -> list[Translation]:
        """The first `count` pairs of `seed`."""
        random = Random(seed)
        return [self.pair(*draw(random)) for _ in range(count)]

    def translate(self, text: str) -> str:
        """The one right translation; ValueError for what is no sentence of the set."""
        for kind, pattern in PATTERNS[self.source].items():
            if found := re.fullmatch(pattern, text):
                with suppress(ValueError):  # 31 June, or no number
                    pair = self.pair(kind, read_parts(self.source, found.groupdict()))
                    if pair.source == text:  # the patterns also take 1 books, or 1,2
                        return pair.target
        raise ValueError(f"{text!r} is no sentence of this set")

    def check(self, pair: Translation) -> str | None:
        """What is wrong with a translation, in words; None if nothing."""
        try:
            expected = self.translate(pair.source)
        except ValueError as error:
            return str(error)
        if pair.target == expected:
            return None
        return f"expected {expected!r}, found {pair.target!r}"

    def pair(self, kind: str, parts: Parts) -> Translation:
        """A sentence in both languages."""
        texts = write_english(kind, parts), write_chinese(kind, parts)
        return Translation(*(texts if self.source == "en" else texts[::-1]))
