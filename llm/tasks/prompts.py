"""Prompts that show what is wanted: zero-, one- and few-shot.

A prompt is an instruction, solved examples and the question, in one format (Brown et
al. 2020, arXiv:2005.14165, section 2). Nothing is learned: the examples are all that
tells the task. Which they are, and in which order, changes the answers (Lu et al. 2022,
arXiv:2104.08786), hence both follow from seeds.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from llm.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Example:
    """A question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Format:
    """How a prompt is written.

    question     around a question, with {} where it stands
    answer       around an answer; the space before it belongs here, since a prompt that
                 ends in a space is split into other tokens than any text has
    separator    between examples; a model that goes on to write it has answered
    instruction  at the beginning, before a separator; none if empty
    """

    question: str = "Q: {}\nA:"
    answer: str = " {}"
    separator: str = "\n\n"
    instruction: str = ""

    def __post_init__(self) -> None:
        for name, text in (("question", self.question), ("answer", self.answer)):
            if text.count("{}") != 1:
                raise ValueError(f"{name} {text!r} must have one {{}} for the text")

    def ask(self, question: str) -> str:
        """A question without its answer."""
        return self.question.replace("{}", question)

    def reply(self, answer: str) -> str:
        """What continues a question: the option to score, the text to learn."""
        return self.answer.replace("{}", answer)

    def write(self, question: str, examples: Sequence[Example]) -> str:
        """The whole prompt."""
        shown = [self.ask(one.question) + self.reply(one.answer) for one in examples]
        begin = [self.instruction] if self.instruction else []
        return self.separator.join([*begin, *shown, self.ask(question)])


class Prompt(NamedTuple):
    """A prompt that fits.

    Attributes:
        text: what is asked.
        ids: its tokens.
        shots: the number of examples in it.
        dropped: the number of examples that found no room.
    """

    text: str
    ids: list[int]
    shots: int
    dropped: int


def build_prompt(
    question: str,
    examples: Sequence[Example] = (),
    *,
    tokenizer: Tokenizer,
    room: int,
    form: Format | None = None,
) -> Prompt:
    """A prompt with the examples in their order, as many of the last as there is room.

    Args:
        question: what is to be answered.
        examples: none for zero-shot, one for one-shot; see `choose_examples`.
        tokenizer: that of the model.
        room: most tokens; the context less the longest answer.
        form: how to write it; `Format()` if not given.

    Raises:
        ValueError: even without examples the prompt is too long, or it is empty.
    """
    form = form or Format()
    for dropped in range(len(examples) + 1):
        text = form.write(question, examples[dropped:])
        ids = tokenizer.encode(text)
        if 0 < len(ids) <= room:
            return Prompt(text, ids, len(examples) - dropped, dropped)
    raise ValueError(
        f"the prompt has {len(ids)} tokens without any example, and room for {room}"
    )


def choose_examples(
    pool: Sequence[Example], shots: int, *, seed: int = 0, balanced: bool = False
) -> list[Example]:
    """Draw examples without return, in random order.

    With `balanced`, every answer that occurs is drawn as often as any other, or once
    more.

    Raises:
        ValueError: the pool has too few examples, in all or of an answer.
    """
    random = Random(seed)
    drawn = random.sample(pool, len(pool))
    if balanced:
        drawn = dealt(drawn, shots, random)
    if not 0 <= shots <= len(drawn):
        raise ValueError(f"cannot draw {shots} examples from {len(pool)}")
    chosen = drawn[:shots]
    random.shuffle(chosen)
    return chosen


def dealt(examples: Sequence[Example], shots: int, random: Random) -> list[Example]:
    """The first of each answer, then the second of each, while each has one."""
    groups = defaultdict(list)
    for example in examples:
        groups[example.answer].append(example)
    each = -(-shots // max(len(groups), 1))
    for answer, group in groups.items():
        if len(group) < each:
            raise ValueError(
                f"{shots} balanced examples take {each} with the answer {answer!r}: "
                f"there are {len(group)}"
            )
    rounds = [[group[i] for group in groups.values()] for i in range(each)]
    for row in rounds:
        random.shuffle(row)
    return [example for row in rounds for example in row]
