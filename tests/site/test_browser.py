"""The built site in a real browser, as a reader uses it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from .pages import BASE, address, file_of, pages

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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


def reader(browser: Browser, site: Path, *, scripts: bool = True) -> Page:
    """A page in which the site stands at its real address; nothing else answers."""
    context = browser.new_context(java_script_enabled=scripts)
    context.set_default_timeout(10_000)

    def answer(route: Route) -> None:
        file = file_of(route.request.url, site)
        if file is None:
            route.abort()
        elif file.is_file():
            route.fulfill(path=file)
        else:
            route.fulfill(status=404)

    context.route("**/*", answer)
    return context.new_page()


@pytest.fixture
def page(browser: Browser, demo: Path) -> Iterator[Page]:
    """The planted site."""
    page = reader(browser, demo / "site")
    yield page
    page.context.close()


def test_pages_load_without_errors_and_ask_no_other_host(
    site: Path, browser: Browser
) -> None:
    page = reader(browser, site)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on("response", lambda r: wrong.append(r.url) if r.status >= 400 else None)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for path in pages(site):
        if path.name != "404.html":
            page.goto(address(path, site))
    assert wrong == []
    assert [url for url in requests if not url.startswith((BASE, "data:"))] == []
    page.context.close()


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("注意力", "attention/idea/"),
        ("词元化", "text/tokenizers/"),
        ("键值缓存", "infer/kv-cache/"),
        ("字节对编码", "text/bpe/"),
        ("推测解码", "infer/kv-cache/"),
        ("词元", "text/tokenizers/"),
    ],
)
def test_chinese_search_finds_the_page_in_chinese(
    page: Page, query: str, best: str
) -> None:
    found = search(page, f"{BASE}zh/", query)
    assert found[0].startswith(f"{BASE}zh/{best}")
    assert all(link.startswith(f"{BASE}zh/") for link in found)


def test_english_search_finds_only_english_pages(page: Page) -> None:
    found = search(page, BASE, "byte pair")
    assert found[0].startswith(f"{BASE}text/bpe/")
    assert not any("/zh/" in link for link in found)
    assert not any("/notebooks/" in link for link in search(page, BASE, "tensor"))


def search(page: Page, home: str, query: str) -> list[str]:
    page.goto(home)
    page.locator(".md-search__input").click()
    page.locator(".md-search__input").fill(query)
    page.keyboard.press("End")  # the search runs when a key comes up
    links = page.locator(".md-search-result__item a")
    links.first.wait_for(state="attached")
    return links.evaluate_all("all => all.map(link => link.href)")


def test_switcher_stays_on_the_page_under_instant_navigation(page: Page) -> None:
    # Instant navigation begins once the theme has read the sitemap.
    page.goto(f"{BASE}zh/", wait_until="networkidle")
    page.evaluate("window.kept = true")
    page.locator(".md-nav__link", has_text="从点积到注意力").first.click()
    page.wait_for_url(f"{BASE}zh/attention/idea/")
    expect(page.locator("h1")).to_contain_text("从点积到注意力")
    assert page.evaluate("window.kept"), "the page was loaded anew"
    page.locator(".md-select button").hover()
    page.locator('.md-select__link[hreflang="en"]').click()
    page.wait_for_url(f"{BASE}attention/idea/")
    expect(page.locator("h1")).to_contain_text("Attention from a dot product")


def test_a_question_is_answered_by_keyboard(page: Page) -> None:
    page.goto(f"{BASE}attention/idea/")
    group = page.get_by_role("group", name="Why divide the scores")
    group.get_by_role("radio", name="To keep their variance near one").focus()
    page.keyboard.press("Space")
    verdict = group.locator("[aria-live=polite]")
    expect(verdict).to_contain_text("Right. A sum of")
    page.keyboard.press("ArrowDown")
    expect(verdict).to_contain_text("Not so.")


def test_a_note_can_be_read_without_scripts(browser: Browser, demo: Path) -> None:
    page = reader(browser, demo / "site", scripts=False)
    page.goto(f"{BASE}attention/idea/")
    answer = page.locator(".quiz-answer", has_text="To save memory")
    answer.locator("summary").click()
    expect(answer.get_by_text("The shape stays the same.")).to_be_visible()
    page.context.close()


@pytest.mark.parametrize("language", ["", "zh/"])
def test_a_phone_scrolls_no_page_sideways(page: Page, language: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for slug in ("", "attention/idea/", "notebooks/attention/idea/"):
        page.goto(f"{BASE}{language}{slug}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
