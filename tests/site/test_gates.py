"""Every page in a real browser; and a page that is planted to break a gate does."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from . import gates
from .browser import reader
from .pages import BASE, address, other, pages

KEYS = {
    "the search": ".md-search__input",
    "the language menu": ".md-select button",
    "a language": ".md-select__link",
    "the colours": "[name=__palette]",
    "the menu of pages": ".md-nav--primary .md-nav__link",
    "the text": ".md-content article a, .md-content article [tabindex='0']",
}
PARTS = 4  # of the pages, for the processes of a test run to share


@pytest.fixture(autouse=True, scope="session")
def axe() -> None:
    if not gates.AXE.is_file() and not os.environ.get("CI"):
        pytest.skip("no axe-core: run npm ci to test the pages' accessibility")
    assert gates.AXE.is_file(), "the gates need axe-core: run npm ci"


def english(site: Path) -> list[str]:
    """Addresses of the English pages; each has its Chinese other."""
    built = [path for path in pages(site) if path.name != "404.html"]
    return [url for path in built if "/zh/" not in (url := address(path, site))]


@pytest.fixture
def still(browser: Browser, site: Path) -> Iterator[Page]:
    """A page without transitions, in which the built site stands."""
    page = reader(browser, site)
    page.add_init_script(gates.STILL)
    yield page
    page.context.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_passes_the_gates_and_leads_to_its_other_language(
    still: Page, site: Path, part: int
) -> None:
    wrong = gates.watch(still)
    for url in english(site)[part::PARTS]:
        wrong += gates.visit(still, url, KEYS)
        still.set_viewport_size({"width": gates.WIDE, "height": gates.HIGH})
        wrong += gates.switch(still)
        wrong += gates.look(still, KEYS)
    assert wrong == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_reached_without_a_new_load_and_found_by_search(
    still: Page, site: Path, language: str
) -> None:
    wrong = gates.watch(still)
    urls = english(site)
    urls = urls if language == "en" else [other(url) for url in urls]
    wrong += gates.walk(still, site, urls)
    wrong += gates.find(still, site, urls)
    assert wrong == []


GOOD = (
    '<!doctype html><html lang="en"><head><title>t</title>'
    '<link rel="icon" href="data:,">'
    '<meta name="viewport" content="width=device-width"></head>'
    "<body><main><h1>t</h1>{}</main></body></html>"
)
LINK = '<a href="#x" style="font-size:2em">link</a>'


def planted(browser: Browser, site: Path, inside: str) -> list[str]:
    """What the gates say of a page with this inside."""
    (site / "index.html").write_text(GOOD.format(inside), "utf-8")
    page = reader(browser, site)
    page.add_init_script(gates.STILL)
    wrong = gates.watch(page)
    wrong += gates.visit(page, BASE, {"the link": "a"})
    page.context.close()
    return wrong


def test_a_good_page_passes(browser: Browser, tmp_path: Path) -> None:
    assert planted(browser, tmp_path, LINK) == []


DARK = '<style>[data-md-color-scheme="slate"] p {color: #eee}</style><p>pale</p>'
NARROW = "<style>@media (max-width: 400px) {p {color: #eee}}</style><p>pale</p>"
WORDS = (
    "<style>.k {color: #333} [data-md-color-scheme=slate] .k + .k {color: #eee}</style>"
    '<pre><span class="k">def</span> <span class="k">pale</span></pre>'
)
DRAWN = '<svg role="img"><path d="M0 0h9v9"/></svg>'


@pytest.mark.parametrize(
    ("inside", "fault"),
    [
        ('<img alt="" src="https://cdn.example/x.png">', "asks https://cdn.example"),
        ('<img alt="" src="gone.png">', "404"),
        ("<script>throw Error('oh')</script>", "oh"),
        ("<script>console.error('oh')</script>", "console: oh"),
        ('<img src="data:,">', "light 1280 px: image-alt"),
        (DRAWN, "light 1280 px: svg-img-alt"),
        (DARK, "dark 1280 px: color-contrast"),
        (NARROW, "light 390 px: color-contrast"),
        (WORDS, "dark 390 px: color-contrast"),
        ('<p style="width:500px">wide</p>', "px wide in a window of 390"),
        ('<p style="width:700px">wide</p>', "px wide in a window of 640"),
        ("<style>:focus {outline: none}</style>", "no visible focus on <a"),
    ],
)
def test_a_planted_fault_is_found(
    browser: Browser, tmp_path: Path, inside: str, fault: str
) -> None:
    wrong = planted(browser, tmp_path, LINK + inside)
    assert any(line.startswith(BASE) and fault in line for line in wrong), wrong


@pytest.fixture
def built(demo: Path) -> Path:
    return demo / "site"


@pytest.mark.parametrize("control", KEYS)
def test_a_control_that_tab_does_not_reach_is_named(
    browser: Browser, built: Path, control: str
) -> None:
    html = (built / "index.html").read_text("utf-8")
    script = f"<script>for (const e of document.querySelectorAll({KEYS[control]!r}))"
    cut_off = html.replace("</body>", f"{script} e.tabIndex = -1</script></body>")
    page = reader(browser, built, planted={"index.html": cut_off})
    page.add_init_script(gates.STILL)
    page.goto(BASE)
    assert gates.keyboard(page, KEYS)[-1] == f"Tab does not reach {control}"
    page.context.close()


BPE = "text/bpe/index.html"


def test_a_menu_that_leads_to_another_page_is_named(
    browser: Browser, built: Path
) -> None:
    html = (built / BPE).read_text("utf-8")
    lost = re.sub(r'href="[^"]+zh/text/bpe/"', 'href="../../zh/"', html)
    page = reader(browser, built, planted={BPE: lost})
    page.goto(f"{BASE}text/bpe/")
    assert gates.switch(page) == [
        f"{BASE}text/bpe/: the language menu leads to ['{BASE}zh/']"
    ]
    assert page.url == f"{BASE}zh/text/bpe/"
    page.context.close()


def test_a_page_that_instant_navigation_misses_or_spoils_is_named(
    browser: Browser, built: Path
) -> None:
    missed = r"<url>\s*<loc>[^<]+/infer/kv-cache/</loc>.*?</url>"
    spoilt = r'(?<=rel="alternate " hreflang="zh" href=")[^"]+'
    sitemap = (built / "sitemap.xml").read_text("utf-8")
    faults = {
        "sitemap.xml": re.sub(missed, "", sitemap, flags=re.S),
        BPE: re.sub(spoilt, f"{BASE}zh/", (built / BPE).read_text("utf-8")),
    }
    page = reader(browser, built, planted=faults)
    page.set_default_timeout(5_000)
    slugs = ("", "attention/idea/", "infer/kv-cache/", "text/bpe/", "text/tokenizers/")
    bpe = f"{BASE}text/bpe/"
    assert gates.walk(page, built, [BASE + slug for slug in slugs]) == [
        f"{BASE}infer/kv-cache/: is loaded anew",
        f"{bpe}: the menu becomes '{bpe},{BASE}zh/'",
    ]
    page.context.close()


def test_a_page_that_search_misses_is_named(browser: Browser, built: Path) -> None:
    name = "search/search_index.json"
    index = json.loads((built / name).read_text("utf-8"))
    kept = [doc for doc in index["docs"] if "text/bpe/" not in doc["location"]]
    page = reader(browser, built, planted={name: json.dumps(index | {"docs": kept})})
    page.set_default_timeout(5_000)
    urls = [f"{BASE}attention/idea/", f"{BASE}text/bpe/"]
    wrong = gates.find(page, built, urls)
    assert wrong[0].startswith(f"{urls[1]}: the search for 'Byte-pair encoding")
    page.context.close()


def test_words_that_are_not_completed_are_named(browser: Browser, built: Path) -> None:
    html = (built / "index.html").read_text("utf-8")
    mute = html.replace('"search.suggest"', '"search.mute"')
    page = reader(browser, built, planted={"index.html": mute})
    page.set_default_timeout(5_000)
    wrong = gates.find(page, built, [BASE, f"{BASE}attention/idea/"])
    assert f"{BASE}attention/idea/: 'attentio' is not completed" in wrong
    page.context.close()
