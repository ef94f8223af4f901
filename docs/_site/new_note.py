"""Begin a note: all of its files, with every section and nothing in them.

    new_note.py SLUG        such as new_note.py text/ngram

The note stands in the curriculum already; its titles come from there. The build and
``check_note.py SLUG`` then say, line by line, what is missing. No file is overwritten.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import curriculum
import parity
import records
from curriculum import Note
from page import PageError
from prose import SECTIONS

HEADINGS = {
    "failure": ("What goes wrong without it", "没有它会怎样"),
    "by-hand": ("By hand", "手算一遍"),
    "formula": ("The formula", "公式"),
    "code": ("The real code", "真正的代码"),
    "checked": ("Checked", "核对"),
    "experiment": ("Experiment: what changes", "实验：改了什么"),
    "why": ("Why these numbers?", "为什么是这些数？"),
    "slips": ("Common slips", "常见错误"),
    "check-yourself": ("Check yourself", "自测"),
    "exercises": ("Exercises", "练习"),
    "limits": ("What this does not show", "本篇没有说明的"),
    "references": ("References", "参考文献"),
}

SNIPPET = '''"""{title}: what is measured."""

# %% failure
import torch

torch.manual_seed(0)
baseline = torch.rand(()).item()
print(f"the previous idea: {{baseline:.3f}}")
'''

STUB = '''"""Exercises of the note "{title}". Complete each function, then

ANSWER=this_file.py python -m pytest {test}
"""


def predict(number: int) -> int:
    """What the reader is to work out, its arguments and its result."""
    raise NotImplementedError
'''

SOLUTION = '''"""Solutions to the exercises of the note "{title}"."""


def predict(number: int) -> int:
    """What the reader is to work out, its arguments and its result."""
    return number
'''

TEST = '''"""The note "{title}": its formulae and its exercises."""


def test_predict(answer) -> None:
    assert answer.predict(1) == 1
'''

QUOTES = {
    "failure": '```python\n--8<-- "snippets/{slug}.py:failure"\n```',
    "exercises": (
        '```python\n--8<-- "snippets/exercises/{slug}.py:predict"\n```\n\n'
        '??? success "{solution}"\n\n    ```python\n'
        '    --8<-- "snippets/solutions/{slug}.py:predict"\n    ```'
    ),
}


def files(note: Note) -> dict[str, str]:
    """Every file of a note by its path in the project."""
    part, name = note.slug.split("/")
    test = f"tests/notes/{part}/test_{name.replace('-', '_')}.py"
    title = note.titles["en"]
    return {
        f"snippets/{note.slug}.py": SNIPPET.format(title=title),
        f"snippets/exercises/{note.slug}.py": STUB.format(title=title, test=test),
        f"snippets/solutions/{note.slug}.py": SOLUTION.format(title=title),
        test: TEST.format(title=title),
        f"docs/en/{note.slug}.md": _page(note, chinese=False),
        f"docs/zh/{note.slug}.md": _page(note, chinese=True),
    }


def _page(note: Note, *, chinese: bool) -> str:
    title = note.titles["zh" if chinese else "en"]
    parts = [f"---\ntitle: '{title}'\n---", f"# {title}"]
    for section in SECTIONS:
        parts.append(f"## {HEADINGS[section][chinese]} {{ #{section} }}")
        if section in QUOTES:
            solution = "解答" if chinese else "Solution"
            parts.append(QUOTES[section].format(slug=note.slug, solution=solution))
    return "\n\n".join(parts) + "\n"


def create(slug: str, *, root: Path) -> list[Path]:
    """Write the files; FileExistsError, before any is written, if one is there."""
    made = {root / path: text for path, text in files(curriculum.note(slug)).items()}
    there = [str(path.relative_to(root)) for path in made if path.exists()]
    if there:
        raise FileExistsError(f"{slug} is begun already: {', '.join(there)}")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    parity.accept(slug, root=root)
    return list(made)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Begin a note.")
    parser.add_argument("slug", metavar="SLUG", help="part/name, as in curriculum.yml")
    options = parser.parse_args(arguments)
    try:
        made = create(options.slug, root=records.ROOT)
    except (PageError, FileExistsError) as error:
        parser.error(str(error))
    print("\n".join(str(path.relative_to(records.ROOT)) for path in made))
    print(f"next: .venv/bin/python docs/_site/check_note.py {options.slug}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
