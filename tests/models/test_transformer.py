"""The Transformer of 2017 against `torch.nn.Transformer` and its formulae."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from llm.models import GPT, GPTConfig, Transformer, TransformerConfig
from llm.nn import Block, MultiHeadAttention

# torch's own stack says so for every shape that its fast path does not take.
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")
V, CONTEXT = 17, 12
CONFIGS = {
    "square": TransformerConfig(V, CONTEXT, 2, 4, 16),
    "odd": TransformerConfig(V, CONTEXT, 1, 3, 18, decoder_layers=3, hidden=11),
    "one head": TransformerConfig(V, CONTEXT, 3, 1, 6, norm_eps=1e-3),
    "pre-norm": TransformerConfig(V, CONTEXT, 2, 2, 8, post_norm=False),
}


@pytest.fixture(params=CONFIGS)
def ours(
    request: pytest.FixtureRequest, redraw: Callable[[nn.Module], None]
) -> Transformer:
    """A tiny model whose every tensor was drawn."""
    model = Transformer(CONFIGS[request.param]).eval()
    redraw(model)
    return model


def attention_of(attention: MultiHeadAttention, name: str) -> dict[str, Tensor]:
    """Our projections under the names of torch, which lays three of them together."""
    joint = (attention.query, attention.key, attention.value)
    return {
        f"{name}.in_proj_weight": torch.cat([layer.weight for layer in joint]),
        f"{name}.in_proj_bias": torch.cat([layer.bias for layer in joint]),
        f"{name}.out_proj.weight": attention.out.weight,
        f"{name}.out_proj.bias": attention.out.bias,
    }


def layer_of(block: Block) -> dict[str, Tensor]:
    """A block of ours as a layer of `torch.nn.Transformer`."""
    weights = attention_of(block.attention, "self_attn")
    norms = [block.attention_norm, block.feedforward_norm]
    if block.has_cross:
        weights |= attention_of(block.cross_attention, "multihead_attn")
        norms.insert(1, block.cross_norm)
    parts = {"linear1": block.feedforward.up, "linear2": block.feedforward.down}
    parts |= {f"norm{i}": norm for i, norm in enumerate(norms, 1)}
    for name, part in parts.items():
        weights |= {f"{name}.weight": part.weight, f"{name}.bias": part.bias}
    return weights


def reference_of(model: Transformer) -> nn.Transformer:
    """`torch.nn.Transformer` with our weights, with no norm after a post-norm stack."""
    config = model.config
    reference = nn.Transformer(
        config.width,
        config.heads,
        config.layers,
        config.decoder_layers or config.layers,
        config.hidden or 4 * config.width,
        dropout=0.0,
        layer_norm_eps=config.norm_eps,
        batch_first=True,
        norm_first=not config.post_norm,
    ).eval()
    for stack, own in (
        (reference.encoder, model.encoder),
        (reference.decoder, model.decoder),
    ):
        for layer, block in zip(stack.layers, own.blocks, strict=True):
            layer.load_state_dict(layer_of(block))
        if config.post_norm:
            stack.norm = None
        else:
            stack.norm.load_state_dict(own.norm.state_dict())
    return reference


def embed(model: Transformer, ids: Tensor) -> Tensor:
    """Section 3.4 and 3.5, number by number."""
    C = model.config.width
    rows = [
        [
            [
                math.sqrt(C) * model.embedding.weight[token, i].item()
                + (math.cos if i % 2 else math.sin)(pos / 10_000 ** (i // 2 * 2 / C))
                for i in range(C)
            ]
            for pos, token in enumerate(row)
        ]
        for row in ids.tolist()
    ]
    return torch.tensor(rows)


def logits_of(
    model: Transformer, source: Tensor, ids: Tensor, mask: Tensor | None = None
) -> Tensor:
    """What the reference says of sources padded on the right."""
    padding = None if mask is None else ~mask
    T = ids.size(1)
    x = reference_of(model)(
        embed(model, source),
        embed(model, ids),
        tgt_mask=torch.ones(T, T, dtype=torch.bool).triu(1),
        src_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    )
    return x @ model.embedding.weight.T


@pytest.mark.parametrize("length", [1, 5, CONTEXT])
def test_logits_are_those_of_the_reference(ours: Transformer, length: int) -> None:
    source, ids = torch.randint(V, (3, CONTEXT)), torch.randint(V, (3, length))
    logits = ours(source, ids)
    assert (logits - logits_of(ours, source, ids)).abs().max() <= 1e-5
    assert logits.std() > 0.05
    assert (logits - ours(source.roll(1, 0), ids)).abs().max() > 1e-3


def test_gradients_are_those_of_the_reference(ours: Transformer) -> None:
    source, ids = torch.randint(V, (2, 3, 7)).unbind()
    ours(source, ids).square().sum().backward()
    reference = reference_of(ours)
    T = ids.size(1)
    embedding = ours.embedding.weight.detach().clone().requires_grad_()
    scaled = [
        embedding[tokens] * math.sqrt(ours.config.width) + ours.sinusoids[:T]
        for tokens in (source, ids)
    ]
    mask = torch.ones(T, T, dtype=torch.bool).triu(1)
    (reference(*scaled, tgt_mask=mask) @ embedding.T).square().sum().backward()
    pairs = [(ours.embedding.weight.grad, embedding.grad)]
    for own, theirs in (
        (ours.encoder, reference.encoder),
        (ours.decoder, reference.decoder),
    ):
        for block, layer in zip(own.blocks, theirs.layers, strict=True):
            for parameter in block.parameters():  # gradients in the place of weights
                parameter.data = parameter.grad
            gradients = layer_of(block)
            pairs += [(gradients[n], p.grad) for n, p in layer.named_parameters()]
    for found, expected in pairs:
        assert (found - expected).norm() <= 1e-4 * expected.norm() + 1e-6


def test_padding_is_treated_as_in_the_reference(ours: Transformer) -> None:
    source, ids = torch.randint(V, (2, 9)), torch.randint(V, (2, 6))
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[0, 5:] = False
    difference = ours(source, ids, mask=mask) - logits_of(ours, source, ids, mask)
    assert difference.abs().max() <= 1e-5


@pytest.mark.parametrize("left", [True, False])
def test_padding_changes_nothing(ours: Transformer, left: bool) -> None:
    source, ids = torch.randint(V, (2, 1, 6)).unbind()
    filler, real = torch.randint(V, (1, 5)), torch.ones(1, 6, dtype=torch.bool)
    order = -1 if left else 1
    padded = torch.cat([source, filler][::order], 1)
    mask = torch.cat([real, torch.zeros(1, 5, dtype=torch.bool)][::order], 1)
    alone = ours(source, ids)
    torch.testing.assert_close(ours(padded, ids, mask=mask), alone, atol=1e-5, rtol=0)
    moved = torch.where(mask, padded, (padded + 1) % V)
    assert ours(moved, ids, mask=mask).equal(ours(padded, ids, mask=mask))


def test_what_is_written_later_is_not_seen(ours: Transformer) -> None:
    source, ids = torch.randint(V, (2, 3, 9)).unbind()
    changed = ids.clone()
    changed[:, 5:] = (ids[:, 5:] + 1) % V
    before, after = ours(source, ids), ours(source, changed)
    assert after[:, :5].equal(before[:, :5])
    assert (after[:, 5:] - before[:, 5:]).abs().max() > 1e-3


def test_the_cache_changes_nothing(ours: Transformer) -> None:
    source, ids = torch.randint(V, (2, 3, 7)).unbind()
    memory = ours.decoder.memorise(ours.encode(source))
    cache = ours.decoder.new_cache(3, capacity=7)
    parts = [
        ours.decode(part, memory, cache=cache) for part in ids.split([1, 3, 1, 2], 1)
    ]
    torch.testing.assert_close(
        torch.cat(parts, 1), ours(source, ids), atol=1e-5, rtol=0
    )


def test_saved_and_loaded_is_the_same(ours: Transformer, tmp_path: Path) -> None:
    ours.save(tmp_path / "own")
    again = Transformer.load(tmp_path / "own")
    assert again.config == ours.config and not again.training
    source, ids = torch.randint(V, (2, 3, 9)).unbind()
    assert again(source, ids).equal(ours(source, ids))
    GPT(GPTConfig(V, 4, 1, 1, 4)).save(tmp_path / "gpt")
    with pytest.raises(ValueError, match="'gpt', and not of a 'transformer'"):
        Transformer.load(tmp_path / "gpt")


def test_parameters_are_counted_once() -> None:
    model = Transformer(TransformerConfig(V, CONTEXT, 2, 2, 8, decoder_layers=1))
    count = model.parameter_count()
    assert sum(count.values()) == sum(p.numel() for p in model.parameters())
    assert count["attention"] == (2 + 1 + 1) * 4 * (8 * 8 + 8)
    assert count["embedding"] == V * 8
    assert count["head"] == 0
    assert count["norm"] == (2 * 2 + 3) * 2 * 8


def test_logits_begin_with_a_spread_of_about_one() -> None:
    for post_norm in (True, False):
        model = Transformer(
            TransformerConfig(V, CONTEXT, 2, 4, 64, post_norm=post_norm)
        )
        source, ids = torch.randint(V, (2, 3, CONTEXT)).unbind()
        assert 0.5 < model(source, ids).std() < 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": 0}, "context 0 is not a positive whole number"),
        ({"hidden": -1}, "hidden -1 is not a positive whole number"),
        ({"heads": 3}, "width 16 is not divisible by heads 3"),
        ({"heads": 1, "width": 5}, "come in pairs of features, and width 5 is odd"),
        ({"dropout": -0.1}, r"dropout -0.1 is not in \[0, 1\)"),
        ({"norm_eps": math.inf}, "norm_eps inf is not positive"),
        ({"start": -1}, "start -1 is no id of a vocabulary of 17"),
    ],
)
def test_bad_configurations_are_named(changes: dict[str, object], message: str) -> None:
    shape = {"vocab_size": V, "context": 8, "layers": 1, "heads": 4, "width": 16}
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**{**shape, **changes})


def test_texts_beyond_the_context_are_named() -> None:
    model = Transformer(TransformerConfig(V, 4, 1, 1, 4))
    fine, long = torch.zeros(1, 4, dtype=torch.long), torch.zeros(1, 5).long()
    for source, ids in ((long, fine), (fine, long)):
        with pytest.raises(ValueError, match="5 tokens exceed the context of 4"):
            model(source, ids)
