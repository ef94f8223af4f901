"""Self-check questions that can be read without scripts and answered with one.

    ```quiz
    Why divide the scores by $\\sqrt{D}$?

    - [x] To keep their variance at one | The sum of D products has variance D.
    - [ ] To make them positive | Division by a positive number keeps the sign.
    ```

Question, answers and explanations are Markdown. Without a script each answer unfolds
to its explanation; ``quiz.js`` turns the block into a group of radio buttons.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fences import Fence
from page import Context, PageError

ANSWER = re.compile(r"^- \[(?P<mark>[x ])\] (?P<text>.+)$")


@dataclass(frozen=True)
class Answer:
    right: bool
    text: str
    reason: str


@dataclass(frozen=True)
class Question:
    text: list[str]
    answers: list[Answer]


def parse(body: list[str]) -> Question:
    """Read a quiz block; PageError says what is missing."""
    question: list[str] = []
    joined: list[str] = []
    for line in body:
        if ANSWER.match(line):
            joined.append(line)
        elif joined and line.strip():
            joined[-1] += " " + line.strip()
        elif not joined:
            question.append(line)
    answers = [_answer(line) for line in joined]
    title = " ".join(question).strip()
    if not title:
        raise PageError("```quiz begins with its question")
    if len(answers) < 2 or sum(answer.right for answer in answers) != 1:
        raise PageError(f"quiz '{title}' needs two answers or more, one of them [x]")
    return Question(question, answers)


def _answer(line: str) -> Answer:
    match = ANSWER.match(line)
    assert match is not None  # parse() collected it by this pattern
    text, bar, reason = match["text"].partition(" | ")
    if not bar:
        raise PageError(f"quiz answer '{text}' needs ' | ' and the reason why")
    return Answer(match["mark"] == "x", text.strip(), reason.strip())


def quiz(fence: Fence, context: Context) -> list[str]:
    fence.options()
    if fence.indent:
        raise PageError("```quiz stands at the left margin")
    question = parse(fence.body)
    made = [
        '<div class="quiz" markdown="1">',
        '<div class="quiz-question" markdown="1">',
    ]
    made += ["", *question.text, "", "</div>"]
    for answer in question.answers:
        kind = "right" if answer.right else "wrong"
        made += [
            f'<details class="quiz-answer" data-answer="{kind}" markdown="1">',
            f'<summary markdown="span">{answer.text}</summary>',
            "",
            f"**{context.page.word(kind)}** {answer.reason}",
            "",
            "</details>",
        ]
    return [*made, "</div>"]
