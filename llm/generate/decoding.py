"""Generation: feed the model what it wrote, one token at a time.

A GPT continues prompts; an encoder-decoder answers sources. How a row is written, and
what happens to one that outgrows the context: see `llm.generate.writers`. Every row
draws from a random generator of its own, and is what it would be alone.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, nn

from llm.generate import sampling
from llm.generate.writers import answers, writer_of

if TYPE_CHECKING:
    from llm.generate.writers import Model

Ids = TypeVar("Ids", list[int], list[list[int]], Tensor)
# From logits, (B, V), to the next token of each row, (B,).
Choice = Callable[[Tensor], Tensor]


def generate(
    model: "Model",
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
    """Continue one prompt or several, or answer one source or several.

    Args:
        model: a GPT, or an encoder-decoder; in `eval` mode meanwhile.
        ids: a prompt, or several of any lengths; a tensor is (T,) or (B, T). For an
            encoder-decoder, a source or several.
        max_tokens: most tokens to write for each.
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
        Prompt and continuation, in the form of `ids`; of an encoder-decoder, what it
        writes after the start token. In a tensor, a row that ends before others repeats
        its last token.

    Raises:
        ValueError: a prompt or source is empty, longer than the context or has an id
            outside the vocabulary, or another argument is out of its range.
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
    texts = begun(model, rows)
    running = set(range(len(rows)))
    with evaluating(model):
        for tokens in decode(model, rows, choose, max_tokens=max_tokens, cache=cache):
            for i in running:
                texts[i].append(tokens[i])
            running = {i for i in running if tokens[i] not in stop}
            if not running:
                break
    return from_rows(texts, like=ids)


def stream(
    model: "Model",
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
    """Continue one prompt or answer one source: each token as soon as it is drawn.

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
            for (token,) in decode(
                model, rows, choose, max_tokens=max_tokens, cache=cache
            ):
                yield token
                if token in stop:
                    return

    return tokens()


@torch.inference_mode()
def decode(
    model: "Model",
    rows: list[list[int]],
    choose: Choice,
    *,
    max_tokens: int,
    cache: bool,
) -> Iterator[list[int]]:
    """The next token of every row, `max_tokens` times.

    Args:
        model: in `eval` mode.
        rows: prompts or sources, none empty.
        choose: takes one token for each row.
        max_tokens: how often.
        cache: keep keys and values.
    """
    writer = writer_of(model, rows, max_tokens=max_tokens, cache=cache)
    for _ in range(max_tokens):
        tokens = choose(writer.logits())  # (B,)
        yield tokens.tolist()
        writer.append(tokens)


def chooser(
    model: "Model",
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
    model: "Model", rows: list[list[int]], *, max_tokens: int, stop: Collection[int]
) -> None:
    """Refuse what the model cannot continue or answer."""
    kind = "source" if answers(model) else "prompt"
    context = getattr(model.config, "context", inf)  # a T5 has no limit
    for i, row in enumerate(rows):
        if not row:
            raise ValueError(f"{kind} {i} is empty: give it one token at least")
        if len(row) > context:
            raise ValueError(
                f"{kind} {i} has {len(row)} tokens, more than the context of "
                f"{context}: keep its last ones"
            )
        check_ids(model, row, name=f"{kind} {i}")
    check_ids(model, stop, name="stop")
    if max_tokens < 0:
        raise ValueError(f"max_tokens {max_tokens} is below 0")
    if answers(model) and max_tokens > context:
        raise ValueError(f"max_tokens {max_tokens} exceeds the context of {context}")


def check_ids(model: "Model", ids: Collection[int], *, name: str) -> None:
    """Refuse ids that the model does not have."""
    size = model.config.vocab_size
    if outside := sorted({token for token in ids if not 0 <= token < size}):
        raise ValueError(f"{name} has ids {outside}, but the vocabulary is of {size}")


def begun(model: "Model", rows: list[list[int]]) -> list[list[int]]:
    """What a row of the result begins with: its prompt, if it is a continuation."""
    return [[] if answers(model) else list(row) for row in rows]


def to_rows(ids: list[int] | list[list[int]] | Tensor) -> list[list[int]]:
    """Copies of the prompts, one or several."""
    rows: Any = ids.tolist() if isinstance(ids, Tensor) else ids
    several = len(rows) > 0 and isinstance(rows[0], list)
    return [list(row) for row in (rows if several else [rows])]


def from_rows(rows: list[list[int]], *, like: Ids) -> Ids:
    """Rows in the form of the prompts or sources that they belong to."""
    result: Any = rows
    if isinstance(like, Tensor):
        longest = max(map(len, rows))
        full = [row + row[-1:] * (longest - len(row)) for row in rows]
        result = torch.tensor(full, dtype=torch.long, device=like.device)
        result = result.view(*like.shape[:-1], longest)
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
