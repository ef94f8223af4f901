"""The API reference shows every public symbol, from the docstring it must have."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import markdown
import pytest

import api
from page import Context, Page

from .conftest import ROOT
from .pages import load

EVERY = sorted((ROOT / "llm").rglob("*.py"))


def documented(root: Path, file: Path) -> Iterator[tuple[str, ast.AST]]:
    """Public classes, functions and methods of a module by their dotted names."""
    todo = [(api.dotted(file, root=root), ast.parse(file.read_text("utf-8")).body)]
    while todo:
        place, body = todo.pop()
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            if node.name.startswith("_"):
                continue
            yield f"{place}.{node.name}", node
            if isinstance(node, ast.ClassDef):
                todo.append((f"{place}.{node.name}", node.body))


@pytest.mark.parametrize("file", EVERY, ids=lambda file: file.stem)
def test_every_module_and_public_symbol_has_a_docstring(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text("utf-8")))
    bare = [
        name for name, node in documented(ROOT, file) if not ast.get_docstring(node)
    ]
    assert bare == []


def test_every_public_symbol_is_on_a_page_of_each_language(site: Path) -> None:
    root = site.parent
    for file in (root / "llm").rglob("*.py"):
        room = api.dotted(file, root=root).split(".")[1:2]
        if not room or file.stem == "__main__":
            continue
        names = {name for name, _ in documented(root, file)}
        names |= {f"{api.dotted(file, root=root)}.{name}" for name in api.public(file)}
        for folder in ("api", "zh/api"):
            shown = load(site / folder / room[0] / "index.html").ids
            assert names <= set(shown), names - set(shown)


def test_each_symbol_links_its_lines(demo: Path) -> None:
    html = (demo / "site/zh/api/attention/index.html").read_text("utf-8")
    pair = r'id="([\w.]+)" class="doc doc-heading".*?api-source" href="(.*?)"'
    links = dict(re.findall(pair, html, re.S))
    blob = "https://github.com/llm-notes/llm-notes/blob/main/llm/attention.py"
    assert links == {
        "llm.attention": blob,
        "llm.attention.EPSILON": f"{blob}#L6-L6",
        "llm.attention.Attention": f"{blob}#L9-L16",
        "llm.attention.Attention.weights": f"{blob}#L12-L16",
        "llm.attention.attend": f"{blob}#L19-L21",
    }


def test_both_languages_reach_the_reference(demo: Path) -> None:
    for folder, section in (("", "API reference"), ("zh", "API 参考")):
        index = demo / "site" / folder / "api/index.html"
        assert "attention/" in load(index).links
        assert section in (demo / "site" / folder / "index.html").read_text("utf-8")
    assert "保持英文原文" in index.read_text("utf-8")


def test_building_the_reference_imports_no_torch(demo: Path) -> None:
    code = (
        "import sys; from mkdocs.__main__ import cli;"
        "cli(sys.argv[1:], standalone_mode=False); assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, "build", "--strict", "-q", "-d"]
    done = subprocess.run(
        [*command, str(demo / "again")], cwd=demo, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


def test_columns_in_a_docstring_become_a_table() -> None:
    text = "Said.\n\nsteps   updates\nlr      rate |x|\n        of all\n\nEnd."
    for slug, rows in (("api/train", 2), ("text/bpe", 0)):
        context = Context(ROOT, "", Page(slug, "en", ""), str)
        lines = api.AlignedLists(context).run(text.splitlines())
        html = markdown.markdown("\n".join(lines), extensions=["tables"])
        assert html.count("<code>") == rows
        assert ("<td>rate |x| of all</td>" in html) is bool(rows)
