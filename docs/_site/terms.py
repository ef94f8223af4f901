"""One term, one translation: where the English section uses a term of the glossary, the
Chinese section has its Chinese term."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sentences import Line

# Everyday words too, which a Chinese sentence says in another way or leaves out.
EVERYDAY = {
    "advantage", "batch", "key", "merge", "policy", "preference", "recall", "step",
    "value",
}  # fmt: skip

# A shorter word that the glossary allows as well.
ALSO = {"corpus": "语料", "prompt": "提示", "summarization": "摘要"}


@dataclass(frozen=True)
class Term:
    """An English term and the Chinese words of which the section must have one."""

    english: re.Pattern[str]
    name: str
    chinese: tuple[str, ...]


def read(path: Path) -> list[Term]:
    """The glossary's terms; ``a / b`` in both columns are two terms.

    A term of several senses has several rows, and any of their words will do.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    words: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        short = re.findall(r"\(([A-Z][\w/ ]+)\)", row["en"])
        english = re.sub(r" *\(.*?\)", "", row["en"]).split(" / ")
        chinese = re.sub(r"（.*?）", "", row["zh"]).split(" / ")
        if len(english) != len(chinese):
            english, chinese = english[:1], [" / ".join(chinese)]
        for name, word in zip(english, chinese, strict=True):
            words[name] += [word, name, *short]
    for name, word in ALSO.items():
        words[name].append(word)
    return [
        Term(_pattern(name), name, tuple(accepted))
        for name, accepted in words.items()
        if name not in EVERYDAY
    ]


def _pattern(name: str) -> re.Pattern[str]:
    """A whole word in singular or plural; its first letter may be a capital."""
    first, rest = re.escape(name[0]), re.escape(name[1:])
    letter = f"[{first.upper()}{first.lower()}]" if first.isalpha() else first
    return re.compile(rf"(?<![\w-]){letter}{rest}s?(?![\w-])")


def faults(
    english: list[Line], chinese: list[Line], terms: list[Term]
) -> Iterator[tuple[int, str]]:
    """Line number in the English page, and the term that the Chinese section lacks."""
    translated: dict[str, str] = defaultdict(str)
    for line in chinese:
        translated[line.section] += line.plain + "\n"
    told = set()
    for line in english:
        if line.section == "references" or line.kind == "alt":
            continue
        for term in terms:
            known = (line.section, term.name)
            used = known not in told and term.english.search(line.plain)
            if used and not any(
                word in translated[line.section] for word in term.chinese
            ):
                told.add(known)
                yield (
                    line.number,
                    f"'{term.name}' is {term.chinese[0]}, which section"
                    f" '{line.section}' of the Chinese page does not have",
                )
