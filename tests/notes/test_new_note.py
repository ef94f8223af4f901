"""A note is begun by one command, and what it lacks is said line by line."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_site"))

import check_note  # noqa: E402
import curriculum  # noqa: E402
import new_note  # noqa: E402
import page  # noqa: E402
import parity  # noqa: E402
import prose  # noqa: E402

SLUG = "text/ngram"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    new_note.create(SLUG, root=tmp_path)
    return tmp_path


def test_a_new_note_has_every_file(project: Path) -> None:
    made = {p.relative_to(project).as_posix() for p in project.rglob("*.*")}
    assert made == {
        "snippets/text/ngram.py",
        "snippets/exercises/text/ngram.py",
        "snippets/solutions/text/ngram.py",
        "tests/notes/text/test_ngram.py",
        "docs/en/text/ngram.md",
        "docs/zh/text/ngram.md",
    }
    assert parity.slugs(project) == [SLUG]


def test_a_new_note_lacks_only_its_content(project: Path) -> None:
    found = check_note.faults(SLUG, root=project)
    lacking = {line.partition(": ")[2] for line in found}
    filled = ("failure", "exercises")
    empty = {f"section '{s}' is empty" for s in prose.SECTIONS if s not in filled}
    assert empty < lacking
    lengths = sorted(lacking - empty)
    assert "words, where 1200–1800 are the standard" in lengths[0]
    assert "lines of code, where 60–120 are the standard" in lengths[1]
    assert len(lengths) == 2
    assert (project / "snippets/text/ngram.ipynb").is_file()


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("snippets/text/ngram.py", "torch.rand", "torch.gone", "its snippet fails"),
        (
            "docs/en/text/ngram.md",
            "## Checked",
            "{{ gone }}\n\n## C",
            "no result 'gone'",
        ),
        ("docs/en/text/ngram.md", "py:failure", "py:gone", "no 'gone'"),
        (
            "docs/en/text/ngram.md",
            "## Checked",
            "New.\n\n## Checked",
            "look at the Chin",
        ),
        ("docs/zh/text/ngram.md", "{ #why }", "", "only in English: ## why"),
        ("docs/zh/text/ngram.md", "# 从", "您\n\n# 从", "here it is 你"),
    ],
)
def test_a_fault_in_a_note_is_said(
    project: Path, file: str, old: str, new: str, fault: str
) -> None:
    path = project / file
    text = path.read_text("utf-8")
    planted = text.replace(old, new) if old in text else new + text
    path.write_text(planted, "utf-8")
    assert any(fault in line for line in check_note.faults(SLUG, root=project))


def test_nothing_that_is_there_is_overwritten(project: Path) -> None:
    page_ = project / "docs/zh/text/ngram.md"
    for path in project.rglob("*.py"):
        path.unlink()
    before = page_.read_text("utf-8")
    with pytest.raises(FileExistsError, match=r"docs/zh/text/ngram\.md"):
        new_note.create(SLUG, root=project)
    assert page_.read_text("utf-8") == before
    assert list(project.rglob("*.py")) == []


def test_a_note_that_is_not_planned_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(page.PageError, match=r"curriculum\.yml"):
        new_note.create("text/gone", root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_planned_note_can_be_begun() -> None:
    for part in curriculum.parts():
        for note in part.notes:
            made = new_note.files(note)
            for path, text in made.items():
                if path.endswith(".py"):
                    compile(text, path, "exec")
                else:
                    assert parity.read(text).front["title"]
