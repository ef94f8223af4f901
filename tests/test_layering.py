"""Who may import whom, and what `import llm` may cost."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for path in sorted((ROOT / "llm").rglob("*.py"))
}
# What a room may import beside itself; rooms not named here may import all but `cli`.
ALLOWED = {
    "text": set(),
    "nn": set(),
    "metrics": set(),
    "models": {"nn"},
    "peft": {"nn", "models"},
    "generate": {"nn", "models"},
    "train": {"text", "nn", "models", "generate", "metrics", "peft"},
}


def imports(module: str) -> set[str]:
    """Modules of ours that `module` imports, anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in names}
    return found & FILES.keys()


def room(module: str) -> str:
    """The part of the package that a module is in; "" for `llm` itself."""
    return ([*module.split("."), ""])[1]


def test_there_is_something_to_check() -> None:
    assert {"llm", "llm.nn.attention", "llm.models.gpt"} <= FILES.keys()
    assert "llm.nn.position" in imports("llm.nn.attention")
    assert "llm.generate.sampling" in imports("llm.generate.decoding")


@pytest.mark.parametrize("module", [name for name in FILES if room(name)])
def test_rooms_import_only_what_is_below_them(module: str) -> None:
    own = room(module)
    for name in imports(module):
        if room(name) != own and own not in ("cli", "__main__"):
            assert room(name) not in ("", "cli"), f"{module} imports {name}"
            allowed = ALLOWED.get(own, {room(name)})
            assert room(name) in allowed, f"{module} imports {name}"


def test_imports_have_no_circles() -> None:
    graph = {module: imports(module) - {module} for module in FILES}
    assert set(TopologicalSorter(graph).static_order()) == FILES.keys()


def test_import_llm_brings_torch_safetensors_and_little_else() -> None:
    """`make bench` measures the time; these are the modules that would take it."""
    program = """
import sys, torch
before = set(sys.modules)
import llm
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - set(sys.stdlib_module_names)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert set(run.stdout.split()) <= {"llm", "safetensors", "regex"}


def test_generate_is_the_function_and_its_module_can_still_be_imported() -> None:
    from llm import generate
    from llm.generate.sampling import top_k

    assert callable(generate) and callable(top_k)
