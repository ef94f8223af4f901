"""Percent scripts: a plain Python program cut into named cells.

    \"\"\"What the experiment is about.\"\"\"

    # %% train tolerance=0.05
    ...

A cell's name is what a page quotes. ``tolerance`` is the relative difference that
``make verify`` allows in the numbers this cell prints and names (default 1e-3);
``tolerance=any`` asks only that the cell runs.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass
from typing import Literal

HEADER = re.compile(r"^# %%[ \t]*(?P<head>.*)$", re.M)
HEAD = re.compile(r"(?P<name>[A-Za-z][\w-]*)(?:\s+tolerance=(?P<tolerance>\S+))?")
TOLERANCE = 1e-3  # last digits differ between processors, findings do not


@dataclass(frozen=True)
class Cell:
    """One cell; ``line`` is where its source begins in the file, from 1."""

    name: str
    kind: Literal["code", "markdown"]
    source: str
    line: int
    tolerance: float = TOLERANCE

    @property
    def last_line(self) -> int:
        return self.line + self.source.count("\n")


def parse(text: str, *, path: str) -> list[Cell]:
    """Cut a script into cells; its docstring becomes the first, a Markdown one.

    Raises ValueError for a header that cannot be read, for two cells of one name
    and for code above the first header.
    """
    marks = list(HEADER.finditer(text))
    if not marks:
        raise ValueError(f"{path} has no cell: begin one with '# %% name'")
    cells = [*_preamble(text[: marks[0].start()], path)]
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        body = text[mark.end() + 1 : following.start() if following else len(text)]
        line = text.count("\n", 0, mark.end()) + 2
        line += len(body) - len(body.lstrip("\n"))
        cells.append(_cell(mark["head"].strip(), body.strip("\n"), line, path))
    names = [cell.name for cell in cells]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path} has two cells named '{name}'")
    return cells


def _preamble(text: str, path: str) -> list[Cell]:
    tree = ast.parse(text, path)
    about = ast.get_docstring(tree)
    if len(tree.body) > (about is not None):
        raise ValueError(f"{path} has code above its first '# %% name'")
    return [Cell("about", "markdown", about, 1)] if about else []


def _cell(head: str, body: str, line: int, path: str) -> Cell:
    if head.startswith("[markdown]"):
        prose = re.sub(r"^# ?", "", body, flags=re.M)
        return Cell(f"prose-{line}", "markdown", prose, line)
    match = HEAD.fullmatch(head)
    if match is None:
        raise ValueError(
            f"{path}:{line - 1}: '# %% {head}' should read '# %% name' or"
            " '# %% name tolerance=0.05' or '# %% name tolerance=any'"
        )
    given = match["tolerance"]
    try:
        tolerance = math.inf if given == "any" else float(given or TOLERANCE)
    except ValueError:
        message = f"{path}:{line - 1}: tolerance={given} is neither a number nor 'any'"
        raise ValueError(message) from None
    return Cell(match["name"], "code", body, line, tolerance)
