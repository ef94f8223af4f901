"""Tooltips: the first use of a term on a page carries its definition.

``glossary.csv`` has every term in both languages. Terms with a definition get a
tooltip; the others are read too, so that "token" is not found within "special token".
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

from page import Context, Language

FILE = Path(__file__).with_name("glossary.csv")
# Headings, links and code are read for another purpose; in tables, formulae, questions
# and figures there is no room.
PLAIN = {"p", "li", "dd", "strong", "em"}
BLOCKS = {"p", "li", "dd"}


@dataclass(frozen=True)
class Glossary:
    """A pattern that finds every term, and definitions by the term's small letters."""

    pattern: re.Pattern[str]
    means: dict[str, str]


@functools.cache
def read(language: Language) -> Glossary:
    """The glossary in one language."""
    means: dict[str, str] = {}
    with FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            meaning = row["means" if language == "en" else "means_zh"]
            for name in _spellings(row, language):
                # One character alone, like 轮, has everyday senses.
                means.setdefault(name.lower(), meaning if len(name) > 1 else "")
    longest = sorted(means, key=len, reverse=True)
    if language == "zh":
        pattern = "|".join(map(_bordered, longest))
        return Glossary(re.compile(pattern, re.I), means)
    pattern = "|".join(map(re.escape, longest))
    return Glossary(re.compile(rf"(?<![\w-])({pattern})s?(?![\w-])", re.I), means)


def _spellings(row: dict[str, str], language: Language) -> Iterator[str]:
    """The ways to write a term: its parts, its abbreviation, with s and with z."""
    bare = re.sub(r" *[(（].*?[)）]", "", row["en" if language == "en" else "zh"])
    for name in bare.split(" / "):
        yield name
        if "ization" in name:
            yield name.replace("ization", "isation")
    yield from re.findall(r"\(([A-Z]{3,5})\)", row["en"])


def _bordered(name: str) -> str:
    """Latin words in Chinese text need borders, characters have none."""
    latin = re.fullmatch(r"[\w .-]+", name, re.A)
    return rf"(?<![\w-]){re.escape(name)}(?![\w-])" if latin else re.escape(name)


class Tooltips(Treeprocessor):  # type: ignore[misc]
    """Mark the first use of each term that has a definition."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def run(self, root: Element) -> None:
        self.glossary = read(self.context.page.language)
        self.seen: set[str] = set()
        if self.context.page.slug.startswith("api/"):
            return  # a definition for each docstring would be too much
        cited = False
        for child in list(root):
            if child.tag == "h2":
                cited = child.get("id") == "references"  # titles are not ours to mark
            if not cited:
                self._walk(child, inside=False)

    def _walk(self, element: Element, *, inside: bool) -> None:
        if element.tag in BLOCKS:
            inside = True
        elif (
            (element.tag not in PLAIN and inside)
            or element.tag in ("table", "pre")
            or _is_heading(element)
            or element.get("class", "").startswith(("quiz", "quote", "map"))
        ):
            return
        children = list(element)
        if inside:
            element.text, made = self._mark(element.text)
            for place, term in enumerate(made):
                element.insert(place, term)
        for child in children:
            self._walk(child, inside=inside)
            if inside:
                child.tail, made = self._mark(child.tail)
                place = list(element).index(child) + 1
                for offset, term in enumerate(made):
                    element.insert(place + offset, term)

    def _mark(self, text: str | None) -> tuple[str | None, list[Element]]:
        """The text before the first new term, and the terms with what follows each."""
        if not text or isinstance(text, AtomicString):
            return text, []
        made: list[Element] = []
        head, at = text, 0
        for found in self.glossary.pattern.finditer(text):
            word = found[0].lower()
            name = word if word in self.glossary.means else word.removesuffix("s")
            meaning = self.glossary.means[name]
            if not meaning or meaning in self.seen:
                continue
            self.seen.add(meaning)
            if made:
                made[-1].tail = text[at : found.start()]
            else:
                head = text[: found.start()]
            made.append(_term(found[0], meaning))
            at = found.end()
            made[-1].tail = text[at:]
        return head, made


def _is_heading(element: Element) -> bool:
    return re.fullmatch(r"h[1-6]", str(element.tag)) is not None


def _term(word: str, meaning: str) -> Element:
    given = {"class": "term", "tabindex": "0", "aria-description": meaning}
    element = Element("span", given)
    element.text = AtomicString(word)
    return element
