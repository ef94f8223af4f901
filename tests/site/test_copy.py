"""What a reader copies runs alone in an empty file."""

import ast
import math
from pathlib import Path

import pytest
from playwright.sync_api import Browser

import copies
import names
import standalone

from .browser import reader
from .pages import BASE

MODULE = '''"""A module."""

from __future__ import annotations

import json
import math
from collections import Counter, deque

# Why two.
WIDTH = 2
OTHER = 3


def half(x):
    return x / WIDTH


def unused(x):
    return json.dumps(OTHER)


class Model:
    def turn(self, x: Counter) -> float:
        return half(math.sin(x))
'''

SCRIPT = """# %% load
import time
import random

rows = [1, 2]


def double(x):
    return x * FACTOR


print("loaded")

# %% add
rows.append(3)

# %% look
print(rows)

# %% factor
FACTOR = 2
print("heavy")

# %% use
total = sum(double(row) for row in rows)

# %% clock
began = time.time()
"""


def cell(name: str) -> str:
    return "".join(standalone.of_cell(SCRIPT, name, path="x.py"))


def test_a_symbol_comes_with_what_it_needs_and_nothing_else() -> None:
    text = "".join(standalone.of_symbol(MODULE, "Model.turn"))
    assert text.startswith("from __future__ import annotations")
    assert "import math\nfrom collections import Counter\n\n# Why two.\nWIDTH" in text
    assert "class Model" in text and "def half" in text
    assert not any(word in text for word in ("json", "deque", "OTHER", "unused"))
    space: dict[str, type] = {}
    exec(text, space)
    assert space["Model"]().turn(math.pi / 2) == 0.5


def test_a_cell_comes_with_the_cells_it_depends_on_and_no_other() -> None:
    text = cell("use")
    assert "rows = [1, 2]" in text and "rows.append(3)" in text
    assert "FACTOR = 2" in text, "a function uses what was bound after it"
    assert "print(rows)" not in text and "heavy" not in cell("add")
    space: dict[str, int] = {}
    exec(text, space)
    assert space["total"] == 12


def test_of_a_cell_that_only_lends_an_import_the_import_is_taken() -> None:
    assert cell("clock") == "import time\n\n\nbegan = time.time()"


@pytest.mark.parametrize(
    ("code", "used"),
    [
        ("a = b\nb = a", {"b"}),
        ("a += 1", {"a"}),
        ("[x * y for x in z if x]", {"y", "z"}),
        ("def f(a, *b, c=d, **e):\n    g = a\n    return g, b, e, h", {"d", "h"}),
        ("def f():\n    global n\n    n = 1", {"n"}),
        ("class A(B):\n    x = 1\n    y = x + z", {"B", "z"}),
        ("for i in range(3):\n    total = i\nprint(total)", set()),
        ("with a as b, c(b) as d:\n    d()", {"a", "c"}),
        ("try:\n    f()\nexcept E as error:\n    print(error)", {"f", "E"}),
        ("match a:\n    case [b, *c]:\n        print(b, c)", {"a"}),
        ("(lambda x: x + y)(1)", {"y"}),
        ("import a.b\nfrom c import d as e\na.b, e", set()),
        ("if (n := f()):\n    print(n)", {"f"}),
    ],
)
def test_names_from_outside_are_found(code: str, used: set[str]) -> None:
    assert standalone.missing(code) == used


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("a.b = 1", {"a"}),
        ("a[0].x = 1", {"a"}),
        ("a.append(b)", {"a"}),
        ("for x in y:\n    a.append(x)", {"a"}),
        ("fill(a)", {"a", "fill"}),
        ("log = Trainer(model).fit()", {"model", "Trainer"}),
        ("losses = train(model, 3)", {"model", "train"}),
        ("print(a)", set()),
        ("b = a.copy()", set()),
    ],
)
def test_what_changes_a_value_is_found(code: str, changed: set[str]) -> None:
    assert names.of(ast.parse(code).body).changed == changed


def texts(demo: Path) -> list[copies.Copied]:
    page = demo / "site/attention/idea/index.html"
    costs = copies.costs(demo / "snippets/attention/idea.py")
    return copies.of_page(page.read_text("utf-8"), slug="attention/idea", costs=costs)


def test_every_text_of_the_built_page_runs_alone(demo: Path) -> None:
    found = texts(demo)
    assert [copied.place.partition(": ")[2] for copied in found] == [
        "llm/attention.py Attention.weights",
        "snippets/attention/idea.py weights",
        "llm/attention.py attend",
        "snippets/attention/idea.py plot",
    ]
    assert found[0].text.startswith("from torch import Tensor\n\n\nclass Attention:")
    assert found[3].text.endswith("ax.legend()\n\nplt.show()\n")
    assert all(copied.seconds > 0 for copied in found[1::2])
    assert copies.faults(found, root=demo) == []


def test_a_text_that_cannot_run_alone_is_found(demo: Path) -> None:
    planted = [
        copies.Copied("a", ("print(rows)",)),
        copies.Copied("b", ("def f(:",)),
        copies.Copied("c", ("import llm.gone",)),
        copies.Copied("d", ("import page",)),
        copies.Copied("e", ("import os\n", "assert os.listdir() == ['copied.py']")),
    ]
    wrong = copies.faults(planted, root=demo)
    assert [line.partition("\n")[0] for line in sorted(wrong)] == [
        "a: copied, it fails",
        "a: copied, it lacks rows",
        "b: copied, it fails",
        "b: copied, it is no Python (invalid syntax (<unknown>, line 1))",
        "c: copied, it fails",
        "d: copied, it fails",
    ]


def test_a_long_text_is_not_run_twice() -> None:
    train = copies.Copied("train", ("a = 1",), 30.0)
    short = copies.Copied("short", ("b = 1",), 1.0)
    curve = copies.Copied("curve", ("a = 1", "\n", "print(a)"), 31.0)
    assert copies.to_run([train, short, curve, curve]) == [short, curve]
    assert copies.to_run([train, short]) == [train, short]


def test_the_button_gives_the_whole_text(
    browser: Browser,
    demo: Path,
) -> None:
    page = reader(browser, demo / "site")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{BASE}zh/attention/idea/")
    button = page.locator(".quote", has_text="manual_seed").locator("button").first
    button.focus()
    assert button.get_attribute("title") == "复制，连同运行所需的代码"
    page.keyboard.press("Enter")
    page.wait_for_function("navigator.clipboard.readText()")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == texts(demo)[1].text
    page.context.close()
