"""Lines of task files, and the one message about a line that is not as it should be.

Files are UTF-8, with or without a byte-order mark, with line ends of any system. Lines
are numbered from 1, as editors do; lines of nothing but white space are passed over.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm.text.corpus import read_text

Object = dict[str, Any]


def fault(path: str | Path, line: int, *, expected: str, found: object) -> ValueError:
    """The error about a line, to be raised: where, what was expected, what is there."""
    shown = repr(found)
    if len(shown) > 80:  # about a line of a terminal
        shown = shown[:77] + "..."
    return ValueError(f"{path}, line {line}: expected {expected}, found {shown}")


def read_lines(path: str | Path) -> list[tuple[int, str]]:
    """The lines that hold something, with their numbers.

    Raises FileNotFoundError, or ValueError for a folder, an empty file, or other
    encodings, as `llm.text.corpus.read_texts` does.
    """
    # Only "\n" ends a line here: JSON may hold the separators that splitlines knows.
    lines = read_text(Path(path)).split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def read_objects(path: str | Path) -> Iterator[tuple[int, Object]]:
    """The objects of a JSON Lines file, one a line, with the numbers of their lines.

    Raises as `read_lines` does, and ValueError for a line that is no JSON object.
    """
    for number, line in read_lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise fault(path, number, expected="a JSON object on one line", found=line)
        yield number, value


def text_of(path: str | Path, line: int, item: Object, *, key: str) -> str:
    """The text under a key of an object; ValueError unless there is one, not blank."""
    if key not in item:
        raise fault(path, line, expected=f"the key {key!r}", found=list(item))
    text = item[key]
    if not isinstance(text, str) or not text.strip():
        raise fault(path, line, expected=f"a text under {key!r}", found=text)
    return text
