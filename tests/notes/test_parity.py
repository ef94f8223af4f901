"""Both languages say the same; and a difference that is planted is found."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_site"))

import parity  # noqa: E402

EN = """# Title

See <https://arxiv.org/abs/1706.03762>.

## One { #one }

```python alt="a"
--8<-- "llm/x.py:f"
```

{{ loss:.2f }}

```math test="t"
x
```

```quiz
Why?

- [x] a | b
- [ ] c | d
```
"""
ZH = EN.replace("Title", "标题").replace("One", "一").replace("Why?", "为什么？")


@pytest.mark.parametrize("slug", parity.slugs(ROOT))
def test_both_languages_agree(slug: str) -> None:
    assert parity.differences(slug, root=ROOT) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for language, text in (("en", EN), ("zh", ZH)):
        (tmp_path / "docs" / language).mkdir(parents=True)
        (tmp_path / "docs" / language / "a.md").write_text(text, "utf-8")
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm/x.py").write_text("f = 1\ng = 1\n", "utf-8")
    return tmp_path


def test_accepted_pages_agree_until_a_section_changes(project: Path) -> None:
    assert parity.differences("a", root=project) != []
    parity.accept("a", root=project)
    parity.accept("a", root=project)  # twice is once
    assert parity.differences("a", root=project) == []
    page = project / "docs/en/a.md"
    page.write_text(page.read_text("utf-8").replace("{{", "It is {{"), "utf-8")
    assert parity.differences("a", root=project) == [
        "a: section 'one' changed in English: look at the Chinese one"
    ]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("#one", "#two", "headings: only in English: ## one"),
        ("x.py:f", "x.py:g", 'quotes: only in English: --8<-- "llm/x.py:f"'),
        ("loss:.2f", "loss:.3f", "numbers: only in English: {{ loss:.2f }}"),
        ("\nx\n", "\ny\n", "formulae: only in English: x"),
        ("- [ ] c | d\n", "- [ ] c | d\n- [ ] e | f\n", "questions: only in English"),
        ("1706.03762", "1706.03763", "references: only in English: arxiv.org/abs/1706"),
        (' alt="a"', "", "figures: only in English: 1"),
    ],
)
def test_a_planted_difference_is_found(
    project: Path, old: str, new: str, found: str
) -> None:
    parity.accept("a", root=project)
    page = project / "docs/zh/a.md"
    assert old in page.read_text("utf-8")
    page.write_text(page.read_text("utf-8").replace(old, new), "utf-8")
    lines = parity.differences("a", root=project)
    assert any(line.startswith(f"a: {found}") for line in lines), lines


def test_a_page_in_one_language_only_is_found(project: Path) -> None:
    (project / "docs/zh/a.md").unlink()
    assert parity.slugs(project) == ["a"]
    assert parity.differences("a", root=project) == ["a: no page in zh"]
