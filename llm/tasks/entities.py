"""Sentences with persons, places, organisations and dates, tagged in IOB2.

    Jordan  joined  Victoria  Bank   on  3       May     2021    .
    B-PER   O       B-ORG     I-ORG  O   B-DATE  I-DATE  I-DATE  O

The same names stand for several things: Jordan is a person or a place, Ford a person
or a company, May a person or a month, and 北京 is a part of 北京大学. Only the words
around them tell, sometimes those behind: "Jordan elected May", "Jordan sued Ford". So a
list of names does not tag, and neither do capital letters.

English is tagged by words, Chinese by characters, as in MSRA's set.
"""

from collections.abc import Generator
from random import Random
from typing import Any

from llm.tasks.conll import Tagged
from llm.tasks.entity_words import LANGUAGES, Language
from llm.text import grammar
from llm.text.grammar import Options, Story, one_of, say

Piece = tuple[str, str]  # a part of the sentence, and its type; "O" if it is no name
Pieces = Generator[Options, Any, list[Piece]]


class Entities:
    """Tagged sentences in English ("en") or Chinese ("zh"): PER, LOC, ORG and DATE.

    Raises ValueError for any other language.
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"no entities in {language!r}: there are en and zh")
        self.language = LANGUAGES[language]
        self.types = (*self.language.names, "DATE")

    def examples(self, count: int, seed: int = 0) -> list[Tagged]:
        """The first `count` sentences of `seed`."""
        random = Random(seed)
        lines = [grammar.write(tagged(self.language), random) for _ in range(count)]
        return [self.read(line) for line in lines]

    def read(self, line: str) -> Tagged:
        """Words and tags of a line as the grammar writes it."""
        text, tags = line.split("\t")
        return Tagged(tuple(self.language.split(text)), tuple(tags.split(" ")))

    def check(self, sentence: Tagged) -> str | None:
        """What is wrong with a sentence or its tags, in words; None if nothing."""
        text = self.language.joint.join(sentence.words)
        line = f"{text}\t{' '.join(sentence.tags)}"
        if tuple(self.language.split(text)) != sentence.words:
            return f"expected one word in each place, found {sentence.words}"
        reading = grammar.read(tagged(self.language), line)
        return grammar.find_fault(reading, line, unfinished=False)


def tagged(language: Language) -> Story:
    """A sentence, a tab and the tags of its words."""
    pieces = yield from sentence(language)
    yield from say("\t")
    tags = [
        "O" if type_ == "O" else f"{'I' if i else 'B'}-{type_}"
        for text, type_ in pieces
        for i, _ in enumerate(language.split(text.strip(" ")))
    ]
    yield from say(" ".join(tags))


def sentence(language: Language) -> Pieces:
    """Perhaps a date, who or what it is about, and what is said of that."""
    subjects = {
        name + words: (name, type_, words, other, after)
        for type_, names in language.names.items()
        for name in names
        for words, other, after in language.predicates[type_]
    }
    pieces: list[Piece] = []
    endings = language.endings
    [begin] = yield from say({**dates(language), **subjects})
    if len(begin) == 2:
        endings = endings[:1]  # one date is enough
        pieces = yield from opening(language, *begin)
        [begin] = yield from say(subjects)
    subject, type_, words, other, after = begin
    # A name may stand for two things in one sentence, but none is its own neighbour.
    objects = {
        name + after + end: (name, end)
        for name in language.names[other]
        for end in endings
        if (name, other) != (subject, type_)
    }
    [(name, end)] = yield from say(objects)
    pieces += [(subject, type_), (words, "O"), (name, other), (after, "O"), (end, "O")]
    if end != language.endings[0]:
        pieces += yield from ending(language, end)
    return [piece for piece in pieces if piece[0]]


def dates(language: Language) -> Options:
    """How a date at the beginning begins: what stands before it, and its first part."""
    on, in_, after = language.openings
    days = {on + part: (on, part) for part in language.day[0]}
    return days | {in_ + month + after: (in_, month) for month in language.months}


def opening(language: Language, before: str, part: str) -> Pieces:
    """The rest of a date at the beginning."""
    after = language.openings[2]
    if part in language.months:
        return [(before, "O"), (part, "DATE"), (after, "O")]
    rest = yield from day(language, part, after=after)
    return [(before, "O"), *rest]


def ending(language: Language, before: str) -> Pieces:
    """A date at the end."""
    stop = language.endings[0]
    if before == language.endings[-1]:
        [month] = yield from say({month + stop: month for month in language.months})
        return [(month, "DATE"), (stop, "O")]
    [part] = yield from say(one_of(language.day[0]))
    return (yield from day(language, part, after=stop))


def day(language: Language, part: str, *, after: str) -> Pieces:
    """The second and third part of a date, and what stands behind it."""
    _, second, third = language.day
    parts = yield from say(one_of(second), {last + after: last for last in third})
    return [(part + "".join(parts), "DATE"), (after, "O")]
