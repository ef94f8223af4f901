"""The Transformer of 2017: an encoder reads a sentence, a decoder writes another.

Vaswani et al. 2017 (arXiv:1706.03762), section 3. A token enters as its vector times √C
plus the sinusoids of its position. The same matrix of vectors serves the source, the
target and, transposed, as head (section 3.4). Norms come after the sums.

What differs: padding takes no position; and `post_norm=False` moves the norms before
the parts and adds one at the end of each stack, as Transformers since have them.
"""

from dataclasses import dataclass
from math import inf, sqrt
from pathlib import Path
from typing import Self

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
from llm.models.encoder_decoder import Decoder, Encoder, count_parameters, embedded
from llm.nn import MLP, Block, KVCache, MultiHeadAttention, sinusoids
from llm.nn.attention import Memory


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of an encoder-decoder of 2017.

    Args:
        vocab_size: V, number of tokens known, of both languages together.
        context: most tokens that a source or a target can have.
        layers: number of blocks in the encoder.
        heads: H, heads of each attention.
        width: C, width of the residual stream, even and divisible by H.
        decoder_layers: number of blocks in the decoder; `layers` when None.
        hidden: width inside the feed-forward network; 4·C when None.
        post_norm: norms after the sums, as in 2017, and not before the parts.
        dropout: probability of dropping a feature in training: of the embedding, of
            what a block adds, and of an attention weight.
        norm_eps: what keeps a norm from dividing by zero.
        start: token that the decoder sees before the first it writes.

    Raises:
        ValueError: a value is out of range, or two do not go together.
    """

    vocab_size: int
    context: int
    layers: int
    heads: int
    width: int
    decoder_layers: int | None = None
    hidden: int | None = None
    post_norm: bool = True
    dropout: float = 0.0
    norm_eps: float = 1e-5
    start: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context", "layers", "heads", "width"):
            whole(name, getattr(self, name))
        for name in ("decoder_layers", "hidden"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name))
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not divisible by heads {self.heads}"
            )
        if self.width % 2:
            raise ValueError(
                f"sinusoids come in pairs of features, and width {self.width} is odd"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        if not 0 < self.norm_eps < inf:
            raise ValueError(f"norm_eps {self.norm_eps} is not positive")
        if type(self.start) is not int or not 0 <= self.start < self.vocab_size:
            raise ValueError(
                f"start {self.start!r} is no id of a vocabulary of {self.vocab_size}"
            )


class Transformer(nn.Module):
    """An encoder-decoder as in 2017: source and target in, logits out.

    Attributes:
        config: what it was built from.
    """

    sinusoids: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        V, C, layers = config.vocab_size, config.width, config.layers

        self.embedding = nn.Embedding(V, C)
        table = sinusoids(config.context, C)
        self.register_buffer("sinusoids", table, persistent=False)
        self.encoder = Encoder(
            [make_block(config, cross=False) for _ in range(layers)],
            norm=make_last_norm(config),
            dropout=config.dropout,
        )
        self.decoder = Decoder(
            [
                make_block(config, cross=True)
                for _ in range(config.decoder_layers or layers)
            ],
            norm=make_last_norm(config),
            dropout=config.dropout,
        )
        self.head = nn.Linear(C, V, bias=False)
        self.head.weight = self.embedding.weight
        self.initialise()

    def initialise(self) -> None:
        """Draw all weights anew from the global random generator.

        The paper does not say how. Matrices are drawn as Glorot and Bengio 2010
        (equation 16) propose, biases are zero, and the vectors of tokens have a length
        of about 1, which √C then makes that of the sinusoids, about √(C/2), and above.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.embedding.weight, std=self.config.width**-0.5)

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
            ValueError: S or T exceeds the context; also see `embedded`.
        """
        encoded = self.encode(source, mask=mask)  # (B, S, C)
        return self.decode(ids, self.decoder.memorise(encoded), mask=mask)

    def encode(self, source: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """What the decoder may look at: (B, S) to (B, S, C). See `forward`."""
        S = source.size(-1)
        positions = torch.arange(S, device=source.device)  # (S,)
        if mask is not None:
            positions = (mask.cumsum(1) - 1).clamp(min=0)  # (B, S)
        x = self.embed(source, positions, length=S)  # (B, S, C)
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
        past = cache[0].length if cache else 0
        length = past + ids.size(-1)
        positions = torch.arange(past, length, device=ids.device)  # (T,)
        x = self.embed(ids, positions, length=length)  # (B, T, C)
        x = self.decoder(x, memory, mask=mask, cache=cache)
        logits: Tensor = self.head(x)  # (B, T, V)
        return logits

    def embed(self, ids: Tensor, positions: Tensor, *, length: int) -> Tensor:
        """√C · vector + sinusoids: (B, T) ids to (B, T, C).

        Args:
            ids: tokens.
            positions: of the tokens, broadcast to (B, T).
            length: of the whole text so far.

        Raises:
            ValueError: `length` exceeds the context.
        """
        if length > self.config.context:
            raise ValueError(
                f"{length} tokens exceed the context of {self.config.context}"
            )
        x = embedded(self.embedding, ids) * sqrt(self.config.width)  # (B, T, C)
        return x + self.sinusoids[positions]

    def parameter_count(self) -> dict[str, int]:
        """Parameters of each kind of part: see `count_parameters`."""
        return count_parameters(self)

    def save(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors, each whole or not at all."""
        values = config_to_json(self.config, model="transformer")
        save_model(self, directory, config=values)

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what `save` wrote: on the CPU, in float32, dropout off (`eval`).

        Raises:
            FileNotFoundError: the directory or one of the files is missing.
            ValueError: a file is damaged, or they do not fit each other.
        """
        path = Path(directory) / CONFIG
        values = read_json(path)
        config = config_of_json(
            TransformerConfig, values, model="transformer", source=path
        )
        return load_saved(cls(config), directory)


def make_block(config: TransformerConfig, *, cross: bool) -> Block:
    """One layer of a stack, with cross-attention in the decoder."""
    hidden = config.hidden or 4 * config.width
    return Block(
        make_attention(config),
        MLP(config.width, hidden, activation="relu"),
        norms=(make_norm(config), make_norm(config)),
        cross=(make_attention(config), make_norm(config)) if cross else None,
        post_norm=config.post_norm,
        dropout=config.dropout,
    )


def make_attention(config: TransformerConfig) -> MultiHeadAttention:
    """Attention with biases, as everywhere in 2017."""
    return MultiHeadAttention(config.width, config.heads, dropout=config.dropout)


def make_norm(config: TransformerConfig) -> nn.LayerNorm:
    """A norm over the width."""
    return nn.LayerNorm(config.width, config.norm_eps)


def make_last_norm(config: TransformerConfig) -> nn.Module:
    """What ends a stack: its last block has done it when norms come after the sums."""
    return nn.Identity() if config.post_norm else make_norm(config)
