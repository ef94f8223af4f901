"""Attention against PyTorch's own module, a loop over heads, and the definition."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from llm.nn import (
    KVCache,
    MultiHeadAttention,
    Rotary,
    causal_mask,
    padding_mask,
)

B, T, C, H = 2, 5, 12, 4
D = C // H


def by_loop(layer: MultiHeadAttention, x: Tensor, mask: Tensor) -> Tensor:
    """Attention of one sequence, head by head and position by position."""
    q, k, v = layer.query(x), layer.key(x), layer.value(x)
    shared = layer.heads // layer.kv_heads
    heads = []
    for h in range(layer.heads):
        own = slice(h * D, (h + 1) * D)
        theirs = slice(h // shared * D, (h // shared + 1) * D)
        rows = []
        for t in range(len(x)):
            seen = [s for s in range(len(x)) if mask[t, s]]
            scores = [q[t, own] @ k[s, theirs] / math.sqrt(D) for s in seen]
            weights = torch.stack(scores).softmax(0)
            parts = [w * v[s, theirs] for w, s in zip(weights, seen, strict=True)]
            rows.append(torch.stack(parts).sum(0))
        heads.append(torch.stack(rows))
    return layer.out(torch.cat(heads, -1))


def copied(layer: MultiHeadAttention) -> nn.MultiheadAttention:
    """PyTorch's module with the weights of `layer`."""
    theirs = nn.MultiheadAttention(C, H, batch_first=True)
    parts = [layer.query, layer.key, layer.value]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.weight.copy_(layer.out.weight)
        theirs.out_proj.bias.copy_(layer.out.bias)
    return theirs


def test_equals_torch_with_and_without_masks() -> None:
    layer, x = MultiHeadAttention(C, H), torch.randn(B, T, C)
    theirs = copied(layer)
    real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)
    causal = causal_mask(T)
    full = theirs(x, x, x)[0]
    padded = theirs(x, x, x, key_padding_mask=~real)[0]
    masked = theirs(x, x, x, attn_mask=~causal)[0]
    torch.testing.assert_close(layer(x), full)
    torch.testing.assert_close(layer(x, mask=padding_mask(real)), padded)
    torch.testing.assert_close(layer(x, mask=causal), masked)
    torch.testing.assert_close(layer(x, causal=True), masked)


def test_attention_to_another_sequence_equals_torch() -> None:
    layer, x, y = MultiHeadAttention(C, H), torch.randn(B, T, C), torch.randn(B, 3, C)
    theirs = copied(layer)
    real = torch.tensor([[True, True, True], [True, False, False]])
    memory = layer.keys_values(y)
    torch.testing.assert_close(layer(x, memory=memory), theirs(x, y, y)[0])
    torch.testing.assert_close(
        layer(x, memory=memory, mask=padding_mask(real)),
        theirs(x, y, y, key_padding_mask=~real)[0],
    )


def test_a_bias_is_added_to_the_scores_with_and_without_a_mask() -> None:
    layer, x = MultiHeadAttention(C, H), torch.randn(B, T, C)
    theirs, bias, causal = copied(layer), torch.randn(B, H, T, T), causal_mask(T)
    torch.testing.assert_close(
        layer(x, bias=bias), theirs(x, x, x, attn_mask=bias.flatten(0, 1))[0]
    )
    hidden = bias.masked_fill(~causal, float("-inf")).flatten(0, 1)
    torch.testing.assert_close(
        layer(x, bias=bias, mask=causal), theirs(x, x, x, attn_mask=hidden)[0]
    )


def test_with_a_bias_the_future_changes_nothing_at_all() -> None:
    layer, x = MultiHeadAttention(C, H), torch.randn(1, T, C)
    bias, mask = torch.randn(H, T, T), causal_mask(T)
    before = layer(x, bias=bias, mask=mask)
    x[:, 3:] += 1
    assert layer(x, bias=bias, mask=mask)[:, :3].equal(before[:, :3])


@pytest.mark.parametrize(("head_width", "scale"), [(5, None), (5, 1.0), (2, 0.3)])
def test_heads_of_another_width_and_scale_equal_the_definition(
    head_width: int, scale: float | None
) -> None:
    layer = MultiHeadAttention(C, H, head_width=head_width, scale=scale)
    x = torch.randn(B, T, C)
    q, k, v = (
        part(x).view(B, T, H, head_width)
        for part in (layer.query, layer.key, layer.value)
    )
    factor = 1 / math.sqrt(head_width) if scale is None else scale
    weights = (torch.einsum("bthd,bshd->bhts", q, k) * factor).softmax(-1)
    heads = torch.einsum("bhts,bshd->bthd", weights, v)
    torch.testing.assert_close(layer(x), layer.out(heads.flatten(2)))


