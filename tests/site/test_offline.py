"""The archive is read from a disk, with no server: pages, links, languages, search."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

import offline

from . import gates
from .pages import load, pages


@pytest.fixture(scope="module")
def unpacked(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted site, packed and unpacked again."""
    folder = tmp_path_factory.mktemp("off line")  # a name with a space
    offline.pack(demo / "site", folder / "site.zip")
    with zipfile.ZipFile(folder / "site.zip") as archive:
        archive.extractall(folder)
    return folder / offline.FOLDER


@pytest.fixture
def page(browser: Browser, unpacked: Path) -> Iterator[Page]:
    context = browser.new_context(offline=True)
    context.set_default_timeout(10_000)
    page = context.new_page()
    wrong = gates.watch(page, own="file:")
    page.goto((unpacked / "index.html").as_uri())
    yield page
    assert wrong == []
    context.close()


@pytest.mark.parametrize(
    ("home", "query", "best", "title"),
    [
        ("index.html", "byte pair", "text/bpe", "Byte-pair"),
        ("zh/index.html", "键值缓存", "zh/infer/kv-cache", "键值缓存"),
    ],
)
def test_search_works_from_a_file(
    page: Page, unpacked: Path, home: str, query: str, best: str, title: str
) -> None:
    page.goto((unpacked / home).as_uri())
    page.locator(".md-search__input").click()
    page.locator(".md-search__input").fill(query)
    page.keyboard.press("End")
    first = page.locator(".md-search-result__item a").first
    first.wait_for()
    found = urldefrag(first.evaluate("link => link.href").partition("?")[0])[0]
    assert found == (unpacked / best / "index.html").as_uri()
    first.click()
    expect(page.locator("h1")).to_contain_text(title)


def test_languages_and_notes_are_reached_from_a_file(
    page: Page, unpacked: Path
) -> None:
    page.locator(".md-nav__link", has_text="Attention from a dot").first.click()
    page.locator(".md-select button").hover()
    page.locator('.md-select__link[hreflang="zh"]').click()
    expect(page.locator("h1")).to_contain_text("从点积到注意力")
    assert page.url == (unpacked / "zh/attention/idea/index.html").as_uri()


def test_every_link_of_the_archive_names_a_file_in_it(unpacked: Path) -> None:
    gone = []
    for path in pages(unpacked):
        for link in [*load(path).links, *load(path).loads]:
            target = urlparse(urljoin(path.as_uri(), link))
            if target.scheme == "file" and not Path(unquote(target.path)).is_file():
                gone.append(f"{path.relative_to(unpacked)}: {link}")
    assert gone == []


def test_the_same_site_makes_the_same_archive(demo: Path, tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        offline.pack(demo / "site", tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_without_a_site_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run make site first"):
        offline.pack(tmp_path, tmp_path / "site.zip")
    assert list(tmp_path.iterdir()) == []
