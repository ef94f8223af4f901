"""Inline quotes: ``{{ loss:.2f }}`` in prose is a number that the note's snippet found.

``{{ table.gpt.loss:.2f }}`` and ``{{ losses.0 }}`` reach into dicts and lists;
``{{ models/gpt:loss:.2f }}`` quotes another note's snippet.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown.inlinepatterns import InlineProcessor

import records
from page import Context, PageError

RESULT = (
    r"\{\{ *(?:(?P<slug>[\w-]+/[\w-]+):)?(?P<path>[A-Za-z_]\w*(?:\.[\w-]+)*)"
    r"(?::(?P<spec>[^{}\s]+))? *\}\}"
)


class InlineResults(InlineProcessor):  # type: ignore[misc]
    """Replace inline quotes; inline patterns do not reach into code."""

    def __init__(self, context: Context) -> None:
        super().__init__(RESULT)
        self.context = context

    def handleMatch(
        self, m: re.Match[str], data: str
    ) -> tuple[str | Element, int, int]:
        slug = m["slug"] or self.context.page.slug
        value = lookup(slug, m["path"], root=self.context.root)
        try:
            text = format(value, m["spec"] or "")
        except (ValueError, TypeError):
            message = f"{m[0]}: cannot write {value!r} as '{m['spec']}'"
            raise PageError(message) from None
        return text, m.start(0), m.end(0)


def lookup(slug: str, path: str, *, root: Path) -> Any:
    """A named result; PageError names the page's wish and what there is."""
    script = root / "snippets" / f"{slug}.py"
    named = _results(script, modified(script))
    name, *keys = path.split(".")
    if name not in named:
        known = ", ".join(sorted(named)) or "none"
        raise PageError(
            f"no result '{path}' in snippets/{slug}.py; it has: {known}. A result is a"
            " top-level number, string, list or dict, up to 4,000 characters as JSON"
        )
    value = named[name]
    for key in keys:
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise PageError(f"snippets/{slug}.py: '{path}' has no '{key}'") from None
    return value


def modified(script: Path) -> int:
    """When the record of a script was written; 0 where there is none."""
    record = script.with_suffix(".ipynb")
    return record.stat().st_mtime_ns if record.is_file() else 0


@functools.lru_cache(maxsize=8)
def _results(script: Path, modified: int) -> dict[str, Any]:
    notebook = records.load(script)
    return records.results(notebook) if notebook else {}
