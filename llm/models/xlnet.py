"""XLNet: predict tokens in any order, each from those before it in the order.

Yang et al. 2019 (arXiv:1906.08237). Who predicts a token may know its place, and not
the token; who helps to predict others must know both. Hence two streams (section 2.3)
through the same blocks: the content stream has read the token, and the query stream
begins as one learned vector and reads from the content stream. Attention and memory
are those of Transformer-XL: see `llm.nn.relative`.
"""

from itertools import repeat
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.models.checkpoint import (
    CONFIG,
    load_saved,
    read_json,
    save_model,
)
from llm.models.huggingface import xlnet as huggingface
from llm.models.huggingface.files import read_checkpoint, write_checkpoint
from llm.models.huggingface.layout import load_theirs, reading, to_theirs
from llm.models.xlnet_config import XLNetConfig
from llm.nn import MLP, padding_mask
from llm.nn.relative import (
    Found,
    RelativeAttention,
    SegmentMemory,
    View,
    distance_vectors,
)

__all__ = ["XLNet", "XLNetBlock", "XLNetConfig"]


class XLNet(nn.Module):
    """Two streams through one stack of blocks: ids in, logits out.

    All weights begin as noise of standard deviation 0.02, biases of layers as zero.

    Attributes:
        config: what it was built from.
    """

    def __init__(self, config: XLNetConfig) -> None:
        super().__init__()
        self.config = config
        V, C = config.vocab_size, config.width
        self.embedding = nn.Embedding(V, C)
        self.start = nn.Parameter(torch.zeros(C))  # of every query
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(XLNetBlock(config) for _ in range(config.layers))
        self.head = nn.Linear(C, V)
        if config.tied:
            self.head.weight = self.embedding.weight
        self.initialise()

    def initialise(self) -> None:
        """Draw all weights anew from the global random generator."""
        for name, parameter in self.named_parameters():
            if "norm" in name:
                nn.init.constant_(parameter, float(name.endswith("weight")))
            elif name.endswith(".bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=0.02)

    def forward(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        types: Tensor | None = None,
        visible: Tensor | None = None,
        targets: Tensor | None = None,
        memory: list[SegmentMemory] | None = None,
    ) -> Tensor:
        """Logits at each position, (B, T, V), or with `targets` at those, (B, K, V).

        Without `targets`, what is at a position has read the token there.

        Args:
            ids: tokens, (B, T) int64.
            mask: False at padding, (B, T), which only itself attends to.
            types: which segment of the text a token belongs to, (B, T); what is
                remembered counts as type 0.
            visible: whose token each position may know, (T, T) or (B, T, T), as from
                `permutation_mask(order, itself=False)`; all when None. The content
                stream knows its own token in any case.
            targets: positions to predict without having read them, (B, K).
            memory: `new_memory`, once it has seen the segments before.

        Raises:
            ValueError: `targets` without `visible`, which would show each target its
                own token; or an id exceeds the vocabulary.
        """
        x = self.features(
            ids, mask=mask, types=types, visible=visible, targets=targets, memory=memory
        )
        logits: Tensor = self.head(x)  # (B, T or K, V)
        return logits

    def features(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        types: Tensor | None = None,
        visible: Tensor | None = None,
        targets: Tensor | None = None,
        memory: list[SegmentMemory] | None = None,
    ) -> Tensor:
        """What the head reads, (B, T or K, C). Arguments: see `forward`."""
        if targets is not None and visible is None:
            raise ValueError("targets need visible: it hides from each its own token")
        past = memory[0].length if memory else 0
        T, S = ids.size(1), past + ids.size(1)
        seen = view_of(ids, past, mask=mask, types=types, visible=visible)
        distances: Tensor = distance_vectors(
            T, S, self.config.width, farthest=self.config.farthest, device=ids.device
        ).to(self.start.dtype)
        distances = self.dropout(distances)  # (S + T - 1, C)

        itself = torch.eye(T, S, dtype=torch.bool, device=ids.device).roll(past, 1)
        full = seen if seen.mask is None else seen._replace(mask=seen.mask | itself)
        streams, views = [self.dropout(self.embed(ids))], [full]  # content: (B, T, C)
        if targets is not None:  # query: (B, K, C)
            streams.append(self.dropout(self.start.expand(*targets.shape, -1)))
            views.append(seen.at(targets))
        for block, kept in zip(self.blocks, memory or repeat(None), strict=False):
            content = streams[0]
            sources = content if kept is None else kept.append(content)  # (B, S, C)
            streams = block(streams, sources, distances=distances, views=views)
        x: Tensor = self.dropout(streams[-1])
        return x

    def embed(self, ids: Tensor) -> Tensor:
        """Where the content stream begins: (B, T) ids to (B, T, C)."""
        try:
            x: Tensor = self.embedding(ids)  # (B, T, C)
        except IndexError:
            raise ValueError(
                f"ids from {ids.min()} to {ids.max()} exceed the vocabulary: "
                f"0 to {self.config.vocab_size - 1}"
            ) from None
        return x

    def new_memory(self) -> list[SegmentMemory]:
        """One empty memory a layer."""
        config = self.config
        return [
            SegmentMemory(capacity=config.memory, reuse=config.reuse)
            for _ in range(config.layers)
        ]

    def parameter_count(self) -> dict[str, int]:
        """Parameters of each kind of part; their sum counts every parameter once."""
        kinds = ("embedding", "start", "attention", "feedforward", "norm", "head")
        count = dict.fromkeys(kinds, 0)
        for name, parameter in self.named_parameters():
            part = name.split(".")[2 if name.startswith("blocks.") else 0]
            count["norm" if part.endswith("norm") else part] += parameter.numel()
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
        return load_saved(cls(XLNetConfig.of(read_json(path), source=path)), directory)

    @classmethod
    def from_hf(cls, source: str | Path) -> Self:
        """Read an XLNet checkpoint (`XLNetLMHeadModel`) in Hugging Face's layout.

        Args:
            source: its directory, or its name on the hub: see `read_checkpoint`.

        Raises:
            FileNotFoundError: the directory or one of the files is missing.
            ValueError: a file is damaged, or asks for what this class does not have.
        """
        values, tensors, directory = read_checkpoint(source)
        with reading(directory / CONFIG):
            config = huggingface.config_from_hf(values)
        model = cls(config)
        load_theirs(
            model,
            huggingface.cleaned(tensors, config),
            layout=huggingface.layout(config),
            source=directory,
        )
        return model.eval()

    def to_hf(self, directory: str | Path) -> None:
        """Write a checkpoint that `transformers` loads as `XLNetLMHeadModel`."""
        write_checkpoint(
            directory,
            config=huggingface.config_to_hf(self.config),
            tensors=to_theirs(self, huggingface.layout(self.config)),
        )


class XLNetBlock(nn.Module):
    """Attention, then a feed-forward network, each with a norm after its sum."""

    def __init__(self, config: XLNetConfig) -> None:
        super().__init__()
        C, hidden = config.width, config.hidden_width
        self.attention = RelativeAttention(C, config.heads, dropout=config.dropout)
        self.attention_norm = nn.LayerNorm(C, config.norm_eps)
        self.feedforward = MLP(C, hidden, activation=config.activation)
        self.feedforward_norm = nn.LayerNorm(C, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        streams: list[Tensor],
        sources: Tensor,
        *,
        distances: Tensor,
        views: list[View],
    ) -> list[Tensor]:
        """Each stream, (B, T, C) to (B, T, C), reads from `sources`, (B, S, C)."""
        found = self.attention.find(sources, distances)
        return [
            self.read(x, found, view=view)
            for x, view in zip(streams, views, strict=True)
        ]

    def read(self, x: Tensor, found: Found, *, view: View) -> Tensor:
        """One stream, (B, T, C) to (B, T, C)."""
        gathered = self.attention(x, found, view=view)
        x = self.attention_norm(x + self.dropout(gathered))
        x = self.feedforward_norm(x + self.dropout(self.feedforward(x)))
        return x


def view_of(
    ids: Tensor,
    past: int,
    *,
    mask: Tensor | None,
    types: Tensor | None,
    visible: Tensor | None,
) -> View:
    """What the tokens `ids`, (B, T), after `past` others that all see, may look at."""
    B, T = ids.shape
    places = torch.arange(past, past + T, device=ids.device)  # (T,)
    seen = differ = None
    if visible is not None:
        seen = visible.expand(B, T, T)[:, None]  # (B, 1, T, T)
    if mask is not None:
        real = padding_mask(mask).expand(B, 1, T, T)
        seen = real if seen is None else seen & real
    if seen is not None:
        seen = F.pad(seen, (past, 0), value=True)  # (B, 1, T, S)
    if types is not None:
        differ = types[:, None, :, None] != F.pad(types, (past, 0))[:, None, None, :]
    return View(places, seen, differ)
