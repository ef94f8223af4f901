"""Finish what Material ships: Chinese search, names for screen readers, size."""

from __future__ import annotations

import json
from pathlib import Path

from mkdocs.exceptions import PluginError

# Each text must occur exactly once in the pinned theme.
PATCHES = {
    "javascripts/workers/search.*.min.js": [
        # A query's last word was never looked up …
        ("o<t.length;o++)t.slice(s,o)", "o<=t.length;o++)t.slice(s,o)"),
        ("n[a]&&a<t.length-1&&", "n[a]&&a<t.length&&"),
        # … and its words ran into Latin text beside them.
        (
            's=>[...fe(s,this.index.invertedIndex)].join("* "))',
            's=>" "+[...fe(s,this.index.invertedIndex)].join(" ")+" ")',
        ),
    ],
    "javascripts/bundle.*.min.js": [
        # One nameless navigation landmark for every code block.
        ('x("nav",{class:"md-code__nav"})', 'x("div",{class:"md-code__nav"})'),
    ],
}


def patch(site: Path) -> None:
    """Apply the patches; PluginError where the theme is not the pinned one."""
    for pattern, changes in PATCHES.items():
        (file,) = (site / "assets").glob(pattern)
        text = file.read_text("utf-8")
        for old, new in changes:
            if text.count(old) != 1:
                raise PluginError(
                    f"{file.name}: expected {old!r} once, found {text.count(old)};"
                    " Material changed, look again at docs/_site/assets.py"
                )
            text = text.replace(old, new)
        file.write_text(text, "utf-8")


def slim(site: Path) -> None:
    """Drop source maps; write the search index without escapes and spaces."""
    for waste in (site / "assets").rglob("*.map"):
        waste.unlink()
    index = site / "search" / "search_index.json"
    entries = json.loads(index.read_text("utf-8"))
    small = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    index.write_text(small, "utf-8")
