"""T5: every task is text to text, and one encoder-decoder does them all.

Raffel et al. 2020 (arXiv:1910.10683), section 2.1: the Transformer of 2017 with norms
before the parts, without biases anywhere, and with positions told by a learned bias of
the scores, by ranges of distance, which the layers of a stack share. What else differs
from 2017: RMSNorm, scores that are not divided by √D (the initial queries are smaller
instead), and heads whose width is free.

T5 1.1 has the same parts but two: GEGLU in place of ReLU (Shazeer 2020,
arXiv:2002.05202), and a head of its own.
"""

from math import sqrt
from pathlib import Path
from typing import Self

from torch import Tensor, nn

from llm.models.checkpoint import (
    CONFIG,
    config_of_json,
    config_to_json,
    load_saved,
    read_json,
    save_model,
)
from llm.models.encoder_decoder import Decoder, Encoder, count_parameters, embedded
from llm.models.huggingface import t5 as huggingface
from llm.models.huggingface.files import read_checkpoint, write_checkpoint
from llm.models.huggingface.layout import load_theirs, reading, to_theirs
from llm.models.t5_config import T5Config
from llm.nn import MLP, Block, GatedMLP, KVCache, MultiHeadAttention, RelativeBias
from llm.nn.attention import Memory

__all__ = ["T5", "T5Config"]


class T5(nn.Module):
    """An encoder-decoder with relative positions: source and target in, logits out.

    Attributes:
        config: what it was built from.
    """

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        V, C = config.vocab_size, config.width
        layers, decoder_layers = config.depth

        self.embedding = nn.Embedding(V, C)
        self.encoder = Encoder(
            [make_block(config, cross=False) for _ in range(layers)],
            norm=make_norm(config),
            relative=make_bias(config, both=True),
            dropout=config.dropout,
        )
        self.decoder = Decoder(
            [make_block(config, cross=True) for _ in range(decoder_layers)],
            norm=make_norm(config),
            relative=make_bias(config, both=False),
            dropout=config.dropout,
        )
        self.head = nn.Linear(C, V, bias=False)
        if config.tied:
            self.head.weight = self.embedding.weight
        self.initialise()

    def initialise(self) -> None:
        """Draw all weights anew from the global random generator.

        A matrix begins with a variance of one over the width that it reads from, the
        embedding with 1. Queries begin smaller by √D, which is what other Transformers
        divide their scores by. As in the authors' code (Mesh TensorFlow).
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
        for module in self.modules():
            if isinstance(module, MultiHeadAttention):
                D = module.query.out_features // module.heads
                small = (self.config.width * D) ** -0.5
                nn.init.normal_(module.query.weight, std=small)
            if isinstance(module, RelativeBias):
                nn.init.normal_(module.table.weight, std=self.config.width**-0.5)
        nn.init.normal_(self.embedding.weight)

    def forward(
        self, source: Tensor, ids: Tensor, *, mask: Tensor | None = None
    ) -> Tensor:
        """Logits over the token that follows each of `ids`: (B, T, V).

        Args:
            source: what to read, (B, S) int64.
            ids: what is written, from `config.start` on, (B, T) int64.
            mask: False at padding of the source, True at tokens, (B, S). Padding may
                stand on either side, and no output depends on it.

        Raises:
            ValueError: see `embedded`.
        """
        encoded = self.encode(source, mask=mask)  # (B, S, C)
        return self.decode(ids, self.decoder.memorise(encoded), mask=mask)

    def encode(self, source: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """What the decoder may look at: (B, S) to (B, S, C). See `forward`."""
        x = embedded(self.embedding, source)  # (B, S, C)
        encoded: Tensor = self.encoder(x, mask=mask)
        return encoded

    def decode(
        self,
        ids: Tensor,
        memory: list[Memory],
        *,
        mask: Tensor | None = None,
        cache: list[KVCache] | None = None,
    ) -> Tensor:
        """Logits, (B, T, V), for a source that has been read.

        Args:
            ids: see `forward`; with a cache, those after what it has seen.
            memory: `decoder.memorise(encode(source))`.
            mask: see `forward`.
            cache: `decoder.new_cache`.
        """
        x = embedded(self.embedding, ids)  # (B, T, C)
        x = self.decoder(x, memory, mask=mask, cache=cache)
        if self.config.scaled:
            x = x / sqrt(self.config.width)
        logits: Tensor = self.head(x)  # (B, T, V)
        return logits

    def parameter_count(self) -> dict[str, int]:
        """Parameters of each kind of part: see `count_parameters`."""
        return count_parameters(self)

    def save(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors, each whole or not at all."""
        values = config_to_json(self.config, model="t5")
        save_model(self, directory, config=values)

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what `save` wrote: on the CPU, in float32, dropout off (`eval`).

        Raises:
            FileNotFoundError: the directory or one of the files is missing.
            ValueError: a file is damaged, or they do not fit each other.
        """
        path = Path(directory) / CONFIG
        config = config_of_json(T5Config, read_json(path), model="t5", source=path)
        return load_saved(cls(config), directory)

    @classmethod
    def from_hf(cls, source: str | Path) -> Self:
        """Read a T5 checkpoint, of either style, in the layout of Hugging Face.

        Args:
            source: its directory, or its name on the hub: see `read_checkpoint`.

        Raises:
            FileNotFoundError: the directory or one of the files is missing.
            ValueError: a file is damaged, or asks for what this class does not have.
        """
        values, tensors, directory = read_checkpoint(source)
        with reading(directory / CONFIG):
            config = huggingface.config_from_hf(values, tensors)
        model = cls(config)
        load_theirs(
            model,
            huggingface.cleaned(tensors, config),
            layout=huggingface.layout(config),
            source=directory,
        )
        return model.eval()

    def to_hf(self, directory: str | Path) -> None:
        """Write a checkpoint that `transformers` loads as a T5."""
        write_checkpoint(
            directory,
            config=huggingface.config_to_hf(self.config),
            tensors=to_theirs(self, huggingface.layout(self.config)),
        )


def make_block(config: T5Config, *, cross: bool) -> Block:
    """One layer of a stack, with cross-attention in the decoder."""
    C, hidden = config.width, config.hidden or 4 * config.width
    feedforward: MLP | GatedMLP
    if config.feedforward == "geglu":
        feedforward = GatedMLP(C, hidden, activation="gelu")
    else:
        feedforward = MLP(C, hidden, activation="relu", bias=False)
    return Block(
        make_attention(config),
        feedforward,
        norms=(make_norm(config), make_norm(config)),
        cross=(make_attention(config), make_norm(config)) if cross else None,
        dropout=config.dropout,
    )


def make_attention(config: T5Config) -> MultiHeadAttention:
    """Attention without biases, and without a scale of its scores."""
    return MultiHeadAttention(
        config.width,
        config.heads,
        bias=False,
        dropout=config.dropout,
        head_width=config.head_width,
        scale=1.0,
    )


def make_bias(config: T5Config, *, both: bool) -> RelativeBias:
    """The positions of one stack; only in an encoder there is a future."""
    return RelativeBias(
        config.heads, buckets=config.buckets, farthest=config.farthest, both=both
    )


def make_norm(config: T5Config) -> nn.RMSNorm:
    """A norm over the width."""
    return nn.RMSNorm(config.width, config.norm_eps)
