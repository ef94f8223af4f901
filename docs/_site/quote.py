"""Quote code by name, with a link to its lines, what it printed and what it drew.

    ```python hl="softmax" alt="Loss falls from 4.6 to 1.7" output="only"
    --8<-- "snippets/models/gpt.py:train"
    ```

A name is a cell of a percent script or a symbol (``Class.method``, a function, a
constant) found in the syntax tree: sources carry no markers for it.
"""

from __future__ import annotations

import ast
import functools
import html
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name

import cells
import figures
import records
import results
import standalone
from fences import Fence
from page import Context, Page, PageError

QUOTE = re.compile(r'^--8<-- "(?P<path>[\w./-]+?)(?::(?P<name>[\w.-]+))?"$')


@dataclass(frozen=True)
class Source:
    """Lines of a file; ``cell`` is their cell in the record where they are one."""

    path: str
    name: str
    text: str
    first: int
    last: int
    cell: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    is_cell: bool = False

    @property
    def label(self) -> str:
        return f"{self.path}:{self.name}"


def quote(fence: Fence, context: Context) -> list[str]:
    """The quoted block as Markdown: title, code, and what a cell put out."""
    options = fence.options("hl", "output", "alt")
    match = QUOTE.match(fence.body[0].strip()) if len(fence.body) == 1 else None
    if match is None:
        raise PageError(
            'a quote reads --8<-- "path.py:name" and is alone in its fence, not: '
            + " / ".join(fence.body)
        )
    show = options.get("output", "both")
    if show not in ("both", "only", "none"):
        raise PageError(f'output="{show}" should be "only" or "none"')
    source = find(match["path"], match["name"] or "", root=context.root)
    outputs = source.cell["outputs"] if source.cell and show != "none" else []
    if show == "only" and not outputs:
        raise PageError(f"{match['path']}:{match['name']} puts out nothing")
    copied = ""
    if show != "only" and source.path.endswith(".py"):
        copied = f' data-parts="{context.keep(_copied(source, context.root))}"'
    made = [context.stash(f'<div class="quote"{copied}>')]
    if show != "only":
        made += ["", context.stash(_title(source, context)), ""]
        lines = source.text.splitlines()
        marked = options.get("hl")
        chosen = sorted(_lines_with(marked, lines, source)) if marked else []
        made += [context.stash(code("\n".join(lines), fence.language, tuple(chosen)))]
    if outputs:
        made += ["", context.stash(_shown(source, outputs, options, context)), ""]
    elif "alt" in options:
        raise PageError(f"{source.label} draws nothing that alt= describes")
    return [*made, "", context.stash("</div>")]


def find(path: str, name: str, *, root: Path) -> Source:
    """The cell, the symbol or (without a name) the whole file that a quote names."""
    file = root / path
    if not file.is_file():
        raise PageError(f"no file {path} to quote")
    text = file.read_text("utf-8")
    if not name:
        return Source(path, "", text.rstrip("\n"), 1, len(text.splitlines()))
    if path.startswith("snippets/") and cells.HEADER.search(text):
        found = _cell(file, path, name, text)
        if found is not None:
            return found
    return _symbol(text, path, name)


def _cell(file: Path, path: str, name: str, text: str) -> Source | None:
    for cell in _cells(text, path):
        if cell.name != name or cell.kind != "code":
            continue
        recorded = run = None
        if records.is_recorded(file):
            notebook = _record(file, results.modified(file))
            recorded = notebook and records.cell_named(notebook, name)
            if notebook is None or recorded is None:
                raise PageError(f"{path}:{name} has not run: run make site")
            run = records.provenance(notebook)
        lines = cell.line, cell.last_line
        return Source(path, name, cell.source, *lines, recorded, run, is_cell=True)
    return None


@functools.lru_cache(maxsize=8)
def _cells(text: str, path: str) -> list[cells.Cell]:
    return cells.parse(text, path=path)


@functools.lru_cache(maxsize=8)
def _record(script: Path, modified: int) -> records.Notebook | None:
    return records.load(script)


def _symbol(text: str, path: str, name: str) -> Source:
    if not path.endswith(".py"):
        raise PageError(f"{path} is not Python: quote the whole file")
    inside = _parsed(text).body
    for part in name.split("."):
        node = next((child for child in inside if part in names_of(child)), None)
        if node is None:
            raise PageError(f"{path} has no '{name}'")
        inside = getattr(node, "body", [])
    assert node is not None  # a name has one part at least
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    last = node.end_lineno or node.lineno
    body = "\n".join(text.splitlines()[first - 1 : last])
    return Source(path, name, textwrap.dedent(body), first, last)


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def names_of(node: ast.AST) -> set[str]:
    """What a statement defines: a class, a function or constants."""
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    return {getattr(node, "name", "")}


