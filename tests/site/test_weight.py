"""What a page costs a reader who comes for the first time, and that nothing is lost."""

import gzip
import random
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

import styles

from .browser import reader
from .gates import TWO_FRAMES
from .pages import BASE, address, file_of, pages

MOST_BYTES, MOST_REQUESTS = 120_000, 15  # of a note; what peers ask is twice as much
COMPRESSED = (".woff", ".woff2", ".png")


@pytest.fixture
def fresh(browser: Browser, site: Path) -> Iterator[Page]:
    """A reader who has nothing of the site yet."""
    page = reader(browser, site)
    yield page
    page.context.close()


def notes(site: Path) -> list[str]:
    """Addresses of what is written to be read: not the reference, not the notebooks."""
    urls = [address(path, site) for path in pages(site) if path.name != "404.html"]
    return [url for url in urls if not re.search("/(api|notebooks)/", url)]


def load(page: Page, url: str) -> list[str]:
    """Everything that the page asks for by itself."""
    asked: list[str] = []

    def hear(request: Request) -> None:
        asked.append(request.url)

    page.context.on("request", hear)
    page.goto(url, wait_until="networkidle")
    page.context.remove_listener("request", hear)
    return [url for url in asked if not url.startswith(("data:", "blob:"))]


def weight(url: str, site: Path) -> int:
    """Bytes of a file as a server sends it."""
    file = file_of(url, site)
    if file is None or not file.is_file():
        return 0
    content = file.read_bytes()
    return len(content if file.suffix in COMPRESSED else gzip.compress(content, 6))


def faults(page: Page, url: str, site: Path) -> list[str]:
    """How a first load is over its budget."""
    asked = load(page, url)
    weights = {request: weight(request, site) for request in asked}
    wrong = [f"{url}: asks {other}" for other in asked if not other.startswith(BASE)]
    if len(asked) > MOST_REQUESTS:
        wrong.append(f"{url}: {len(asked)} requests")
    if sum(weights.values()) > MOST_BYTES:
        largest = sorted(weights.items(), key=lambda pair: -pair[1])[:5]
        wrong.append(f"{url}: {sum(weights.values())} bytes, most in {largest}")
    return wrong


def test_every_note_is_within_its_budget(browser: Browser, site: Path) -> None:
    wrong = []
    for url in notes(site):
        page = reader(browser, site)
        wrong += faults(page, url, site)
        page.context.close()
    assert wrong == []


NOISE = random.Random(0).randbytes(MOST_BYTES).hex()  # two letters pack into one byte
IMAGES = "".join(f'<img alt="" src="{n}.png">' for n in range(20))


@pytest.mark.parametrize(
    ("inside", "fault"),
    [
        ("<p>A light page.</p>", ""),
        (f"<p>{NOISE}</p>", "bytes, most in [('https://llm-notes"),
        ('<link rel="stylesheet" href="big.css">', "big.css"),
        (IMAGES, "requests"),
        ('<img alt="" src="https://cdn.example/x.png">', "asks https://cdn.example/x"),
        ("<script>new Worker('big.css')</script>", "big.css"),
    ],
)
def test_a_planted_page_over_its_budget_is_found(
    browser: Browser,
    tmp_path: Path,
    inside: str,
    fault: str,
) -> None:
    head = '<!doctype html><title>t</title><link rel="icon" href="data:,">'
    (tmp_path / "index.html").write_text(head + inside, "utf-8")
    (tmp_path / "big.css").write_text(f"/*{NOISE}*/", "utf-8")
    page = reader(browser, tmp_path)
    wrong = faults(page, BASE, tmp_path)
    page.context.close()
    assert any(fault in line for line in wrong) if fault else wrong == [], wrong


def test_the_search_is_loaded_when_somebody_searches(fresh: Page) -> None:
    asked = load(fresh, BASE)
    assert not [url for url in asked if "search" in url]
    with fresh.expect_request("**/search_index.json"):
        fresh.locator(".md-search__input").click()
    fresh.keyboard.type("attention", delay=20)
    expect(fresh.locator(".md-search-result__item").first).to_be_attached()


def test_words_that_were_searched_are_marked_on_the_page(fresh: Page) -> None:
    fresh.goto(f"{BASE}index.html?h=attention")
    expect(fresh.locator("mark[data-md-highlight]").first).to_be_attached()


def test_instant_navigation_keeps_the_style_sheets(fresh: Page) -> None:
    fresh.goto(BASE, wait_until="networkidle")
    fresh.evaluate("for (const sheet of document.styleSheets) sheet.kept = true")
    fresh.locator(".md-footer__link--next").click()
    fresh.wait_for_url(lambda url: url != BASE)
    expect(fresh.locator(".md-content h1")).to_be_visible()
    kept = fresh.evaluate("[...document.styleSheets].map(sheet => sheet.kept)")
    assert kept == [True, True, True]


