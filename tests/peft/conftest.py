"""Tiny models, ours and those of `transformers`, with the same weights."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from llm import GPT

V, CONTEXT = 19, 24
REFERENCES: dict[str, Callable[[], PreTrainedModel]] = {
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=V,
            n_positions=CONTEXT,
            n_embd=16,
            n_layer=2,
            n_head=4,
            bos_token_id=0,
            eos_token_id=0,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
    ),
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(
            vocab_size=V,
            max_position_embeddings=CONTEXT,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    ),
}


class Pair(NamedTuple):
    """The same weights twice."""

    style: str
    ours: GPT
    theirs: PreTrainedModel


@pytest.fixture(params=["gpt2", "llama"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """Our model, and the one of `transformers` that it was read from."""
    theirs = REFERENCES[request.param]().eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.3)
    theirs.save_pretrained(tmp_path / "base")
    return Pair(request.param, GPT.from_hf(tmp_path / "base"), theirs)


@pytest.fixture
def model(pair: Pair) -> GPT:
    """Our model alone."""
    return pair.ours


@pytest.fixture
def ids() -> Tensor:
    """Two texts of nine tokens: (2, 9)."""
    return torch.randint(V, (2, 9))


def redraw_trained_(model: nn.Module) -> None:
    """Draw anew every parameter that trains, around what it was."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))


@pytest.fixture
def redraw() -> Callable[[nn.Module], None]:
    """The function `redraw_trained_`."""
    return redraw_trained_