def _copied(source: Source, root: Path) -> list[str]:
    """The parts of the text that the copy button gives."""
    if not source.name:
        return [source.text]
    text = (root / source.path).read_text("utf-8")
    if not source.is_cell:
        return standalone.of_symbol(text, source.name)
    parts = standalone.of_cell(text, source.name, path=source.path)
    drawn = source.cell["outputs"] if source.cell else []
    figure = any("image/svg+xml" in output.get("data", {}) for output in drawn)
    plots = figure and "plt" in standalone.names_of(source.text)
    return [*parts, "\n\nplt.show()"] if plots else parts


def _title(source: Source, context: Context) -> str:
    link = context.source(source.path, source.first, source.last)
    tests = tests_of(source.path, root=context.root)
    tested = ""
    if tests:
        word, file = context.page.word("tests"), f"{context.source_url}{tests}"
        tested = f' <a class="quote-tests" href="{html.escape(file)}">{word}</a>'
    name = f" <b>{html.escape(source.name)}</b>" if source.name else ""
    return (
        f'<p class="quote-title"><a href="{html.escape(link)}">'
        f"{html.escape(source.path)}{name}</a>{tested}</p>"
    )


def tests_of(path: str, *, root: Path) -> str | None:
    """The tests of a module, of an exercise or of its solution, where there are any."""
    room, _, rest = path.partition("/")
    if rest.startswith(("exercises/", "solutions/")):
        room, rest = "notes", rest.partition("/")[2]
    elif room != "llm":
        return None
    folder = "tests" if room == "llm" else "tests/notes"
    folders, _, file = rest.rpartition("/")
    found = "/".join(part for part in (folder, folders, f"test_{file}") if part)
    return found if (root / found).is_file() else None


@functools.lru_cache(maxsize=4096)
def code(text: str, language: str, chosen: tuple[int, ...] = ()) -> str:
    """A block of code in colours, its ``chosen`` lines highlighted.

    Superfences would draw the same; but a note and its notebook show the same cells,
    and colouring them is the largest part of the time that a page takes.
    """
    lexer, formatter = _painter(language or "text")
    formatter.hl_lines = set(chosen)
    drawn: str = pygments.highlight(text, lexer, formatter)
    return drawn.rstrip()


@functools.cache
def _painter(language: str) -> tuple[Lexer, HtmlFormatter[str]]:
    lexer = get_lexer_by_name(language)
    style = f"language-{lexer.aliases[0]} highlight"
    return lexer, HtmlFormatter(cssclass=style, wrapcode=True)


def _lines_with(text: str, lines: list[str], source: Source) -> set[int]:
    """Numbers of the lines with the text, or with one of several: ``q = | k = ``."""
    found = {n for n, line in enumerate(lines, 1) if text in line}
    if found:
        return found
    first, bar, rest = text.partition(" | ")
    if not bar:
        raise PageError(f"{source.label} has no line with '{text}'")
    return _lines_with(first, lines, source) | _lines_with(rest, lines, source)


def _shown(
    source: Source,
    outputs: list[dict[str, Any]],
    options: dict[str, str],
    context: Context,
) -> str:
    alts = options["alt"].split(" | ") if options.get("alt") else []
    parts = []
    for output in outputs:
        data = output.get("data", {})
        if svg := data.get("image/svg+xml"):
            if not alts:
                raise PageError(f'{source.label} draws a figure: describe it, alt="…"')
            parts.append(_figure("".join(svg), alts.pop(0), context))
        else:
            text = "".join(output.get("text", data.get("text/plain", ""))).rstrip("\n")
            parts.append(f'<pre tabindex="0">{html.escape(text, quote=False)}</pre>')
    if alts:
        raise PageError(f"{source.label} draws fewer figures than alt= has")
    return f'<div class="output">{"".join(parts)}{_provenance(source, context)}</div>'


def _figure(svg: str, alt: str, context: Context) -> str:
    context.figures += 1
    prefix = f"f{context.figures}"
    placed = figures.place(svg, prefix=prefix, alt=alt, labels=context.page.labels)
    return f'<figure class="drawing">{placed}</figure>'


def _provenance(source: Source, context: Context) -> str:
    assert source.cell is not None and source.run is not None  # it has outputs
    page, run = context.page, source.run
    seconds = source.cell["metadata"][records.KEY]["seconds"]
    facts = [_duration(seconds, page), run["date"]]
    if torch := run["versions"].get("torch"):
        facts.append(f"torch {torch}")
    slug = source.path.removeprefix("snippets/").removesuffix(".py")
    link = page.link(f"notebooks/{slug}/") + f"#{source.name}"
    facts.append(f'<a href="{link}">{page.word("notebook")}</a>')
    return f'<p class="provenance">{" · ".join(facts)}</p>'


def _duration(seconds: float, page: Page) -> str:
    if seconds < 0.1:
        return page.word("instant")
    shown = f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
    return page.word("seconds").format(shown)
