"""Every page in a real browser; and a page that is planted to break a gate does."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from . import gates
from .pages import BASE, address, pages
from .test_browser import browser, reader  # noqa: F401

KEYS = {
    "the search": ".md-search__input",
    "the language menu": ".md-select button",
    "a language": ".md-select__link",
    "the colours": "[name=__palette]",
    "the menu of pages": ".md-nav--primary .md-nav__link",
    "the text": ".md-content article a, .md-content article [tabindex='0']",
}


@pytest.fixture(autouse=True, scope="session")
def axe() -> None:
    if not gates.AXE.is_file() and not os.environ.get("CI"):
        pytest.skip("no axe-core: run npm ci to test the pages' accessibility")
    assert gates.AXE.is_file(), "the gates need axe-core: run npm ci"


def of(language: str, site: Path) -> list[str]:
    """Addresses of the pages of a language."""
    built = [path for path in pages(site) if path.name != "404.html"]
    return [
        address(path, site)
        for path in built
        if (path.relative_to(site).parts[0] == "zh") == (language == "zh")
    ]


@pytest.fixture
def still(browser: Browser, site: Path) -> Iterator[Page]:  # noqa: F811
    """A page without transitions, in which the built site stands."""
    page = reader(browser, site)
    page.add_init_script(gates.STILL)
    yield page
    page.context.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_passes_the_gates(still: Page, site: Path, language: str) -> None:
    wrong = gates.watch(still)
    for url in of(language, site):
        wrong += gates.visit(still, url)
    assert wrong == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_reached_by_keyboard(
    still: Page, site: Path, language: str
) -> None:
    wrong = []
    still.set_viewport_size({"width": gates.WIDE, "height": 900})
    for url in of(language, site):
        still.goto(url)
        wrong += gates.keyboard(still, KEYS)
    assert wrong == []


@pytest.mark.parametrize("language", ["", "zh/"])
def test_next_leads_through_the_notes_without_a_new_load(
    still: Page, site: Path, language: str
) -> None:
    still.goto(f"{BASE}{language}", wait_until="networkidle")
    still.evaluate("window.kept = true")
    passed = [still.url]
    while still.locator(".md-footer__link--next").count():
        following = still.locator(".md-footer__link--next").evaluate("a => a.href")
        still.locator(".md-footer__link--next").click()
        still.wait_for_url(following)
        title = (site / following.removeprefix(BASE) / "index.html").read_text("utf-8")
        shown = title.partition("<title>")[2].partition("</title>")[0]
        expect(still).to_have_title(shown)
        assert still.evaluate("window.kept"), f"{following} was loaded anew"
        path = following.removeprefix(f"{BASE}{language}")
        other = f"{BASE}{path}" if language else f"{BASE}zh/{path}"
        switch = still.locator(
            f'.md-select__link[hreflang="{"en" if language else "zh"}"]'
        )
        expect(switch).to_have_js_property("href", other)
        passed.append(following)
    assert len(passed) == len(set(passed)) > 1


def test_the_search_suggests_how_a_word_goes_on(still: Page) -> None:
    still.goto(BASE)
    still.locator(".md-search__input").click()
    still.keyboard.type("atten", delay=20)
    expect(still.locator(".md-search__suggest")).to_contain_text("attention")


GOOD = (
    '<!doctype html><html lang="en"><head><title>t</title>'
    '<link rel="icon" href="data:,">'
    '<meta name="viewport" content="width=device-width"></head>'
    "<body><main><h1>t</h1>{}</main></body></html>"
)


def planted(browser: Browser, site: Path, inside: str) -> list[str]:  # noqa: F811
    """What the gates say of a page with this inside."""
    (site / "index.html").write_text(GOOD.format(inside), "utf-8")
    page = reader(browser, site)
    page.add_init_script(gates.STILL)
    wrong = gates.watch(page)
    wrong += gates.visit(page, BASE)
    page.set_viewport_size({"width": gates.WIDE, "height": 900})
    wrong += gates.keyboard(page, {"the link": "a"})
    page.context.close()
    return wrong


LINK = '<a href="#x" style="font-size:2em">link</a>'


def test_a_good_page_passes(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    assert planted(browser, tmp_path, LINK) == []


DARK = '<style>[data-md-color-scheme="slate"] p {color: #eee}</style><p>pale</p>'
NARROW = "<style>@media (max-width: 400px) {p {color: #eee}}</style><p>pale</p>"

WORDS = (
    "<style>.k {color: #333} [data-md-color-scheme=slate] .k + .k {color: #eee}</style>"
    '<pre><span class="k">def</span> <span class="k">pale</span></pre>'
)


@pytest.mark.parametrize(
    ("inside", "fault"),
    [
        ('<img alt="" src="https://cdn.example/x.png">', "asks https://cdn.example"),
        ('<img alt="" src="gone.png">', "404"),
        ("<script>throw Error('oh')</script>", "oh"),
        ("<script>console.error('oh')</script>", "console: oh"),
        ('<img src="data:,">', "light 1280 px: image-alt"),
        (DARK, "dark 1280 px: color-contrast"),
        (NARROW, "light 390 px: color-contrast"),
        (WORDS, "dark 390 px: color-contrast"),
        ('<p style="width:500px">wide</p>', "px wide in a window of 390"),
        ('<p style="width:700px">wide</p>', "px wide in a window of 640"),
        ("<style>:focus {outline: none}</style>", "no visible focus on <a"),
        (
            "<script>document.querySelector('a').tabIndex = -1</script>",
            "reach the link",
        ),
    ],
)
def test_a_planted_fault_is_found(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
    inside: str,
    fault: str,
) -> None:
    wrong = planted(browser, tmp_path, LINK + inside)
    assert any(fault in line for line in wrong), wrong
