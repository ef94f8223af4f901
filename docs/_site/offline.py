"""The built site as one archive that is read, and searched, without a server.

    offline.py [SITE] [ARCHIVE]     default: site/ into site-offline.zip

A browser that opens a file finds no index.html behind a folder, fetches no JSON and
starts no worker. So links to folders name their page, the search index becomes a
script, and ``offline-worker.js`` stands in for the worker.
"""

from __future__ import annotations

import argparse
import functools
import json
import posixpath
import re
import sys
import zipfile
from pathlib import Path

import records

FOLDER = "llm-notes"  # what unpacking makes
WORKER = Path(__file__).with_name("offline-worker.js")
SCRIPTS = "assets/javascripts/"
INDEX = "search/search_index.json"
LINK = re.compile(r'(<(?:a|link)\b[^>]*? href=")([^"#?]*)')
BUNDLE = re.compile(rf'<script src="([^"]*{SCRIPTS})bundle\.')
HOME = re.compile(r'<link rel="canonical" href="https?://[^/"]+(/[^"]*)">')
# What only a server hands out.
SERVED = ("404.html", "sitemap.xml", "sitemap.xml.gz")
MOMENT = (1980, 1, 1, 0, 0, 0)  # the same site makes the same archive


def pack(site: Path, archive: Path) -> None:
    """Write the archive whole or not at all; FileNotFoundError without a site."""
    if not (site / "index.html").is_file():
        raise FileNotFoundError(f"no site in {site}: run make site first")
    part = archive.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(site.rglob("*")):
            if path.is_file() and path.name not in SERVED:
                for name, content in _files(path, site).items():
                    info = zipfile.ZipInfo(f"{FOLDER}/{name}", MOMENT)
                    made.writestr(info, content, zipfile.ZIP_DEFLATED)
        info = zipfile.ZipInfo(f"{FOLDER}/{SCRIPTS}{WORKER.name}", MOMENT)
        made.writestr(info, WORKER.read_bytes(), zipfile.ZIP_DEFLATED)
    part.replace(archive)


def _files(path: Path, site: Path) -> dict[str, bytes]:
    """One file of the site as it stands in the archive, by its name there."""
    name = path.relative_to(site).as_posix()
    if path.suffix == ".html":
        return {name: page(path.read_text("utf-8"), path, site).encode("utf-8")}
    if name.endswith(INDEX):
        script = index(path.read_text("utf-8"))
        return {name.removesuffix("json") + "js": script.encode("utf-8")}
    return {name: path.read_bytes()}


def page(html: str, path: Path, site: Path) -> str:
    """A page whose links name files, and that starts our worker's stand-in first."""
    root = posixpath.relpath(site, path.parent)
    home = _home(site)

    def named(link: re.Match[str]) -> str:
        address = link[2]
        if address.startswith(home):
            address = f"{root}/{address.removeprefix(home)}"
        if not address or ":" in address:
            return link[0]
        if (path.parent / address / "index.html").is_file():
            address = f"{address.rstrip('/')}/index.html"
        return link[1] + address

    html = LINK.sub(named, html)
    stand_in = f'<script src="{root}/{SCRIPTS}{WORKER.name}"></script>'
    return BUNDLE.sub(lambda bundle: stand_in + bundle[0], html, count=1)


@functools.cache
def _home(site: Path) -> str:
    """The path of the site on its server, as its home page tells it."""
    told = HOME.search((site / "index.html").read_text("utf-8"))
    return told[1] if told else "/"


def index(text: str) -> str:
    """The search index as a script; its places name files."""
    entries = json.loads(text)
    for entry in entries["docs"]:
        address, mark, anchor = entry["location"].partition("#")
        if not address or address.endswith("/"):
            entry["location"] = f"{address}index.html{mark}{anchor}"
    small = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    return f"var __index = {small}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Pack the site for reading offline.")
    parser.add_argument("site", nargs="?", type=Path, default=records.ROOT / "site")
    default = records.ROOT / "site-offline.zip"
    parser.add_argument("archive", nargs="?", type=Path, default=default)
    options = parser.parse_args(arguments)
    try:
        pack(options.site, options.archive)
    except FileNotFoundError as error:
        parser.error(str(error))
    megabytes = options.archive.stat().st_size / 1e6
    print(f"{options.archive.name}: {megabytes:.1f} MB; unpack, open index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
