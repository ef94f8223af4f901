"""What every page promises in its text, checked in seconds.

    prose.py [SLUG ...]         what is wrong (default: on all pages)

Chinese typography and words (``chinese.py``), glossary terms on both sides
(``terms.py``), references (``citations.py``), and here: headings, numbers, quotes of
public names, length.

A page in the curriculum with a number is a note, and has a note's sections and length.
The English front matter may name cited facts, which are no results of ours, for both
languages: ``facts: ["124,439,808"]``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import cells
import chinese
import citations
import curriculum
import fences
import parity
import quote
import records
import sentences
import terms
from page import PageError
from sentences import MATH, RESULT, Line

SECTIONS = (
    "failure", "by-hand", "formula", "code", "checked", "experiment", "why", "slips",
    "check-yourself", "exercises", "limits", "references",
)  # fmt: skip

# What the standard asks for, and what fails: a good note may be a little longer.
WORDS, WORDS_FAIL = (1200, 1800), (1000, 2000)
CODE, CODE_FAIL = (60, 120), (40, 160)

BANNED = re.compile(
    r"\b(?:simply|just|powerful(?:ly)?|delv(?:e[sd]?|ing)|TODO|FIXME)\b", re.I
)

NUMBER = re.compile(
    rf"(?<![\w.,{MATH}{RESULT}])(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+\.\d+"
    r"|\d+(?= ?%))(?:e[+-]?\d+)?(?![\w]|\.\d)"
)
# "Section 2.2", "3.2 节", "PyTorch 2.6": places and versions.
PLACE = re.compile(
    r"(?:[Ss]ections?|[Tt]ables?|[Ff]igures?|[Ee]quations?|Python|[Tt]orch|[Vv]ersion|CUDA|第|表|图|式)"
    r" ?$"
)
DRAWING = re.compile(r"\b_?(?:plt|ax|axes|fig)\b|svg")

Fault = tuple[int, str]


def structure(text: str, *, note: bool) -> Iterator[Fault]:
    """Ids of headings, and the sections of a note."""
    page = parity.read(text)
    for heading in page.headings:
        if "(no id" in heading:
            yield 1, f"heading without an id: {heading}"
    if note:
        for name in SECTIONS:
            if name not in page.sections:
                yield 1, f"no section with the id '{name}'"
        yield from _empty_sections(text)


def _empty_sections(text: str) -> Iterator[Fault]:
    """A heading of the second level with nothing below it, not even a smaller one."""
    above: re.Match[str] | None = None
    for part in [*fences.split(text.splitlines()), "## end"]:
        heading = parity.HEADING.match(part) if isinstance(part, str) else None
        if above and heading and len(heading["level"]) == 2:
            yield 1, f"section '{above['id'] or above['text']}' is empty"
        if heading and len(heading["level"]) == 2:
            above = heading
        elif not isinstance(part, str) or part.strip():
            above = None


def words(lines: list[Line]) -> Iterator[Fault]:
    """English words that say nothing."""
    for line in lines:
        if line.section != "references" and (found := BANNED.search(line.plain)):
            yield line.number, f"says '{found[0]}'"


def numbers(lines: list[Line], facts: set[str], settings: set[str]) -> Iterator[Fault]:
    """Numbers that look like results and are typed by hand.

    Decimals, percentages and numbers of four digits or more with a comma are; unless
    they stand in the note's own code (a setting), in a sentence with a citation, in a
    question (a made-up case), beside a version or a place, or among the page's facts.
    """
    for line in lines:
        if line.section == "references" or line.kind in ("question", "alt"):
            continue
        # The first cell of a row says what the row is about.
        text = line.text.split("|", 2)[-1] if line.kind == "table" else line.text
        for sentence in re.split(r"(?<=[.!?]) +(?=\S)|(?<=[。！？；])", text):
            if "](#references)" in sentence:
                continue
            shown = sentences.plain(sentence)
            for found in NUMBER.finditer(shown):
                value = found[0].replace(",", "")
                known = found[0] in facts or value in settings
                if not known and not PLACE.search(shown[: found.start()]):
                    yield (
                        line.number,
                        f"{found[0]} is typed: quote it, or name it in facts",
                    )


def settings_of(slug: str, text: str, *, root: Path) -> set[str]:
    """Numbers of the note's snippet and of its page's code: not found but chosen.

    Cells that draw are left out: where they place a label is no setting.
    """
    script = root / "snippets" / f"{slug}.py"
    source = script.read_text("utf-8") if script.is_file() else ""
    code = [cell for cell in cells.HEADER.split(source) if not DRAWING.search(cell)]
    code += ["\n".join(f.body) for f in _fences(text) if f.language != "quiz"]
    code += re.findall(r"`[^`\n]+`|\$[^$\n]+\$", text)
    plain = "\n".join(code).replace("_", "").replace(",", "")
    return set(re.findall(r"\d+(?:\.\d+)?", plain))


def _fences(text: str) -> list[fences.Fence]:
    return [f for f in fences.split(text.splitlines()) if isinstance(f, fences.Fence)]


def quotes(text: str, *, root: Path) -> Iterator[Fault]:
    """Quoted names exist and are public."""
    for fence in _fences(text):
        match = quote.QUOTE.match(fence.body[0].strip()) if fence.body else None
        if match is None:
            continue
        for part in (match["name"] or "").split("."):
            if part.startswith("_") and not part.endswith("__"):
                yield 1, f"quotes {match['name']}, which is not public"
        try:
            quote.find(match["path"], match["name"] or "", root=root)
        except PageError as error:
            yield 1, str(error)


def counts(text: str, *, root: Path) -> tuple[int, int]:
    """Words of prose, and lines of code that the note itself shows.

    Words: paragraphs, lists and headings outside folded blocks and before the
    references; tables, questions and descriptions of figures are not read in a line.
    Code: quotes of a symbol or a cell, without exercises and folded blocks.
    """
    lines = sentences.read(text)
    prose = [
        line.plain
        for line in lines
        if line.kind in ("prose", "heading") and not line.folded
        if line.section != "references"
    ]
    shown = 0
    for fence in _fences(text):
        match = quote.QUOTE.match(fence.body[0].strip()) if fence.body else None
        hidden = 'output="only"' in fence.info or fence.indent
        if match is None or hidden or match["path"].startswith("snippets/exercises/"):
            continue
        try:
            source = quote.find(match["path"], match["name"] or "", root=root)
        except PageError:
            continue  # quotes() says so
        shown += sum(bool(line.strip()) for line in source.text.splitlines())
    return len(re.findall(r"[^\W_]\S*|[\ue000-\ue003]", " ".join(prose))), shown


def lengths(text: str, *, root: Path) -> tuple[list[Fault], list[str]]:
    """Faults, and remarks on what only leaves the standard's bounds."""
    failed, remarked = [], []
    for (value, unit), wanted, allowed in zip(
        zip(counts(text, root=root), ("words", "lines of code"), strict=True),
        (WORDS, CODE),
        (WORDS_FAIL, CODE_FAIL),
        strict=True,
    ):
        said = f"{value} {unit}, where {wanted[0]}–{wanted[1]} are the standard"
        if not allowed[0] <= value <= allowed[1]:
            failed.append((1, said))
        elif not wanted[0] <= value <= wanted[1]:
            remarked.append(said)
    return failed, remarked


