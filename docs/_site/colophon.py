"""What stands below a note: its notebook, its dates and how to cite it."""

from __future__ import annotations

import functools
import html
import re
import subprocess
from pathlib import Path

import records
from page import Language, Page

PACKAGE = "%pip install git+{}"

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "About this page",
        "run": "Last run {}",
        "changed": "last change {}",
        "download": "Download the notebook",
        "colab": "Open it in Colab",
        "install": " (run {} there first)",
        "cite": "Cite this note",
    },
    "zh": {
        "title": "关于本页",
        "run": "最近运行 {}",
        "changed": "最近修改 {}",
        "download": "下载 Notebook",
        "colab": "在 Colab 中打开",
        "install": "（先在那里运行 {}）",
        "cite": "引用本篇",
    },
}


def below(page: Page, *, title: str, address: str, repository: str, root: Path) -> str:
    """The end of a note as HTML; empty for a page without a snippet."""
    script = root / "snippets" / f"{page.slug}.py"
    notebook = records.load(script)
    if notebook is None:
        return ""
    words = WORDS[page.language]
    ran = records.provenance(notebook)["date"]
    changed = last_change(f"docs/{page.language}/{page.slug}.md", root=root)
    dates = [words["run"].format(ran)]
    dates += [words["changed"].format(changed)] if changed else []
    label = html.escape(words["title"])
    return (
        f'<aside class="colophon" aria-label="{label}">'
        f"<p>{' · '.join(dates)}</p><p>{_links(page, repository)}</p>"
        f"<details><summary>{words['cite']}</summary>"
        f'<pre tabindex="0"><code>{html.escape(_bibtex(page, title, address, ran))}'
        "</code></pre></details></aside>"
    )


def _links(page: Page, repository: str) -> str:
    words, name = WORDS[page.language], page.slug.rpartition("/")[2]
    file = page.link(f"notebooks/{page.slug}/") + f"{name}.ipynb"
    owner = repository.removeprefix("https://github.com/")
    colab = "https://colab.research.google.com/github/"
    colab += f"{owner}/blob/main/snippets/{page.slug}.ipynb"
    install = f"<code>{PACKAGE.format(repository)}</code>"
    return (
        f'<a href="{file}" download>{words["download"]}</a> · '
        f'<a href="{colab}">{words["colab"]}</a>{words["install"].format(install)}'
    )


def _bibtex(page: Page, title: str, address: str, date: str) -> str:
    key = "llm-notes-" + re.sub(r"\W+", "-", page.slug)
    return (
        f"@online{{{key},\n"
        "  author = {{The LLM notes authors}},\n"
        f"  title  = {{{title}}},\n"
        f"  year   = {{{date[:4]}}},\n"
        f"  url    = {{{address}}},\n"
        "}"
    )


def last_change(path: str, *, root: Path) -> str:
    """Date of a file's last commit; empty without git or for a file it has not."""
    return _dates(root).get(path, "")


@functools.cache
def _dates(root: Path) -> dict[str, str]:
    """The date of the last commit of every page, from one call of git."""
    command = ["git", "log", "--format=%x00%cs", "--name-only", "--relative", "--"]
    try:
        done = subprocess.run(
            [*command, "docs/en", "docs/zh"], cwd=root, capture_output=True, text=True
        )
    except FileNotFoundError:
        return {}
    dates: dict[str, str] = {}
    for commit in done.stdout.split("\0")[1:]:
        date, *files = commit.split("\n")
        for file in files:
            dates.setdefault(file, date)
    return dates
