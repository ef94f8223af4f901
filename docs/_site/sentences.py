"""The sentences of a page, line by line: what a reader reads as prose.

Code and formulae are left out. What stands for them (a code span, an inline formula, a
quoted result) becomes one private letter, so that a check sees its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import fences
import parity
import quiz
import quote
import results

Kind = Literal["prose", "heading", "table", "question", "answer", "alt"]

CODE, MATH, RESULT, NOTE = "\ue000", "\ue001", "\ue002", "\ue003"
TITLED = re.compile(r'^\s*(?:!!!|\?\?\?\+?|===) *\w* *"(?P<title>[^"]*)"')
MARKER = re.compile(r"^\s*(?:- |\d+\. |: {3}|> )")


@dataclass(frozen=True)
class Line:
    """One line of prose: where it stands, as written, and what kind of text it is."""

    number: int
    section: str
    kind: Kind
    text: str
    folded: bool

    @property
    def plain(self) -> str:
        return plain(self.text)


def read(text: str) -> list[Line]:
    """All lines of prose of a page, in order."""
    return list(_lines(text))


def _lines(text: str) -> Iterator[Line]:
    front = parity.FRONT.match(text)
    number = text.count("\n", 0, front.end()) + 1 if front else 1
    body = text[front.end() :] if front else text
    section, folded = parity.TOP, False
    for part in fences.split(body.splitlines()):
        if isinstance(part, fences.Fence):
            for kind, words in _in_fence(part):
                yield Line(number, section, kind, words, bool(part.indent) and folded)
            number += len(part.raw)
            continue
        if part.strip():
            folded = part.startswith("???") or (folded and part.startswith("    "))
        heading = parity.HEADING.match(part)
        if heading:
            if len(heading["level"]) > 1:
                section = heading["id"] or heading["text"]
            yield Line(number, section, "heading", heading["text"], False)
        elif TITLED.match(part):
            title = TITLED.sub(r"\g<title>", part)
            yield Line(number, section, "prose", title, folded)
        elif part.lstrip().startswith("|"):
            if part.strip("|-: "):
                yield Line(number, section, "table", part.strip(), folded)
        elif part.strip():
            yield Line(number, section, "prose", part, folded)
        number += 1


def _in_fence(fence: fences.Fence) -> Iterator[tuple[Kind, str]]:
    """Questions, their answers, and descriptions of figures."""
    if fence.language == "quiz":
        asked = quiz.parse(fence.body)
        yield "question", " ".join(line for line in asked.text if line)
        for answer in asked.answers:
            yield "question", answer.text
            yield "answer", answer.reason
    elif fence.body and quote.QUOTE.match(fence.body[0].strip()):
        options = dict(fences.OPTION.findall(fence.info))
        for description in options.get("alt", "").split(" | "):
            if description:
                yield "alt", description


def plain(text: str) -> str:
    """A line without its markup; code, formulae and results as one letter each."""
    text = MARKER.sub("", text)
    text = re.sub(r"(`+).+?\1", CODE, text)
    text = re.sub(results.RESULT, RESULT, text)
    text = re.sub(r"(?<!\\)\$(?!\s)[^$]+?(?<!\s)\$(?!\d)", MATH, text)
    text = re.sub(r"\[\[[\w/-]+\]\]", NOTE, text)
    text = re.sub(r"\+\+[\w+]+\+\+", CODE, text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)(?:\{[^}]*\})?", r"\1", text)
    text = re.sub(r"<https?://[^>]+>|https?://\S+", CODE, text)
    text = re.sub(r"</?\w[^>]*>|\{[:#.][^}]*\}", "", text)
    # A run-in heading, **1. Predict.** Then, keeps its space in either language.
    text = re.sub(r"([。：！？])\*\* ", r"\1", text)
    return re.sub(r"\*{1,3}|(?<!\w)_|_(?!\w)", "", text)
