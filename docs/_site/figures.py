"""Figures as SVG that belongs to the page: its colours, its font, its language.

``tidy`` makes what matplotlib wrote small and neutral when a cell is run; ``place``
puts a recorded figure into one page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

# Matplotlib's defaults, changed so that a drawing is calm and readable on white and
# on black: every line colour has a contrast of at least 3:1 against both.
STYLE: dict[Any, Any] = {
    "figure.figsize": (5.2, 3.0),
    "axes.prop_cycle": "cycler('color',"
    " ['#3f7fd0', '#d9702a', '#2a9a6b', '#c0569b', '#8a7a3d', '#7a7f8a'])",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "image.cmap": "viridis",
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "svg.fonttype": "none",
}

SHOWN = re.compile(r"(<(?:text|tspan)\b[^>]*>)([^<]+)")


def tidy(svg: str) -> str:
    """A matplotlib SVG without its preamble, unused ids, fixed black and fixed font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.S)
    # A style element would reach out into the page; attributes are inherited.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
    svg = svg.replace("<svg", '<svg stroke-linejoin="round" stroke-linecap="butt"', 1)
    svg = re.sub(r"<[^>]+>", lambda tag: _tidy_tag(tag[0]), svg)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _tidy_tag(tag: str) -> str:
    if tag.startswith("<image"):
        return re.sub(r"\s*\n\s*", "", tag)  # its data is base64: leave the digits
    tag = re.sub(r"#000000|(?<=: )black", "currentColor", tag)
    tag = re.sub(r"font-family: ([^;\"]+);? ?", _family, tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", tag)
    tag = re.sub(r"\s*\n\s*", " ", tag)  # one line a path
    return re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", tag)


def _family(match: re.Match[str]) -> str:
    return "font-family: monospace; " if "Mono" in match[1].split(",")[0] else ""


def words(svg: str) -> list[str]:
    """Every text that the figure shows, in drawing order."""
    return [html.unescape(t).strip() for _, t in SHOWN.findall(svg)]


def place(svg: str, *, prefix: str, alt: str, labels: Mapping[str, str]) -> str:
    """The figure for one page: ids made unique, described, its words translated."""
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    if labels:
        keys = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
        word = re.compile(rf"(?<![A-Za-z])(?:{keys})(?![A-Za-z])")
        svg = SHOWN.sub(
            lambda m: m[1] + _translate(html.unescape(m[2]), word, labels), svg
        )
    label = html.escape(alt, quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _translate(text: str, word: re.Pattern[str], labels: Mapping[str, str]) -> str:
    return html.escape(word.sub(lambda m: labels[m[0]], text), quote=False)
