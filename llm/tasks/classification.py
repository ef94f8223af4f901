"""Texts with labels, from TSV or JSON Lines.

The first line of a TSV file names its columns, as in SST-2 and ChnSentiCorp; others
than the two asked for are passed over, and quotes are letters like all others:

    sentence<TAB>label
    a gripping film<TAB>1

A JSON Lines file has the same names as keys; its labels may be texts or integers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm.tasks.files import fault, read_lines, read_objects, text_of


@dataclass(frozen=True)
class Labelled:
    """A text and its label."""

    text: str
    label: str


def read_labelled(
    path: str | Path,
    labels: Sequence[str] | None = None,
    *,
    text: str = "text",
    label: str = "label",
) -> list[Labelled]:
    """The examples of a file whose name ends in .tsv or .jsonl.

    `text` and `label` name the columns or keys. With `labels`, such as those seen in
    training, any other label is an error. Raises ValueError, with the file and the
    line, for missing columns, empty texts, or another number of fields than the first
    line names, for a table without rows; and as `llm.tasks.files.read_lines` does.
    """
    readers = {".tsv": read_table, ".jsonl": read_labelled_objects}
    suffix = Path(path).suffix.lower()
    if suffix not in readers:
        raise ValueError(f"{path}: expected a name in .tsv or .jsonl, found {suffix!r}")
    examples = []
    for number, example in readers[suffix](path, text, label):
        if labels is not None and example.label not in labels:
            expected = f"one of the labels {', '.join(labels)}"
            raise fault(path, number, expected=expected, found=example.label)
        examples.append(example)
    if not examples:
        raise ValueError(f"{path}: expected examples below the first line, found none")
    return examples


def labels_of(examples: Sequence[Labelled]) -> list[str]:
    """The labels that occur, sorted: the place of a label is its id."""
    return sorted({example.label for example in examples})


def read_table(
    path: str | Path, text: str, label: str
) -> Iterator[tuple[int, Labelled]]:
    """The rows of a TSV file, with the numbers of their lines."""
    (first, header), *rows = read_lines(path)
    names = [name.strip() for name in header.split("\t")]
    for name in (text, label):
        if names.count(name) != 1:
            expected = f"one column {name!r} among the names in the first line"
            raise fault(path, first, expected=expected, found=names)
    for number, row in rows:
        fields = row.split("\t")
        if len(fields) != len(names):
            expected = f"{len(names)} fields with tabs between"
            raise fault(path, number, expected=expected, found=row)
        item = dict(zip(names, map(str.strip, fields), strict=True))
        yield (
            number,
            Labelled(
                text_of(path, number, item, key=text),
                text_of(path, number, item, key=label),
            ),
        )


def read_labelled_objects(
    path: str | Path, text: str, label: str
) -> Iterator[tuple[int, Labelled]]:
    """The objects of a JSON Lines file, with the numbers of their lines."""
    for number, item in read_objects(path):
        if type(item.get(label)) is int:  # a bool is no label
            item[label] = str(item[label])
        yield (
            number,
            Labelled(
                text_of(path, number, item, key=text),
                text_of(path, number, item, key=label),
            ),
        )
