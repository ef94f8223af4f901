"""While serving, a page whose text was saved is built alone.

MkDocs builds the whole site when any file changes. A note's words change no page but
its own, unless they are its title: then, as when code, a record or several kinds of
file change, everything is built. The search index follows at the next full build.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
from mkdocs.commands.build import _build_page, _populate_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation

from page import Language

Times = dict[str, int]  # when each file was written, in ns


@dataclass(frozen=True)
class Site:
    """One language, as its last build left it."""

    config: MkDocsConfig
    files: Files
    nav: Navigation
    env: jinja2.Environment


built: dict[Language, Site] = {}


def builder(everything: Callable[[], None], watched: list[str]) -> Callable[[], None]:
    """What the server calls when a file has changed."""
    seen = times(watched)

    def build() -> None:
        nonlocal seen
        now = times(watched)
        changed = {path for path, _ in seen.items() ^ now.items()}
        if not _pages(changed):
            everything()
        seen = now  # after a build that failed, these changes are still to be built

    return build


def times(watched: list[str]) -> Times:
    """When each file that is, or lies in, a watched path was written."""
    found: Times = {}
    for path in map(Path, watched):
        files = path.rglob("*") if path.is_dir() else [path]
        found |= {str(f): os.stat(f).st_mtime_ns for f in files if f.is_file()}
    return found


def _pages(changed: set[str]) -> bool:
    """Build the pages of these files; False where that is not enough."""
    todo = [
        (site, file)
        for site in built.values()
        for file in site.files.documentation_pages()
        # A record changes more than the page that shows it.
        if file.src_uri.endswith(".md")
        and file.abs_src_path in changed
        and Path(file.abs_src_path).is_file()
    ]
    if len(todo) < len(changed):
        return False
    return all(_keeps_title(file, site) for site, file in todo)


def _keeps_title(file: File, site: Site) -> bool:
    """Build one page anew; whether the navigation of the others still names it."""
    page = file.page
    assert page is not None  # every file has its page after the first build
    title = page.title
    _populate_page(page, site.config, site.files)
    pages = site.files.documentation_pages()
    _build_page(page, site.config, pages, site.nav, site.env)
    return bool(page.title == title)
