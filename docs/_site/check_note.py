"""Check one note alone, in seconds: what is missing, and what is wrong.

    check_note.py SLUG ...

Its record is renewed if it is stale; then its text, its other language, its quotes and
its tests. The built pages are checked by ``make test``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import markdown

import parity
import prose
import records
import runner
from extension import Notes
from page import Language, Page, PageError, labels_of


def faults(slug: str, *, root: Path) -> list[str]:
    """All that can be said of a note without building the site, one line each."""
    script = records.script_of(slug, root=root)
    stale = runner.stale([script], root=root)
    failed = runner.run_all(runner.renew, stale, root=root)
    if failed:
        return [f"{slug}: its snippet fails: the traceback is above"]
    try:
        found = parity.differences(slug, root=root)
    except PageError as error:
        found = [f"{slug}: {error}"]
    found += prose.faults(slug, root=root)[0]
    languages: tuple[Language, ...] = ("en", "zh")
    for language in languages:
        found += [f"{language}/{slug}.md: {e}" for e in _unbuilt(slug, language, root)]
    return list(dict.fromkeys(found))


def _unbuilt(slug: str, language: Language, root: Path) -> list[str]:
    """Why the page would stop the build: the first reason."""
    path = root / "docs" / language / f"{slug}.md"
    if not path.is_file():
        return []  # parity says so
    text = path.read_text("utf-8")
    front = parity.FRONT.match(text)
    known = ["attr_list", "md_in_html", "tables", "pymdownx.superfences"]
    try:
        labels = labels_of(parity.read(text).front, f"docs/{language}/{slug}.md")
        notes = Notes(root=root, source_url="", page=Page(slug, language, "", labels))
        body = text[front.end() :] if front else text
        markdown.markdown(body, extensions=[*known, "pymdownx.details", notes])
    except PageError as error:
        return [str(error)]
    return []


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check one note alone.")
    parser.add_argument("slugs", nargs="+", metavar="SLUG")
    options = parser.parse_args(arguments)
    try:
        found = [
            line for slug in options.slugs for line in faults(slug, root=records.ROOT)
        ]
    except FileNotFoundError as error:
        parser.error(str(error))
    for line in found:
        print(line)
    passed = runner.exercise_tests(options.slugs, root=records.ROOT)
    print(f"check: {len(found) or 'no'} faults; tests {'pass' if passed else 'FAIL'}")
    return int(bool(found) or not passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
