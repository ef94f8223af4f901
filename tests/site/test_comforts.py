"""Small things for readers: definitions, tests, notebooks, citations, dates, paper."""

import csv
import json
import re
import subprocess
from html import unescape
from pathlib import Path

import markdown
import pytest
from playwright.sync_api import Browser, expect

import colophon
import glossary
import quote
from extension import Notes
from page import Page

from .browser import reader
from .conftest import ROOT
from .pages import BASE, address, file_of, pages

TERM = re.compile(r'<span aria-description="([^"]+)" class="term" tabindex="0">(.+?)<')


def convert(text: str, language: str = "en") -> str:
    page = Page("text/bpe", language, "text/bpe/")
    notes = Notes(root=ROOT, source_url="", page=page)
    used = ["attr_list", "md_in_html", "tables", "toc", notes]
    return markdown.markdown(text, extensions=used)


def terms(text: str, language: str = "en") -> list[str]:
    return [word for _, word in TERM.findall(convert(text, language))]


def test_the_first_use_of_a_term_has_its_definition() -> None:
    assert terms("A Token, two tokens.\n\n- *Softmax* and softmax") == [
        "Token",
        "Softmax",
    ]
    assert terms("词元与词表，又是词元。用 softmax。", "zh") == [
        "词元",
        "词表",
        "softmax",
    ]
    (meaning, _), *_ = TERM.findall(convert("Byte pair: BPE."))
    assert meaning.startswith("A way to build a vocabulary")


def test_headings_code_links_tables_and_references_stay_as_they_are() -> None:
    text = "# Token\n\n`token` [token](x.md)\n\n| token |\n|---|\n| token |\n\n"
    assert terms(text + "## Papers { #references }\n\nToken.") == []
    assert terms("tokenise, a-token, 中文分词") == []
    assert terms("一轮", "zh") == [], "one character has everyday senses"


def test_a_longer_term_is_not_taken_for_a_shorter() -> None:
    assert terms("A special token is no token.") == ["special token", "token"]
    assert terms("多头注意力不是注意力。", "zh") == ["多头注意力", "注意力"]
    assert terms("layer normalisation") == ["layer normalisation"]


def test_definitions_are_given_in_both_languages() -> None:
    with glossary.FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    given = [row for row in rows if row["means"] or row["means_zh"]]
    assert len(given) >= 60
    for row in given:
        assert row["means"].endswith(".") and row["means_zh"].endswith("。"), row
        assert len(row["means"]) <= 120 and len(row["means_zh"]) <= 50, row


@pytest.mark.parametrize("width", [390, 1280])
def test_a_definition_shows_at_the_keyboard_and_leaves_on_escape(
    browser: Browser,
    demo: Path,
    width: int,
) -> None:
    page = reader(browser, demo / "site")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{BASE}attention/idea/")
    term = page.locator(".term").first
    term.focus()
    shown = "e => getComputedStyle(e, '::after').content"
    assert "weighted average" in term.evaluate(shown)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("Escape")
    assert term.evaluate(shown) == "none"
    page.context.close()


@pytest.mark.parametrize(
    ("path", "tests"),
    [
        ("llm/text/bpe.py", "tests/text/test_bpe.py"),
        ("llm/environment.py", "tests/test_environment.py"),
        ("snippets/solutions/text/bpe.py", "tests/notes/text/test_bpe.py"),
        ("snippets/text/bpe.py", None),
        ("llm/gone.py", None),
    ],
)
def test_a_block_knows_its_tests(path: str, tests: str | None) -> None:
    assert quote.tests_of(path, root=ROOT) == tests


def test_a_block_links_its_tests() -> None:
    html = convert('```python\n--8<-- "llm/text/bpe.py:PATTERN"\n```', "zh")
    assert 'class="quote-tests" href="tests/text/test_bpe.py">测试</a>' in html


