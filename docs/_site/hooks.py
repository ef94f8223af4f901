"""MkDocs calls these: one ``mkdocs build`` runs what is stale and makes both languages.
What pages are made of lives in the Markdown extension, not here."""

from __future__ import annotations

import functools
import gc
import logging
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal

import jinja2
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.livereload import LiveReloadServer
from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page as SitePage

import api
import assets
import colophon
import curriculum
import fonts
import languages
import notebooks
import records
import reload
import runner
from extension import Notes
from page import Page, labels_of

SEARCH = {"en": "Search", "zh": "搜索"}
NOTEBOOK = {"en": "Notebook: {}", "zh": "Notebook：{}"}
ROOT = Path(__file__).resolve().parents[2]
command: Literal["build", "gh-deploy", "serve"] = "build"

for noisy in ("jieba", "mkdocs.plugins.mkdocs_jupyter", "mkdocs.mkdocs-jupyter"):
    logging.getLogger(noisy).setLevel(logging.WARNING)


def on_startup(*, command: str, dirty: bool) -> None:
    globals()["command"] = command
    # Pages and syntax trees are many small objects that stay: to look through them all
    # for garbage every 700 new ones, as Python does, is an eighth of the build.
    gc.set_threshold(200_000, 20, 20)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    language = languages.language_of(config)
    source = f"{(config.repo_url or '').rstrip('/')}/blob/main/"
    page = Page("", language, "")
    notes = Notes(root=ROOT, source_url=source, page=page)
    config.markdown_extensions.append(notes)
    config.extra["notes"] = notes
    # Two rules, which site.css has; not worth a request a page.
    config.extra_css = [css for css in config.extra_css if "mkdocstrings" not in css]
    config.nav = curriculum.navigation(language, root=ROOT)
    return config


def on_pre_build(config: MkDocsConfig) -> None:
    """Run what is stale. Torch is imported only then, and in another process."""
    language = languages.language_of(config)
    slugs = [
        records.slug_of(script)
        for script in runner.stale(records.scripts(ROOT), root=ROOT)
        if curriculum.exists(records.slug_of(script), language, root=ROOT)
    ]
    if slugs and subprocess.run([sys.executable, runner.__file__, *slugs]).returncode:
        raise PluginError("a snippet failed: its traceback is above")


@event_priority(50)
def before_jupyter(files: Files, config: MkDocsConfig) -> Files:
    """Add what exists nowhere in the folder of the pages."""
    notebooks.add(files, config, root=ROOT)
    api.add(files, config, languages.language_of(config), root=ROOT)
    return files


@event_priority(-50)
def after_jupyter(files: Files, config: MkDocsConfig) -> Files:
    """Start the other languages beside the first."""
    notebooks.settle(files, root=ROOT)
    if languages.language_of(config) == languages.FIRST:
        config.extra["others"] = _start_others(config)
    return files


on_files = CombinedEvent(before_jupyter, after_jupyter)


def _start_others(config: MkDocsConfig) -> dict[str, Callable[[], None]]:
    """Begin the languages but the first; how to finish each, by its folder.

    Each has a process of its own beside this one. A server builds them itself, after
    the first: it needs what they leave to rebuild single pages.
    """
    finish: dict[str, Callable[[], None]] = {}
    for language, folder in languages.FOLDERS.items():
        work = functools.partial(_build_other, config, language, folder)
        if language != languages.FIRST:
            finish[folder] = work if command == "serve" else _beside(work, folder)
    return finish


