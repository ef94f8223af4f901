"""Passages of facts, and questions whose answers stand in them among distractors.

    Anna lives in Oslo. Tom's sister lives in Rome. Anna's sister plays the drum. Anna
    plays the flute. - Where does Anna live? - Oslo

Every passage speaks of two people, of the sister and the teacher of each, and of few
relations, so the words of a question occur in many sentences: only one of them is about
the same person and the same relation. No value occurs twice, so every answer is at one
place. Asked the other way round, "Who lives in Oslo?", the answer is a person.

With `unanswerable`, half of the questions ask what the passage does not tell of a
person it speaks of, as in SQuAD 2.0.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from llm.tasks.squad import Answer, Question
from llm.text import grammar
from llm.text.grammar import Options, Story, one_of, say

LEAST, MOST = 4, 8  # facts in a passage

Key = tuple[str, str]  # subject and relation, such as "Anna's sister" and " lives in "


@dataclass(frozen=True)
class Relation:
    """How a fact is told and asked, and what may be true; {} is who it is about."""

    told: str  # between subject and value
    asked: str
    reverse: str  # {} is the value
    values: tuple[str, ...]


@dataclass(frozen=True)
class Language:
    """The words of a language."""

    people: tuple[str, ...]
    kin: tuple[str, ...]
    relations: tuple[Relation, ...]
    stop: str
    joint: str  # between sentences


LANGUAGES = {
    "en": Language(
        people=("Anna", "Ben", "Clara", "David", "Emma", "Jack", "Lucy", "Tom"),
        kin=("", "'s sister", "'s teacher"),
        relations=(
            Relation(
                " lives in ",
                "Where does {} live?",
                "Who lives in {}?",
                ("Oslo", "Rome", "Paris", "Cairo", "Lima", "Vienna", "Delhi", "Boston"),
            ),
            Relation(
                " plays the ",
                "What does {} play?",
                "Who plays the {}?",
                ("flute", "drum", "piano", "cello", "harp", "organ", "horn", "guitar"),
            ),
            Relation(
                " works as a ",
                "What does {} work as?",
                "Who works as a {}?",
                ("baker", "nurse", "pilot", "farmer", "judge", "tailor", "cook"),
            ),
            Relation(
                " was born in ",
                "When was {} born?",
                "Who was born in {}?",
                tuple(str(year) for year in range(1940, 2000)),
            ),
        ),
        stop=".",
        joint=" ",
    ),
    "zh": Language(
        people=("安娜", "小明", "王芳", "李雷", "张伟", "赵敏", "陈晨", "刘洋"),
        kin=("", "的姐姐", "的老师"),
        relations=(
            Relation(
                "住在",
                "{}住在哪里？",
                "谁住在{}？",
                ("北京", "上海", "广州", "成都", "西安", "杭州", "南京", "武汉"),
            ),
            Relation(
                "会弹奏",
                "{}会弹奏什么？",
                "谁会弹奏{}？",
                ("钢琴", "古筝", "琵琶", "吉他", "竖琴", "柳琴", "三弦", "扬琴"),
            ),
            Relation(
                "的职业是",
                "{}的职业是什么？",
                "谁的职业是{}？",
                ("医生", "面包师", "飞行员", "农民", "法官", "裁缝", "厨师"),
            ),
            Relation(
                "出生于",
                "{}出生于哪一年？",
                "谁出生于{}？",
                tuple(f"{year}年" for year in range(1940, 2000)),
            ),
        ),
        stop="。",
        joint="",
    ),
}


class Facts:
    """Questions about passages in English ("en") or Chinese ("zh").

    Raises ValueError for any other language.
    """

    def __init__(self, language: str, *, unanswerable: bool = False) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"no facts in {language!r}: there are en and zh")
        self.language = LANGUAGES[language]
        self.unanswerable = unanswerable

    def examples(self, count: int, seed: int = 0) -> list[Question]:
        """The first `count` questions of `seed`, each with a passage of its own."""
        random = Random(seed)
        return [self.draw(random, f"{seed}-{i}") for i in range(count)]

    def draw(self, random: Random, id_: str) -> Question:
        """One question by lot."""
        line = grammar.write(self.story(), random)
        _, passage, _, question, *rest = line.split("\t")
        answers = (Answer(rest[1], int(rest[0])),) if rest else ()
        return Question(id_, question, passage, answers)

    def check(self, question: Question) -> str | None:
        """What is wrong with a question or its answer, in words; None if nothing."""
        kind = "told" if question.answers else "untold"
        count = question.passage.count(self.language.stop)
        fields = [f"{count}", question.passage, kind, question.question]
        for answer in question.answers:
            fields += [str(answer.start), answer.text]
        line = "\t".join(fields)
        reading = grammar.read(self.story(), line)
        return grammar.find_fault(reading, line, unfinished=False)

    def story(self) -> Story:
        """Passage, kind of question, question, and if told, where the answer begins."""
        facts, places = yield from tell(self.language)
        kinds = {"told\t": True} | ({"untold\t": False} if self.unanswerable else {})
        [told] = yield from say(kinds)
        if not told:
            yield from say(untold(self.language, facts))
            return
        questions = {
            f"{question}\t": answer
            for key, value in facts.items()
            for question, answer in asked(self.language, key, value, places[key])
        }
        [answer] = yield from say(questions)
        yield from say(f"{answer.start}\t", answer.text)


Told = tuple[dict[Key, str], dict[Key, int]]


def tell(language: Language) -> Generator[Options, Any, Told]:
    """The number of facts and a passage; its facts, and where each sentence begins."""
    facts: dict[Key, str] = {}
    places: dict[Key, int] = {}
    people: set[str] = set()
    length = 0
    [count] = yield from say({f"{n}\t": n for n in range(LEAST, MOST + 1)})
    for left in reversed(range(count)):
        begins = {
            person + kin + relation.told: (person, person + kin, relation)
            for person in allowed(language.people, people, left=left)
            for kin in language.kin
            for relation in language.relations
            if (person + kin, relation.told) not in facts
        }
        [(person, subject, relation)] = yield from say(begins)
        [value] = yield from say(
            one_of(value for value in relation.values if value not in facts.values())
        )
        end = language.stop + (language.joint if left else "\t")
        yield from say(end)
        people.add(person)
        facts[subject, relation.told] = value
        places[subject, relation.told] = length
        length += len(subject + relation.told + value + end)
    return facts, places


def allowed(people: tuple[str, ...], met: set[str], *, left: int) -> list[str]:
    """Who the next sentence may be about, so that it is about two people in the end."""
    if len(met) == 2:
        return [person for person in people if person in met]
    if len(met) == 1 and left == 0:
        return [person for person in people if person not in met]
    return list(people)


def asked(
    language: Language, key: Key, value: str, place: int
) -> list[tuple[str, Answer]]:
    """The two questions about a fact, whose sentence begins at a place."""
    subject, told = key
    relation = next(one for one in language.relations if one.told == told)
    return [
        (relation.asked.format(subject), Answer(value, place + len(subject + told))),
        (relation.reverse.format(value), Answer(subject, place)),
    ]


def untold(language: Language, facts: Mapping[Key, str]) -> Options:
    """Questions about what is not told of those that the passage speaks of."""
    return {
        relation.asked.format(subject): None
        for subject in dict.fromkeys(subject for subject, _ in facts)
        for relation in language.relations
        if (subject, relation.told) not in facts
    }
