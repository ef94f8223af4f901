"""Every exercise can be done, and none is done already."""

import inspect
from pathlib import Path

import pytest

from .conftest import ROOT, load

STUBS = sorted((ROOT / "snippets/exercises").rglob("*.py"))


def functions(path: Path) -> dict[str, object]:
    module = load(path)
    mine = inspect.getmembers(module, lambda f: inspect.isfunction(f))
    return {n: f for n, f in mine if f.__module__ == module.__name__}


@pytest.mark.parametrize("stub", STUBS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_solution_keeps_the_signatures_and_promises_of_its_stub(stub: Path) -> None:
    solution = functions(ROOT / "snippets/solutions" / stub.parent.name / stub.name)
    for name, function in functions(stub).items():
        assert inspect.signature(function) == inspect.signature(solution[name])
        assert function.__doc__ == solution[name].__doc__


@pytest.mark.parametrize("stub", STUBS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_stub_leaves_the_work_to_the_reader(stub: Path) -> None:
    for name, function in functions(stub).items():
        parameters = inspect.signature(function).parameters.values()
        arguments = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
        positional = [None for p in parameters if p.kind is not p.KEYWORD_ONLY]
        with pytest.raises(NotImplementedError):
            function(*positional, **arguments)
        assert name in (ROOT / judge_of(stub)).read_text("utf-8"), f"{name}: no test"


def judge_of(stub: Path) -> str:
    return f"tests/notes/{stub.parent.name}/test_{stub.stem.replace('-', '_')}.py"
