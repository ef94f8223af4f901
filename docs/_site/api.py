"""The API reference: a page for each room of the package, from its docstrings.

mkdocstrings reads the sources without importing them. Which symbols a page shows is
decided here, from the syntax tree: everything public that a module itself defines.
"""

from __future__ import annotations

import ast
import html
import json
import re
from pathlib import Path
from typing import Any

from markdown.preprocessors import Preprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.toc import TableOfContents

import quote
from page import Context, Language

FOLDER = "api/"
SECTION: dict[Language, str] = {"en": "API reference", "zh": "API 参考"}
ROOMS: dict[str, dict[Language, str]] = {
    "text": {"en": "Text", "zh": "文本"},
    "nn": {"en": "Layers", "zh": "层"},
    "models": {"en": "Models", "zh": "模型"},
    "train": {"en": "Training", "zh": "训练"},
    "generate": {"en": "Generation", "zh": "生成"},
    "peft": {"en": "Parameter-efficient fine-tuning", "zh": "参数高效微调"},
    "tasks": {"en": "Tasks", "zh": "任务"},
    "metrics": {"en": "Metrics", "zh": "指标"},
    "cli": {"en": "Command line", "zh": "命令行"},
}
INTRO: dict[Language, str] = {
    "en": "Every public symbol of the package, from its docstring, with its source.",
    "zh": "软件包的全部公开符号及其源码。说明取自代码里的文档字符串，保持英文原文。",
}
SOURCE: dict[Language, str] = {"en": "source", "zh": "源码"}
HEADING = re.compile(
    r'(<h\d id="(llm[\w.]*)" class="doc doc-heading">.*?)(<a [^>]*class="headerlink")',
    re.S,
)
# "steps          updates of the weights": a name, a gap and what it means.
ALIGNED = re.compile(r"^(?P<name>\w+(?:, \w+)*) {2,}(?P<text>\S.*)$")


def rooms(root: Path) -> list[str]:
    """Packages and modules right in ``llm``: those of `ROOMS` first, in that order."""
    parts = {file.stem for file in (root / "llm").glob("*.py")}
    parts |= {file.parent.name for file in (root / "llm").glob("*/__init__.py")}
    order = list(ROOMS)
    return sorted(
        parts - {"__init__", "__main__"},
        key=lambda room: (order.index(room) if room in order else len(order), room),
    )


def title(room: str, language: Language) -> str:
    """What the navigation calls a room."""
    return ROOMS[room][language] if room in ROOMS else room.capitalize()


def modules(room: str, *, root: Path) -> list[Path]:
    """The modules of a room; a package comes before what it holds."""
    package = root / "llm"
    files = sorted((package / room).rglob("*.py"))
    files += [package / f"{room}.py"] if (package / f"{room}.py").is_file() else []
    return [file for file in files if file.stem != "__main__"]


def dotted(file: Path, *, root: Path) -> str:
    """``llm/text/bpe.py`` as ``llm.text.bpe``."""
    path = file.relative_to(root).with_suffix("")
    return ".".join(part for part in path.parts if part != "__init__")


def public(file: Path) -> list[str]:
    """The public classes, functions and constants that a module defines itself."""
    found: list[str] = []
    for node in ast.parse(file.read_text("utf-8")).body:
        found += sorted(quote.names_of(node))
    return [name for name in dict.fromkeys(found) if not name.startswith("_") and name]


def navigation(language: Language, *, root: Path) -> list[Any]:
    """The section of MkDocs' ``nav``; none for a project without rooms."""
    found = rooms(root)
    if not found:
        return []
    pages: list[Any] = [f"{FOLDER}index.md"]
    pages += [{title(room, language): f"{FOLDER}{room}.md"} for room in found]
    return [{SECTION[language]: pages}]


def add(files: Files, config: MkDocsConfig, language: Language, *, root: Path) -> None:
    """Add the pages, which exist nowhere as files."""
    found = rooms(root)
    if not found:
        return
    made = {"index": _index(found, language, root)}
    made |= {room: _room(room, language, root) for room in found}
    for name, text in made.items():
        # A note that explains a word comes before the symbol of that name.
        text = f"---\nsearch: {{boost: 0.5}}\n---\n\n{text}"
        files.append(File.generated(config, f"{FOLDER}{name}.md", content=text))


def shorten(contents: TableOfContents) -> None:
    """Leave the modules in the contents of a page.

    Hundreds of symbols would stand between the keyboard and the text; search has them.
    """
    for title in contents:
        for module in title.children:
            module.children.clear()


def _index(found: list[str], language: Language, root: Path) -> str:
    lines = [f"# {SECTION[language]}", "", INTRO[language], ""]
    for room in found:
        about = ast.get_docstring(ast.parse(modules(room, root=root)[0].read_text()))
        first = " ".join((about or "").partition("\n\n")[0].split())
        lines += [f"[{title(room, language)}]({room}.md) `llm.{room}`", f":   {first}"]
        lines += [""]
    return "\n".join(lines)


def _room(room: str, language: Language, root: Path) -> str:
    colon = "：" if language == "zh" else ": "
    heading = f"# {title(room, language)}{colon}`llm.{room}`"
    lines = [heading, "", INTRO[language], ""]
    for file in modules(room, root=root):
        lines += [f"::: {dotted(file, root=root)}", "    options:"]
        lines += [f"      members: {json.dumps(public(file))}", ""]
    return "\n".join(lines)


def link_sources(page: str, language: Language, *, source_url: str, root: Path) -> str:
    """Give each symbol's heading a link to its lines."""

    def linked(heading: re.Match[str]) -> str:
        link = source_url + _lines(heading[2], root)
        made = (
            f' <a class="api-source" href="{html.escape(link)}">{SOURCE[language]}</a>'
        )
        return f"{heading[1]}{made}{heading[3]}"

    return HEADING.sub(linked, page)


def _lines(name: str, root: Path) -> str:
    """``llm.text.bpe.Pair`` as ``llm/text/bpe.py#L20-L20``."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        stem = root.joinpath(*parts[:cut])
        for file in (stem.with_suffix(".py"), stem / "__init__.py"):
            if file.is_file():
                path = file.relative_to(root).as_posix()
                symbol = ".".join(parts[cut:])
                if not symbol:
                    return path
                found = quote.find(path, symbol, root=root)
                return f"{path}#L{found.first}-L{found.last}"
    raise ValueError(f"no module of the package holds {name}")


class AlignedLists(Preprocessor):  # type: ignore[misc]
    """In docstrings, lines of names and meanings in two columns become a table."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def run(self, lines: list[str]) -> list[str]:
        if not self.context.page.slug.startswith(FOLDER):
            return lines
        out: list[str] = []
        rows: list[list[str]] = []
        for line in [*lines, ""]:
            match = ALIGNED.match(line)
            if match:
                rows.append([match["name"], match["text"]])
            elif rows and re.match(r" {4,}\S", line):
                rows[-1][1] += " " + line.strip()
            else:
                out += [*_table(rows), line]
                rows = []
        return out[:-1]


def _table(rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    cells = [
        f"| `{name}` | {text.replace('|', chr(92) + '|')} |" for name, text in rows
    ]
    return ["", "| | |", "|---|---|", *cells, ""]