# Of elements that are alike, with parents that are, the first stands for all.
LOOKS = """() => {
  const first = new Map()
  for (const element of document.body.querySelectorAll("*")) {
    const names = e => `${e.localName}.${e.getAttribute("class")}`
    const kind = `${names(element.parentElement)} > ${names(element)}`
    if (!first.has(kind)) first.set(kind, element)
  }
  const parts = ["", "::before", "::after"]
  return [...first].flatMap(([kind, element]) => parts.map(part => {
    const style = getComputedStyle(element, part)
    if (part && style.content === "none") return kind + part
    const set = [...style].filter(name => !name.startsWith("--"))
    const looks = set.map(name => `${name}: ${style.getPropertyValue(name)}`)
    return `${kind}${part} ${looks.join("; ")}`
  }))
}"""


def looks(
    browser: Browser,
    site: Path,
    slug: str,
    *,
    whole: bool,
) -> list[str]:
    """How a page's elements look, on a screen and a phone, in both colours."""
    page = reader(browser, site)
    page.add_init_script("Math.random = () => 0")  # answers are shuffled
    theme = Path(str(files("material"))) / "templates/assets/stylesheets"
    if whole:
        page.context.route(
            "**/*.min.css",
            lambda route: route.fulfill(path=theme / Path(route.request.url).name),
        )
    page.goto(f"{BASE}{slug}", wait_until="networkidle")
    page.add_style_tag(content="*,*::before,*::after{transition:none!important}")
    found: list[str] = []
    for width, scheme in [(1280, "default"), (390, "slate")]:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("s => document.body.dataset.mdColorScheme = s", scheme)
        page.evaluate(TWO_FRAMES)
        found += page.evaluate(LOOKS)
    page.context.close()
    return found


def test_every_element_looks_as_under_the_whole_style_sheets(
    browser: Browser,
    demo: Path,
) -> None:
    slug = "zh/attention/idea/"
    cut = looks(browser, demo / "site", slug, whole=False)
    whole = looks(browser, demo / "site", slug, whole=True)
    assert len(whole) > 200
    assert [pair for pair in zip(cut, whole, strict=True) if pair[0] != pair[1]] == []


def test_formulae_are_drawn_in_the_font_that_was_cut_for_them(
    browser: Browser,
    site: Path,
) -> None:
    drawn: dict[str, Any] = {}
    for url in notes(site):
        if "/zh/" in url:  # the same formulae
            continue
        page = reader(browser, site, scripts=False)
        page.goto(url)
        session = page.context.new_cdp_session(page)
        session.send("DOM.enable")
        session.send("CSS.enable")
        root = session.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        wanted = {"nodeId": root, "selector": "math :is(mi, mn, mo)"}
        for node in session.send("DOM.querySelectorAll", wanted)["nodeIds"]:
            found = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})
            for font in found["fonts"]:
                if not font["isCustomFont"]:
                    html = session.send("DOM.getOuterHTML", {"nodeId": node})
                    drawn[html["outerHTML"]] = font["familyName"]
        page.context.close()
    assert drawn == {}


@pytest.mark.parametrize(
    ("sheet", "left"),
    [
        (".a{x:y}.b{x:y}", ".a{x:y}"),
        (".a,.b{x:y}", ".a{x:y}"),
        (".a .b,p>.a:hover,.b:not(.a){x:y}", "p>.a:hover{x:y}"),
        (".a:not(.b){x:y}", ".a:not(.b){x:y}"),
        (":is(.a,.b) p{x:y}", ":is(.a,.b) p{x:y}"),
        ("@media print{.b{x:y}}p{x:y}", "p{x:y}"),
        ("@media print{.b{x:y}.a{x:y}}", "@media print{.a{x:y}}"),
        ("@keyframes b{0%{x:y}to{x:z}}", "@keyframes b{0%{x:y}to{x:z}}"),
        ('.a:after{content:"}.b{"}.b{x:y}', '.a:after{content:"}.b{"}'),
        ("[data-md-color-primary=a]{x:y}[data-md-color-primary=b]{x:y}",
         "[data-md-color-primary=a]{x:y}"),
    ],
)  # fmt: skip
def test_a_rule_stays_when_its_classes_are_there(sheet: str, left: str) -> None:
    assert styles.cut(sheet, {"a"}) == left


def test_a_sheet_whose_classes_are_all_there_stays_as_it_is() -> None:
    theme = Path(str(files("material"))) / "templates/assets/stylesheets"
    for path in theme.glob("*.min.css"):
        sheet = path.read_text("utf-8")
        present = {name for pair in styles.NEEDS.findall(sheet) for name in pair}
        assert styles.cut(sheet, present) == sheet


def test_a_variable_stays_when_something_reads_it() -> None:
    drawing = "url('data:image/svg+xml,<svg d=\"M0;}\"/>')"
    sheet = f":root{{--a:1px;--b:{drawing};--c:calc(1px)}}.x--b:not(p) b{{y:z}}"
    left = ":root{--a:1px;--c:calc(1px)}.x--b:not(p) b{y:z}"
    assert styles.without_unread(sheet, {"--a", "--c"}) == left
    left = f":root{{--b:{drawing};}}.x--b:not(p) b{{y:z}}"
    assert styles.without_unread(sheet, {"--b"}) == left
