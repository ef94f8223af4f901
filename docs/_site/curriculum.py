"""The plan of all notes, from ``curriculum.yml``: the navigation and the map."""

from __future__ import annotations

import functools
import html
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import yaml
from markdown.inlinepatterns import InlineProcessor
from markdown.util import AtomicString

import api
from fences import Fence
from page import Context, Language, PageError

PLAN = Path(__file__).with_name("curriculum.yml")

HOME: dict[Language, str] = {"en": "Home", "zh": "首页"}


@dataclass(frozen=True)
class Note:
    slug: str
    number: str
    titles: dict[Language, str]
    state: str  # "first" edition or "later"


@dataclass(frozen=True)
class Part:
    titles: dict[Language, str]
    notes: list[Note]


@functools.cache
def parts() -> list[Part]:
    plan = yaml.safe_load(PLAN.read_text("utf-8"))
    return [
        Part(
            {"en": part["en"], "zh": part["zh"]},
            [
                Note(slug, str(number), {"en": en, "zh": zh}, state)
                for number, slug, en, zh, state in part["notes"]
            ],
        )
        for part in plan
    ]


def exists(slug: str, language: Language, *, root: Path) -> bool:
    return (root / "docs" / language / f"{slug}.md").is_file()


def navigation(language: Language, *, root: Path) -> list[Any]:
    """The notes that exist, in reading order, as MkDocs' ``nav``."""
    nav: list[Any] = [{HOME[language]: "index.md"}]
    for part in parts():
        pages = [
            f"{note.slug}.md"
            for note in part.notes
            if exists(note.slug, language, root=root)
        ]
        if pages:
            nav.append({part.titles[language]: pages})
    return nav + api.navigation(language, root=root)


class NoteLinks(InlineProcessor):  # type: ignore[misc]
    """``[[models/gpt]]`` is the note's title: a link once the note is written."""

    def __init__(self, context: Context) -> None:
        super().__init__(r"\[\[(?P<slug>[\w-]+/[\w-]+)\]\]")
        self.context = context

    def handleMatch(
        self, m: re.Match[str], data: str
    ) -> tuple[str | Element, int, int]:
        page = self.context.page
        title = note(m["slug"]).titles[page.language]
        if exists(m["slug"], page.language, root=self.context.root):
            here = posixpath.dirname(page.slug) or "."
            # A link to the file, which MkDocs checks and turns into one to the page.
            element = Element("a", href=posixpath.relpath(f"{m['slug']}.md", here))
        else:
            element = Element("span", {"class": "note-later"})
        element.text = AtomicString(title)
        return element, m.start(0), m.end(0)


def note(slug: str) -> Note:
    """The planned note of a slug; PageError where none is planned."""
    for part in parts():
        for planned in part.notes:
            if planned.slug == slug:
                return planned
    raise PageError(f"no note '{slug}' in docs/_site/curriculum.yml")


def draw_map(fence: Fence, context: Context) -> list[str]:
    """Every note as a card: a link where it is written, greyed where it is to come."""
    fence.options()
    language = context.page.language
    made = []
    for part in parts():
        cards = "".join(_card(note, context) for note in part.notes)
        title = html.escape(part.titles[language])
        made.append(f'<section><h3>{title}</h3><ul role="list">{cards}</ul></section>')
    return [context.stash(f'<div class="map">{"".join(made)}</div>')]


def _card(note: Note, context: Context) -> str:
    page = context.page
    title = html.escape(note.titles[page.language])
    inside = f'<span class="map-number">{note.number}</span> {title}'
    if exists(note.slug, page.language, root=context.root):
        return f'<li><a href="{page.link(note.slug + "/")}">{inside}</a></li>'
    return f'<li class="map-later">{inside}</li>'
