"""What writes a batch of texts, one token at a time: a GPT, or an encoder-decoder.

A writer gives logits over the next token of every row, takes the tokens that were
chosen, and can go on with a selection of its rows, which is all that greedy decoding,
sampling and beam search need.

A batch of prompts is decoded together and gives, row by row, what each prompt gives
alone: shorter prompts are padded on the left, and padding is masked and takes no
position.
"""

from typing import TYPE_CHECKING, Protocol, TypeGuard, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from llm.models.gpt import GPT

if TYPE_CHECKING:  # who writes with a GPT need not load the others
    from llm.models.t5 import T5
    from llm.models.transformer import Transformer

    EncoderDecoder = T5 | Transformer
    Model = GPT | EncoderDecoder


class Writer(Protocol):
    """Rows of text that grow."""

    def logits(self) -> Tensor:
        """Logits over the next token of each row: (B, V)."""

    def append(self, tokens: Tensor) -> None:
        """Write one token into each row, (B,)."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, (B',); one may stand there several times."""


def writer_of(
    model: "Model", rows: list[list[int]], *, max_tokens: int, cache: bool
) -> Writer:
    """The writer for a model.

    Args:
        model: in `eval` mode.
        rows: prompts, or the sources of an encoder-decoder; none empty.
        max_tokens: most tokens to write into each row.
        cache: keep keys and values instead of computing them again for every token.
    """
    if answers(model):
        return Answer(model, rows, max_tokens=max_tokens, cache=cache)
    return Continuation(cast(GPT, model), rows, cache=cache)


def answers(model: "Model") -> TypeGuard["EncoderDecoder"]:
    """Whether a model reads a source and answers it; else it continues a prompt.

    What stands around a GPT and is called like one, as in `llm.peft`, continues too.
    """
    return hasattr(model, "encode")


class Continuation:
    """Prompts that a GPT continues.

    A row that has outgrown the context goes on from its last half: the rest is
    forgotten, positions start at 0 again, and keys and values are computed anew. To
    forget one token at a time would cost that computation at every token.
    """

    def __init__(self, model: GPT, rows: list[list[int]], *, cache: bool) -> None:
        self.model = model
        self.windows = [list(row) for row in rows]  # what each still sees of itself
        self.caching = cache
        self.begin()

    def begin(self) -> None:
        """Read the windows from their beginning."""
        device = self.model.embedding.weight.device
        self.ids, self.mask = pad_left(self.windows, device)  # (B, T)
        rows = len(self.windows)
        self.cache = self.model.new_cache(rows) if self.caching else None

    def logits(self) -> Tensor:
        """Logits over the next token of each row: (B, V)."""
        x = self.model.features(self.ids, mask=self.mask, cache=self.cache)  # (B, T, C)
        logits: Tensor = self.model.head(x[:, -1])  # (B, V)
        return logits

    def append(self, tokens: Tensor) -> None:
        """Write one token into each row, (B,)."""
        context = self.model.config.context
        moved = False
        for window, token in zip(self.windows, tokens.tolist(), strict=True):
            window.append(token)
            if len(window) > context:
                del window[: -max(context // 2, 1)]
                moved = True
        if moved or not self.caching:
            self.begin()
            return
        self.ids = tokens[:, None]  # (B, 1)
        if self.mask is not None:
            self.mask = F.pad(self.mask, (0, 1), value=True)  # (B, S + 1)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, (B',)."""
        self.windows = [list(self.windows[row]) for row in rows.tolist()]
        self.ids = self.ids[rows]
        self.mask = None if self.mask is None else self.mask[rows]
        for kept in self.cache or ():
            kept.keep(rows)


class Answer:
    """What an encoder-decoder writes for each source, which it reads once."""

    def __init__(
        self,
        model: "EncoderDecoder",
        rows: list[list[int]],
        *,
        max_tokens: int,
        cache: bool,
    ) -> None:
        self.model = model
        source, self.mask = pad_left(rows, model.embedding.weight.device)  # (B, S)
        encoded = model.encode(source, mask=self.mask)
        self.memory = model.decoder.memorise(encoded)
        self.sources = torch.arange(len(rows))  # (B,): which one each row answers
        self.ids = source.new_full((len(rows), 1), model.config.start)  # (B, 1)
        self.cache = None
        if cache:
            self.cache = model.decoder.new_cache(len(rows), capacity=max_tokens)

    def logits(self) -> Tensor:
        """Logits over the next token of each row: (B, V)."""
        logits: Tensor = self.model.decode(
            self.ids, self.memory, mask=self.mask, cache=self.cache
        )  # (B, T, V)
        return logits[:, -1]

    def append(self, tokens: Tensor) -> None:
        """Write one token into each row, (B,)."""
        if self.cache is None:
            self.ids = torch.cat((self.ids, tokens[:, None]), dim=1)  # (B, T + 1)
        else:
            self.ids = tokens[:, None]  # (B, 1)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, (B',)."""
        self.ids = self.ids[rows]
        for kept in self.cache or ():
            kept.keep(rows)
        sources = self.sources[rows.cpu()]
        if not sources.equal(self.sources):  # else no memory has to be moved
            self.memory = [(k[rows], v[rows]) for k, v in self.memory]
            self.mask = None if self.mask is None else self.mask[rows]
            self.sources = sources


def pad_left(
    rows: list[list[int]], device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """Ids, (B, T), and where they are no padding; None where nothing is padded."""
    longest = max(map(len, rows))
    ids = [[0] * (longest - len(row)) + row for row in rows]
    padding = torch.tensor([longest - len(row) for row in rows], device=device)  # (B,)
    mask = None
    if any(len(row) < longest for row in rows):
        mask = torch.arange(longest, device=device) >= padding[:, None]  # (B, T)
    return torch.tensor(ids, device=device), mask
