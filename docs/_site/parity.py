"""Two languages, one note: the Chinese page has what the English one has.

    parity.py [SLUG ...]        what differs (default: in all pages)
    parity.py --accept SLUG     the Chinese sections follow the English ones as they are

Each section of a Chinese page names the hash of the English section that it follows; a
changed English section is a difference until somebody has looked at the Chinese one.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import fences
import figures
import quiz
import quote
import records
import results
from page import PageError, labels_of

FRONT = re.compile(r"\A---\n(?P<yaml>.*?)^---\n", re.M | re.S)
HEADING = re.compile(r"^(?P<level>#{1,6}) (?P<text>.+?)(?: *\{ *#(?P<id>[\w-]+) *\})?$")
REFERENCE = re.compile(
    r"arxiv\.org/abs/(?:\d{4}\.\d{4,5}|[a-z-]+/\d{7})|doi\.org/10\.\d{4,9}/[^\s)\]>]+",
    re.I,
)
LETTERS = re.compile(r"[A-Za-z]{2,}")
TOP = "top"  # what stands above the first section


@dataclass(frozen=True)
class Note:
    """One page, as far as both languages share it."""

    front: dict[str, Any]
    headings: list[str]
    sections: dict[str, str]
    quotes: list[str]
    numbers: list[str]
    formulae: list[str]
    questions: list[list[bool]]
    figures: list[int]
    folded: int
    references: list[str]


def read(text: str) -> Note:
    """Take a page apart."""
    front = FRONT.match(text)
    body = text[front.end() :] if front else text
    parts = list(fences.split(body.splitlines()))
    blocks = [part for part in parts if isinstance(part, fences.Fence)]
    prose = "\n".join(part for part in parts if isinstance(part, str))
    quoted = [block for block in blocks if block.body and _is_quote(block)]
    options = [dict(fences.OPTION.findall(block.info)) for block in quoted]
    headings, sections = _sections(parts)
    return Note(
        front=yaml.safe_load(front["yaml"]) if front else {},
        headings=headings,
        sections=sections,
        quotes=[
            " ".join(
                [block.body[0], *(f"{k}={v}" for k, v in kept.items() if k != "alt")]
            )
            for block, kept in zip(quoted, options, strict=True)
        ],
        numbers=sorted(match[0] for match in re.finditer(results.RESULT, prose)),
        formulae=["\n".join(b.body).strip() for b in blocks if b.language == "math"],
        questions=[
            [answer.right for answer in quiz.parse(block.body).answers]
            for block in blocks
            if block.language == "quiz"
        ],
        figures=[
            len(kept.get("alt", "").split(" | ")) for kept in options if "alt" in kept
        ],
        folded=len(re.findall(r"^\?\?\?", prose, re.M)),
        references=sorted(set(REFERENCE.findall(prose))),
    )


def _is_quote(block: fences.Fence) -> bool:
    return quote.QUOTE.match(block.body[0].strip()) is not None


def _sections(parts: list[fences.Fence | str]) -> tuple[list[str], dict[str, str]]:
    """Level and id of each heading; the hash of the text below each."""
    headings, texts = [], {TOP: ""}
    name = TOP
    for part in parts:
        match = HEADING.match(part) if isinstance(part, str) else None
        if match and len(match["level"]) > 1:
            name = match["id"] or f"(no id: {match['text']})"
            headings.append(f"{match['level']} {name}")
            texts.setdefault(name, "")
        text = part if isinstance(part, str) else "\n".join(part.raw)
        texts[name] += text.rstrip() + "\n"
    hashes = {
        name: hashlib.sha256(text.strip().encode()).hexdigest()[:8]
        for name, text in texts.items()
    }
    return headings, hashes


def differences(slug: str, *, root: Path) -> list[str]:
    """What the two pages of a slug do not share, one line each."""
    pages = {
        language: root / "docs" / language / f"{slug}.md" for language in ("en", "zh")
    }
    lone = [language for language, path in pages.items() if not path.is_file()]
    if lone:
        return [f"{slug}: no page in {' and '.join(lone)}"]
    en, zh = (read(path.read_text("utf-8")) for path in pages.values())
    found = []
    for shared in Note.__dataclass_fields__:
        if shared not in ("front", "sections"):
            found += _compare(shared, getattr(en, shared), getattr(zh, shared))
    found += [f"heading without an id: {h}" for h in en.headings if "(no id" in h]
    followed = zh.front.get("follows", {})
    for name, digest in en.sections.items():
        if followed.get(name) != digest:
            found.append(
                f"section '{name}' changed in English: look at the Chinese one"
            )
    found += _untranslated(zh, f"docs/zh/{slug}.md", root=root)
    return [f"{slug}: {line}" for line in found]


def _compare(what: str, en: Any, zh: Any) -> list[str]:
    if en == zh:
        return []
    if not isinstance(en, list):
        return [f"{what}: {en} in English, {zh} in Chinese"]
    ours, theirs = Counter(map(str, en)), Counter(map(str, zh))
    lines = [f"{what}: only in English: {item}" for item in ours - theirs]
    lines += [f"{what}: only in Chinese: {item}" for item in theirs - ours]
    return lines or [f"{what}: in another order"]


def _untranslated(zh: Note, page: str, *, root: Path) -> list[str]:
    """Words in figures that the page's ``labels`` do not name."""
    try:
        labels = labels_of(zh.front, page)
    except PageError as error:
        return [str(error)]
    found = set()
    for quoted in zh.quotes:
        match = quote.QUOTE.match(quoted.partition('" ')[0].rstrip('"') + '"')
        if match is None or not match["name"] or "output=none" in quoted:
            continue
        cell = quote.find(match["path"], match["name"], root=root).cell
        for output in cell["outputs"] if cell else []:
            svg = "".join(output.get("data", {}).get("image/svg+xml", ""))
            for text in figures.words(svg):
                rest = text
                for label in sorted(labels, key=len, reverse=True):
                    rest = rest.replace(label, "")
                if LETTERS.search(rest):
                    found.add(text)
    return [
        f"figure text '{text}' has no label; to keep it as it is, label it with itself"
        for text in sorted(found)
    ]


