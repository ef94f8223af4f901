"""Every page shows what the present code does: no record is stale, lost or unused."""

import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_site"))

import mathml  # noqa: E402
import records  # noqa: E402

SCRIPTS = records.scripts(ROOT)


@pytest.mark.parametrize("script", SCRIPTS, ids=records.slug_of)
def test_record_is_current(script: Path) -> None:
    stale = records.causes(script, root=ROOT)
    assert stale == [], "run docs/_site/runner.py, and commit the record"


@pytest.mark.parametrize("script", SCRIPTS, ids=records.slug_of)
def test_record_is_a_valid_notebook(script: Path) -> None:
    nbformat.validate(nbformat.read(script.with_suffix(".ipynb"), as_version=4))


def test_no_record_outlives_its_script() -> None:
    notebooks = (ROOT / "snippets").rglob("*.ipynb")
    assert [n for n in notebooks if not n.with_suffix(".py").is_file()] == []


def test_formulae_are_recorded_and_used() -> None:
    assert mathml.known(ROOT).keys() == mathml.wanted(ROOT), "run make math"
