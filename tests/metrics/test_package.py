"""The package: every metric by its name, and none loaded before it is asked for."""

import subprocess
import sys

import pytest

import llm.metrics


def test_every_name_is_there_and_no_other():
    listed = {name for names in llm.metrics.MODULES.values() for name in names}
    assert listed == set(llm.metrics.__all__)
    for name in llm.metrics.__all__:
        assert getattr(llm.metrics, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'bleurt'"):
        _ = llm.metrics.bleurt


def test_a_perplexity_loads_no_other_metric():
    program = """
import sys
from llm.metrics import perplexity
print(*(name for name in sys.modules if name.startswith("llm.metrics.")))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["llm.metrics.loss"]
