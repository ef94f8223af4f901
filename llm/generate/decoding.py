"""Generation: feed the model what it wrote, one token at a time.

A batch of prompts is decoded together and gives, row by row, what each prompt gives
alone: shorter prompts are padded on the left, padding is masked and takes no position,
and every row draws from a random generator of its own.

A row that has outgrown the context goes on from its last half: the rest is forgotten,
positions start at 0 again, and keys and values are computed anew. To forget one token
at a time would cost that computation at every token.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.generate import sampling
from llm.models.gpt import GPT

Ids = TypeVar("Ids", list[int], list[list[int]], Tensor)
# From logits, (B, V), to the next token of each row, (B,).
Choice = Callable[[Tensor], Tensor]


def generate(
    model: GPT,
    ids: Ids,
    *,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    stop: Collection[int] = (),
    seed: int | None = None,
    cache: bool = True,
) -> Ids:
    """Continue one prompt or several.

    Args:
        model: in `eval` mode meanwhile.
        ids: a prompt, or several of any lengths; a tensor is (T,) or (B, T).
        max_tokens: most tokens to add to each.
        temperature: see `sampling.temperature`; 0 takes the most likely token.
        top_k: see `sampling.top_k`.
        top_p: see `sampling.top_p`.
        min_p: see `sampling.min_p`. The rules apply in this order.
        stop: a row ends after any of these tokens.
        seed: row i draws what a prompt alone draws with seed + i. Without a seed, one
            is drawn from the global random generator.
        cache: keep keys and values instead of computing them again for every token;
            the tokens are the same.

    Returns:
        Prompt and continuation, in the form of `ids`. In a tensor, a row that ends
        before others repeats its last token.

    Raises:
        ValueError: a prompt is empty, longer than the context or has an id outside the
            vocabulary, or another argument is out of its range.
    """
    rows = to_rows(ids)
    check(model, rows, max_tokens=max_tokens, stop=stop)
    choose = chooser(
        model,
        len(rows),
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
    )
    running = set(range(len(rows)))
    with evaluating(model):
        for tokens in islice(decode(model, rows, choose, cache=cache), max_tokens):
            for i in running:
                rows[i].append(tokens[i])
            running = {i for i in running if tokens[i] not in stop}
            if not running:
                break
    return from_rows(rows, like=ids)


def stream(
    model: GPT,
    ids: list[int] | Tensor,
    *,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    stop: Collection[int] = (),
    seed: int | None = None,
    cache: bool = True,
) -> Iterator[int]:
    """Continue one prompt, and give each new token as soon as it is drawn.

    Arguments, tokens and errors are those of `generate`; errors come at once, not with
    the first token. The model is in `eval` mode until the iterator ends or is closed.
    """
    rows = to_rows(ids)
    if len(rows) > 1:
        raise ValueError(f"stream continues one prompt, not {len(rows)}: use generate")
    check(model, rows, max_tokens=max_tokens, stop=stop)
    choose = chooser(
        model,
        1,
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
    )

    def tokens() -> Iterator[int]:
        with evaluating(model):
            for (token,) in islice(
                decode(model, rows, choose, cache=cache), max_tokens
            ):
                yield token
                if token in stop:
                    return

    return tokens()


@torch.inference_mode()
def decode(
    model: GPT, rows: list[list[int]], choose: Choice, *, cache: bool
) -> Iterator[list[int]]:
    """Without end: the next token of every row.

    Args:
        model: in `eval` mode.
        rows: prompts, none empty.
        choose: takes one token for each row.
        cache: keep keys and values.
    """
    context = model.config.context
    windows = [list(row) for row in rows]  # what each row still sees of itself
    moved = True
    while True:
        if moved or not cache:
            ids, mask = pad_left(windows, model.embedding.weight.device)  # (B, T)
            kept = model.new_cache(len(rows)) if cache else None
        features = model.features(ids, mask=mask, cache=kept)  # (B, T, C)
        drawn = choose(model.head(features[:, -1]))  # (B,)
        tokens = drawn.tolist()
        yield tokens

        moved = False
        for window, token in zip(windows, tokens, strict=True):
            window.append(token)
            if len(window) > context:
                del window[: -max(context // 2, 1)]
                moved = True
        ids = drawn[:, None]  # (B, 1)
        if mask is not None:
            mask = F.pad(mask, (0, 1), value=True)  # (B, S + 1)


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


def chooser(
    model: GPT,
    rows: int,
    *,
    seed: int | None,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
) -> Choice:
    """The way to take one token for each of `rows` rows.

    Raises:
        ValueError: a rule does not take its value.
    """

    def shaped(logits: Tensor) -> Tensor:
        logits = logits.float()  # (B, V); half precision would make ties
        if temperature != 0:
            logits = sampling.temperature(logits, temperature)
        if top_k is not None:
            logits = sampling.top_k(logits, top_k)
        if top_p is not None:
            logits = sampling.top_p(logits, top_p)
        if min_p is not None:
            logits = sampling.min_p(logits, min_p)
        return logits

    shaped(torch.zeros(1, 1))  # refuses now what it would refuse at the first token
    if temperature == 0:
        return lambda logits: logits.argmax(-1)
    if seed is None:
        seed = int(torch.randint(2**62, ()))
    device = model.embedding.weight.device
    own = [torch.Generator(device).manual_seed(seed + i) for i in range(rows)]
    return lambda logits: sampling.draw(shaped(logits), own)


def check(
    model: GPT, rows: list[list[int]], *, max_tokens: int, stop: Collection[int]
) -> None:
    """Refuse what the model cannot continue."""
    context = model.config.context
    for i, row in enumerate(rows):
        if not row:
            raise ValueError(f"prompt {i} is empty: give it one token at least")
        if len(row) > context:
            raise ValueError(
                f"prompt {i} has {len(row)} tokens, more than the context of "
                f"{context}: keep its last ones"
            )
        check_ids(model, row, name=f"prompt {i}")
    check_ids(model, stop, name="stop")
    if max_tokens < 0:
        raise ValueError(f"max_tokens {max_tokens} is below 0")


def check_ids(model: GPT, ids: Collection[int], *, name: str) -> None:
    """Refuse ids that the model does not have."""
    size = model.config.vocab_size
    if outside := sorted({token for token in ids if not 0 <= token < size}):
        raise ValueError(f"{name} has ids {outside}, but the vocabulary is of {size}")


def to_rows(ids: list[int] | list[list[int]] | Tensor) -> list[list[int]]:
    """Copies of the prompts, one or several."""
    rows: Any = ids.tolist() if isinstance(ids, Tensor) else ids
    several = len(rows) > 0 and isinstance(rows[0], list)
    return [list(row) for row in (rows if several else [rows])]


def from_rows(rows: list[list[int]], *, like: Ids) -> Ids:
    """Rows in the form of the prompts that they continue."""
    result: Any = rows
    if isinstance(like, Tensor):
        longest = max(map(len, rows))
        full = [row + row[-1:] * (longest - len(row)) for row in rows]
        result = torch.tensor(full, device=like.device).view(*like.shape[:-1], -1)
    elif not isinstance(like[0], list):
        result = rows[0]
    return cast(Ids, result)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout off, and afterwards every module back to how it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
