"""Relative attention against its definition, and its memory."""

import math

import pytest
import torch
from torch import Tensor
from transformers import XLNetConfig, XLNetModel
from transformers.models.xlnet.modeling_xlnet import XLNetRelativeAttention

from llm.nn.relative import (
    RelativeAttention,
    SegmentMemory,
    View,
    by_source,
    distance_vectors,
)

B, T, PAST, C, H = 2, 4, 3, 12, 3
D, S = C // H, PAST + T


@pytest.fixture
def layer() -> RelativeAttention:
    """Attention with every number drawn."""
    layer = RelativeAttention(C, H).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.5)
    return layer


def by_loop(
    layer: RelativeAttention, x: Tensor, sources: Tensor, *, view: View
) -> Tensor:
    """The definition, query by query and source by source."""
    y = torch.zeros(x.shape)
    for b in range(len(x)):
        for h in range(H):
            own = slice(h * D, (h + 1) * D)
            u, v, w = (
                bias[h, 0]
                for bias in (
                    layer.content_bias,
                    layer.distance_bias,
                    layer.segment_bias,
                )
            )
            for t in range(x.size(1)):
                q = layer.query(x[b, t])[own]
                place = int(view.places.expand(len(x), -1)[b, t])
                scores, values = [], []
                for s in range(sources.size(1)):
                    if view.mask is not None and not view.mask[b, 0, t, s]:
                        continue
                    distance = torch.tensor(place - s)
                    i = torch.arange(0, C, 2)
                    angle = distance / 10_000 ** (i / C)
                    r = layer.distance(torch.cat((angle.sin(), angle.cos())))[own]
                    score = (q + u) @ layer.key(sources[b, s])[own] + (q + v) @ r
                    if view.differ is not None:
                        kind = int(view.differ[b, 0, t, s])
                        score = score + (q + w) @ layer.segments[kind, h]
                    scores.append(score / math.sqrt(D))
                    values.append(layer.value(sources[b, s])[own])
                if scores:
                    y[b, t, own] = torch.stack(scores).softmax(0) @ torch.stack(values)
    return layer.out(y)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("segments", [False, True])
def test_equals_its_definition(
    layer: RelativeAttention, masked: bool, segments: bool
) -> None:
    sources = torch.randn(B, S, C)
    mask = torch.rand(B, 1, T, S) > 0.4 if masked else None
    differ = torch.rand(B, 1, T, S) > 0.5 if segments else None
    view = View(torch.arange(PAST, S), mask, differ)
    found = layer.find(sources, distance_vectors(T, S, C))
    x = torch.randn(B, T, C)
    with torch.no_grad():
        expected = by_loop(layer, x, sources, view=view)
        torch.testing.assert_close(layer(x, found, view=view), expected)

        chosen = torch.tensor([[3, 0], [2, 1]])
        few = torch.randn(B, 2, C)
        expected = by_loop(layer, few, sources, view=view.at(chosen))
        torch.testing.assert_close(layer(few, found, view=view.at(chosen)), expected)


def test_queries_at_some_places_get_what_they_get_among_all(
    layer: RelativeAttention,
) -> None:
    x, sources = torch.randn(B, T, C), torch.randn(B, S, C)
    grids = torch.rand(2, B, 1, T, S) > 0.3
    view = View(torch.arange(PAST, S), *grids)
    found = layer.find(sources, distance_vectors(T, S, C))
    chosen = torch.tensor([[3, 1], [0, 2]])
    some = x.take_along_dim(chosen[..., None], dim=1)
    expected = layer(x, found, view=view).take_along_dim(chosen[..., None], dim=1)
    torch.testing.assert_close(layer(some, found, view=view.at(chosen)), expected)


def test_sources_look_up_what_the_shift_of_transformer_xl_gives() -> None:
    scores = torch.randn(B, H, T, S + T)  # the first column, distance S, is never used
    theirs = XLNetRelativeAttention.rel_shift_bnij(scores, klen=S)
    assert by_source(scores[..., 1:], torch.arange(PAST, S), source=S).equal(theirs)