def slugs(root: Path) -> list[str]:
    """Every page that exists in either language."""
    found = set()
    for language in ("en", "zh"):
        folder = root / "docs" / language
        pages = (path.relative_to(folder) for path in folder.rglob("*.md"))
        found |= {page.with_suffix("").as_posix() for page in pages}
    return sorted(found)


def accept(slug: str, *, root: Path) -> None:
    """Write the hashes of the English sections into the Chinese front matter."""
    en = read((root / "docs" / "en" / f"{slug}.md").read_text("utf-8"))
    path = root / "docs" / "zh" / f"{slug}.md"
    text = path.read_text("utf-8")
    front = FRONT.match(text)
    kept = (
        re.sub(r"^follows:.*\n(?: .*\n)*", "", front["yaml"], flags=re.M)
        if front
        else ""
    )
    follows = "".join(f'  {name}: "{hash_}"\n' for name, hash_ in en.sections.items())
    body = text[front.end() :] if front else "\n" + text
    path.write_text(f"---\n{kept}follows:\n{follows}---\n{body}", "utf-8")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Compare the two languages.")
    parser.add_argument("slugs", nargs="*", metavar="SLUG")
    parser.add_argument(
        "--accept", metavar="SLUG", help="the Chinese page is up to date"
    )
    options = parser.parse_args(arguments)
    root = records.ROOT
    if options.accept:
        accept(options.accept, root=root)
        options.slugs = [options.accept]
    problems = [
        line
        for slug in options.slugs or slugs(root)
        for line in differences(slug, root=root)
    ]
    print("\n".join(problems) or "parity: both languages agree")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
