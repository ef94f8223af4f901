"""The Markdown extension that a note is written in: quotes, results, formulae, quizzes,
and the map of all notes."""

from __future__ import annotations

from pathlib import Path

import curriculum
import mathml
import quiz
import quote
from fences import Fences
from markdown import Extension, Markdown
from page import Context, Page
from results import InlineResults

MAKERS = {"math": mathml.display, "quiz": quiz.quiz, "map": curriculum.draw_map}


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
        # After code spans (190), before backslash escapes (180).
        md.inlinePatterns.register(mathml.InlineMath(context), "notes_math", 188)
        md.inlinePatterns.register(InlineResults(context), "notes_results", 187)
        md.inlinePatterns.register(curriculum.NoteLinks(context), "notes_links", 186)