@pytest.mark.parametrize("farthest", [None, 2, 100])
def test_vectors_of_distance_are_those_of_the_reference(farthest: int | None) -> None:
    config = XLNetConfig(
        vocab_size=2, d_model=C, n_layer=1, n_head=H, clamp_len=farthest or -1
    )
    theirs = XLNetModel(config).relative_positional_encoding(T, S)[1:, 0]
    torch.testing.assert_close(distance_vectors(T, S, C, farthest=farthest), theirs)


def test_vectors_of_odd_width_are_refused() -> None:
    with pytest.raises(ValueError, match="width 5 is odd"):
        distance_vectors(2, 2, 5)


def test_what_is_hidden_changes_nothing_at_all(layer: RelativeAttention) -> None:
    x, sources = torch.randn(B, T, C), torch.randn(B, S, C)
    mask = torch.rand(B, 1, T, S) > 0.5
    mask[..., 2] = False
    view = View(torch.arange(PAST, S), mask)
    distances = distance_vectors(T, S, C)
    before = layer(x, layer.find(sources, distances), view=view)
    sources[:, 2] = 1e3
    assert layer(x, layer.find(sources, distances), view=view).equal(before)


def test_who_may_see_nothing_gets_nothing_and_spoils_no_gradient(
    layer: RelativeAttention,
) -> None:
    x, sources = torch.randn(B, T, C), torch.randn(B, S, C, requires_grad=True)
    mask = torch.ones(B, 1, T, S, dtype=torch.bool)
    mask[:, :, 1] = False
    view = View(torch.arange(PAST, S), mask)
    y = layer(x, layer.find(sources, distance_vectors(T, S, C)), view=view)
    assert y[:, 1].eq(0).all() and y[:, 0].ne(0).all()
    y.sum().backward()
    assert sources.grad is not None and sources.grad.isfinite().all()
    assert all(
        p.grad.isfinite().all() for p in layer.parameters() if p.grad is not None
    )


def test_dropout_acts_in_training_only() -> None:
    layer, x = RelativeAttention(C, H, dropout=0.5), torch.randn(B, T, C)
    found, view = layer.find(x, distance_vectors(T, T, C)), View(torch.arange(T))
    assert not layer(x, found, view=view).equal(layer(x, found, view=view))
    layer.eval()
    assert layer(x, found, view=view).equal(layer(x, found, view=view))


def test_an_indivisible_width_is_named() -> None:
    with pytest.raises(ValueError, match="width 10 is not divisible by heads 3"):
        RelativeAttention(10, 3)


@pytest.mark.parametrize(
    ("capacity", "reuse", "kept"),
    [
        (None, None, [0, 1, 2, 3, 4, 5]),
        (4, None, [2, 3, 4, 5]),
        (None, 2, [0, 1, 3, 4]),
        (3, 2, [1, 3, 4]),
    ],
)
def test_a_memory_keeps_the_latest_of_what_is_reused(
    capacity: int | None, reuse: int | None, kept: list[int]
) -> None:
    memory = SegmentMemory(capacity=capacity, reuse=reuse)
    x = torch.arange(6.0).view(1, 6, 1).requires_grad_()
    assert memory.length == 0
    assert memory.append(x[:, :3]).equal(x[:, :3])
    before = memory.states
    sources = memory.append(x[:, 3:])
    assert before is not None and sources.equal(torch.cat((before, x[:, 3:]), 1))
    assert memory.states is not None and not memory.states.requires_grad
    assert memory.states.flatten().tolist() == kept
    assert memory.length == len(kept)
    sources.sum().backward()  # the segment learns, what is remembered does not
    assert x.grad is not None and x.grad.flatten().tolist() == [0, 0, 0, 1, 1, 1]
