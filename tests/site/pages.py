"""Read built pages and say what is wrong with them."""

import functools
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

BASE = "https://llm-notes.github.io/llm-notes/"
LOADING = {"stylesheet", "icon", "preload", "preconnect", "modulepreload"}
# Anchors that Material's script makes in the page.
SCRIPTED = ("__", "_top")


class Page(HTMLParser):
    """Ids, links, loaded files, language, versions, title and heading of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.versions: dict[str, str] = {}
        self.language = ""
        self.texts = {"title": "", "h1": ""}
        self.inside = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {key: value or "" for key, value in attrs}
        # The first title is that of the page; those of drawings follow.
        if tag in self.texts and not self.texts[tag]:
            self.inside = tag
        rel = set(a.get("rel", "").split())
        if tag == "html":
            self.language = a["lang"]
        if "id" in a:
            self.ids.append(a["id"])
        if tag == "a" and "href" in a:
            self.links.append(a["href"])
        if tag == "link" and "alternate" in rel:
            self.versions[a["hreflang"]] = a["href"]
        elif tag == "link" and rel & LOADING:
            self.loads.append(a["href"])
        if "src" in a:
            self.loads.append(a["src"])

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[self.inside] += data


load = functools.cache(Page)


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def address(path: Path, site: Path) -> str:
    return BASE + path.relative_to(site).as_posix().removesuffix("index.html")


def file_of(link: str, site: Path) -> Path | None:
    """The file behind an address of this site; None for the rest of the world."""
    if not link.startswith(BASE):
        return None
    path = site / unquote(link.removeprefix(BASE).partition("?")[0])
    return path / "index.html" if link.endswith("/") else path


def other(url: str) -> str:
    """The address of the same page in the other language."""
    path = url.removeprefix(BASE)
    chinese = path.startswith("zh/")
    return BASE + (path.removeprefix("zh/") if chinese else f"zh/{path}")


def faults(site: Path) -> list[str]:
    """Dead links and anchors, repeated ids, foreign files: one line each."""
    found = []
    for path in pages(site):
        page, here = load(path), address(path, site)
        name = path.relative_to(site)
        repeated = {i for i in page.ids if page.ids.count(i) > 1}
        found += [f"{name}: id {i} twice" for i in sorted(repeated)]
        for link in page.loads:
            file = file_of(urljoin(here, link), site)
            if file is None or not file.is_file():
                found.append(f"{name}: loads {link}")
        for link in page.links:
            target, anchor = urldefrag(urljoin(here, link))
            file = file_of(target, site)
            if file is None:
                continue
            if not file.is_file():
                found.append(f"{name}: dead link {link}")
            elif not _holds(file, unquote(anchor)):
                found.append(f"{name}: dead anchor {link}")
    return found


def _holds(file: Path, anchor: str) -> bool:
    checked = anchor and not anchor.startswith(SCRIPTED) and file.suffix == ".html"
    return not checked or anchor in load(file).ids


def language_faults(site: Path) -> list[str]:
    """Pages whose other version is missing, or that do not name both versions."""
    found = []
    for path in pages(site):
        name = path.relative_to(site)
        if name.name == "404.html":
            continue
        chinese = name.parts[0] == "zh"
        english = Path(*name.parts[1:]) if chinese else name
        both = {"en": site / english, "zh": site / "zh" / english}
        if load(path).language != ("zh" if chinese else "en"):
            found.append(f"{name}: lang={load(path).language}")
        if not all(file.is_file() for file in both.values()):
            found.append(f"{name}: no other version")
        wanted = {language: address(file, site) for language, file in both.items()}
        if load(path).versions != wanted:
            found.append(f"{name}: versions {load(path).versions}")
    return found
