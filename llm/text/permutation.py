"""Orders to predict in, for permutation language modelling.

Yang et al. 2019 (arXiv:1906.08237), section 2.3: of an order, only the last tokens are
predicted, since the first have little to go by and slow the learning down.
"""

from collections.abc import Callable

import numpy as np
import torch

from llm.text.batches import Batch


def draw_orders(
    data: Callable[[int], Batch], *, share: int = 6, start: int = 0, seed: int = 0
) -> Callable[[int], Batch]:
    """Give each row of each batch an order of its own, and the last of it as targets.

    The batch of a step holds, drawn from (`seed`, step) alone:

    ids        tokens, (B, T)
    order      positions as they are predicted, (B, T)
    places     the last of `order`, (B, K): K is (T - `start`) / `share`, at least 1
    targets    the tokens there, (B, K)

    Args:
        data: batches by step, with "ids" (B, T).
        share: one of how many tokens is predicted; 6 or 7 in the paper, whose K it is.
        start: how many of the first tokens come first in every order and are no
            targets. XLNet knows distances alone, and only through the weights of
            attention: who sees no token, or a single one, knows not where it stands.
            Two different tokens that all see tell it.
        seed: of the orders.

    Raises:
        ValueError: `share` is below 1, or a batch has no token beyond `start`.
    """
    if share < 1:
        raise ValueError(f"share {share} is below 1: one token of each 1 is all")

    def batch(step: int) -> Batch:
        ids = data(step)["ids"]  # (B, T)
        rest = ids.size(1) - start
        if rest < 1:
            raise ValueError(f"{ids.size(1)} tokens leave none beyond start {start}")
        random = np.random.default_rng([seed, step])
        turns = random.random(ids.shape)
        turns[:, :start] = np.arange(start) - start  # before all that was drawn
        order = torch.from_numpy(turns.argsort(1))  # (B, T)
        places = order[:, -max(rest // share, 1) :]  # (B, K)
        targets = ids.gather(1, places)
        return {"ids": ids, "order": order, "places": places, "targets": targets}

    return batch
