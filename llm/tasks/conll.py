"""Tagged words in columns, as in CoNLL-2003.

A line is a word, its tag last; an empty line ends a sentence; lines that begin with
-DOCSTART- divide documents. CoNLL-2003 has four columns:

    EU NNP B-NP B-ORG
    rejects VBZ B-VP O

Chinese sets, such as MSRA's, have two: a character and its tag. The first release of
CoNLL-2003 is in IOB1, where I- may begin a span and B- is only for one that touches
another of its type; whatever the file has, what is read is IOB2, where B- begins each.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llm.metrics.spans import find_spans, split
from llm.tasks.files import fault
from llm.text.corpus import read_text


@dataclass(frozen=True)
class Tagged:
    """The words of a sentence, and for each its tag in IOB2."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def read_conll(path: str | Path) -> list[Tagged]:
    """The sentences of a file.

    Raises ValueError, with the file and the line, for a line of one column, or of
    another number than the first, and for what is no tag of IOB1, IOB2 or BIOES, and
    without a sentence; and as
    `llm.text.corpus.read_texts` does.
    """
    sentences: list[list[tuple[str, str]]] = [[]]
    width = 0
    for number, line in enumerate(read_text(Path(path)).split("\n"), 1):
        # Other white space, such as U+3000, may be a word of its own.
        fields = re.split("[ \t]+", line.strip(" \t"))
        if fields[0] in ("", "-DOCSTART-"):
            sentences.append([])
            continue
        width = width or len(fields)
        if len(fields) != width or width < 2:
            expected = f"{max(width, 2)} columns" + (" or more" if width < 2 else "")
            raise fault(path, number, expected=f"{expected}, a tag last", found=line)
        try:
            split(fields[-1])
        except ValueError:
            expected = "a tag such as O, B-PER or I-PER in the last column"
            raise fault(path, number, expected=expected, found=fields[-1]) from None
        sentences[-1].append((fields[0], fields[-1]))
    if not any(sentences):
        raise ValueError(f"{path}: expected sentences, found none")
    return [
        Tagged(tuple(word for word, _ in rows), to_iob2([tag for _, tag in rows]))
        for rows in sentences
        if rows
    ]


def to_iob2(tags: Sequence[str]) -> tuple[str, ...]:
    """The same spans in IOB2, from tags in IOB1, IOB2 or BIOES.

    Raises ValueError for what is no tag.
    """
    written = ["O"] * len(tags)
    for span in find_spans(tags):
        written[span.start : span.end] = [f"I-{span.type}"] * (span.end - span.start)
        written[span.start] = f"B-{span.type}"
    return tuple(written)
