"""Run one percent script, cell by cell, into an executed notebook.

To be called in a process of its own: it moves to the project root, fixes threads and
seed, and watches what is opened for the rest of the process's life.
"""

from __future__ import annotations

import ast
import contextlib
import datetime
import io
import json
import os
import platform
import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cells
import figures
import records

SEED = 0
# A named result is meant for a sentence or a table, not for a corpus.
LARGEST_RESULT = 4000
LIBRARIES = ("torch", "numpy", "tiktoken", "tokenizers", "transformers", "matplotlib")


def execute(script: Path, *, root: Path) -> records.Notebook:
    """Run every cell in one namespace; raises whatever the script raises."""
    read = _watch_opened_files()
    _settle(root)
    name = script.relative_to(root).as_posix()
    parts = cells.parse(script.read_text("utf-8"), path=name)
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    done, known = [], dict[str, str]()
    begin = time.perf_counter()
    for count, cell in enumerate(parts, 1):
        if cell.kind == "markdown":
            done.append(_markdown(cell))
            continue
        start = time.perf_counter()
        outputs = _run_cell(cell, space, tag=f"{name}:{cell.name}", script=script)
        seconds = time.perf_counter() - start
        about = {"seconds": _round(seconds), "results": _new_results(space, known)}
        done.append(_code(cell, outputs, about, count))
    about = {
        "format": records.FORMAT,
        "files": _project_files(read, script, root),
        "versions": _versions(),
        "machine": f"{platform.machine()}, 1 thread",
        "seconds": _round(time.perf_counter() - begin),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seed": SEED,
    }
    return _notebook(done, about)


def _settle(root: Path) -> None:
    """One thread, one seed and the site's drawing style, in the project root."""
    os.chdir(root)
    os.environ.setdefault("MPLBACKEND", "agg")
    sys.path.insert(0, str(root))
    import matplotlib
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    matplotlib.rcParams.update(figures.STYLE)
    # A figure's words stay text, and a browser has the letters that are missing here.
    warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)


def _watch_opened_files() -> set[str]:
    read: set[str] = set()

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], str | os.PathLike):
            read.add(os.path.abspath(os.fspath(args[0])))

    sys.addaudithook(watch)
    return read


def _run_cell(
    cell: cells.Cell, space: dict[str, Any], *, tag: str, script: Path
) -> list[dict[str, Any]]:
    tree = ast.parse(cell.source, str(script))
    ast.increment_lineno(tree, cell.line - 1)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, str(script), "exec"), space)
        if last is not None:
            value = eval(compile(last, str(script), "eval"), space)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append(_stream(printed.getvalue()))
    drawn = _drawn(tag)
    draw = getattr(value, "_repr_svg_", None)
    if draw is not None:
        drawn.insert(0, _display({"image/svg+xml": _lines(draw())}))
    elif value is not None and not drawn:  # beside a figure it is matplotlib's return
        outputs.append(_display({"text/plain": _lines(repr(value))}))
    return outputs + drawn


def _drawn(tag: str) -> list[dict[str, Any]]:
    """The open figures, closed. ``tag`` makes their ids the same in every run."""
    import matplotlib
    import matplotlib.pyplot as plt

    outputs = []
    for number in plt.get_fignums():
        buffer = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": f"{tag}{number}"}):
            plt.figure(number).savefig(buffer, format="svg", metadata={"Date": None})
        svg = figures.tidy(buffer.getvalue())
        outputs.append(_display({"image/svg+xml": _lines(svg)}))
    plt.close("all")
    return outputs


def _new_results(space: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """The JSON-able top-level values that this cell made or changed."""
    changed = {}
    for name, value in space.items():
        plain = isinstance(value, int | float | str | list | dict)
        if not plain or name.startswith("_"):
            continue
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            continue
        if len(text) <= LARGEST_RESULT and known.get(name) != text:
            known[name] = text
            changed[name] = json.loads(text)
    return changed


def _project_files(read: set[str], script: Path, root: Path) -> dict[str, str]:
    """Hash of every project file behind the run."""
    loaded = {getattr(m, "__file__", None) for m in list(sys.modules.values())}
    seen = read | {str(script)} | {os.path.abspath(f) for f in loaded if f}
    ours = {}
    for path in map(Path, seen):
        if not path.is_relative_to(root) or not path.is_file():
            continue
        name = path.relative_to(root)
        made = path.suffix in (".ipynb", ".pyc") or name.parts[0] in ("site", "runs")
        hidden = name.parts[0].startswith(".") or name.parts[:2] == ("docs", "_site")
        if not made and not hidden:
            ours[name.as_posix()] = records.digest(path, shown=path == script)
    return dict(sorted(ours.items()))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        if name in sys.modules:
            with contextlib.suppress(PackageNotFoundError):
                found[name] = version(name).split("+")[0]
    return found


def _round(seconds: float) -> float:
    return float(f"{seconds:.2g}") if seconds < 10 else round(seconds, 1)


def _lines(text: str) -> list[str]:
    """As notebooks store text: a list of lines, which makes diffs readable."""
    return text.splitlines(keepends=True)


def _stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": _lines(text)}


def _display(data: dict[str, list[str]]) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _markdown(cell: cells.Cell) -> dict[str, Any]:
    return {
        "cell_type": "markdown",
        "id": cell.name,
        "metadata": {},
        "source": _lines(cell.source),
    }


def _code(
    cell: cells.Cell, outputs: list[dict[str, Any]], about: dict[str, Any], count: int
) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": cell.name,
        "execution_count": count,
        "metadata": {"name": cell.name, records.KEY: about},
        "source": _lines(cell.source),
        "outputs": outputs,
    }


def _notebook(done: list[dict[str, Any]], about: dict[str, Any]) -> records.Notebook:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": kernel,
            "language_info": {"name": "python", "file_extension": ".py"},
            records.KEY: about,
        },
        "cells": done,
    }
