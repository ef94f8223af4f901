"""Questions about passages, from the JSON files of SQuAD 1.1 and 2.0 and the like.

    {"data": [{"paragraphs": [{"context": "...", "qas": [
        {"id": "1", "question": "...", "is_impossible": false,
         "answers": [{"text": "...", "answer_start": 17}]}]}]}]}

`answer_start` counts characters. Version 2.0 adds "is_impossible" and questions without
answers. These files have no lines worth naming: a message names the place in the
object and the id of the question.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm.tasks.files import Object
from llm.text.corpus import read_text


@dataclass(frozen=True)
class Answer:
    """A part of the passage, and the character that it begins at."""

    text: str
    start: int


@dataclass(frozen=True)
class Question:
    """A question about a passage; one without answers cannot be answered from it."""

    id: str
    question: str
    passage: str
    answers: tuple[Answer, ...]


def read_squad(path: str | Path) -> list[Question]:
    """The questions of a file, in its order.

    Raises ValueError, with the file, the place and the id, for what is missing or of
    another type, ids that occur twice, answers that are not where they are said to be,
    and answers that are missing or there against "is_impossible"; and as
    `llm.text.corpus.read_texts` does.
    """
    text = read_text(Path(path))
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {error.lineno}: expected JSON, found {error.msg} at column "
            f"{error.colno}"
        ) from None
    questions: dict[str, Question] = {}
    for place, passage, item in walk(path, tree):
        question = read_question(f"{path}, {place}", passage, item)
        if question.id in questions:
            raise ValueError(
                f"{path}, {place}: expected a new id, found {question.id!r} again"
            )
        questions[question.id] = question
    if not questions:
        raise ValueError(f"{path}: expected questions, found none")
    return list(questions.values())


def walk(path: str | Path, tree: Any) -> list[tuple[str, str, Object]]:
    """The places, passages and objects of all questions."""
    found = []
    for i, article in enumerate(take(f"{path}", tree, "data", list)):
        place = f"data[{i}]"
        paragraphs = take(f"{path}, {place}", article, "paragraphs", list)
        for j, paragraph in enumerate(paragraphs):
            place = f"data[{i}].paragraphs[{j}]"
            passage = take(f"{path}, {place}", paragraph, "context", str)
            items = take(f"{path}, {place}", paragraph, "qas", list)
            found += [
                (f"{place}.qas[{k}]", passage, item) for k, item in enumerate(items)
            ]
    return found


def take(place: str, item: Any, key: str, kind: type) -> Any:
    """What is under a key, of a type; ValueError otherwise."""
    names = {list: "a list", str: "a text", int: "a whole number"}
    if not isinstance(item, dict) or not isinstance(item.get(key), kind):
        shown = repr(item[key] if isinstance(item, dict) and key in item else item)
        raise ValueError(
            f"{place}: expected {names[kind]} under {key!r}, found {shown[:80]}"
        )
    return item[key]


def read_question(place: str, passage: str, item: Any) -> Question:
    """One question with its answers."""
    id_ = take(place, item, "id", str)
    place = f"{place} (id {id_})"
    question = take(place, item, "question", str)
    answers = []
    for one in take(place, item, "answers", list):
        text, start = (
            take(place, one, "text", str),
            take(place, one, "answer_start", int),
        )
        there = passage[start : start + len(text)] if start >= 0 else ""
        if not text or there != text:
            raise ValueError(
                f"{place}: expected the answer {text!r} at character {start} of the "
                f"passage, found {there!r}"
            )
        answers.append(Answer(text, start))
    if bool(answers) == bool(item.get("is_impossible", False)):
        expected = "an answer" if not answers else "no answers where is_impossible"
        raise ValueError(f"{place}: expected {expected}, found {len(answers)}")
    return Question(id_, question, passage, tuple(answers))
