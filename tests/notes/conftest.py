"""Exercises: the same tests judge our solutions and a reader's answers.

`answer` is the module of solutions that belongs to a test file, or the reader's own:

    ANSWER=mine.py python -m pytest tests/notes/models/test_gpt.py
"""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path) -> ModuleType:
    """The Python file at `path` as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def answer(request: pytest.FixtureRequest) -> ModuleType:
    """The answers to judge: tests/notes/models/test_gpt.py judges models/gpt.py."""
    test = Path(request.path)
    name = test.stem.removeprefix("test_").replace("_", "-") + ".py"
    ours = ROOT / "snippets/solutions" / test.parent.name / name
    return load(Path(os.environ.get("ANSWER", ours)))