def test_a_notebook_page_shows_every_cell_and_what_it_put_out(demo: Path) -> None:
    record = demo / "snippets/attention/idea.ipynb"
    cells = json.loads(record.read_text("utf-8"))["cells"]
    for folder in ("site", "site/zh"):
        page = (demo / folder / "notebooks/attention/idea/index.html").read_text(
            "utf-8"
        )
        assert "jp-" not in page and "<style" not in page, "nothing of JupyterLab"
        shown = page.split('<div class="quote" id="')[1:]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        for cell, part in zip(code, shown, strict=True):
            assert part.startswith(f'{cell["id"]}"')
            text = unescape(re.sub("<[^>]+>", "", part.partition(">")[2]))
            assert text.startswith("".join(cell["source"]))
            printed = ["".join(o["text"]) for o in cell["outputs"] if "text" in o]
            assert all(p.strip() in text for p in printed)
            drawn = ["image/svg+xml" in o.get("data", {}) for o in cell["outputs"]]
            assert part.count("<svg role") == sum(drawn)
        assert 'notebooks/attention/idea/idea.ipynb" download>' in page


def test_a_note_ends_with_its_notebook_its_run_and_its_citation(demo: Path) -> None:
    for folder in ("site", "site/zh"):
        html = (demo / folder / "attention/idea/index.html").read_text("utf-8")
        end = html.partition('<aside class="colophon"')[2].partition("</aside>")[0]
        (notebook,) = re.findall(r'href="([^"]+)" download', end)
        assert (demo / folder / "attention/idea" / notebook).is_file()
        colab = "github/llm-notes/llm-notes/blob/main/snippets/attention/idea.ipynb"
        assert f"https://colab.research.google.com/{colab}" in end
        assert re.search(r"20\d\d-\d\d-\d\d", end)
        assert "@online{llm-notes-attention-idea," in end
        here = address(demo / folder / "attention/idea/index.html", demo / "site")
        assert f"url    = {{{here}}}" in end
    home = (demo / "site/index.html").read_text("utf-8")
    assert "colophon" not in home, "a page without a snippet has none"


def test_the_last_change_is_that_of_the_page_in_git(tmp_path: Path) -> None:
    page = tmp_path / "docs/en/a.md"
    page.parent.mkdir(parents=True)
    assert colophon.last_change("docs/en/a.md", root=tmp_path) == "", "without git"
    colophon._dates.cache_clear()
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for text, date in (("1", "2026-01-02"), ("2", "2026-03-04")):
        page.write_text(text)
        for command in (["init", "-q"], ["add", "."], [*name, "commit", "-qm", "x"]):
            stamp = {"GIT_COMMITTER_DATE": f"{date}T12:00:00Z", "PATH": "/usr/bin:/bin"}
            subprocess.run(["git", *command], cwd=tmp_path, check=True, env=stamp)
    assert colophon.last_change("docs/en/a.md", root=tmp_path) == "2026-03-04"
    assert colophon.last_change("docs/en/b.md", root=tmp_path) == ""


def test_on_paper_everything_is_unfolded_and_nothing_navigates(
    browser: Browser,
    demo: Path,
) -> None:
    page = reader(browser, demo / "site")
    page.goto(f"{BASE}attention/idea/")
    folded = page.locator(".md-content details:not(.colophon *)").first
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(folded.locator("pre").first).to_be_visible()
    for hidden in (".md-header", ".md-footer", ".md-sidebar", ".md-code__nav"):
        expect(page.locator(hidden).first).to_be_hidden()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert folded.get_attribute("open") is None
    page.context.close()


def test_every_note_can_be_edited_and_leads_on(demo: Path) -> None:
    for path in pages(demo / "site"):
        slug = path.parent.relative_to(demo / "site").as_posix()
        if slug not in ("text/bpe", "attention/idea", "zh/text/bpe"):
            continue
        html = path.read_text("utf-8")
        folder, name = ("zh", slug[3:]) if slug.startswith("zh") else ("en", slug)
        assert f"/edit/main/docs/{folder}/{name}.md" in html
        links = re.findall(r'href="([^"]+)" class="md-footer__link', html)
        assert len(links) == 2
        here = address(path, demo / "site")
        assert all(file_of(here + link, demo / "site") for link in links)
