"""Models whose every number was drawn, so that no part can hide behind a zero."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from llm import GPT, GPTConfig


def redraw_(model: nn.Module) -> None:
    """Draw every parameter anew, gains around 1."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            centre = 1.0 if "ln_" in name and name.endswith("weight") else centre
            parameter.normal_(centre, 0.1)


@pytest.fixture
def redraw() -> Callable[[nn.Module], None]:
    """The function `redraw_`."""
    return redraw_


@pytest.fixture(params=["gpt2", "llama", "mixed"])
def model(request: pytest.FixtureRequest) -> GPT:
    """A tiny GPT of either style, or of parts of both."""
    shape = {"vocab_size": 11, "context": 16, "layers": 2, "heads": 4, "width": 16}
    if request.param == "mixed":
        parts = {"norm": "rms", "feedforward": "gelu_exact", "tied": False}
        config = GPTConfig(**shape, kv_heads=2, qk_norm=True, hidden=24, **parts)
    else:
        config = GPTConfig(**shape, style=request.param)
    gpt = GPT(config).eval()
    redraw_(gpt)
    return gpt
