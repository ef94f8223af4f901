"""The record of each note as a page of its own, and as a file to download.

mkdocs-jupyter renders it, with the templates in ``notebook/``: its own hold 590 kB of
JupyterLab's style and script, which would have to be taken out of every page again.
"""

from __future__ import annotations

import base64
import re
from html import unescape
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs_jupyter.config import settings

import figures
import quote
import records

settings.templates_dir = str(Path(__file__).with_name("notebook"))

FOLDER = "notebooks/"
STYLE = re.compile(r"<style>.*?</style>", re.S)  # which mkdocs-jupyter adds below
CODE = re.compile(r'<pre class="code">(.*?)</pre>', re.S)
IMAGE = re.compile(r'<img[^>]*src="data:image/svg\+xml;base64,([^"]+)"[^>]*>')


def add(files: Files, config: MkDocsConfig, *, root: Path) -> None:
    """Add the record of every note that has a page in this language."""
    for script in records.scripts(root):
        slug = records.slug_of(script)
        record = script.with_suffix(".ipynb")
        if record.is_file() and files.get_file_from_path(f"{slug}.md"):
            uri = f"{FOLDER}{slug}.ipynb"
            files.append(File.generated(config, uri, abs_src_path=str(record)))


def settle(files: Files, *, root: Path) -> None:
    """Give back what mkdocs-jupyter's own kind of file loses of a generated one."""
    for file in files:
        if file.src_uri.startswith(FOLDER):
            record = root / "snippets" / file.src_uri.removeprefix(FOLDER)
            file.abs_src_path = str(record)
            file.generated_by = "notes"
            file.inclusion = InclusionLevel.NOT_IN_NAV


def finish(html: str) -> str:
    """The page with its code and its figures, drawn as the note draws them.

    nbconvert parses and prints what its template made: coloured, code would be ten
    thousand tags, most of the time that a page takes.
    """
    html = CODE.sub(lambda code: quote.code(unescape(code[1]), "python"), html)
    return IMAGE.sub(_drawing, STYLE.sub("", html))


def _drawing(image: re.Match[str]) -> str:
    """A figure in the page itself, where it takes the colours and the font of that."""
    svg = base64.b64decode(image[1]).decode("utf-8")
    alt = " ".join(word for word in figures.words(svg) if word.isalpha())
    placed = figures.place(
        svg, prefix=f"f{image.start()}", alt=alt or "figure", labels={}
    )
    return f'<figure class="drawing">{placed}</figure>'
