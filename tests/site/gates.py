"""What a page must be in a browser. Each gate returns what is wrong, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Response

from .pages import BASE

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

WIDE, ZOOMED, PHONE = 1280, 640, 390  # 640 is 1280 at 200 % zoom
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

# Code is thousands of spans in a few colours, and contrast is slow to compute: of the
# words that look alike in every scheme, the first stays and stands for all.
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
  words.forEach((word, n) => {
    const first = looks.indexOf(looks[n]) === n
    if (!first && !word.childElementCount) word.replaceWith(...word.childNodes)
  })
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


def visit(page: Page, url: str) -> list[str]:
    """Accessible in both colours and widths, and nowhere wider than the window."""
    wrong = []
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.goto(url)
    page.evaluate(THIN, list(SCHEMES.values()))
    for width in (WIDE, PHONE):
        page.set_viewport_size({"width": width, "height": 900})
        for theme, scheme in SCHEMES.items():
            page.evaluate("s => document.body.dataset.mdColorScheme = s", scheme)
            page.evaluate(TWO_FRAMES)
            rules = None if theme == "light" else COLOUR_RULES
            where = f"{url} {theme} {width} px"
            wrong += [f"{where}: {line}" for line in accessible(page, rules)]
    for width in (PHONE, ZOOMED):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)
        wrong += [f"{url}: {line}" for line in sideways(page)]
    return wrong


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


def keyboard(page: Page, wanted: dict[str, str], *, most: int = 200) -> list[str]:
    """Tab from the top until all wanted were reached; each stop must show its focus."""
    script = FOCUS.replace("WANTED", repr([list(pair) for pair in wanted.items()]))
    lacking, unseen = set(wanted), []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop: dict[str, Any] | None = page.evaluate(script)
        if stop is None:
            break
        lacking -= set(stop["is"])
        if not stop["seen"]:
            unseen.append(f"{page.url}: no visible focus on {stop['html']}")
        if not lacking:
            break
    return [*unseen, *(f"{page.url}: Tab does not reach {w}" for w in sorted(lacking))]
