"""GPT: causal, cached, padded, initialised and counted as it says."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from llm import GPT, GPTConfig, generate
from llm.nn import alibi, causal_mask, sinusoids

V, CONTEXT = 11, 16
POSITIONS = ["learned", "sinusoids", "rotary", "alibi", "none"]


def some_ids(*shape: int) -> torch.Tensor:
    """Random ids."""
    return torch.randint(V, shape)


def test_logits_have_one_row_a_position(model: GPT) -> None:
    assert model(some_ids(3, 7)).shape == (3, 7, V)
    assert model.features(some_ids(3, 7)).shape == (3, 7, 16)


def test_the_future_changes_nothing_at_all(model: GPT) -> None:
    ids = some_ids(1, 10)
    before = model(ids)
    for t in range(9):
        changed = ids.clone()
        changed[:, t + 1 :] = (ids[:, t + 1 :] + 1) % V
        assert (model(changed) - before)[:, : t + 1].abs().max() == 0.0
        assert (model(changed) - before)[:, t + 1 :].abs().max() > 0.0


def test_rows_of_a_batch_do_not_mix(model: GPT) -> None:
    ids = some_ids(3, 6)
    alone = torch.cat([model(row[None]) for row in ids])
    torch.testing.assert_close(model(ids), alone)


def test_order_matters(model: GPT) -> None:
    ids = torch.tensor([[1, 2, 3, 4]])
    turned = torch.tensor([[2, 1, 3, 4]])
    assert (model(ids)[:, -1] - model(turned)[:, -1]).abs().max() > 1e-4


@pytest.mark.parametrize("chunks", [(10,), (1,) * 10, (4, 1, 5)])
def test_the_cache_changes_nothing(model: GPT, chunks: tuple[int, ...]) -> None:
    ids, cache = some_ids(2, 10), model.new_cache(2)
    parts = [model(part, cache=cache) for part in ids.split(chunks, dim=1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(ids), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cached", [False, True])
def test_left_padding_changes_nothing(model: GPT, cached: bool) -> None:
    short, long = some_ids(1, 5), some_ids(1, 8)
    padded = torch.cat((some_ids(1, 3), short), 1)
    mask = torch.ones(2, 8, dtype=torch.bool)
    mask[0, :3] = False
    both = torch.cat((padded, long))
    if cached:
        cache = model.new_cache(2)
        first = model(both[:, :6], mask=mask[:, :6], cache=cache)
        one = model(both[:, 6:7], mask=mask[:, :7], cache=cache)
        logits = torch.cat((first, one, model(both[:, 7:], mask=mask, cache=cache)), 1)
    else:
        logits = model(both, mask=mask)
    torch.testing.assert_close(logits[0, 3:], model(short)[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits[1], model(long)[0], atol=1e-5, rtol=1e-5)


def placed(redraw: Callable[[nn.Module], None], **parts: object) -> GPT:
    """A tiny GPT with parts of its own."""
    gpt = GPT(GPTConfig(V, CONTEXT, 2, 3, 12, **parts)).eval()
    redraw(gpt)
    return gpt


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("position", POSITIONS)
def test_whatever_the_positions_the_cache_and_padding_change_nothing(
    position: str, window: int | None, redraw: Callable[[nn.Module], None]
) -> None:
    model = placed(redraw, position=position, window=window)
    ids = some_ids(2, 10)
    whole, cache = model(ids), model.new_cache(2)
    parts = [model(part, cache=cache) for part in ids.split((4, 1, 5), dim=1)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-5)

    padded = torch.cat((some_ids(2, 3), ids), 1)
    mask = torch.arange(13).ge(3).expand(2, 13)
    torch.testing.assert_close(
        model(padded, mask=mask)[:, 3:], whole, atol=1e-5, rtol=1e-5
    )
    prompts = [ids[0, :2].tolist(), ids[1, :6].tolist()]
    alone = [generate(model, row, max_tokens=12, temperature=0) for row in prompts]
    for cached in (True, False):
        both = generate(model, prompts, max_tokens=12, temperature=0, cache=cached)
        assert both == alone


@pytest.mark.parametrize("position", POSITIONS)
def test_nothing_leaks_into_a_window_from_before_or_after(
    position: str, redraw: Callable[[nn.Module], None]
) -> None:
    window, layers = 3, 2
    model = placed(redraw, position=position, window=window)
    ids = some_ids(1, 12)
    reach = layers * (window - 1)  # each layer looks that much farther back
    for place in range(12):
        changed = ids.clone()
        changed[:, place] = (ids[:, place] + 1) % V
        moved = (model(changed) - model(ids)).abs().amax((0, 2))
        assert moved[:place].eq(0).all()
        assert moved[place : place + reach + 1].gt(0).all()
        assert moved[place + reach + 1 :].eq(0).all()


SEGMENTS = torch.tensor([[0] * 5 + [1] * 3 + [2] * 4, [3] * 1 + [5] * 9 + [4] * 2])


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("position", POSITIONS)
def test_texts_that_share_a_row_are_read_as_if_alone(
    position: str, window: int | None, redraw: Callable[[nn.Module], None]
) -> None:
    model, ids = placed(redraw, position=position, window=window), some_ids(2, 12)
    logits = model(ids, segments=SEGMENTS)
    for row in range(2):
        for segment in SEGMENTS[row].unique():
            own = SEGMENTS[row] == segment
            alone = model(ids[row, own][None])[0]
            torch.testing.assert_close(logits[row, own], alone, atol=1e-6, rtol=0)


def test_nothing_at_all_leaks_from_one_segment_into_another(model: GPT) -> None:
    ids = some_ids(2, 12)
    before = model(ids, segments=SEGMENTS)
    for place in range(12):
        changed = ids.clone()
        changed[:, place] = (ids[:, place] + 1) % V
        moved = (model(changed, segments=SEGMENTS) - before).abs().amax(-1)
        others = SEGMENTS[:, place, None] != SEGMENTS
        assert moved[others].max() == 0.0
        assert (moved[:, place] > 0).all()


def test_segments_go_with_neither_mask_nor_cache(model: GPT) -> None:
    ids = some_ids(2, 12)
    with pytest.raises(ValueError, match="neither with mask nor with cache"):
        model(ids, segments=SEGMENTS, mask=torch.ones(2, 12, dtype=torch.bool))
    with pytest.raises(ValueError, match="neither with mask nor with cache"):
        model(ids, segments=SEGMENTS, cache=model.new_cache(2))


def test_sinusoids_are_added_where_learned_vectors_would_be(
    redraw: Callable[[nn.Module], None],
) -> None:
    fixed = placed(redraw, position="sinusoids")
    learned = GPT(GPTConfig(V, CONTEXT, 2, 3, 12)).eval()
    table = {"position.weight": sinusoids(CONTEXT, 12)}
    learned.load_state_dict(fixed.state_dict() | table)
    ids = some_ids(2, 9)
    assert fixed(ids).equal(learned(ids))


def test_alibi_is_added_to_the_scores_of_every_block(
    redraw: Callable[[nn.Module], None],
) -> None:
    model, ids = placed(redraw, position="alibi"), some_ids(2, 9)
    x = model.embedding(ids)
    for block in model.blocks:
        x = block(x, bias=alibi(3, 9, 9), mask=causal_mask(9))
    assert model(ids).equal(model.head(model.norm(x)))


def test_without_positions_the_past_is_a_bag_of_words_to_one_block() -> None:
    model = GPT(GPTConfig(V, CONTEXT, 1, 2, 8, position="none")).eval()
    ids = torch.tensor([[1, 2, 3, 4]])
    turned = torch.tensor([[2, 1, 3, 4]])
    torch.testing.assert_close(model(ids)[:, -1], model(turned)[:, -1])


def test_ids_outside_the_vocabulary_are_named(model: GPT) -> None:
    with pytest.raises(ValueError, match=r"ids from 3 to 11 exceed .* 0 to 10"):
        model(torch.tensor([[3, 11]]))
    with pytest.raises(ValueError, match="ids from -1 to 3 "):
        model(torch.tensor([[3, -1]]))


def test_sequences_beyond_the_context_are_named(model: GPT) -> None:
    with pytest.raises(ValueError, match="17 tokens exceed the context of 16"):
        model(some_ids(1, 17))
    cache = model.new_cache(1)
    model(some_ids(1, 16), cache=cache)
    with pytest.raises(ValueError, match="17 tokens exceed the context of 16"):
        model(some_ids(1, 1), cache=cache)


def test_ids_without_a_batch_are_named(model: GPT) -> None:
    with pytest.raises(ValueError, match=r"shape \(5,\), not \(B, T\)"):
        model(some_ids(5))


def test_every_parameter_learns(model: GPT) -> None:
    model(some_ids(2, 9)).logsumexp(-1).sum().backward()
    for name, parameter in model.named_parameters():
        # Without norm and rotation, a bias of keys adds the same number to all scores
        # of a query, and softmax undoes it.
        if name.endswith("key.bias") and not model.config.qk_norm:
            continue
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_dropout_acts_in_training_only() -> None:
    model, ids = GPT(GPTConfig(V, CONTEXT, 1, 2, 8, dropout=0.5)), some_ids(1, 6)
    assert not model(ids).equal(model(ids))
    model.eval()
    assert model(ids).equal(model(ids))


@pytest.mark.parametrize("style", ["gpt2", "llama"])
def test_weights_begin_as_documented(style: str) -> None:
    layers = 8
    model = GPT(GPTConfig(200, 64, layers, 4, 64, style=style))
    for name, parameter in model.named_parameters():
        small = name.endswith(("attention.out.weight", "feedforward.down.weight"))
        expected = 0.02 / math.sqrt(2 * layers) if small else 0.02
        if parameter.dim() == 2:
            assert parameter.std().item() == pytest.approx(expected, rel=0.05), name
            assert abs(parameter.mean().item()) < 0.1 * expected, name
        else:
            assert parameter.eq(1 if name.endswith("weight") else 0).all(), name


def test_a_model_of_zero_projections_begins_as_its_embedding() -> None:
    model = GPT(GPTConfig(V, CONTEXT, 3, 2, 8, style="llama", zero_init=True))
    ids = some_ids(1, 6)
    assert model.features(ids).equal(model.norm(model.embedding(ids)))


def test_the_same_seed_begins_with_the_same_weights() -> None:
    config = GPTConfig(V, CONTEXT, 1, 2, 8)
    torch.manual_seed(7)
    first = GPT(config)
    torch.manual_seed(7)
    assert all(map(torch.equal, first.parameters(), GPT(config).parameters()))


@pytest.mark.parametrize("style", ["gpt2", "llama"])
def test_without_bias_there_is_none_anywhere(style: str) -> None:
    model = GPT(GPTConfig(V, CONTEXT, 1, 2, 8, style=style, bias=False))
    assert not [name for name, _ in model.named_parameters() if "bias" in name]
    model = GPT(GPTConfig(V, CONTEXT, 1, 2, 8, style=style, bias=True))
    assert model.blocks[0].attention.out.bias is not None


def test_a_tied_head_is_the_embedding() -> None:
    tied = GPT(GPTConfig(V, CONTEXT, 1, 2, 8))
    assert tied.head.weight is tied.embedding.weight
    free = GPT(GPTConfig(V, CONTEXT, 1, 2, 8, tied=False))
    assert free.head.weight is not free.embedding.weight


def test_parameters_of_gpt2_are_those_that_are_published() -> None:
    with torch.device("meta"):
        model = GPT(GPTConfig(50_257, 1_024, layers=12, heads=12, width=768))
    count = model.parameter_count()
    assert sum(count.values()) == 124_439_808  # "124M"
    assert sum(count.values()) == sum(p.numel() for p in model.parameters())
    assert count["embedding"] == 50_257 * 768
    assert count["position"] == 1_024 * 768
    assert count["attention"] == 12 * 4 * (768 * 768 + 768)
    assert count["feedforward"] == 12 * (8 * 768 * 768 + 5 * 768)
    assert count["norm"] == 25 * 2 * 768
    assert count["head"] == 0


def test_parameters_of_llama_are_those_that_are_published() -> None:
    shape = {"layers": 32, "heads": 32, "width": 4_096, "hidden": 11_008}
    with torch.device("meta"):
        model = GPT(GPTConfig(32_000, 2_048, style="llama", **shape))
    count = model.parameter_count()
    assert sum(count.values()) == 6_738_415_616  # "7B"
    assert count["head"] == count["embedding"] == 32_000 * 4_096
    assert count["position"] == 0


def test_a_saved_model_comes_back_bit_for_bit(model: GPT, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    back = GPT.load(tmp_path / "run")
    assert back.config == model.config
    assert not back.training
    ids = some_ids(2, 9)
    assert back(ids).equal(model(ids))
    assert (back.head.weight is back.embedding.weight) == model.config.parts.tied


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_runs_and_loads(
    model: GPT, dtype: torch.dtype, tmp_path: Path
) -> None:
    ids = some_ids(2, 9)
    full = model(ids)
    model.to(dtype)
    assert model(ids).dtype == dtype
    torch.testing.assert_close(model(ids).float(), full, atol=0.1, rtol=0.1)
    model.save(tmp_path)
    back = GPT.load(tmp_path)
    for name, parameter in back.named_parameters():
        assert parameter.dtype == torch.float32
        assert parameter.equal(model.get_parameter(name).float())


def test_autocast_trains(model: GPT) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(some_ids(2, 9))
    logits.float().logsumexp(-1).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_it_learns_to_repeat() -> None:
    model = GPT(GPTConfig(V, CONTEXT, 1, 2, 16, style="llama"))
    ids = torch.arange(CONTEXT).remainder(5)[None]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(40):
        logits = model(ids[:, :-1]).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 < math.log(5)
