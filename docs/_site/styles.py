"""The theme's style sheets without the rules that no page can use.

A rule stays when every class that it names stands on some page or in some script. The
theme styles many devices that we have not; left out, two fifths of its bytes go. What a
note begins to use comes back by itself, since the pages are read in every build.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

QUOTED = r""""[^"]*"|'[^']*'"""
# A rule, or what stands before the first brace of a block of rules; a closing brace.
PIECE = re.compile(rf"(?P<head>(?:{QUOTED}|[^{{}}\"'])*)(?P<brace>[{{}}])")
COMMA = re.compile(rf"({QUOTED}|\([^()]*(?:\([^()]*\)[^()]*)*\)|[^,])+")
IN_PARENTHESES = re.compile(r"\((?:[^()]|\([^()]*\))*\)")
# The palette has a rule for each of the theme's colours.
COLOUR = r"data-md-color-(?:primary|accent)="
NEEDS = re.compile(rf"\.(-?[A-Za-z_][\w-]*)|\[{COLOUR}([\w-]+)\]")
# A class may hold two hyphens too: a declaration comes after a brace or a semicolon.
DECLARED = re.compile(rf"(?<=[{{;])(--[\w-]+):(?:{QUOTED}|\([^()]*\)|[^;{{}}\"'(])*;?")
USED = re.compile(r"var\((--[\w-]+)")
CLASSES = re.compile(
    r'class="([^"]*)"'
)  # two expressions are five times as fast as one
COLOURS = re.compile(rf'{COLOUR}"([^"]*)"')
WORDS = re.compile(r"[A-Za-z][\w-]*")


def names(site: Path) -> set[str]:
    """Every class on a page, and every word in a script: scripts set classes too."""
    found: set[str] = set()
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        for values in {*CLASSES.findall(text), *COLOURS.findall(text)}:
            found.update(values.split())
    for script in (site / "assets" / "javascripts").glob("*.js"):
        found.update(WORDS.findall(script.read_text("utf-8")))
    return found


def slim(site: Path) -> None:
    """Cut the theme's sheets; our own has nothing to spare."""
    present = names(site)
    sheets = sorted((site / "assets" / "stylesheets").glob("*.css"))
    theme = {path for path in sheets if path.name.endswith(".min.css")}
    texts = {
        path: cut(text, present) if path in theme else text
        for path in sheets
        for text in [path.read_text("utf-8")]
    }
    read = {name for text in texts.values() for name in USED.findall(text)}
    for path in theme:
        path.write_text(without_unread(texts[path], read), "utf-8")


def cut(sheet: str, present: set[str]) -> str:
    """A minified sheet without selectors that name an absent class."""
    return "".join(_block(iter(PIECE.finditer(sheet)), present))


def _block(pieces: Iterator[re.Match[str]], present: set[str]) -> Iterator[str]:
    """The rules up to the brace that closes their block."""
    for piece in pieces:
        head = piece["head"]
        if piece["brace"] == "}":
            return
        if head.startswith(("@media", "@supports", "@layer", "@container")):
            inside = "".join(_block(pieces, present))
            if inside:
                yield f"{head}{{{inside}}}"
        elif head.startswith("@"):  # @keyframes, @font-face, @page: as they are
            yield f"{head}{{{_raw(pieces)}}}"
        else:
            body = _raw(pieces)
            kept = ",".join(selectors(head, present))
            if kept:
                yield f"{kept}{{{body}}}"


def _raw(pieces: Iterator[re.Match[str]]) -> str:
    """The text up to the brace that closes this block."""
    text, depth = "", 1
    for piece in pieces:
        depth += 1 if piece["brace"] == "{" else -1
        if not depth:
            return text + piece["head"]
        text += piece[0]
    return text


def selectors(head: str, present: set[str]) -> Iterable[str]:
    """Those of a rule's selectors that can match something."""
    for match in COMMA.finditer(head):
        outside = IN_PARENTHESES.sub("", match[0])
        needed = {klass or colour for klass, colour in NEEDS.findall(outside)}
        if needed <= present:
            yield match[0]


def without_unread(sheet: str, read: set[str]) -> str:
    """A sheet without variables that nothing reads: most hold a drawing."""
    return DECLARED.sub(lambda m: m[0] if m[1] in read else "", sheet)
