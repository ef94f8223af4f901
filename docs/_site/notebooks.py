"""The record of each note as a page of its own, and as a file to download.

mkdocs-jupyter renders it, with 590 kB of JupyterLab's style and script; what is left
here looks like the rest of the site.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

import figures
import records

FOLDER = "notebooks/"
DROPPED = [
    r"<style.*?</style>|<script.*?</script>",
    r'<div class="zeroclipboard-container">.*?</clipboard-copy>\s*</div>',
    r'<div class="clipboard-copy-txt" id="cell-\d+">.*?</div>',
    r"<!--.*?-->",
    r'<div class="jp-[\w-]*Prompt[^"]*">.*?</div>',
    r'<div class="jp-(?:Collapser|InputCollapser|OutputCollapser)[^"]*">\s*</div>',
]
RENAMED = [
    (r'id="cell-id=([\w-]+)"', r'id="\1"'),
    (
        r'<div class="highlight-ipynb hl-python"><pre>(.*?)</pre>\s*</div>',
        r'<div class="language-python highlight"><pre><code>\1</code></pre></div>',
    ),
    (r' tabindex="0"', ""),
    (r'(data-mime-type="text/plain">\s*<pre)>', r'\1 tabindex="0">'),
    (r'class="(jp-OutputArea jp-[^"]*)"', r'class="output \1"'),
]

# Drawn in the page, a figure takes the page's colours and font.
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


def lighten(html: str) -> str:
    """The notebook without Lab's style, prompts and scripts, in the site's classes."""
    for pattern in DROPPED:
        html = re.sub(pattern, "", html, flags=re.S)
    for pattern, ours in RENAMED:
        html = re.sub(pattern, ours, html, flags=re.S)
    return IMAGE.sub(_drawing, html)


def _drawing(image: re.Match[str]) -> str:
    svg = base64.b64decode(image[1]).decode("utf-8")
    prefix = f"f{image.start()}"
    words = figures.words(svg)
    alt = " ".join(word for word in words if word.isalpha())
    return figures.place(svg, prefix=prefix, alt=alt or "figure", labels={})