def test_a_given_head_width_need_not_divide_the_width() -> None:
    layer = MultiHeadAttention(10, 4, head_width=3, kv_heads=2)
    assert layer(torch.randn(B, T, 10)).shape == (B, T, 10)
    assert layer.key.weight.shape == (6, 10)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_grouped_heads_equal_a_loop_over_heads(kv_heads: int) -> None:
    layer = MultiHeadAttention(C, H, kv_heads=kv_heads)
    x, mask = torch.randn(T, C), causal_mask(T)
    y = layer(x[None], mask=mask)[0]
    torch.testing.assert_close(y, by_loop(layer, x, mask))


def test_shared_heads_equal_repeated_heads() -> None:
    grouped, full = MultiHeadAttention(C, H, kv_heads=2), MultiHeadAttention(C, H)
    state = grouped.state_dict()
    for name in ("key.weight", "key.bias", "value.weight", "value.bias"):
        heads = state[name].unflatten(0, (2, D))
        state[name] = heads.repeat_interleave(2, dim=0).flatten(0, 1)
    full.load_state_dict(state)
    x = torch.randn(B, T, C)
    torch.testing.assert_close(grouped(x), full(x))


def test_causal_mask_ends_on_the_last_source() -> None:
    assert causal_mask(2, 4).tolist() == [[True] * 3 + [False], [True] * 4]
    assert causal_mask(3).equal(torch.ones(3, 3, dtype=torch.bool).tril())


@pytest.mark.parametrize("mask", [{"causal": True}, {"mask": causal_mask(T)}])
def test_the_future_changes_nothing_at_all(mask: dict[str, Tensor]) -> None:
    layer, x = MultiHeadAttention(C, H), torch.randn(1, T, C)
    before = layer(x, **mask)
    changed = x.clone()
    changed[:, 3:] += 1
    difference = (layer(changed, **mask) - before).abs().amax((0, 2))
    assert difference[:3].eq(0).all()
    assert difference[3:].gt(0).all()


def test_padding_is_never_attended_to() -> None:
    layer, x = MultiHeadAttention(C, H), torch.randn(1, T, C)
    mask = padding_mask(torch.tensor([[False, False, True, True, True]]))
    before = layer(x, mask=mask)
    x[:, :2] = 1e3
    assert layer(x, mask=mask)[:, 2:].equal(before[:, 2:])


def test_what_may_attend_to_nothing_gets_nothing_and_spoils_no_gradient() -> None:
    layer, x = MultiHeadAttention(C, H), torch.randn(1, T, C, requires_grad=True)
    mask = causal_mask(T) & padding_mask(
        torch.tensor([[False, True, True, True, True]])
    )
    y = layer(x, mask=mask)
    torch.testing.assert_close(y[0, 0], layer.out.bias)
    y.sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_order_does_not_matter_without_positions() -> None:
    layer, x, order = MultiHeadAttention(C, H), torch.randn(B, T, C), torch.randperm(T)
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order])


def test_the_cache_gives_what_the_whole_sequence_gives() -> None:
    layer = MultiHeadAttention(16, 4, kv_heads=2, qk_norm=True)
    x = torch.randn(B, T, 16)
    rotary = Rotary(4, context=T)
    whole = layer(x, causal=True, rotation=rotary(torch.arange(T)))
    cache = KVCache(B, 2, capacity=T, width=4, like=x)
    first = layer(x[:, :3], causal=True, rotation=rotary(torch.arange(3)), cache=cache)
    rest = layer(
        x[:, 3:],
        mask=causal_mask(2, T),
        rotation=rotary(torch.arange(3, T)),
        cache=cache,
    )
    assert cache.length == T
    torch.testing.assert_close(torch.cat((first, rest), 1), whole)


def test_normalised_queries_and_keys_bound_the_scores() -> None:
    layer, x = MultiHeadAttention(C, H, qk_norm=True), torch.randn(1, T, C)
    expected = layer(x)
    with torch.no_grad():
        layer.query.weight *= 1e4
        layer.query.bias *= 1e4
    torch.testing.assert_close(layer(x), expected)


def test_dropout_acts_in_training_only() -> None:
    layer, x = MultiHeadAttention(C, H, dropout=0.5), torch.randn(B, T, C)
    assert not layer(x).equal(layer(x))
    layer.eval()
    assert layer(x).equal(layer(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiHeadAttention(100, 3), "width 100 is not divisible by heads 3"),
        (
            lambda: MultiHeadAttention(8, 4, kv_heads=3),
            "heads 4 is not divisible by kv_heads 3",
        ),
    ],
)
def test_indivisible_shapes_are_named(
    make: Callable[[], MultiHeadAttention], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()
