"""The note "Masks and multi-head attention": its formulae and its exercises."""

import math
from types import ModuleType

import pytest
import torch
from torch.nn import functional as F

from llm.nn import MultiHeadAttention, causal_mask

from ..conftest import ROOT, load

B, T, C, H, D = 2, 5, 12, 3, 4


def heads_by_sums(attention: MultiHeadAttention, x: torch.Tensor) -> torch.Tensor:
    """Outputs of all heads under a causal mask, (H, B, T, D), one number at a time."""
    heads = torch.zeros(H, B, T, D)
    q, k, v = attention.query(x), attention.key(x), attention.value(x)  # (B, T, C)
    for h in range(H):
        features = range(h * D, (h + 1) * D)
        for b in range(B):
            for t in range(T):
                scores = [
                    sum(q[b, t, c].item() * k[b, s, c].item() for c in features)
                    / math.sqrt(D)
                    for s in range(t + 1)
                ]
                total = sum(math.exp(score) for score in scores)
                for s, score in enumerate(scores):
                    weight = math.exp(score) / total
                    heads[h, b, t] += weight * v[b, s, h * D : (h + 1) * D].detach()
    return heads


@pytest.fixture
def attention() -> MultiHeadAttention:
    return MultiHeadAttention(C, H).requires_grad_(False)


def test_one_head(attention: MultiHeadAttention) -> None:
    x = torch.randn(B, T, C)
    h = 1
    rows = slice(h * D, (h + 1) * D)
    Q, K, V = (
        x @ layer.weight[rows].T + layer.bias[rows]
        for layer in (attention.query, attention.key, attention.value)
    )
    M = torch.zeros(T, T).masked_fill(~causal_mask(T), -torch.inf)
    head = (Q @ K.mT / math.sqrt(D) + M).softmax(-1) @ V
    assert torch.allclose(head, heads_by_sums(attention, x)[h], atol=1e-5)


def test_concatenation_is_a_sum(attention: MultiHeadAttention) -> None:
    x = torch.randn(B, T, C)
    heads = heads_by_sums(attention, x)
    W = attention.out.weight.T  # (H·D, C)
    joined = torch.cat(list(heads), -1) @ W + attention.out.bias
    summed = sum(heads[h] @ W[h * D : (h + 1) * D] for h in range(H))
    summed = summed + attention.out.bias
    assert torch.allclose(joined, summed, atol=1e-5)
    assert torch.allclose(attention(x, causal=True), summed, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 12])
def test_predict(answer: ModuleType, heads: int) -> None:
    layer = MultiHeadAttention(768, heads)
    x = torch.randn(2, 7, 768)
    q = layer.query(x).view(2, 7, heads, 768 // heads).transpose(1, 2)
    scores = q @ q.mT
    merged = (scores @ q).transpose(1, 2).reshape(2, 7, 768)
    assert answer.predict(2, 7, width=768, heads=heads) == {
        "query": tuple(q.shape),
        "scores": tuple(scores.shape),
        "merged": tuple(merged.shape),
        "out": tuple(layer(x).shape),
        "parameters": sum(p.numel() for p in layer.parameters()),
    }


def test_broken(answer: ModuleType) -> None:
    windows = load(ROOT / "snippets/exercises/attention/multi-head.py").WINDOWS
    assert answer.broken(windows, window=3) == {"a", "b", "d"}


@pytest.mark.parametrize("t, s", [(0, 0), (4, 2), (4, 1), (2, 3)])
def test_broken_sees_a_single_wrong_cell(answer: ModuleType, t: int, s: int) -> None:
    def right(length: int) -> torch.Tensor:
        back = torch.arange(length)[:, None] - torch.arange(length)
        return (back >= 0) & (back < 3)

    def wrong(length: int) -> torch.Tensor:
        mask = right(length)
        mask[t, s] ^= True
        return mask

    assert answer.broken({"right": right, "wrong": wrong}, window=3) == {"wrong"}


@pytest.mark.parametrize("prefix", [0, 3, 6])
def test_prefix_attention(answer: ModuleType, prefix: int) -> None:
    q, k, v = torch.randn(3, 2, 2, 6, 4)
    found = answer.prefix_attention(q, k, v, prefix=prefix)
    for t in range(6):
        seen = max(prefix, t + 1)  # both rules together: a run from the start
        row = F.scaled_dot_product_attention(
            q[:, :, t : t + 1], k[:, :, :seen], v[:, :, :seen]
        )
        assert torch.allclose(found[:, :, t : t + 1], row, atol=1e-6)


def test_least_needed(answer: ModuleType, attention: MultiHeadAttention) -> None:
    x = torch.randn(B, T, C)
    sizes = torch.tensor([1.0, 0.1, 2.0]).repeat_interleave(D)  # head 1 says little
    attention.out.weight.copy_(torch.randn(C, C) * sizes)
    target, before = attention(x), attention.out.weight.clone()

    def loss() -> float:
        return F.mse_loss(attention(x), target).item()

    assert answer.least_needed(attention, loss) == 1
    assert torch.equal(attention.out.weight, before)


def test_least_needed_measures_the_loss_and_not_the_weights(
    answer: ModuleType, attention: MultiHeadAttention
) -> None:
    attention.out.weight[:, 2 * D :] *= 10  # head 2 is loud, and nobody wants it
    x = torch.randn(B, T, C)
    quiet = MultiHeadAttention(C, H).requires_grad_(False)
    quiet.load_state_dict(attention.state_dict())
    quiet.out.weight[:, 2 * D :] = 0
    target = quiet(x)
    loss = lambda: F.mse_loss(attention(x), target).item()  # noqa: E731
    assert answer.least_needed(attention, loss) == 2


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 0, 2]])
def test_permute_heads(
    answer: ModuleType, attention: MultiHeadAttention, order: list[int]
) -> None:
    x = torch.randn(B, T, C)
    before = attention(x, causal=True)
    value = attention.value.weight.clone()
    answer.permute_heads(attention, order)
    assert torch.allclose(attention(x, causal=True), before, atol=1e-6)
    first = slice(order[0] * D, (order[0] + 1) * D)
    assert torch.equal(attention.value.weight[:D], value[first])
