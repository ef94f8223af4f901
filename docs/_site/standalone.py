"""What the copy button gives: a quote with all that it needs to run in an empty file.

A symbol comes with the imports, constants, functions and classes of its module that it
uses, and that those use; of a method, the whole class. A cell comes with the earlier
cells whose results it uses. From a cell of which it uses imports, functions or classes
alone it takes just these, so that nothing trains for the sake of an ``import``.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass

import cells
import names

Definition = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
Place = tuple[int, int]  # a cell and a statement in it; -1 is the whole cell


@dataclass(frozen=True)
class Cell:
    """A piece of a program that a page quotes; a module is one of a single cell."""

    name: str
    source: str
    statements: tuple[ast.stmt, ...]
    each: tuple[names.Names, ...]
    whole: names.Names

    def binders(self, name: str) -> list[int]:
        """Numbers of the statements that bind or change a name."""
        return [n for n, at in enumerate(self.each) if name in at.bound | at.changed]

    def imports(self, name: str) -> list[int]:
        """Numbers of the imports of a name; calling into a module changes no value."""
        return [
            n
            for n in self.binders(name)
            if isinstance(self.statements[n], ast.Import | ast.ImportFrom)
        ]

    def needed(self, name: str) -> list[int]:
        """Statements to take for a name; -1 is the whole cell, when it computes it."""
        found = self.imports(name) or self.binders(name)
        defined = all(isinstance(self.statements[n], Definition) for n in found)
        return found if defined else [-1]


def of_symbol(source: str, name: str) -> list[str]:
    """The parts of a module that a symbol needs, in order; joined, they run."""
    module = _cell("", source)
    wanted = [name.partition(".")[0]]
    taken, seen = set[int](), set[str]()
    while wanted:
        current = wanted.pop()
        if current in seen:
            continue
        seen.add(current)
        found = set(module.imports(current) or module.binders(current)) - taken
        taken |= found
        wanted += [used for n in found for used in module.each[n].used]
    for n, statement in enumerate(module.statements):
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            taken.add(n)
            seen |= module.each[n].bound
    return _statements(module, sorted(taken), seen)


def of_cell(source: str, name: str, *, path: str) -> list[str]:
    """The parts of a percent script that a cell needs, itself the last."""
    script = _script(source, path)
    end = next(n for n, cell in enumerate(script) if cell.name == name)
    places, wanted = set[Place](), [(end, -1)]
    seen = set[str]()
    while wanted:
        place = wanted.pop()
        if place in places:
            continue
        places.add(place)
        cell = script[place[0]]
        read = cell.whole if place[1] < 0 else cell.each[place[1]]
        seen |= read.used
        for used in read.now:
            wanted += _before(script, used, place)
        for used in read.later:
            wanted += _before(script, used, place) or _after(script, used, place, end)
    return _laid_out(script, places, seen)


def _before(script: tuple[Cell, ...], name: str, place: Place) -> list[Place]:
    """Where a name got its value: its last binding, and what changed that since."""
    found: list[Place] = []
    first = place[0] if place[1] >= 0 else place[0] - 1
    for n in range(first, -1, -1):
        here = [(n, number) for number in script[n].needed(name)]
        if script[n].imports(name):
            return here
        if name in script[n].whole.bound | script[n].whole.changed:
            found += here
        if name in script[n].whole.bound:
            return found
    return []


def _after(script: tuple[Cell, ...], name: str, place: Place, end: int) -> list[Place]:
    """A function may use what is bound only after it."""
    for n in range(place[0] + 1, end):
        if name in script[n].whole.bound:
            return [(n, number) for number in script[n].needed(name)]
    return []


def _laid_out(
    script: tuple[Cell, ...], places: set[Place], seen: set[str]
) -> list[str]:
    parts: list[str] = []
    for n, cell in enumerate(script):
        if (n, -1) in places:
            made = [cell.source]
        else:
            chosen = sorted(number for at, number in places if at == n)
            made = _statements(cell, chosen, seen)
        if made:
            parts += ["\n\n\n", *made] if parts else made
    return parts


def _statements(cell: Cell, chosen: list[int], seen: set[str]) -> list[str]:
    """The text of some statements, spaced as Python is; unused imports are left out."""
    lines = cell.source.splitlines()
    parts: list[str] = []
    for place, n in enumerate(chosen):
        first = _first(cell.statements[n], lines)
        if place:
            near = (cell.statements[chosen[place - 1]], cell.statements[n])
            parts.append(_space(near, lines[:first]))
        parts.append(_text(cell.statements[n], lines[first:], first, seen))
    return parts


def _first(statement: ast.stmt, lines: list[str]) -> int:
    """The line where it begins, with its decorators and the comment above it."""
    decorators = getattr(statement, "decorator_list", [])
    first: int = min([statement.lineno, *(d.lineno for d in decorators)]) - 1
    while first and lines[first - 1].startswith("# "):
        first -= 1
    return first


def _space(near: tuple[ast.stmt, ast.stmt], above: list[str]) -> str:
    if any(isinstance(s, ast.FunctionDef | ast.ClassDef) for s in near):
        return "\n\n\n"
    imports = [isinstance(s, ast.Import | ast.ImportFrom) for s in near]
    apart = bool(above) and not above[-1]
    return "\n\n" if apart or len(set(imports)) > 1 else "\n"


def _text(statement: ast.stmt, lines: list[str], first: int, seen: set[str]) -> str:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        used = [a for a in statement.names if _binding(a) in seen]
        if len(used) < len(statement.names):
            return _import(statement, used)
    return "\n".join(lines[: (statement.end_lineno or 0) - first])


def _binding(alias: ast.alias) -> str:
    return (alias.asname or alias.name).partition(".")[0]


def _import(statement: ast.Import | ast.ImportFrom, used: list[ast.alias]) -> str:
    listed = ", ".join(map(ast.unparse, used))
    if isinstance(statement, ast.Import):
        return f"import {listed}"
    return f"from {statement.module} import {listed}"


@functools.lru_cache(maxsize=1024)
def _cell(name: str, source: str) -> Cell:
    statements = tuple(ast.parse(source).body)
    each = tuple(names.of([statement]) for statement in statements)
    return Cell(name, source, statements, each, names.joined(each))


@functools.lru_cache(maxsize=128)
def _script(source: str, path: str) -> tuple[Cell, ...]:
    code = [cell for cell in cells.parse(source, path=path) if cell.kind == "code"]
    return tuple(_cell(cell.name, cell.source) for cell in code)


def names_of(text: str) -> frozenset[str]:
    """Names that a text binds or takes from elsewhere."""
    read = names.of(ast.parse(text).body)
    return read.used | read.bound


def missing(text: str) -> frozenset[str]:
    """Names that a text uses and nobody binds; SyntaxError where it is no Python."""
    read = names.of(ast.parse(text).body)
    return read.used
