"""Every text that a copy button gives, taken from built pages and run by itself.

Each is written to an empty folder and run there in a process of its own, forked from
one that has torch. A snippet cell whose chain of cells cost more than ``LONG`` when it
was recorded is not run when a longer copied text contains all its parts in order: that
one runs, and this one must compile and use no name that it does not bind.
"""

from __future__ import annotations

import contextlib
import functools
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import records
import standalone

LONG = 10.0  # seconds


@dataclass(frozen=True)
class Copied:
    """What one button gives: its place, its parts and the seconds they once took."""

    place: str
    parts: tuple[str, ...]
    seconds: float = 0.0

    @property
    def text(self) -> str:
        return "".join(self.parts).strip() + "\n"

    def within(self, other: Copied) -> bool:
        """Whether the other has every part of this one in the same order."""
        rest = iter(other.parts)
        return len(self.parts) < len(other.parts) and all(p in rest for p in self.parts)


class _Page(HTMLParser):
    """The parts of a built page, and for each quote its title and their numbers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.quotes: list[tuple[list[int], str]] = []
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if "data-parts" in given:
            numbers = [int(number) for number in given["data-parts"].split()]
            self.quotes.append((numbers, ""))
        if given.get("id") == "copies" or given.get("class") == "quote-title":
            self.inside = given.get("id", "title")

    def handle_data(self, data: str) -> None:
        if self.inside == "copies":
            self.parts = json.loads(data)
        elif self.inside == "title" and self.quotes:
            self.quotes[-1] = (self.quotes[-1][0], self.quotes[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("a", "p", "script"):
            self.inside = ""


def of_page(html: str, *, slug: str, costs: Mapping[str, float]) -> list[Copied]:
    """The texts of a built page; ``costs`` are the seconds of a cell, by its source."""
    page = _Page(html)
    found = []
    for numbers, title in page.quotes:
        parts = tuple(page.parts[number] for number in numbers)
        seconds = sum(costs.get(part, 0.0) for part in parts)
        found.append(Copied(f"{slug}: {title}", parts, seconds))
    return found


def costs(script: Path) -> dict[str, float]:
    """Seconds of each cell in a snippet's record, by the cell's source."""
    notebook = records.load(script)
    return {
        "".join(cell["source"]): cell["metadata"][records.KEY]["seconds"]
        for cell in (notebook["cells"] if notebook else [])
        if cell["cell_type"] == "code"
    }


def to_run(texts: list[Copied]) -> list[Copied]:
    """One of each text, without the long ones that a longer one contains."""
    once = list({copied.text: copied for copied in texts}.values())
    return [
        copied
        for copied in once
        if copied.seconds <= LONG or not any(copied.within(other) for other in once)
    ]


def unbound(copied: Copied) -> list[str]:
    """What can be said without running: that it is Python, and binds what it uses."""
    try:
        missing = standalone.missing(copied.text)
    except SyntaxError as error:
        return [f"{copied.place}: copied, it is no Python ({error})"]
    return [f"{copied.place}: copied, it lacks {name}" for name in sorted(missing)]


def run(copied: Copied, *, root: Path) -> list[str]:
    """Run a text in an empty folder, in this process; what went wrong, if anything."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "copied.py"
        file.write_text(copied.text, "utf-8")
        os.chdir(folder)
        _leave_only_the_package(root)
        sys.path.insert(0, folder)
        sys.argv = [str(file)]
        try:
            with Path(os.devnull).open("w") as nowhere, contextlib.ExitStack() as quiet:
                quiet.enter_context(contextlib.redirect_stdout(nowhere))
                quiet.enter_context(contextlib.redirect_stderr(nowhere))
                runpy.run_path(str(file), run_name="__main__")
        except BaseException as error:
            last = "".join(traceback.format_exception(error)[-2:]).rstrip()
            return [f"{copied.place}: copied, it fails\n{last}"]
        finally:
            os.chdir("/")  # the folder goes
    return []


def _leave_only_the_package(root: Path) -> None:
    """Of the project, ``llm`` is there to import, as where it is installed."""
    ours = str(Path(__file__).parent)
    sys.path[:] = [path for path in sys.path if path not in (ours, str(root))]
    for name, module in list(sys.modules.items()):
        here = str(getattr(module, "__file__", "")).startswith(ours)
        if here or name.partition(".")[0] == "llm":
            del sys.modules[name]
    sys.path.insert(0, str(root))
    __import__("llm")
    sys.path.remove(str(root))


def built(slugs: list[str], *, root: Path) -> list[Copied]:
    """The texts on the English pages of some notes, built afresh.

    RuntimeError with the builder's words where the pages cannot be built.
    """
    texts: list[Copied] = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the pages cannot be built:\n{done.stderr.strip()}")
        for slug in slugs:
            page = Path(folder) / slug / "index.html"
            if page.is_file():
                cost = costs(root / "snippets" / f"{slug}.py")
                texts += of_page(page.read_text("utf-8"), slug=slug, costs=cost)
    return texts


def faults(texts: list[Copied], *, root: Path) -> list[str]:
    """What is wrong with the texts, all of them read and those of `to_run` run."""
    os.environ["MPLBACKEND"] = "agg"
    wrong = [line for copied in texts for line in unbound(copied)]
    chosen = sorted(to_run(texts), key=lambda copied: -copied.seconds)
    alone = functools.partial(run, root=root)
    context = multiprocessing.get_context("fork")
    with context.Pool(os.cpu_count() or 1, maxtasksperchild=1) as pool:
        for problems in pool.imap_unordered(alone, chosen, chunksize=1):
            wrong += problems
    return wrong
