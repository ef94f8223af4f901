"""Formulae as MathML, so that no script draws them in the reader's browser.

    ```math test="tests/notes/models/test_gpt.py::test_cross_entropy"
    \\mathcal{L} = -\\frac{1}{T} \\sum_t \\log p(x_t \\mid x_{<t})
    ```

Inline: ``$\\sqrt{D}$``. Each formula is a record: ``math.json`` holds its MathML,
written by Temml when an author runs ``make math``; building needs no Node. Run as a
program, this module renders what is missing and drops what no page uses.
"""

from __future__ import annotations

import ast
import functools
import html
import json
import re
import subprocess
from pathlib import Path
from xml.etree.ElementTree import Element

from markdown.inlinepatterns import InlineProcessor

import fences
from page import Context, PageError

STORE = "docs/_site/math.json"
INLINE = r"(?<![\\$\w])\$(?P<tex>[^\s$](?:[^$\n]*[^\s$\\])?)\$(?![\w$])"
CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")

Formula = tuple[str, bool]  # TeX, and whether it is displayed


def display(fence: fences.Fence, context: Context) -> list[str]:
    """A displayed formula with a link to the test that checks it numerically."""
    test = fence.options("test").get("test")
    if test is None:
        raise PageError('```math needs test="tests/…/test_x.py::test_name"')
    tex = "\n".join(fence.body).strip()
    link, name = _test(test, context)
    checked = context.page.word("checked").format(
        f'<a href="{html.escape(link)}"><code>{html.escape(name)}</code></a>'
    )
    math = lookup(tex, True, root=context.root)
    formula = f'<div class="formula" tabindex="0">{math}</div>'
    return [context.stash(f'{formula}<p class="formula-test">{checked}</p>')]


def _test(test: str, context: Context) -> tuple[str, str]:
    path, _, name = test.partition("::")
    file = context.root / path
    tree = ast.parse(file.read_text("utf-8")) if file.is_file() else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return context.source(path, node.lineno, node.end_lineno or 0), name
    raise PageError(f"a formula names the test {test}, which does not exist")


class InlineMath(InlineProcessor):  # type: ignore[misc]
    def __init__(self, context: Context) -> None:
        super().__init__(INLINE)
        self.context = context

    def handleMatch(
        self, m: re.Match[str], data: str
    ) -> tuple[str | Element, int, int]:
        math = lookup(m["tex"], False, root=self.context.root)
        return self.context.stash(math), m.start(0), m.end(0)


def lookup(tex: str, displayed: bool, *, root: Path) -> str:
    """The MathML of a formula; PageError for one that was never rendered."""
    store = root / STORE
    rendered = _load(store, store.stat().st_mtime_ns) if store.is_file() else {}
    try:
        return rendered["display" if displayed else "inline"][tex]
    except KeyError:
        raise PageError(f"unknown formula: run make math ($ {tex} $)") from None


@functools.lru_cache(maxsize=2)
def _load(store: Path, modified: int) -> dict[str, dict[str, str]]:
    rendered: dict[str, dict[str, str]] = json.loads(store.read_text("utf-8"))
    return rendered


def formulae(text: str) -> set[Formula]:
    """Every formula of a page's Markdown."""
    found: set[Formula] = set()
    outside: list[str] = []
    for part in fences.split(text.splitlines()):
        if isinstance(part, str):
            outside.append(part)
        elif part.language == "math":
            found.add(("\n".join(part.body).strip(), True))
        elif part.language == "quiz":
            outside += part.body
    prose = CODE_SPAN.sub("` `", "\n".join(outside))
    return found | {(m["tex"], False) for m in re.finditer(INLINE, prose)}


def wanted(root: Path) -> set[Formula]:
    """The formulae of all pages."""
    found = set[Formula]()
    for language in ("en", "zh"):
        for page in (root / "docs" / language).rglob("*.md"):
            found |= formulae(page.read_text("utf-8"))
    return found


def known(root: Path) -> dict[Formula, str]:
    """The formulae that have their MathML."""
    store = root / STORE
    kinds = json.loads(store.read_text("utf-8")) if store.is_file() else {}
    return {
        (tex, kind == "display"): math
        for kind, rendered in kinds.items()
        for tex, math in rendered.items()
    }


def render(root: Path) -> tuple[int, int]:
    """Bring ``math.json`` up to date; returns how many were rendered and dropped."""
    old, needed = known(root), wanted(root)
    missing = sorted(needed - old.keys())
    rendered = _temml(missing, root) if missing else []
    every = old | dict(zip(missing, rendered, strict=True))
    new: dict[str, dict[str, str]] = {"display": {}, "inline": {}}
    for tex, displayed in sorted(needed):
        new["display" if displayed else "inline"][tex] = every[tex, displayed]
    text = json.dumps(new, ensure_ascii=False, indent=1)
    (root / STORE).write_text(text + "\n", "utf-8")
    return len(missing), len(old.keys() - needed)


def _temml(missing: list[Formula], root: Path) -> list[str]:
    script = Path(__file__).with_name("mathml.mjs")
    command = ["node", str(script)]
    tex = json.dumps(missing)
    done = subprocess.run(command, input=tex, capture_output=True, text=True, cwd=root)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    rendered: list[str] = json.loads(done.stdout)
    return rendered


if __name__ == "__main__":
    new, dropped = render(Path(__file__).resolve().parents[2])
    print(f"math: {new} rendered, {dropped} dropped")
