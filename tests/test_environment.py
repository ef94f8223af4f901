"""`check_env` tells what a bug report needs."""

import importlib.metadata
import tomllib
from pathlib import Path

import torch

import llm


def test_check_env_reports_what_is_installed() -> None:
    found = llm.check_env(size=64)
    assert found["torch"] == importlib.metadata.version("torch")
    assert found["threads"] == torch.get_num_threads()
    assert float(found["gflops"]) > 0


def test_version_is_that_of_the_distribution() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    assert tomllib.loads(project.read_text("utf-8"))["project"]["version"] == (
        llm.__version__
    )