def _beside(work: Callable[[], None], folder: str) -> Callable[[], None]:
    """Begin work in a process of its own; how to wait for its end."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=work, daemon=True)  # it ends when this one does
    process.start()

    def wait() -> None:
        process.join()
        if process.exitcode:
            raise PluginError(f"the pages of {folder} failed: the reason is above")

    return wait


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    config.extra["navigation"] = nav
    return nav


def on_page_markdown(
    markdown: str, page: SitePage, config: MkDocsConfig, files: Files
) -> str:
    """Tell the extension which page comes next."""
    language = languages.language_of(config)
    config.extra["notes"].page = Page(
        page.file.src_uri.removesuffix(".md"),
        language,
        page.url,
        labels_of(page.meta, f"docs/{language}/{page.file.src_uri}"),
    )
    return markdown


def on_page_content(
    html: str, page: SitePage, config: MkDocsConfig, files: Files
) -> str:
    """Finish notebooks; describe every page by its first paragraph."""
    # An empty corner of a table heads nothing.
    html = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)
    if page.file.src_uri.startswith(notebooks.FOLDER):
        html = notebooks.finish(html)
        slug = page.file.src_uri.removeprefix(notebooks.FOLDER).removesuffix(".ipynb")
        page.title = NOTEBOOK[languages.language_of(config)].format(slug)
        page.meta["search"] = {"exclude": True}
    if page.file.src_uri.startswith(api.FOLDER):
        source, language = (
            config.extra["notes"].source_url,
            languages.language_of(config),
        )
        html = api.link_sources(html, language, source_url=source, root=ROOT)
        api.shorten(page.toc)
    first = re.search(r"<p>(.+?)</p>", _without_drawings(html), re.S)
    text = unescape(re.sub(r"<[^>]+>", "", first[1])) if first else str(page.title)
    summary = shorten(text, 155, placeholder="…") if " " in text else text[:155]
    page.meta.setdefault("description", escape(summary))
    return html


def _without_drawings(html: str) -> str:
    return re.sub(r"<(math|svg)\b.*?</\1>", "", html, flags=re.S)


@event_priority(100)
def before_search(
    context: dict[str, Any], *, page: SitePage, config: MkDocsConfig, nav: Any
) -> None:
    """Show the search plugin words only: markup is a third of its time."""
    page.meta["whole"] = page.content
    page.content = re.sub(r"</?span[^>]*>", "", _without_drawings(page.content or ""))


@event_priority(-100)
def after_search(
    context: dict[str, Any], *, page: SitePage, config: MkDocsConfig, nav: Any
) -> dict[str, Any]:
    page.content = page.meta.pop("whole")
    language = languages.language_of(config)
    context["versions"] = languages.versions(config, page.url)
    context["colophon"] = colophon.below(
        Page(page.file.src_uri.removesuffix(".md"), language, page.url),
        title=str(page.title),
        address=page.canonical_url or "",
        repository=(config.repo_url or "").rstrip("/"),
        root=ROOT,
    )
    return context


on_page_context = CombinedEvent(before_search, after_search)


def on_env(
    env: jinja2.Environment, config: MkDocsConfig, files: Files
) -> jinja2.Environment:
    # For 404.html and sitemap.xml, which are no pages.
    env.globals["versions"] = languages.versions(config, "")
    env.globals["versions_of"] = lambda url: languages.versions(config, url)
    nav = config.extra["navigation"]
    reload.built[languages.language_of(config)] = reload.Site(config, files, nav, env)
    return env


def on_post_page(output: str, page: SitePage, config: MkDocsConfig) -> str:
    """Name the search dialog, which Material leaves nameless."""
    label = SEARCH[languages.language_of(config)]
    return output.replace('role="dialog"', f'role="dialog" aria-label="{label}"', 1)


def on_post_build(config: MkDocsConfig) -> None:
    """Wait for the other languages, then finish the files of all."""
    if "part" in config.extra:
        return
    site = Path(config.site_dir)
    sites = [site]
    for folder, finish in config.extra.get("others", {}).items():
        finish()
        sites.append(site / folder)
    for made in sites:
        assets.patch(made)
        assets.slim(made)
        fonts.write(made, root=ROOT)


def _build_other(config: MkDocsConfig, language: str, folder: str) -> None:
    path = Path(config.config_file_path).with_name(f"mkdocs.{language}.yml")
    other = load_config(
        str(path),
        site_dir=str(Path(config.site_dir) / folder),
        site_url=f"{config.site_url}{folder}",
        strict=config.strict,
    )
    other.extra["part"] = True  # the first language finishes its files
    other.plugins.on_startup(command=command, dirty=False)
    build(other, serve_url=other.site_url if command == "serve" else None)
    other.plugins.on_shutdown()


def on_serve(
    server: LiveReloadServer, *, config: MkDocsConfig, builder: Callable[[], None]
) -> LiveReloadServer:
    watched = [config.docs_dir, str(config.config_file_path), *config.watch]
    server.builder = reload.builder(builder, watched)
    return server
