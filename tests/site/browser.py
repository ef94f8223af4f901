"""Chromium, with the built site at its real address and the rest of the world away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from .pages import file_of

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Waiting ends with what is waited for; only a fault takes this long.
PATIENCE_MS = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that is installed; without one, the tests are skipped but in CI."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None and not os.environ.get("CI"):
        pytest.skip(
            "no Chromium on this machine: the pages were not tried in a browser"
        )
    assert path is not None, "the browser tests need chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


def reader(
    browser: Browser,
    site: Path,
    *,
    scripts: bool = True,
    planted: Mapping[str, str] | None = None,
) -> Page:
    """A page in which the site stands at its real address; nothing else answers.

    `planted` texts are given in the place of files of the site, by their path in it.
    """
    context = browser.new_context(java_script_enabled=scripts)
    context.set_default_timeout(PATIENCE_MS)
    instead = {site / name: text for name, text in (planted or {}).items()}

    def answer(route: Route) -> None:
        file = file_of(route.request.url, site)
        if file is None:
            route.abort()
        elif file in instead:
            kind = {".html": "text/html", ".xml": "text/xml"}.get(file.suffix)
            route.fulfill(body=instead[file], content_type=kind)
        elif file.is_file():
            route.fulfill(path=file)
        else:
            route.fulfill(status=404)

    context.route("**/*", answer)
    return context.new_page()
