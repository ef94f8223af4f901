"""Learned positions before the text: prompts, as embeddings, and prefixes, as keys.

`Prompted` and `Prefixed` stand around a GPT and are called as one, so that training and
`generate` work with either; their context is shorter by the learned positions. They
need a model that attends by position alone: ALiBi and windows count places, and padding
between the prompt and the text would change their distance.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from llm.models.gpt import GPT
from llm.nn import KVCache

# Ids of learned vectors: far above every vocabulary, so that a wrong id is still found.
VIRTUAL = 1 << 40


class Vectors(nn.Module):
    """P learned vectors: (P, C). They begin as those of random tokens."""

    def __init__(self, tokens: int, embedding: nn.Embedding) -> None:
        super().__init__()
        vectors = embedding.weight.detach()
        drawn = torch.randint(len(vectors), (tokens,), device=vectors.device)
        self.weight = nn.Parameter(vectors[drawn])

    def forward(self) -> Tensor:
        """(P, C)."""
        return self.weight


class Encoded(nn.Module):
    """P vectors that a network makes of P others: (P, C). See `methods.PTuning`."""

    def __init__(self, tokens: int, embedding: nn.Embedding, *, hidden: int) -> None:
        super().__init__()
        like, width = embedding.weight, embedding.embedding_dim
        self.vectors = Vectors(tokens, embedding)
        self.lstm = nn.LSTM(width, hidden, bidirectional=True).to(like)
        self.up = nn.Linear(2 * hidden, 2 * hidden).to(like)
        self.out = nn.Linear(2 * hidden, width).to(like)

    def forward(self) -> Tensor:
        """(P, C)."""
        states, _ = self.lstm(self.vectors())  # (P, 2 · hidden)
        vectors: Tensor = self.out(self.up(states).relu())
        return vectors


class VirtualEmbedding(nn.Module):
    """An embedding that knows P further ids, from `VIRTUAL` on."""

    def __init__(self, base: nn.Embedding, prompt: Vectors | Encoded) -> None:
        super().__init__()
        self.base = base
        self.prompt = prompt

    @property
    def weight(self) -> Tensor:
        """Vectors of the vocabulary: (V, C)."""
        return self.base.weight

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) to (B, T, C)."""
        own = ids >= VIRTUAL  # (B, T)
        learned = self.prompt()[(ids - VIRTUAL).clamp(min=0)]  # (B, T, C)
        return torch.where(own[..., None], learned, self.base(ids.masked_fill(own, 0)))


class Prompted(nn.Module):
    """A GPT with P learned vectors before every text. Called as a GPT is.

    Args:
        model: its embedding is replaced, in place.
        prompt: the vectors.
        tokens: P.

    Raises:
        ValueError: they fill the context, or the model counts places.
    """

    def __init__(self, model: GPT, prompt: Vectors | Encoded, *, tokens: int) -> None:
        super().__init__()
        self.config = replace(model.config, context=room(model, tokens))
        self.tokens = tokens
        self.prompt = prompt
        self.model = model
        model.set_submodule("embedding", VirtualEmbedding(model.embedding, prompt))

    def forward(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        cache: list[KVCache] | None = None,
    ) -> Tensor:
        """Logits over the token that follows each of `ids`: (B, T, V)."""
        logits: Tensor = self.head(self.features(ids, mask=mask, cache=cache))
        return logits

    def features(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        cache: list[KVCache] | None = None,
    ) -> Tensor:
        """What the head reads at each of `ids`: (B, T, C). See `GPT.forward`."""
        mask = before(mask, self.tokens)
        if cache and cache[0].length:  # the prompt is in there
            return self.model.features(ids, mask=mask, cache=cache)
        virtual = torch.arange(VIRTUAL, VIRTUAL + self.tokens, device=ids.device)
        ids = torch.cat((virtual.expand(len(ids), -1), ids), dim=1)  # (B, P + T)
        return self.model.features(ids, mask=mask, cache=cache)[:, self.tokens :]

    @property
    def head(self) -> nn.Linear:
        """The head of the model."""
        return self.model.head

    @property
    def embedding(self) -> nn.Embedding:
        """The embedding of the model."""
        return self.model.embedding

    def new_cache(self, batch: int) -> list[KVCache]:
        """Empty caches, with room for prompt and text."""
        return self.model.new_cache(batch)


class Prefixed(nn.Module):
    """A GPT whose layers attend to P learned positions first. Called as a GPT is.

    The keys are those after rotation. They begin as the keys and values of P random
    tokens in their places.

    Args:
        model: is not changed.
        tokens: P.

    Raises:
        ValueError: they fill the context, or the model counts places.
    """

    def __init__(self, model: GPT, *, tokens: int) -> None:
        super().__init__()
        self.config = replace(model.config, context=room(model, tokens))
        self.tokens = tokens
        self.model = model
        device = model.embedding.weight.device
        drawn = torch.randint(model.config.vocab_size, (1, tokens), device=device)
        self.prefix = nn.Parameter(keys_values(model, drawn))  # (layers, 2, H, P, D)

    def forward(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        cache: list[KVCache] | None = None,
    ) -> Tensor:
        """Logits over the token that follows each of `ids`: (B, T, V)."""
        logits: Tensor = self.head(self.features(ids, mask=mask, cache=cache))
        return logits

    def features(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        cache: list[KVCache] | None = None,
    ) -> Tensor:
        """What the head reads at each of `ids`: (B, T, C). See `GPT.forward`."""
        B, T = ids.shape
        if cache is None:
            _, _, H, P, D = self.prefix.shape
            like = self.prefix
            cache = [
                KVCache(B, H, capacity=P + T, width=D, like=like) for _ in self.prefix
            ]
        if not cache[0].length:
            for kept, (k, v) in zip(cache, self.prefix, strict=True):  # (H, P, D)
                kept.append(k.expand(B, -1, -1, -1), v.expand(B, -1, -1, -1))
        return self.model.features(ids, mask=before(mask, self.tokens), cache=cache)

    @property
    def head(self) -> nn.Linear:
        """The head of the model."""
        return self.model.head

    @property
    def embedding(self) -> nn.Embedding:
        """The embedding of the model."""
        return self.model.embedding

    def new_cache(self, batch: int) -> list[KVCache]:
        """Empty caches, with room for prefix and text."""
        return self.model.new_cache(batch)


@torch.no_grad()
def keys_values(model: GPT, ids: Tensor) -> Tensor:
    """What each layer keeps of one text, (1, P): (layers, 2, H, P, D)."""
    cache = model.new_cache(1)
    model.features(ids, cache=cache)
    P = ids.size(1)
    return torch.stack(
        [torch.cat((kept.keys, kept.values))[:, :, :P] for kept in cache]
    )


def before(mask: Tensor | None, tokens: int) -> Tensor | None:
    """`mask`, (B, S), with as many learned positions before it: (B, P + S)."""
    if mask is None:
        return None
    return torch.cat((mask.new_ones(len(mask), tokens), mask), dim=1)


def room(model: GPT, tokens: int) -> int:
    """What `tokens` learned positions leave of the context.

    Raises:
        ValueError: nothing, or the model counts places.
    """
    config = model.config
    if config.parts.position == "alibi" or config.window is not None:
        raise ValueError(
            "prompts and prefixes need a model without ALiBi and without a window: "
            f"position={config.parts.position!r}, window={config.window}"
        )
    if tokens >= config.context:
        raise ValueError(f"{tokens} tokens leave no room in {config.context}")
    return config.context - tokens
