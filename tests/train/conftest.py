"""A stand-in model and data: the loop must serve any model, and run fast in tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from llm.models.checkpoint import write_json, write_safetensors

VOCAB = 11


class Tiny(nn.Module):
    """Embedding, dropout, one hidden matrix, norm, head: one weight of every role."""

    def __init__(self, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCAB, 8)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, VOCAB, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.dropout(self.embed(ids))  # (B, T, C)
        x = self.norm(x + self.dropout(torch.tanh(self.hidden(x))))
        return self.head(x)  # (B, T, V)

    def save(self, directory: str | Path) -> None:
        """As GPT.save: a configuration and weights."""
        write_json(Path(directory) / "config.json", {})
        write_safetensors(
            Path(directory) / "model.safetensors", self.state_dict(), {"format": "pt"}
        )


@pytest.fixture
def tiny() -> Callable[..., Tiny]:
    """Make a tiny model whose weights depend on nothing but `seed`."""

    def make(*, seed: int = 0, dropout: float = 0.0) -> Tiny:
        torch.manual_seed(seed)
        return Tiny(dropout=dropout)

    return make


def counting(number: int) -> dict[str, Tensor]:
    """Batch `number` of a task that can be learned: each id is followed by id + 1."""
    generator = torch.Generator().manual_seed(number)
    start = torch.randint(VOCAB, (4, 1), generator=generator)
    row = (start + torch.arange(6)) % VOCAB
    return {"ids": row[:, :-1], "targets": row[:, 1:]}


@pytest.fixture
def data() -> Callable[[int], dict[str, Tensor]]:
    """A data source: a function from a number to a batch."""
    return counting
