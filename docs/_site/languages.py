"""Two languages, one configuration file each; the first owns the root of the site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast
from urllib.parse import urljoin

from mkdocs.config.defaults import MkDocsConfig

from page import Language

NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}
FOLDERS: dict[Language, str] = {"en": "", "zh": "zh/"}
UP: dict[Language, str] = {
    "en": "",
    "zh": "../",
}  # from a language's root to the site's
FIRST: Language = "en"


@dataclass(frozen=True)
class Version:
    """One page in one language: a link for the reader, an address for robots."""

    language: Language
    name: str
    link: str
    address: str


def language_of(config: MkDocsConfig) -> Language:
    return cast(Language, config.theme["language"])


def versions(config: MkDocsConfig, url: str) -> list[Version]:
    """The same page in every language; links are relative to its language's root."""
    here = language_of(config)
    root = (config.site_url or "/").removesuffix(FOLDERS[here])
    url = "" if url == "./" else url
    return [
        Version(
            language,
            name,
            ("" if language == here else UP[here] + FOLDERS[language]) + url,
            urljoin(root, FOLDERS[language] + url),
        )
        for language, name in NAMES.items()
    ]
