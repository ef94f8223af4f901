"""Solutions to the exercises of the note "GPT from scratch"."""

import torch
from torch import Tensor, nn


def attention_share(width: int, hidden: int) -> float:
    """Share of a block's weight matrices that belongs to attention, from 0 to 1.

    Biases and norms do not count; the feed-forward network has one hidden layer.
    """
    attention = 4 * width * width  # query, key, value, output
    feedforward = 2 * width * hidden  # up, down
    return attention / (attention + feedforward)


def gpt2_parameters(*, vocab_size: int, context: int, layers: int, width: int) -> int:
    """Number of parameters of a GPT-2: all biases and norms, tied head."""
    norm = 2 * width  # gain and bias
    attention = 4 * width * width + 4 * width
    feedforward = 8 * width * width + 5 * width  # hidden is 4 * width
    block = 2 * norm + attention + feedforward
    return vocab_size * width + context * width + layers * block + norm


def first_leak(model: nn.Module, ids: Tensor) -> int | None:
    """First position of `ids` (T,) whose logits change when only later ids change.

    None when there is no such position: then the model is causal.
    """
    model.eval()  # dropout would change the logits on its own
    with torch.no_grad():
        before = model(ids[None])[0]  # (T, V)
        for t in range(len(ids) - 1):
            changed = ids.clone()
            changed[t + 1 :] = torch.where(ids[t + 1 :] == 0, 1, 0)
            if not torch.equal(model(changed[None])[0, t], before[t]):
                return t
    return None


def greedy(model: nn.Module, ids: list[int], *, max_tokens: int) -> list[int]:
    """`ids` and the `max_tokens` most likely next tokens, found with `model` alone."""
    ids = list(ids)
    with torch.no_grad():
        for _ in range(max_tokens):
            logits = model(torch.tensor([ids]))  # (1, T, V)
            ids.append(int(logits[0, -1].argmax()))
    return ids