def is_note(slug: str) -> bool:
    """Whether the curriculum has it: the map (M) and the library (L) are no notes."""
    numbered = {n.slug: n.number for part in curriculum.parts() for n in part.notes}
    return numbered.get(slug, "L") not in ("M", "L")


def faults(slug: str, *, root: Path) -> tuple[list[str], list[str]]:
    """What is wrong on a page in both languages, one line each; and remarks."""
    texts = {
        language: (root / "docs" / language / f"{slug}.md").read_text("utf-8")
        for language in ("en", "zh")
        if (root / "docs" / language / f"{slug}.md").is_file()
    }
    pages = {language: sentences.read(text) for language, text in texts.items()}
    front = parity.read(texts["en"]).front if "en" in texts else {}
    facts = set(map(str, front.get("facts", [])))
    found, remarked = [], []
    for language, text in texts.items():
        lines = pages[language]
        settings = settings_of(slug, text, root=root)
        here = [
            *structure(text, note=is_note(slug)),
            *citations.faults(lines),
            *numbers(lines, facts, settings),
            *quotes(text, root=root),
            *(words(lines) if language == "en" else chinese.faults(lines)),
        ]
        if language == "en" and is_note(slug):
            failed, remarks = lengths(text, root=root)
            here += failed
            remarked += [f"{language}/{slug}.md: {line}" for line in remarks]
        found += [f"{language}/{slug}.md:{n}: {fault}" for n, fault in sorted(here)]
    glossary = root / "docs" / "_site" / "glossary.csv"
    if len(pages) == 2 and glossary.is_file():
        known = terms.read(glossary)
        lacking = terms.faults(pages["en"], pages["zh"], known)
        found += [f"en/{slug}.md:{n}: {fault}" for n, fault in lacking]
    return found, remarked


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check the text of pages.")
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="default: all")
    options = parser.parse_args(arguments)
    wrong = 0
    for slug in options.slugs or parity.slugs(records.ROOT):
        found, remarked = faults(slug, root=records.ROOT)
        wrong += len(found)
        for line in [*found, *(f"{remark} (a remark)" for remark in remarked)]:
            print(line)
    print(f"prose: {wrong or 'no'} faults")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
