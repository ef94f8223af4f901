"""The record of each note as a page of its own, and as a file to download.

The page shows every cell with what it put out, drawn as the note draws its quotes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

import figures
import quote
import records
from fences import Fence
from page import Context, Language

FOLDER = "notebooks/"
TITLE: dict[Language, str] = {"en": "Notebook: {}", "zh": "Notebook：{}"}


def add(files: Files, config: MkDocsConfig, language: Language, *, root: Path) -> None:
    """Add the record of every note that has a page in this language."""
    for script in records.scripts(root):
        slug, record = records.slug_of(script), script.with_suffix(".ipynb")
        if record.is_file() and files.get_file_from_path(f"{slug}.md"):
            text = (
                f'---\ntitle: "{TITLE[language].format(slug)}"\n'
                f"search: {{exclude: true}}\n---\n\n```record\n{slug}\n```\n"
            )
            page, out = f"{FOLDER}{slug}", InclusionLevel.NOT_IN_NAV
            files.append(
                File.generated(config, f"{page}.md", content=text, inclusion=out)
            )
            download = f"{page}/{record.name}"
            files.append(File.generated(config, download, abs_src_path=str(record)))


def draw(fence: Fence, context: Context) -> list[str]:
    """Every cell of a record, with its outputs, as Markdown."""
    fence.options()
    (slug,) = fence.body
    notebook = records.load(records.script_of(slug, root=context.root))
    made: list[str] = []
    for cell in notebook["cells"] if notebook else []:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            source = context.stash(_cell(cell, source, context))
        made += ["", *source.splitlines(), ""]
    return made


def _cell(cell: dict[str, Any], source: str, context: Context) -> str:
    shown = "".join(_output(output, context) for output in cell["outputs"])
    output = f'<div class="output">{shown}</div>' if shown else ""
    code = quote.code(source, "python")
    return f'<div class="quote" id="{cell["id"]}">{code}{output}</div>'


def _output(output: dict[str, Any], context: Context) -> str:
    svg = quote.drawing(output)
    if not svg:
        return quote.printed(output)
    alt = " ".join(word for word in figures.words(svg) if word.isalpha())
    return quote.figure(svg, alt or "figure", context)
