"""Recurrent language models: one state, carried from token to token.

This is history. Until 2017 language models were made like this; since then attention
has replaced them, because a state of fixed size must hold all that will be needed, and
because its steps cannot be computed side by side. What they still teach: what a state
is, why gradients vanish over many steps and what a gate does about it, and what
attention was invented for. A state that does not grow with the text is also what
today's linear attention and state-space models go back to.

Language model: Mikolov et al. 2010 (doi:10.21437/Interspeech.2010-343). Cells, all from
`torch.nn`: RNN, Elman 1990 (doi:10.1207/s15516709cog1402_1); LSTM, Hochreiter and
Schmidhuber 1997 (doi:10.1162/neco.1997.9.8.1735), with the forget gate of Gers et al.
2000 (doi:10.1162/089976600300015015); GRU, Cho et al. 2014 (arXiv:1406.1078).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn

from llm.models.checkpoint import (
    CONFIG,
    config_of_json,
    config_to_json,
    load_saved,
    read_json,
    save_model,
)
from llm.models.config import whole

Cell = Literal["rnn", "lstm", "gru"]


@dataclass(frozen=True)
class RecurrentConfig:
    """The shape of a recurrent language model. It can read texts of any length.

    Args:
        vocab_size: V, number of tokens known.
        layers: cells above each other.
        width: C, width of the embedding and of each state.
        cell: "rnn", "lstm" or "gru".
        dropout: probability of dropping a feature in training, of what goes into a
            layer or the head, never of a state (Zaremba et al. 2014, arXiv:1409.2329).
        tied: the embedding serves as head, too.

    Raises:
        ValueError: a value is out of range.
    """

    vocab_size: int
    layers: int
    width: int
    cell: Cell = "lstm"
    dropout: float = 0.0
    tied: bool = True

    def __post_init__(self) -> None:
        for name in ("vocab_size", "layers", "width"):
            whole(name, getattr(self, name))
        if self.cell not in get_args(Cell):
            raise ValueError(f"cell {self.cell!r} is none of {get_args(Cell)}")
        if self.tied not in (True, False):
            raise ValueError(f"tied {self.tied!r} is neither True nor False")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")

    def as_dict(self) -> dict[str, Any]:
        """What config.json holds."""
        return config_to_json(self, model="recurrent")

    @classmethod
    def of(cls, values: Mapping[str, Any], *, source: Path) -> Self:
        """The configuration that config.json, read from `source`, holds.

        Raises:
            ValueError: it is of another model, or has unknown keys or bad values.
        """
        return config_of_json(cls, values, model="recurrent", source=source)


class State:
    """What a recurrent model remembers: one vector a layer, and two in an LSTM.

    Gradients do not pass through it: a text that is learned in pieces, with its state
    carried on, is learned by truncated back-propagation through time (Williams and Peng
    1990, doi:10.1162/neco.1990.2.4.490).
    """

    def __init__(self) -> None:
        # Empty before the first token; (layers, B, C) each.
        self.tensors: tuple[Tensor, ...] = ()


class Recurrent(nn.Module):
    """A recurrent language model: ids in, logits over each next token out.

    Weights begin as `torch.nn` draws the cells', uniform up to 1/√C either way, the
    embedding as well; biases as zero, but for those of the forget gates. At one these
    begin by remembering (Jozefowicz et al. 2015, proceedings.mlr.press/v37, 2.2).

    Attributes:
        config: what it was built from.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        V, C = config.vocab_size, config.width
        self.embedding = nn.Embedding(V, C)
        self.dropout = nn.Dropout(config.dropout)
        make = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[config.cell]
        between = config.dropout if config.layers > 1 else 0.0
        self.cells = make(C, C, config.layers, batch_first=True, dropout=between)
        self.head = nn.Linear(C, V, bias=False)
        if config.tied:
            self.head.weight = self.embedding.weight
        self.initialise()

    def initialise(self) -> None:
        """Draw all weights anew from the global random generator."""
        C = self.config.width
        for name, parameter in self.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
            else:
                nn.init.uniform_(parameter, -(C**-0.5), C**-0.5)
            if self.config.cell == "lstm" and "bias_ih" in name:
                # Gates are laid above each other: input, forget, cell, output.
                nn.init.ones_(parameter.data[C : 2 * C])

    def forward(self, ids: Tensor, *, state: State | None = None) -> Tensor:
        """Logits over the token that follows each position: (B, T, V).

        Args:
            ids: tokens, (B, T) int64.
            state: what is remembered of the tokens before, and then of these as well.

        Raises:
            ValueError: an id exceeds the vocabulary.
        """
        try:
            x = self.dropout(self.embedding(ids))  # (B, T, C)
        except IndexError:
            raise ValueError(
                f"ids from {ids.min()} to {ids.max()} exceed the vocabulary: "
                f"0 to {self.config.vocab_size - 1}"
            ) from None
        two = self.config.cell == "lstm"
        before = state.tensors if state is not None and state.tensors else None
        x, after = self.cells(x, before if before is None or two else before[0])
        if state is not None:
            state.tensors = tuple(t.detach() for t in (after if two else (after,)))
        logits: Tensor = self.head(self.dropout(x))  # (B, T, V)
        return logits

    @torch.no_grad()
    def write(
        self,
        ids: Tensor,
        *,
        max_tokens: int,
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> Tensor:
        """Continue texts of one length: (B, T) to (B, T + max_tokens).

        The state is all that is kept of a text, so each token costs the same, however
        long the text has become.

        Args:
            ids: the beginnings, T at least 1.
            max_tokens: how many tokens to add.
            temperature: below 1 the likely gain; 0 takes the most likely token.
            seed: of the draws; when None, they come from the global random generator.

        Raises:
            ValueError: `ids` are empty, or another argument is out of its range.
        """
        if ids.size(1) == 0:
            raise ValueError("ids are empty: give each row one token at least")
        if max_tokens < 0 or not 0 <= temperature < float("inf"):
            raise ValueError(
                f"max_tokens {max_tokens} or temperature {temperature} is below 0 "
                "or not finite"
            )
        random = None if seed is None else torch.Generator(ids.device).manual_seed(seed)
        training, state, written = self.training, State(), [ids]
        self.eval()
        for _ in range(max_tokens):
            logits = self(written[-1], state=state)[:, -1].float()  # (B, V)
            if temperature == 0:
                token = logits.argmax(-1, keepdim=True)  # (B, 1)
            else:
                chances = (logits / temperature).softmax(-1)
                token = torch.multinomial(chances, 1, generator=random)
            written.append(token)
        self.train(training)
        return torch.cat(written, dim=1)

    def parameter_count(self) -> dict[str, int]:
        """Parameters of each kind of part; their sum counts every parameter once."""
        count = dict.fromkeys(("embedding", "cells", "head"), 0)
        for name, parameter in self.named_parameters():
            count[name.split(".")[0]] += parameter.numel()
        return count

    def save(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors, each whole or not at all."""
        save_model(self, directory, config=self.config.as_dict())

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what `save` wrote: on the CPU, in float32, dropout off (`eval`).

        Raises:
            FileNotFoundError: the directory or one of the files is missing.
            ValueError: a file is damaged, or they do not fit each other.
        """
        path = Path(directory) / CONFIG
        return load_saved(
            cls(RecurrentConfig.of(read_json(path), source=path)), directory
        )
