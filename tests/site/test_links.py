"""Every link, anchor, id and language version of the built pages holds."""

from pathlib import Path
from xml.etree import ElementTree

from .pages import BASE, address, faults, file_of, language_faults, pages

SITEMAP = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


def test_links_anchors_ids_and_files_are_sound(site: Path) -> None:
    assert faults(site) == []


def test_every_page_has_its_other_version(site: Path) -> None:
    assert language_faults(site) == []


def test_sitemaps_name_every_page(site: Path) -> None:
    named = set()
    for folder in (site, site / "zh"):
        tree = ElementTree.parse(folder / "sitemap.xml")
        named |= {loc.text for loc in tree.iterfind(".//s:loc", SITEMAP)}
    built = {address(p, site) for p in pages(site) if p.name != "404.html"}
    assert named == built


def test_each_note_offers_its_notebook(demo: Path) -> None:
    for folder in ("site", "site/zh"):
        notebook = demo / folder / "notebooks/attention/idea/idea.ipynb"
        record = demo / "snippets/attention/idea.ipynb"
        assert notebook.read_bytes() == record.read_bytes()


def test_planted_faults_are_found(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<html lang="en"><a href="gone/"></a><a href="#gone"></a><i id="a"></i>'
        '<i id="a"></i><script src="https://cdn.example/x.js"></script>'
    )
    assert faults(tmp_path) == [
        "index.html: id a twice",
        "index.html: loads https://cdn.example/x.js",
        "index.html: dead link gone/",
        "index.html: dead anchor #gone",
    ]
    lone = language_faults(tmp_path)
    assert lone == ["index.html: no other version", "index.html: versions {}"]
    assert file_of(BASE + "a/", tmp_path) == tmp_path / "a/index.html"
