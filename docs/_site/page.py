"""What the Markdown extensions know of the page they are in."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mkdocs.exceptions import BuildError

Language = Literal["en", "zh"]

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "seconds": "ran in {} s",
        "instant": "ran in under 0.1 s",
        "notebook": "open as notebook",
        "checked": "checked by {}",
        "right": "Right.",
        "wrong": "Not so.",
        "later": "to come",
        "tests": "tests",
        "copy": "Copy with what it needs to run",
        "source": "Source: {}",
    },
    "zh": {
        "seconds": "运行 {} 秒",
        "instant": "运行不到 0.1 秒",
        "notebook": "以 Notebook 打开",
        "checked": "数值测试 {}",
        "right": "对。",
        "wrong": "不对。",
        "later": "待写",
        "tests": "测试",
        "copy": "复制，连同运行所需的代码",
        "source": "源码：{}",
    },
}


class PageError(BuildError):
    """A page asks for something that is not there; the build stops with this line."""


def labels_of(front: Mapping[str, Any], page: str) -> dict[str, str]:
    """The ``labels`` of a page's front matter; PageError for what YAML read as no text.

    YAML takes an unquoted ``on`` for True and ``1`` for a number.
    """
    labels = front.get("labels") or {}
    if not isinstance(labels, dict):
        raise PageError(f"{page}: labels are words with translations, not {labels!r}")
    for item in labels.items():
        for word in item:
            if not isinstance(word, str):
                raise PageError(
                    f"{page}: YAML reads a label as {word!r}, in {item[0]}: {item[1]};"
                    ' put it in quotes, like "on": "开"'
                )
    return labels


@dataclass(frozen=True)
class Page:
    """One page in one language. ``labels`` translates the words in its figures."""

    slug: str
    language: Language
    url: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def word(self, key: str) -> str:
        return WORDS[self.language][key]

    def link(self, url: str) -> str:
        """A relative link from this page to a URL of the same language's site."""
        return posixpath.relpath(url, self.url or ".") + (
            "/" if url.endswith("/") else ""
        )


@dataclass
class Context:
    """A page being converted: where the project is, and a store for finished HTML."""

    root: Path
    source_url: str
    page: Page
    stash: Callable[[str], str]
    figures: int = 0
    parts: list[str] = field(default_factory=list)  # of all texts to copy

    def keep(self, parts: list[str]) -> str:
        """Numbers of the parts of a text to copy; quotes share their parts."""
        self.parts += [part for part in dict.fromkeys(parts) if part not in self.parts]
        return " ".join(str(self.parts.index(part)) for part in parts)

    def source(self, path: str, first: int, last: int) -> str:
        """The address of lines of a project file."""
        return f"{self.source_url}{path}#L{first}-L{last}"
