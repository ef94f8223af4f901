"""GPT: a decoder-only Transformer, in the style of GPT-2 or of Llama.

A token's vector enters a residual stream. Every block adds to the stream what attention
brings from earlier positions, then what a feed-forward network makes of it. The last
norm and the head turn each position into logits over the next token.

GPT-2: Radford et al. 2019, section 2.3. Llama: Touvron et al. 2023 (arXiv:2302.13971),
section 2.2. Both are one class: a style names its parts, and any part can be exchanged.
"""

from itertools import repeat
from math import sqrt
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from llm.models.checkpoint import (
    CONFIG,
    load_saved,
    read_json,
    save_model,
)
from llm.models.config import GPTConfig
from llm.models.huggingface import gpt as huggingface
from llm.models.huggingface.files import read_checkpoint, write_checkpoint
from llm.models.huggingface.layout import load_theirs, reading, to_theirs
from llm.nn import (
    MLP,
    Block,
    GatedMLP,
    KVCache,
    MultiHeadAttention,
    Rotary,
    alibi,
    causal_mask,
    padding_mask,
    segment_mask,
    segment_positions,
    sinusoids,
)
from llm.nn.block import Norm

__all__ = ["GPT", "GPTConfig"]


class GPT(nn.Module):
    """A decoder-only Transformer: ids in, logits over each next token out.

    Weights begin as noise of standard deviation 0.02, biases as zero (Radford et al.
    2018). Every block adds to the stream twice, and a sum of 2·layers independent terms
    grows with the square root of their number: projections into the stream therefore
    begin smaller by √(2·layers) (Radford et al. 2019), or at zero with `zero_init`.

    Attributes:
        config: what it was built from.
    """

    sinusoids: Tensor

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        V, C, parts = config.vocab_size, config.width, config.parts

        self.embedding = nn.Embedding(V, C)
        if parts.position == "learned":
            self.position = nn.Embedding(config.context, C)
        elif parts.position == "sinusoids":
            table = sinusoids(config.context, C)
            self.register_buffer("sinusoids", table, persistent=False)
        elif parts.position == "rotary":
            self.rotary = Rotary(
                config.head_width,
                context=config.context,
                base=config.rope_base,
                scaling=config.rope_scaling,
            )
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(make_block(config) for _ in range(config.layers))
        self.norm = make_norm(config)
        self.head = nn.Linear(C, V, bias=False)
        if parts.tied:
            self.head.weight = self.embedding.weight
        self.initialise()

    def initialise(self) -> None:
        """Draw all weights anew from the global random generator."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        small = 0.0 if self.config.zero_init else 0.02 / sqrt(2 * self.config.layers)
        for name, parameter in self.named_parameters():
            if name.endswith(("attention.out.weight", "feedforward.down.weight")):
                nn.init.normal_(parameter, std=small)

    def forward(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        cache: list[KVCache] | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Logits over the token that follows each position: (B, T, V).

        Args:
            ids: tokens, (B, T) int64.
            mask: False at padding, True at tokens, (B, S); needed when padding stands
                on the left. Padding takes no position and is never attended to; what
                comes out at padding means nothing.
            cache: `new_cache`, once it has seen the S - T tokens before `ids`.
            segments: numbers of the texts that share a row, (B, T), those of one text
                side by side: each text is read as if alone. Neither with `mask` (let
                padding be a segment) nor with `cache`.

        Raises:
            ValueError: S exceeds the context, or an id the vocabulary. On a GPU,
                looking at ids would make it wait: check them before they go there, or
                the device fails with an assertion.
        """
        x = self.features(ids, mask=mask, cache=cache, segments=segments)  # (B, T, C)
        logits: Tensor = self.head(x)  # (B, T, V)
        return logits

    def features(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        cache: list[KVCache] | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """What the head reads at each position, (B, T, C). Arguments: see `forward`."""
        past = cache[0].length if cache else 0
        if segments is not None and (mask is not None or cache is not None):
            raise ValueError("segments go neither with mask nor with cache")
        positions = self.positions(ids, past, real=mask, segments=segments)
        x: Tensor = self.embed(ids, positions)  # (B, T, C)
        rotation = bias = None
        if self.config.parts.position == "rotary":
            rotation = self.rotary(positions)
        elif self.config.parts.position == "alibi":
            T = ids.size(1)
            bias = alibi(self.config.heads, T, past + T, device=ids.device)
        seen = self.visible(ids, past, real=mask, segments=segments)
        causal = seen is None and ids.size(1) > 1
        for block, kept in zip(self.blocks, cache or repeat(None), strict=False):
            x = block(
                x, mask=seen, causal=causal, bias=bias, rotation=rotation, cache=kept
            )
        x = self.norm(x)
        return x

    def positions(
        self, ids: Tensor, past: int, *, real: Tensor | None, segments: Tensor | None
    ) -> Tensor:
        """Where each token stands in its text: (T,), or (B, T) where rows differ.

        Args:
            ids: (B, T), after `past` tokens.
            past: how many tokens stand before them.
            real: False at padding, (B, S), which takes no position.
            segments: see `forward`.
        """
        if ids.dim() != 2:
            raise ValueError(f"ids are of shape {tuple(ids.shape)}, not (B, T)")
        length, context = past + ids.size(1), self.config.context
        if length > context:
            raise ValueError(f"{length} tokens exceed the context of {context}")
        if segments is not None:
            return segment_positions(segments)  # (B, T)
        if real is not None:
            return (real.cumsum(1) - 1).clamp(min=0)[:, past:]  # (B, T)
        return torch.arange(past, length, device=ids.device)  # (T,)

    def visible(
        self, ids: Tensor, past: int, *, real: Tensor | None, segments: Tensor | None
    ) -> Tensor | None:
        """Who may attend to whom, broadcast to (B, H, T, S).

        None if there is nothing to tell: a single target sees all that came before it,
        and when all is seen at once, attention draws the causal triangle faster itself.

        Args:
            ids: the targets, (B, T).
            past: S - T, how many sources stand before them.
            real: False at padding, (B, S); None where there is no padding.
            segments: see `forward`.
        """
        target, window = ids.size(1), self.config.window
        triangle = past == 0 and self.config.parts.position != "alibi"
        whole = real is None and segments is None and window is None
        if whole and (triangle or target == 1):
            return None
        causal = causal_mask(target, past + target, window=window, device=ids.device)
        if segments is not None:
            return causal & segment_mask(segments)
        return causal if real is None else causal & padding_mask(real)

    def embed(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Where the residual stream begins: (B, T) ids to (B, T, C)."""
        try:
            x: Tensor = self.embedding(ids)  # (B, T, C)
        except IndexError:
            raise ValueError(
                f"ids from {ids.min()} to {ids.max()} exceed the vocabulary: "
                f"0 to {self.config.vocab_size - 1}"
            ) from None
        if self.config.parts.position == "learned":
            x = x + self.position(positions)
        elif self.config.parts.position == "sinusoids":
            x = x + self.sinusoids[positions]
        x = self.dropout(x)
        return x

    def new_cache(self, batch: int) -> list[KVCache]:
        """One empty cache a layer, for `batch` sequences as long as the context."""
        config = self.config
        return [
            KVCache(
                batch,
                config.kv_heads or config.heads,
                capacity=config.context,
                width=config.head_width,
                like=self.embedding.weight,
            )
            for _ in range(config.layers)
        ]

    def parameter_count(self) -> dict[str, int]:
        """Parameters of each kind of part; their sum counts every parameter once.

        A tied head has none of its own. Made under `torch.device("meta")`, a model of
        any size can be counted without its memory.
        """
        kinds = ("embedding", "position", "attention", "feedforward", "norm", "head")
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
        config = GPTConfig.of(read_json(path), source=path)
        return load_saved(cls(config), directory)

    @classmethod
    def from_hf(cls, source: str | Path) -> Self:
        """Read a GPT-2 or Llama checkpoint in the layout of Hugging Face.

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
        """Write a checkpoint that `transformers` loads as GPT-2 or Llama.

        Raises:
            ValueError: the model has parts that the format has no place for.
        """
        write_checkpoint(
            directory,
            config=huggingface.config_to_hf(self.config),
            tensors=to_theirs(self, huggingface.layout(self.config)),
        )


def make_block(config: GPTConfig) -> Block:
    """One layer of the stack."""
    C, hidden, parts = config.width, config.hidden_width, config.parts
    attention = MultiHeadAttention(
        C,
        config.heads,
        kv_heads=config.kv_heads,
        bias=parts.bias,
        dropout=config.dropout,
        qk_norm=config.qk_norm,
    )
    feedforward: MLP | GatedMLP
    if parts.feedforward == "swiglu":
        feedforward = GatedMLP(C, hidden, activation="silu", bias=parts.bias)
    else:
        feedforward = MLP(C, hidden, activation=parts.feedforward, bias=parts.bias)
    norms = make_norm(config), make_norm(config)
    return Block(attention, feedforward, norms=norms, dropout=config.dropout)


def make_norm(config: GPTConfig) -> Norm:
    """A norm over the width."""
    if config.parts.norm == "layer":
        return nn.LayerNorm(config.width, config.norm_eps, bias=config.parts.bias)
    return nn.RMSNorm(config.width, config.norm_eps)
