"""Sentences and their translations, from two files line by line, or from one TSV."""

from dataclasses import dataclass
from pathlib import Path

from llm.tasks.files import fault, read_lines
from llm.text.corpus import read_text


@dataclass(frozen=True)
class Translation:
    """A sentence and what it is in the other language."""

    source: str
    target: str


def read_parallel(
    path: str | Path, target: str | Path | None = None
) -> list[Translation]:
    """The pairs of two files, line n of one with line n of the other, or of a TSV file.

    Without `target`, each line of `path` holds the sentence, a tab and the translation.
    Lines empty on both sides are passed over. Raises ValueError, with the file and the
    line, for a sentence without a translation, files of unequal length, or another
    number of fields than two; and as `llm.text.corpus.read_texts` does.
    """
    return read_table(path) if target is None else read_both(path, target)


def read_table(path: str | Path) -> list[Translation]:
    """The pairs of a TSV file."""
    pairs = []
    for number, line in read_lines(path):
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 2 or not all(fields):
            expected = "a sentence, a tab and its translation"
            raise fault(path, number, expected=expected, found=line)
        pairs.append(Translation(fields[0], fields[1]))
    return pairs


def read_both(path: str | Path, target: str | Path) -> list[Translation]:
    """The pairs of two files."""
    sources, targets = (
        [line.strip() for line in read_text(Path(file)).rstrip("\n").split("\n")]
        for file in (path, target)
    )
    if len(sources) != len(targets):
        raise ValueError(
            f"{path} and {target}: expected as many lines in both, found "
            f"{len(sources)} and {len(targets)}"
        )
    pairs = []
    for number, pair in enumerate(zip(sources, targets, strict=True), 1):
        if any(pair) and not all(pair):
            file, other = (path, pair[1]) if pair[1] else (target, pair[0])
            expected = f"the translation of {other!r}"
            raise fault(file, number, expected=expected, found="")
        if any(pair):
            pairs.append(Translation(*pair))
    return pairs
