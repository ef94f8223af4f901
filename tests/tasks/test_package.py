"""The package: every name where it says, and none loaded before it is asked for."""

import subprocess
import sys

import pytest

import llm.tasks


def test_every_name_is_there_and_no_other():
    listed = {name for names in llm.tasks.MODULES.values() for name in names}
    assert listed == set(llm.tasks.__all__)
    for name in llm.tasks.__all__:
        assert getattr(llm.tasks, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'read_wav'"):
        _ = llm.tasks.read_wav


def test_reviews_load_no_other_set():
    program = """
import sys
from llm.tasks import Reviews
print(*sorted(name for name in sys.modules if name.startswith("llm.tasks.")))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    own = ["classification", "files", "reviews"]
    assert run.stdout.split() == [f"llm.tasks.{name}" for name in own]
