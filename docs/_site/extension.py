"""The Markdown extension that a note is written in: quotes, results, formulae, quizzes,
and the map of all notes."""

from __future__ import annotations

import html
import json
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString
from pygments.token import STANDARD_TYPES, Name, Operator, Punctuation, Text, Whitespace

import api
import curriculum
import glossary
import mathml
import quiz
import quote
from fences import Fences
from page import Context, Page
from results import InlineResults

# What has the colour of plain code needs no element of its own: half of a page's.
for plain in (Name, Operator, Punctuation, Text, Whitespace):
    STANDARD_TYPES[plain] = ""

MAKERS = {"math": mathml.display, "quiz": quiz.quiz, "map": curriculum.draw_map}


class Copies(Treeprocessor):  # type: ignore[misc]
    """End the page with the texts that its copy buttons give, in parts."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def run(self, root: Element) -> None:
        if not self.context.parts:
            return
        title = html.escape(self.context.page.word("copy"))
        parts = json.dumps(
            self.context.parts, ensure_ascii=False, separators=(",", ":")
        )
        inside = parts.replace("<", "\\u003c")  # no tag may end the script
        data = f'<script type="application/json" id="copies" title="{title}">'
        text = AtomicString(self.context.stash(f"{data}{inside}</script>"))
        SubElement(root, "p").text = text


class Notes(Extension):  # type: ignore[misc]
    """``page`` is set before each page is converted; one instance serves a language."""

    def __init__(self, *, root: Path, source_url: str, page: Page) -> None:
        super().__init__()
        self.root, self.source_url, self.page = root, source_url, page

    def extendMarkdown(self, md: Markdown) -> None:
        store = md.htmlStash.store
        context = Context(self.root, self.source_url, self.page, store)
        # After normalize_whitespace (30), which would lose stashed HTML; before
        # fenced code (25).
        fences = Fences(md, MAKERS, quote.quote, context)
        md.preprocessors.register(fences, "notes", 28)
        # After inline patterns (20) and the ids of headings (5).
        md.treeprocessors.register(glossary.Tooltips(context), "notes_terms", 3)
        md.treeprocessors.register(Copies(context), "notes_copies", 2)
        md.preprocessors.register(api.AlignedLists(context), "notes_lists", 27)
        # After code spans (190), before backslash escapes (180).
        md.inlinePatterns.register(mathml.InlineMath(context), "notes_math", 188)
        md.inlinePatterns.register(InlineResults(context), "notes_results", 187)
        md.inlinePatterns.register(curriculum.NoteLinks(context), "notes_links", 186)
