"""Records: what a snippet printed, drew and named when it last ran.

A record is a standard executed notebook beside its script. It is current while every
project file that the run imported or opened still has the hash written down in it.
Comments and docstrings of the package do not count, and another machine or another
torch makes a record no less current: ``make verify`` is there to compare those.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import json
import tokenize
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FORMAT = 1  # raise it when the runner writes something new: every record is stale then
KEY = "llm_notes"

Notebook = dict[str, Any]


def scripts(root: Path) -> list[Path]:
    """Every script that has a record; exercises and solutions have tests instead."""
    found = sorted((root / "snippets").glob("*/*.py"))
    return [path for path in found if is_recorded(path)]


def is_recorded(path: Path) -> bool:
    return path.parent.name not in ("exercises", "solutions")


def slug_of(script: Path) -> str:
    return f"{script.parent.name}/{script.stem}"


def script_of(slug: str, *, root: Path) -> Path:
    """The script of a note; FileNotFoundError names the slug where there is none."""
    path = root / "snippets" / f"{slug.removesuffix('.py')}.py"
    if not path.is_file():
        raise FileNotFoundError(f"no snippet '{slug}': {path.relative_to(root)}")
    return path


def digest(path: Path, *, shown: bool = False) -> str:
    """Hash of a file; of Python that no record shows, comments and docstrings aside.

    Every snippet imports the package, and a comment mended there changes no number.
    """
    text = path.read_bytes()
    if path.suffix == ".py" and not shown:
        text = _code_only(text.decode("utf-8")).encode("utf-8")
    return hashlib.sha256(text).hexdigest()[:16]


@functools.lru_cache(maxsize=1024)
def _code_only(source: str) -> str:
    """Python without comments, docstrings and blank lines.

    The text is cut, not unparsed: how a syntax tree is written differs between Pythons.
    """
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(ast.Constant(str()), lineno=first):
                last = node.end_lineno or first
                lines[first - 1 : last] = [""] * (last - first + 1)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def load(script: Path) -> Notebook | None:
    """The record of a script, current or not; None where there is none."""
    path = script.with_suffix(".ipynb")
    if not path.is_file():
        return None
    notebook: Notebook = json.loads(path.read_text("utf-8"))
    return notebook


def causes(script: Path, *, root: Path) -> list[str]:
    """Why the record must be renewed; empty while it is current."""
    notebook = load(script)
    if notebook is None:
        return ["no record"]
    about = notebook["metadata"].get(KEY, {})
    if about.get("format") != FORMAT:
        return ["record of another format"]
    changed = []
    for name, seen in about["files"].items():
        path = root / name
        if not path.is_file():
            changed.append(f"{name} is gone")
        elif digest(path, shown=path == script) != seen:
            changed.append(f"{name} changed")
    return changed


def provenance(notebook: Notebook) -> dict[str, Any]:
    """Hashes, versions, seconds, date and seed of the run."""
    about: dict[str, Any] = notebook["metadata"][KEY]
    return about


def cell_named(notebook: Notebook, name: str) -> dict[str, Any] | None:
    for cell in notebook["cells"]:
        if cell["id"] == name:
            found: dict[str, Any] = cell
            return found
    return None


def results(notebook: Notebook) -> dict[str, Any]:
    """The named results of the whole run: a later cell's value replaces an earlier."""
    named: dict[str, Any] = {}
    for cell in notebook["cells"]:
        named |= cell["metadata"].get(KEY, {}).get("results", {})
    return named


def write(script: Path, notebook: Notebook) -> None:
    """Write the record whole or not at all."""
    path = script.with_suffix(".ipynb")
    part = path.with_suffix(".part")
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
    part.write_text(text + "\n", "utf-8")
    part.replace(path)
