"""Attention, small enough to plant."""

import torch
from torch import Tensor

EPSILON: float = 1e-6


class Attention:
    """Holds a method to quote."""

    @staticmethod
    def weights(q: Tensor, k: Tensor) -> Tensor:
        """Softmax of the scaled scores."""
        scores = q @ k.mT / q.shape[-1] ** 0.5
        return scores.softmax(-1)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Weighted average of the values."""
    return torch.matmul(Attention.weights(q, k), v)
