"""BERT and RoBERTa: an encoder that sees a whole text at once, in both directions.

A token enters as the sum of three vectors: which token it is, where it stands, and to
which of two segments it belongs. The blocks are those of the Transformer of 2017, norms
after the sums, and no mask hides what comes later. It learns by naming tokens that were
masked (`llm.text.masking`), and in BERT by telling whether segment B follows A.

BERT: Devlin et al. 2019 (arXiv:1810.04805), section 3. RoBERTa: Liu et al. 2019
(arXiv:1907.11692), the same model with one segment and no next-sentence head; its code
counts positions from after the id of padding.
"""

from dataclasses import replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.models.bert_config import BERTConfig
from llm.models.checkpoint import (
    CONFIG,
    load_saved,
    read_json,
    save_model,
)
from llm.models.huggingface import bert as huggingface
from llm.models.huggingface.files import write_checkpoint
from llm.models.huggingface.layout import load_theirs, to_theirs
from llm.nn import MLP, Block, MultiHeadAttention, padding_mask

__all__ = ["BERT", "BERTConfig"]


class BERT(nn.Module):
    """An encoder with a masked-language-model head: ids in, logits at each place out.

    Weights begin as noise of standard deviation `init_std`, cut off at twice that, and
    biases as zero: so does the code released with BERT.

    Attributes:
        config: what it was built from.
    """

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        self.config = config
        V, C, padding = config.vocab_size, config.width, config.padding

        rows = config.first_position + config.context
        self.embedding = nn.Embedding(V, C, padding_idx=padding)
        self.position = nn.Embedding(
            rows, C, padding_idx=padding if config.style == "roberta" else None
        )
        self.segment = nn.Embedding(config.type_count, C)
        self.norm = nn.LayerNorm(C, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(make_block(config) for _ in range(config.layers))
        if config.has_pooler:
            self.pooler = nn.Linear(C, C)
        if config.has_next_sentence:
            self.next_sentence = nn.Linear(C, 2)
        if config.masked_head:
            self.transform = nn.Linear(C, C)
            self.transform_norm = nn.LayerNorm(C, config.norm_eps)
            self.head = nn.Linear(C, V)
            if config.tied:
                self.head.weight = self.embedding.weight
        self.initialise()

    def initialise(self) -> None:
        """Draw all weights anew from the global random generator."""
        std = self.config.init_std
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        for table in (self.embedding, self.position):
            if table.padding_idx is not None:
                nn.init.zeros_(table.weight[table.padding_idx])

    def forward(
        self, ids: Tensor, *, mask: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """Logits over the token that belongs at each place: (B, T, V).

        Args:
            ids: tokens, (B, T) int64.
            mask: False at padding, True at tokens, (B, T) bool. Padding is never
                attended to; what comes out there means nothing.
            types: segment of each token, (B, T) int64; all 0 when not given.

        Raises:
            ValueError: T exceeds the context, an id the vocabulary or a type the
                types, or the shapes differ.
        """
        x = self.features(ids, mask=mask, types=types)  # (B, T, C)
        logits = self.predict(x)  # (B, T, V)
        return logits

    def features(
        self, ids: Tensor, *, mask: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """What the heads read at each place, (B, T, C). Arguments: see `forward`."""
        self.check(ids, mask=mask, types=types)
        x: Tensor = self.embed(ids, types)  # (B, T, C)
        seen = None if mask is None else padding_mask(mask)  # (B, 1, 1, T)
        for block in self.blocks:
            x = block(x, mask=seen)
        return x

    def embed(self, ids: Tensor, types: Tensor | None) -> Tensor:
        """The normalised sum of three vectors a token: (B, T) to (B, T, C)."""
        types = torch.zeros_like(ids) if types is None else types
        x = look_up(self.embedding, ids, "ids")  # (B, T, C)
        x = x + look_up(self.segment, types, "types")
        x = x + self.position(self.positions(ids))
        normal: Tensor = self.dropout(self.norm(x))
        return normal

    def positions(self, ids: Tensor) -> Tensor:
        """Row of the position table for each token: (B, T), or (T,) if rows agree.

        BERT counts places, padding or not. RoBERTa counts tokens that are not padding;
        all padding has the row of its id.
        """
        if self.config.style == "bert":
            return torch.arange(ids.size(1), device=ids.device)
        real = ids.ne(self.config.first_position - 1)  # (B, T)
        return real.cumsum(1) * real + self.config.first_position - 1

    def predict(self, x: Tensor) -> Tensor:
        """The masked head: features (..., C) to logits (..., V).

        Raises:
            ValueError: the model was made without that head.
        """
        if not self.config.masked_head:
            raise ValueError("this BERT has no masked head: masked_head=True makes one")
        x = self.transform_norm(F.gelu(self.transform(x)))
        logits: Tensor = self.head(x)
        return logits

    def pooled(self, x: Tensor) -> Tensor:
        """The whole text, read off its first token: features (B, T, C) to (B, C).

        Raises:
            ValueError: the model was made without pooler.
        """
        if not self.config.has_pooler:
            raise ValueError("this BERT has no pooler: pooler=True makes one")
        return torch.tanh(self.pooler(x[:, 0]))

    def follows(self, x: Tensor) -> Tensor:
        """Whether B follows A: features (B, T, C) to logits (B, 2) of yes and no.

        Raises:
            ValueError: the model was made without next-sentence head.
        """
        if not self.config.has_next_sentence:
            raise ValueError(
                "this BERT has no next-sentence head: next_sentence=True makes one"
            )
        logits: Tensor = self.next_sentence(self.pooled(x))
        return logits

    def check(self, ids: Tensor, *, mask: Tensor | None, types: Tensor | None) -> None:
        """Refuse inputs that do not fit the model or each other."""
        if ids.dim() != 2:
            raise ValueError(f"ids are of shape {tuple(ids.shape)}, not (B, T)")
        if ids.size(1) > self.config.context:
            raise ValueError(
                f"{ids.size(1)} tokens exceed the context of {self.config.context}"
            )
        for name, beside in {"mask": mask, "types": types}.items():
            if beside is not None and beside.shape != ids.shape:
                found, expected = tuple(beside.shape), tuple(ids.shape)
                raise ValueError(f"{name} of shape {found} for ids of shape {expected}")
        if mask is not None and mask.dtype != torch.bool:
            raise ValueError(f"mask is of {mask.dtype}: mask.bool() is True at tokens")

    def parameter_count(self) -> dict[str, int]:
        """Parameters of each kind of part; their sum counts every parameter once.

        A tied head has a transform and a bias of its own, but no matrix.
        """
        kinds = ("embedding", "position", "segment", "attention", "feedforward")
        count = dict.fromkeys((*kinds, "norm", "head", "pooler", "next_sentence"), 0)
        for name, parameter in self.named_parameters():
            part = name.split(".")[2 if name.startswith("blocks.") else 0]
            part = "norm" if part.endswith("norm") else part
            count["head" if part == "transform" else part] += parameter.numel()
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
        return load_saved(cls(BERTConfig.of(read_json(path), source=path)), directory)

    @classmethod
    def from_hf(cls, source: str | Path, *, fresh_head: bool = False) -> Self:
        """Read a BERT or RoBERTa checkpoint in the layout of Hugging Face.

        Pooler and next-sentence head are there if the checkpoint has them.

        Args:
            source: its directory, or its name on the hub: see `read_checkpoint`.
            fresh_head: draw the masked head anew where the checkpoint has none.

        Raises:
            FileNotFoundError: the directory or one of the files is missing.
            ValueError: a file is damaged, asks for what this class does not have, or
                has no masked head.
        """
        config, tensors, directory = huggingface.read(source)
        if not config.masked_head and not fresh_head:
            raise ValueError(
                f"{directory} has no masked head ({huggingface.HEAD[config.style]}): "
                "from_hf(..., fresh_head=True) draws one"
            )
        model = cls(replace(config, masked_head=True))
        layout = huggingface.layout(model.config)
        if not config.masked_head:
            tensors = to_theirs(model, huggingface.masked_head(model.config)) | tensors
        load_theirs(model, tensors, layout=layout, source=directory)
        return model.eval()

    def to_hf(self, directory: str | Path) -> None:
        """Write a checkpoint that `transformers` loads as BERT or RoBERTa.

        Raises:
            ValueError: a RoBERTa has a next-sentence head, which theirs has not.
        """
        write_checkpoint(
            directory,
            config=huggingface.config_to_hf(self.config),
            tensors=to_theirs(self, huggingface.layout(self.config)),
        )


def make_block(config: BERTConfig) -> Block:
    """One layer of the stack."""
    C, eps = config.width, config.norm_eps
    return Block(
        MultiHeadAttention(C, config.heads, dropout=config.dropout),
        MLP(C, config.hidden_width, activation="gelu_exact"),
        norms=(nn.LayerNorm(C, eps), nn.LayerNorm(C, eps)),
        post_norm=True,
        dropout=config.dropout,
    )


def look_up(table: nn.Embedding, ids: Tensor, name: str) -> Tensor:
    """The vectors of `ids`: (B, T) to (B, T, C).

    Raises:
        ValueError: an id is not in the table.
    """
    try:
        vectors: Tensor = table(ids)
    except IndexError:
        raise ValueError(
            f"{name} from {ids.min()} to {ids.max()} exceed what the model knows: "
            f"0 to {table.num_embeddings - 1}"
        ) from None
    return vectors
