"""Orders to predict in, for permutation language modelling.

Yang et al. 2019 (arXiv:1906.08237), section 2.3: of an order, only the last tokens are
predicted, since the first have little to go by and slow the learning down.
"""

from collections.abc import Callable

import numpy as np
import torch

from llm.text.batches import Batch


def permuted(
    data: Callable[[int], Batch], *, share: int = 6, seed: int = 0
) -> Callable[[int], Batch]:
    """Give each row of each batch an order of its own, and the last of it as targets.

    The batch of a step holds, drawn from (`seed`, step) alone:

    ids        tokens, (B, T)
    order      positions as they are predicted, (B, T)
    places     the last of `order`, (B, K): K is T / `share`, and 1 at least
    targets    the tokens there, (B, K)

    Args:
        data: batches by step, with "ids" (B, T).
        share: one of how many tokens is predicted; 6 or 7 in the paper, whose K it is.
        seed: of the orders.

    Raises:
        ValueError: `share` is below 1.
    """
    if share < 1:
        raise ValueError(f"share {share} is below 1: one token of each 1 is all")

    def batch(step: int) -> Batch:
        ids = data(step)["ids"]  # (B, T)
        random = np.random.default_rng([seed, step])
        order = torch.from_numpy(random.random(ids.shape).argsort(1))  # (B, T)
        places = order[:, -max(ids.size(1) // share, 1) :]  # (B, K)
        targets = ids.gather(1, places)
        return {"ids": ids, "order": order, "places": places, "targets": targets}

    return batch
