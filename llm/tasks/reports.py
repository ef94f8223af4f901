"""Reports with key facts, and summaries that can be held against them.

    The canteen got new chairs. Sales went up by 30, as the board heard on Monday. A
    change of 54 had been planned. Costs did not change. ...  ->  Sales rose by 30. ...

A key fact is what changed, in which direction and by how much. A report tells each in
one of several ways, among plans with other numbers, things that did not change and
things that nobody will ask for; its summary tells the key facts, in their order, and
nothing else. What a text claims can be read off it (`Reports.find`), so a summary is
scored by its facts: recall says how many it tells, precision how many of its claims are
true. A summary with a wrong number has all the words, and a high ROUGE, but not the
fact.
"""

import re
from dataclasses import dataclass
from random import Random

from llm.metrics.score import Score, score

FACTS = 3  # key facts in a report
OTHERS = 5  # sentences about other things


@dataclass(frozen=True)
class KeyFact:
    """By how much a thing changed: above 0 it rose, below it fell."""

    thing: str
    change: int


@dataclass(frozen=True)
class Report:
    """A document, its summary and the facts that the summary must tell."""

    document: str
    summary: str
    facts: tuple[KeyFact, ...]


@dataclass(frozen=True)
class Language:
    """The words of a language.

    things   what may change
    up       ways to tell a rise, the first for summaries: {thing} and {number}
    down     the same for a fall, in the same order
    plans    behind a fact, what had been planned: {number}
    same     what did not change: {thing}
    others   sentences without facts
    joint    between sentences
    """

    things: tuple[str, ...]
    up: tuple[str, ...]
    down: tuple[str, ...]
    plans: tuple[str, ...]
    same: tuple[str, ...]
    others: tuple[str, ...]
    joint: str


LANGUAGES = {
    "en": Language(
        things=("Sales", "Costs", "Orders", "Profits", "Exports", "Debts", "Prices"),
        up=(
            "{thing} rose by {number}.",
            "{thing} went up by {number}, as the board heard on Monday.",
            "{thing} are {number} above those of last year.",
            "{thing} grew, and the difference of {number} surprised many.",
        ),
        down=(
            "{thing} fell by {number}.",
            "{thing} went down by {number}, as the board heard on Monday.",
            "{thing} are {number} below those of last year.",
            "{thing} shrank, and the difference of {number} surprised many.",
        ),
        plans=("A change of {number} had been planned.", "Experts had said {number}."),
        same=("{thing} did not change.", "{thing} stayed as they were."),
        others=(
            "The canteen got new chairs.",
            "The meeting took 3 hours.",
            "A choir of 12 sang in the hall.",
            "The lift was repaired twice.",
            "Nobody asked a question.",
            "The next report is due in 90 days.",
            "Room 45 was painted green.",
        ),
        joint=" ",
    ),
    "zh": Language(
        things=("销售额", "成本", "订单", "利润", "出口额", "债务", "价格"),
        up=(
            "{thing}上升了{number}。",
            "周一的董事会得知，{thing}增加了{number}。",
            "{thing}比去年高出{number}。",
            "{thing}有所增长，多出的{number}令许多人意外。",
        ),
        down=(
            "{thing}下降了{number}。",
            "周一的董事会得知，{thing}减少了{number}。",
            "{thing}比去年低了{number}。",
            "{thing}有所回落，少掉的{number}令许多人意外。",
        ),
        plans=("原计划的变化是{number}。", "专家的预测是{number}。"),
        same=("{thing}没有变化。", "{thing}与去年持平。"),
        others=(
            "食堂换了新椅子。",
            "会议开了3个小时。",
            "12人的合唱团在大厅演唱。",
            "电梯修了两次。",
            "没有人提问。",
            "下一份报告90天后提交。",
            "45号房间刷成了绿色。",
        ),
        joint="",
    ),
}


class Reports:
    """Reports in English ("en") or Chinese ("zh"), and the rule of their summaries.

    Raises ValueError for any other language.
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"no reports in {language!r}: there are en and zh")
        self.language = LANGUAGES[language]
        self.patterns = [
            (sign, pattern(text, self.language.things))
            for sign, texts in ((1, self.language.up), (-1, self.language.down))
            for text in texts
        ]

    def examples(self, count: int, seed: int = 0) -> list[Report]:
        """The first `count` reports of `seed`."""
        random = Random(seed)
        return [self.draw(random) for _ in range(count)]

    def draw(self, random: Random) -> Report:
        """One report by lot."""
        words = self.language
        things = random.sample(words.things, FACTS + 2)
        # No two numbers of a report are the same, nor those of the other sentences.
        numbers = random.sample([n for n in range(10, 100) if n not in (12, 45, 90)], 6)
        facts = [
            KeyFact(thing, random.choice((1, -1)) * number)
            for thing, number in zip(things, numbers[:FACTS], strict=False)
        ]
        blocks = [[self.tell(fact, random.randrange(len(words.up)))] for fact in facts]
        for block, number in zip(blocks, numbers[FACTS:], strict=True):
            if random.random() < 0.5:
                block.append(random.choice(words.plans).format(number=number))
        for thing in things[FACTS:]:
            blocks.append([random.choice(words.same).format(thing=thing)])
        blocks += [[text] for text in random.sample(words.others, OTHERS)]
        random.shuffle(blocks)
        document = words.joint.join(text for block in blocks for text in block)
        return self.report(document)

    def report(self, document: str) -> Report:
        """A document with its key facts in their order, and the summary of them."""
        facts = self.find(document)
        summary = self.language.joint.join(self.tell(fact, 0) for fact in facts)
        return Report(document, summary, facts)

    def tell(self, fact: KeyFact, way: int) -> str:
        """A fact in one of the ways to tell it; 0 is that of summaries."""
        ways = self.language.up if fact.change > 0 else self.language.down
        return ways[way].format(thing=fact.thing, number=abs(fact.change))

    def find(self, text: str) -> tuple[KeyFact, ...]:
        """What a text claims, in its order: any of the ways to tell a fact counts.

        Claims are found word by word; "it is not true that" before one is not heard.
        """
        found = [
            (match.start(), KeyFact(match["thing"], sign * int(match["number"])))
            for sign, known in self.patterns
            for match in known.finditer(text)
        ]
        return tuple(fact for _, fact in sorted(found, key=lambda pair: pair[0]))

    def score(self, report: Report, summary: str) -> Score:
        """Precision, recall and F1 of the facts that a summary tells.

        To tell a fact twice counts once; every way to tell it counts.
        """
        said, wanted = set(self.find(summary)), set(report.facts)
        return score(len(said & wanted), said=len(said), wanted=len(wanted))

    def check(self, report: Report, summary: str) -> str | None:
        """What a summary leaves out or makes up, in words; None if nothing."""
        said = self.find(summary)
        for fact in report.facts:
            if fact not in said:
                return f"expected {self.tell(fact, 0)!r}, found {summary!r}"
        for fact in said:
            if fact not in report.facts:
                return f"found {self.tell(fact, 0)!r}, which the report does not say"
        return None


def pattern(text: str, things: tuple[str, ...]) -> re.Pattern[str]:
    """What finds a way to tell a fact."""
    known = re.escape(text).replace(r"\{thing\}", f"(?P<thing>{'|'.join(things)})")
    return re.compile(known.replace(r"\{number\}", "(?P<number>[1-9][0-9]*)"), re.ASCII)
