"""The built site in a real browser, as a reader uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from . import gates
from .browser import reader
from .pages import BASE


@pytest.fixture
def page(browser: Browser, demo: Path) -> Iterator[Page]:
    """The planted site."""
    page = reader(browser, demo / "site")
    yield page
    page.context.close()


CHINESE = {
    "注意力": "attention/idea/",
    "词元化": "text/tokenizers/",
    "键值缓存": "infer/kv-cache/",
    "字节对编码": "text/bpe/",
    "推测解码": "infer/kv-cache/",
    "词元": "text/tokenizers/",
}


def test_chinese_search_finds_the_page_in_chinese(page: Page) -> None:
    page.goto(f"{BASE}zh/")
    found = {query: gates.search(page, query) for query in CHINESE}
    first = {query: links[0] for query, links in found.items()}
    assert first == {query: f"{BASE}zh/{best}" for query, best in CHINESE.items()}
    every = [link for links in found.values() for link in links]
    assert all(link.startswith(f"{BASE}zh/") for link in every)


def test_english_search_finds_only_english_pages(page: Page) -> None:
    page.goto(BASE)
    found = gates.search(page, "byte pair")
    assert found[0] == f"{BASE}text/bpe/"
    assert not any("/zh/" in link for link in found)
    assert not any("/notebooks/" in link for link in gates.search(page, "tensor"))


def test_a_question_is_answered_by_keyboard(page: Page) -> None:
    page.goto(f"{BASE}attention/idea/")
    group = page.get_by_role("group", name="Why divide the scores")
    group.get_by_role("radio", name="To keep their variance near one").focus()
    page.keyboard.press("Space")
    verdict = group.locator("[aria-live=polite]")
    expect(verdict).to_contain_text("Right. A sum of")
    page.keyboard.press("ArrowDown")
    expect(verdict).to_contain_text("Not so.")


def test_a_note_can_be_read_without_scripts(browser: Browser, demo: Path) -> None:
    page = reader(browser, demo / "site", scripts=False)
    page.goto(f"{BASE}attention/idea/")
    answer = page.locator(".quiz-answer", has_text="To save memory")
    answer.locator("summary").click()
    expect(answer.get_by_text("The shape stays the same.")).to_be_visible()
    page.context.close()
