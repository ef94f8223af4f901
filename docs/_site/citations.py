"""References: ids that are well-formed, and a list that agrees with the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sentences import Line

LETTER = r"[A-ZÀ-ÖØ-ÞŁŞČ][\w’'-]+"
CITATION = re.compile(
    rf"(?:(?P<name>{LETTER})(?:(?: and | & | 和 | 与 ){LETTER})?"
    r"(?: et al\.| 等| 等人)?(?:[’']s)?[,，]? ?[（(]?)?"
    r"\[(?P<year>\d{4})[a-z]?\]\(#references\)"
)
UNLINKED = re.compile(r"et al\.,? \(?(?:19|20)\d\d|等(?:人)?[，（]\s*(?:19|20)\d\d")
ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf)/(?P<id>[^\s)\]>]*)", re.I)
ARXIV_ID = re.compile(
    r"\d{2}(?:0[1-9]|1[0-2])\.\d{4,5}(?:v\d+)?|[a-z-]+(?:\.[A-Z]{2})?/\d{7}"
)
DOI = re.compile(r"doi\.org/(?P<id>[^\s)\]>]*)", re.I)
DOI_ID = re.compile(r"10\.\d{4,9}/\S*[^\s.,;]")
YEAR = re.compile(r"\b(?:19|20)\d\d\b")
VENUE = re.compile(r"[A-Z][\w’()–, -]*,? (?:19|20)\d\d\b")
ITEM = re.compile(r"^\d+\. ")


def faults(lines: list[Line]) -> Iterator[tuple[int, str]]:
    """Ids are well-formed; a citation has its reference, a reference year and place."""
    items = [
        line for line in lines if line.section == "references" and ITEM.match(line.text)
    ]
    cited = {
        (found["name"], found["year"])
        for line in lines
        for found in CITATION.finditer(line.text)
    }
    for line in lines:
        yield from ((line.number, fault) for fault in _ids(line.text))
        yield from ((line.number, fault) for fault in _citations(line, items))
    for item in items:
        has_id = ARXIV.search(item.text) or DOI.search(item.text)
        is_cited = any(_names(item.text, name, year) for name, year in cited if name)
        if not YEAR.search(item.plain):
            yield item.number, "reference without a year"
        elif not (has_id or is_cited or VENUE.search(item.plain)):
            yield item.number, "reference with no id and no venue, cited nowhere"


def _ids(text: str) -> Iterator[str]:
    for kind, pattern, shape in (("arXiv", ARXIV, ARXIV_ID), ("DOI", DOI, DOI_ID)):
        for found in pattern.finditer(text):
            if not shape.fullmatch(found["id"]):
                yield f"'{found['id']}' is no {kind} id"
    for shown, linked in re.findall(r"\[arXiv:([^\]]+)\]\([^)]*/([^)/]+)\)", text):
        if shown.rpartition("/")[2] != linked:
            yield f"arXiv:{shown} links {linked}"


def _citations(line: Line, items: list[Line]) -> Iterator[str]:
    for found in CITATION.finditer(line.text):
        name, year = found["name"], found["year"]
        if name is None:
            before = line.text[: found.start()]
            # "Vaswani et al., [2017](…), [2018](…)": a second work of the same authors.
            if not before.endswith(("(#references), ", "(#references)、")):
                yield f"[{year}] names no author"
        elif not any(_names(item.text, name, year) for item in items):
            yield f"no reference for {name}, {year}"
    if line.section != "references" and (loose := UNLINKED.search(line.text)):
        yield f"'{loose[0]}' is not linked: [year](#references)"


def _names(item: str, name: str, year: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", item) is not None and year in item
