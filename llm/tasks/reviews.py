"""Reviews whose label follows from a rule: good and bad words, and what reverses them.

    The view is not awful. I doubt that the food is great. The bar is hardly bad.

Each sentence praises or blames a thing. "not", "hardly", "far from" and "I doubt that"
each turn it round, and two of them cancel out. A review of one or three sentences is
positive when most of them praise. Half of the words between the thing and its judgement
turn it round, so a good word alone says nothing about the label, and a classifier has
to read words together.

The grammar writes the label behind the review, after a tab, as in a TSV file; so it
also checks labels (`llm.text.grammar`).
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from llm.tasks.classification import Labelled
from llm.text import grammar
from llm.text.grammar import Options, Story, say

Judgement = Generator[Options, Any, tuple[str, bool]]


@dataclass(frozen=True)
class Language:
    """The words of a language, and of those that may reverse, whether they do."""

    openings: Mapping[str, bool]
    nouns: tuple[str, ...]
    links: Mapping[str, bool]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    joint: str  # between sentences
    stop: str  # after the last one
    labels: tuple[str, str]  # negative, positive


LANGUAGES = {
    "en": Language(
        openings={
            "The ": False,
            "I think that the ": False,
            "Everybody says that the ": False,
            "I doubt that the ": True,
        },
        nouns=(
            "food",
            "service",
            "room",
            "music",
            "view",
            "breakfast",
            "garden",
            "bar",
        ),
        links={
            " is ": False,
            " is really ": False,
            " is simply ": False,
            " is not ": True,
            " is hardly ": True,
            " is far from ": True,
        },
        good=("good", "great", "lovely", "wonderful", "pleasant"),
        bad=("bad", "poor", "awful", "terrible", "dreadful"),
        joint=". ",
        stop=".",
        labels=("negative", "positive"),
    ),
    "zh": Language(
        openings={"": False, "我觉得": False, "大家都说": False, "我不觉得": True},
        nouns=("菜", "服务", "房间", "音乐", "风景", "早餐", "花园", "酒吧"),
        links={
            "很": False,
            "真的很": False,
            "非常": False,
            "不": True,
            "并不": True,
            "一点也不": True,
        },
        good=("好", "棒", "出色", "讨人喜欢", "让人满意"),
        bad=("差", "糟糕", "乏味", "扫兴", "让人失望"),
        joint="；",
        stop="。",
        labels=("差评", "好评"),
    ),
}


class Reviews:
    """Reviews in English ("en") or Chinese ("zh"), and the rule of their labels.

    Raises ValueError for any other language.
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"no reviews in {language!r}: there are en and zh")
        self.language = LANGUAGES[language]
        self.labels = self.language.labels

    def examples(self, count: int, seed: int = 0) -> list[Labelled]:
        """The first `count` reviews of `seed`."""
        random = Random(seed)
        lines = [grammar.write(review(self.language), random) for _ in range(count)]
        return [Labelled(*line.split("\t")) for line in lines]

    def check(self, text: str, label: str) -> str | None:
        """What is wrong with a review or with its label, in words; None if nothing."""
        line = f"{text}\t{label}"
        reading = grammar.read(review(self.language), line)
        return grammar.find_fault(reading, line, unfinished=False)


def review(language: Language) -> Story:
    """One or three sentences about different things, a tab, and the label."""
    ends = {language.joint: True, f"{language.stop}\t": False}
    nouns = language.nouns
    noun, praise = yield from sentence(language, nouns)
    [more] = yield from say(ends)
    praises = [praise]
    for last in (False, True) if more else ():
        nouns = tuple(other for other in nouns if other != noun)
        noun, praise = yield from sentence(language, nouns)
        yield from say(f"{language.stop}\t" if last else language.joint)
        praises.append(praise)
    yield from say(language.labels[sum(praises) > len(praises) / 2])


def sentence(language: Language, nouns: tuple[str, ...]) -> Judgement:
    """What is judged, and whether it is praised once all that reverses is counted."""
    subjects = {
        opening + noun: (noun, reverses)
        for (opening, reverses), noun in product(language.openings.items(), nouns)
    }
    words = dict.fromkeys(language.good, True) | dict.fromkeys(language.bad, False)
    predicates = {
        link + word: good ^ reverses
        for (link, reverses), (word, good) in product(
            language.links.items(), words.items()
        )
    }
    (noun, reverses), good = yield from say(subjects, predicates)
    return noun, good ^ reverses
