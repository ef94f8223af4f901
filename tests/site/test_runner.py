"""Records: what makes one stale, what a fresh run may differ in, what a run keeps."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import cells
import compare
import figures
import records


@pytest.fixture
def project(demo: Path, tmp_path: Path) -> Path:
    """A copy of the planted project with its current record."""
    shutil.copytree(demo, tmp_path / "project", ignore=shutil.ignore_patterns("site"))
    return tmp_path / "project"


def script(project: Path) -> Path:
    return project / "snippets/attention/idea.py"


def runner(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "docs/_site/runner.py", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


def test_a_record_is_stale_when_a_file_behind_it_changes(project: Path) -> None:
    assert records.causes(script(project), root=project) == []
    module = project / "llm/attention.py"
    module.write_text(module.read_text("utf-8") + "\nCHANGED = 1\n", "utf-8")
    causes = records.causes(script(project), root=project)
    assert causes == ["llm/attention.py changed"]
    module.unlink()
    assert records.causes(script(project), root=project) == ["llm/attention.py is gone"]


def test_a_comment_or_docstring_in_the_package_leaves_records_current(
    project: Path,
) -> None:
    module = project / "llm/attention.py"
    code = module.read_text("utf-8")
    module.write_text(f'"""Said anew."""\n# And why.\n{code}# The end.', "utf-8")
    text = '"""Doc."""\ndef f(): ...\n\nx = "# 1"  # one\n'
    assert records._code_only(text) == 'def f(): ...\nx = "# 1"'
    assert records.causes(script(project), root=project) == []


def test_a_record_stays_current_on_another_machine(project: Path) -> None:
    notebook = records.load(script(project))
    assert notebook is not None
    notebook["metadata"][records.KEY] |= {
        "machine": "other",
        "versions": {"torch": "9"},
    }
    records.write(script(project), notebook)
    assert records.causes(script(project), root=project) == []


def test_a_missing_record_is_stale_and_says_so(project: Path) -> None:
    script(project).with_suffix(".ipynb").unlink()
    assert records.causes(script(project), root=project) == ["no record"]


def test_a_record_is_a_valid_notebook_with_results(project: Path) -> None:
    path = script(project).with_suffix(".ipynb")
    nbformat.validate(nbformat.read(path, as_version=4))
    notebook = json.loads(path.read_text("utf-8"))
    named = records.results(notebook)
    assert named["largest"] == pytest.approx(0.741, abs=1e-3)
    assert named["largest"] != round(named["largest"], 6), "kept at full precision"
    assert named["sizes"] == {"rows": {"count": 4, "width": 8.0}}
    assert "weights" not in named, "a tensor is no result"
    about = records.provenance(notebook)
    assert set(about["files"]) == {
        "llm/__init__.py",
        "llm/attention.py",
        "snippets/attention/idea.py",
    }
    assert about["seed"] == 0 and about["versions"]["torch"].startswith("2.")


def test_current_records_are_left_alone_and_changed_ones_fail_verification(
    project: Path,
) -> None:
    path = script(project).with_suffix(".ipynb")
    before = path.read_bytes()
    assert runner(project).stderr == "" and path.read_bytes() == before
    told = path.read_text("utf-8").replace('"largest": 0.7', '"largest": 0.6')
    path.write_text(told, "utf-8")
    done = runner(project, "--verify", "attention/idea")
    assert done.returncode == 1
    assert "cell 'weights' largest: recorded 0.6" in done.stderr
    assert "0 of 1 snippets as recorded" in done.stdout


def test_an_unknown_slug_is_named(project: Path) -> None:
    done = runner(project, "attention/gone")
    assert done.returncode == 2 and "no snippet 'attention/gone'" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("loss 1.7345 at step 100", "loss 1.7346 at step 100", True),
        ("loss 1.7345 at step 100", "loss 1.80 at step 100", False),
        ("loss 1.7345", "cost 1.7345", False),
        ("error 1.2e-07", "error 3.0e-08", True),
        ("1,024 tokens", "1,025 tokens", True),
        ("ok", "ok ok", False),
    ],
)
def test_numbers_may_differ_within_the_tolerance_and_words_may_not(
    old: str, new: str, same: bool
) -> None:
    found = compare.compare_texts([old], [new], tolerance=1e-3, where="cell")
    assert (found == []) is same


def test_verification_asks_a_chance_cell_only_to_run(project: Path) -> None:
    text = script(project).read_text("utf-8")
    old = records.load(script(project))
    assert old is not None
    new = json.loads(json.dumps(old))
    for cell in new["cells"]:
        if cell["id"] == "chance":
            cell["outputs"][0]["text"] = ["something else\n"]
    parts = cells.parse(text, path="idea.py")
    assert compare.differences(old, new, parts) == []
    drawn: dict[str, Any] = next(c for c in new["cells"] if c["id"] == "plot")
    svg = "".join(drawn["outputs"][0]["data"]["image/svg+xml"])
    drawn["outputs"][0]["data"]["image/svg+xml"] = svg.replace(">2.0<", ">9.0<")
    assert compare.differences(old, new, parts) == [
        "cell 'plot': recorded '2.0', now '9.0'"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "has no cell"),
        ("x = 1\n# %% a\n", "code above its first"),
        ("# %% a\n# %% a\n", "two cells named 'a'"),
        ("# %%\n", "should read"),
        ("# %% a tolerance=much\n", "neither a number nor 'any'"),
    ],
)
def test_a_script_that_cannot_be_cut_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cells.parse(text, path="x.py")


def test_cells_know_their_lines() -> None:
    text = (
        '"""About."""\n\n# %% first tolerance=0.05\n\na = 1\nb = 2\n\n# %% second\nc\n'
    )
    about, first, second = cells.parse(text, path="x.py")
    assert (about.kind, about.source) == ("markdown", "About.")
    assert text.splitlines()[first.line - 1 : first.last_line] == ["a = 1", "b = 2"]
    assert first.tolerance == 0.05 and second.source == "c" and second.line == 9


def test_labels_translate_words_and_leave_the_rest() -> None:
    svg = "<svg><text>loss (nats)</text><text>closs</text><tspan>step 3</tspan></svg>"
    labels = {"loss": "损失", "step": "第", "step 3": "第 3 步"}
    placed = figures.place(svg, prefix="f1", alt="", labels=labels)
    assert figures.words(placed) == ["损失 (nats)", "closs", "第 3 步"]
