"""What a page must be in a browser. Each gate returns what is wrong, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jieba
from playwright.sync_api import ConsoleMessage, Page, Response, TimeoutError

from .pages import BASE, load, other

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

WIDE, ZOOMED, PHONE = 1280, 640, 390  # 640 is 1280 at 200 % zoom
HIGH = 900
SCHEMES = {"light": "default", "dark": "slate"}  # Material's names
# Only these rules look at colours: a page whose colours change is asked these alone.
COLOUR_RULES = ["color-contrast", "link-in-text-block"]

STILL = """
addEventListener("DOMContentLoaded", () => {
  const style = document.createElement("style")
  style.textContent =
    "*,*::before,*::after{transition:none!important;animation:none!important}"
  document.head.append(style)
})
"""
TWO_FRAMES = (
    "() => new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))"
)

# What axe can say nothing of costs it most of its time. Code is thousands of spans in
# a few colours: of the words that look alike in every scheme, the first stays and
# stands for all. And of drawings it knows the words and the names, not the shapes.
THIN = """schemes => {
  const words = [...document.querySelectorAll("pre span")]
  const looks = words.map(word => word.closest("pre").parentElement.className)
  for (const scheme of schemes) {
    document.body.dataset.mdColorScheme = scheme
    words.forEach((word, n) => {
      const {color, backgroundColor, fontSize, fontWeight} = getComputedStyle(word)
      const behind = getComputedStyle(word.parentElement).backgroundColor
      looks[n] += [color, backgroundColor, fontSize, fontWeight, behind]
    })
  }
  const known = new Set()
  words.forEach((word, n) => {
    const first = !known.has(looks[n])
    known.add(looks[n])
    if (!first && !word.childElementCount) word.replaceWith(...word.childNodes)
  })
  for (const shape of document.querySelectorAll("svg :not(style, a, [role])"))
    if (!shape.textContent.trim()) shape.remove()
}"""

RUN_AXE = """async rules => {
  const options = {resultTypes: ["violations"], preload: false}
  if (rules) options.runOnly = {type: "rule", values: rules}
  const {violations} = await axe.run(document, options)
  return violations.map(v =>
    `${v.id}: ${v.nodes.length} × such as ${v.nodes[0].html.slice(0, 160)}`)
}"""

# The element with the focus: what it is, and whether a reader can see that it has it.
# A text field shows its caret; a hidden radio or checkbox may mark the label after it;
# the list of search results is empty, and has no size, until somebody searches.
FOCUS = """() => {
  const it = document.activeElement
  if (!it || it === document.body) return null
  const look = e => {
    const {color, backgroundColor, boxShadow, textDecoration} = getComputedStyle(e)
    return [color, backgroundColor, boxShadow, textDecoration].join()
  }
  const outlined = e => {
    const {outlineStyle, outlineWidth} = getComputedStyle(e)
    return outlineStyle !== "none" && parseFloat(outlineWidth) > 0
  }
  const changed = e => {
    const focused = look(e)
    it.blur()
    const plain = look(e)
    it.focus({preventScroll: true, focusVisible: true})
    return focused !== plain
  }
  const shown = e => {
    const r = e.getBoundingClientRect()
    return r.width > 1 && r.height > 1 && r.bottom > 0 && r.right > 0
      && r.top < innerHeight && r.left < innerWidth
      && e.checkVisibility({opacityProperty: true, visibilityProperty: true})
  }
  const bearer = shown(it) || !it.nextElementSibling ? it : it.nextElementSibling
  const field = it.matches("input:not([type=radio],[type=checkbox]),textarea")
  const idle = it.matches(".md-search__scrollwrap") && !it.clientHeight
  return {
    html: it.outerHTML.slice(0, 120),
    seen: idle || shown(bearer) && (field || outlined(bearer) || changed(bearer)),
    is: WANTED.filter(([, selector]) => it.matches(selector)).map(([name]) => name),
  }
}"""


# Instant navigation takes a click for itself; a click that it leaves would load anew.
FOLLOW = """url => {
  let link = [...document.links].find(({href}) => href === url)
  if (!link) {
    link = document.createElement("a")
    link.href = url
    document.querySelector("article").append(link)
  }
  let taken
  const last = event => {
    taken = event.defaultPrevented
    event.preventDefault()
  }
  addEventListener("click", last, {once: true})
  link.click()
  return taken
}"""
SHOWN = """() => ({
  address: location.href,
  title: document.title,
  heading: document.querySelector("h1")?.textContent,
  menu: [...document.querySelectorAll(".md-select__link")].map(({href}) => href).join(),
})"""

SAID = "document.querySelector('.md-search-result__meta').innerText.trim()"
IDLE = f"['Type to start searching', '键入以开始搜索'].includes({SAID})"
SUGGESTED = """start => {
  const shown = document.querySelector(".md-search__suggest")?.textContent ?? ""
  return shown.startsWith(start) && shown.length > start.length
}"""


def watch(page: Page, own: str = BASE) -> list[str]:
    """A list that grows with foreign requests, failed ones and errors in scripts."""
    wrong: list[str] = []

    def message(said: ConsoleMessage) -> None:
        if said.type == "error":
            wrong.append(f"{page.url}: console: {said.text}")

    def answer(response: Response) -> None:
        if response.status >= 400:
            wrong.append(f"{page.url}: {response.status} {response.url}")

    page.on("console", message)
    page.on("response", answer)
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((own, "data:", "blob:"))
            else wrong.append(f"{page.url}: asks {request.url}")
        ),
    )
    return wrong


def visit(page: Page, url: str, wanted: Mapping[str, str]) -> list[str]:
    """All that is asked of a page by itself, on one load of it."""
    page.set_viewport_size({"width": WIDE, "height": HIGH})
    page.goto(url)
    return look(page, wanted)


def look(page: Page, wanted: Mapping[str, str]) -> list[str]:
    """All that is asked of the page that is open: width, keyboard, both colours."""
    found = []
    for width in (PHONE, ZOOMED, WIDE):
        page.set_viewport_size({"width": width, "height": HIGH})
        page.evaluate(TWO_FRAMES)
        found += sideways(page)
    found += keyboard(page, wanted)
    page.evaluate(THIN, list(SCHEMES.values()))
    for width in (WIDE, PHONE):
        page.set_viewport_size({"width": width, "height": HIGH})
        for theme, scheme in SCHEMES.items():
            page.evaluate("s => document.body.dataset.mdColorScheme = s", scheme)
            page.evaluate(TWO_FRAMES)
            rules = None if theme == "light" else COLOUR_RULES
            found += [f"{theme} {width} px: {v}" for v in accessible(page, rules)]
    return [f"{page.url}: {line}" for line in found]


def accessible(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe finds: all of its rules, or those named."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = page.evaluate(RUN_AXE, rules)
    return found


def sideways(page: Page) -> list[str]:
    """Whether the page as a whole scrolls sideways."""
    shown, wide = page.evaluate(
        "[document.documentElement.clientWidth, document.documentElement.scrollWidth]"
    )
    return [f"{wide} px wide in a window of {shown}"] if wide > shown else []


def keyboard(page: Page, wanted: Mapping[str, str], *, most: int = 200) -> list[str]:
    """Tab from the top until all wanted were reached; each stop must show its focus."""
    script = FOCUS.replace("WANTED", repr([list(pair) for pair in wanted.items()]))
    lacking, unseen = dict(wanted), []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop: dict[str, Any] | None = page.evaluate(script)
        if stop is None:
            break
        for name in stop["is"]:
            lacking.pop(name, None)
        if not stop["seen"]:
            unseen.append(f"no visible focus on {stop['html']}")
        if not lacking:
            break
    return [*unseen, *(f"Tab does not reach {name}" for name in lacking)]


def switch(page: Page) -> list[str]:
    """Go to the other language by the menu: the same page must open."""
    here, wanted = page.url, other(page.url)
    language = "en" if "/zh/" in here else "zh"
    link = page.locator(f'.md-select__link[hreflang="{language}"]')
    leads = link.evaluate_all("links => links.map(link => link.href)")
    if leads != [wanted]:
        page.goto(wanted)
        return [f"{here}: the language menu leads to {leads}"]
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(wanted)
    return []


def walk(page: Page, site: Path, urls: list[str]) -> list[str]:
    """From page to page by instant navigation: each is as if it had been loaded."""
    wrong = []
    page.goto(urls[0])
    page.evaluate("window.kept = true")
    page.wait_for_function(FOLLOW, arg=urls[1])  # once the theme has read the sitemap
    for url in urls[1:]:
        if not page.evaluate(FOLLOW, url):
            wrong.append(f"{url}: is loaded anew")
            continue
        texts = load(site / url.removeprefix(BASE) / "index.html").texts
        both = sorted([url, other(url)], key=lambda address: "/zh/" in address)
        wanted = {"address": url, "title": texts["title"], "heading": texts["h1"]}
        wanted["menu"] = ",".join(both)
        try:
            same = f"wanted => JSON.stringify(({SHOWN})()) === JSON.stringify(wanted)"
            page.wait_for_function(same, arg=wanted)
        except TimeoutError:
            shown = page.evaluate(SHOWN)
            wrong += [
                f"{url}: the {what} becomes {shown[what]!r}"
                for what in wanted
                if shown[what] != wanted[what]
            ]
    if not page.evaluate("window.kept"):
        wrong.append(f"{page.url}: was loaded anew")
    return wrong


def search(page: Page, query: str) -> list[str]:
    """Addresses of what the search finds, best first; its field stays open."""
    field = page.locator(".md-search__input")
    field.click()
    for text, state in (("", "true"), (query, "false")):
        field.fill(text)
        page.keyboard.press("End")  # the search runs when a key comes up
        page.wait_for_function(f"() => ({IDLE}) === {state}")
    links = page.locator(".md-search-result__item a")
    if page.evaluate(f"/[1-9]/.test({SAID})"):
        links.first.wait_for(state="attached")
    return links.evaluate_all("all => all.map(({href}) => href.split(/[?#]/)[0])")


def find(page: Page, site: Path, urls: list[str]) -> list[str]:
    """Each page is found by its heading, and the longest word in it is completed.

    Notebooks repeat what the notes say: they are not searched.
    """
    wrong = []
    page.goto(urls[0])
    for url in urls:
        if "/notebooks/" in url:
            continue
        heading = load(site / url.removeprefix(BASE) / "index.html").texts["h1"]
        heading = heading.removesuffix("#")
        if url not in (found := search(page, heading)):
            wrong.append(f"{url}: the search for {heading!r} finds {found}")
        word = max(jieba.lcut(heading.lower()), key=len)
        if len(word) < (6 if word.isascii() else 3):
            continue  # a short one, such as "these", may not be in the index
        search(page, word[:-1])
        try:
            page.wait_for_function(SUGGESTED, arg=word[:-1])
        except TimeoutError:
            wrong.append(f"{url}: {word[:-1]!r} is not completed")
    return wrong
