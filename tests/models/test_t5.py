"""T5: the same weights give the same numbers as `transformers`, there and back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    T5ForConditionalGeneration,
)
from transformers import T5Config as TheirConfig

from llm.models import GPT, T5, GPTConfig, T5Config

V = 23
SHAPE = {"vocab_size": V, "decoder_start_token_id": 0}
CONFIGS: dict[str, TheirConfig] = {
    "original": TheirConfig(
        **SHAPE, d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4
    ),
    "original of odd shape": TheirConfig(
        **SHAPE,
        d_model=10,
        d_kv=7,
        d_ff=13,
        num_layers=1,
        num_decoder_layers=3,
        num_heads=3,
        layer_norm_epsilon=1e-3,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=12,
    ),
    "1.1": TheirConfig(
        **SHAPE,
        d_model=12,
        d_kv=6,
        d_ff=20,
        num_layers=2,
        num_decoder_layers=1,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    ),
    # What `transformers` 5 makes of a new 1.1: it ties the head all the same.
    "1.1 with a tied head": TheirConfig(
        **SHAPE,
        d_model=8,
        d_kv=5,
        d_ff=8,
        num_layers=1,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    ),
}


def make(name: str, redraw: Callable[[nn.Module], None]) -> T5ForConditionalGeneration:
    """A model of the reference library, every tensor drawn."""
    model = T5ForConditionalGeneration(CONFIGS[name]).eval()
    if name == "1.1":  # only weights from a file untie the head
        model.lm_head.weight = nn.Parameter(torch.empty(V, model.model_dim))
        del model.all_tied_weights_keys["lm_head.weight"]
    redraw(model)
    with torch.no_grad():  # larger vectors, so that positions and sources matter
        model.shared.weight.mul_(10)
        for stack in (model.encoder, model.decoder):
            first = stack.block[0].layer[0].SelfAttention
            first.relative_attention_bias.weight.mul_(10)
    return model


@pytest.fixture(params=CONFIGS)
def reference(
    request: pytest.FixtureRequest, redraw: Callable[[nn.Module], None]
) -> T5ForConditionalGeneration:
    """A model of the reference library, every tensor drawn."""
    return make(request.param, redraw)


@pytest.fixture
def ours(reference: T5ForConditionalGeneration, tmp_path: Path) -> T5:
    """The same weights in our class."""
    reference.save_pretrained(tmp_path / "theirs")
    return T5.from_hf(tmp_path / "theirs")


def drawn(*, batch: int = 3, source: int = 11, target: int = 9) -> tuple[Tensor, ...]:
    """A source and what is written, at random."""
    return torch.randint(V, (batch, source)), torch.randint(V, (batch, target))


def logits_of(
    reference: T5ForConditionalGeneration,
    source: Tensor,
    ids: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """What the reference says."""
    given = None if mask is None else mask.long()
    return reference(
        input_ids=source, attention_mask=given, decoder_input_ids=ids
    ).logits


@pytest.mark.parametrize("length", [1, 9, 40])
def test_logits_are_those_of_the_reference(
    reference: T5ForConditionalGeneration, ours: T5, length: int
) -> None:
    source, ids = drawn(source=2 * length, target=length)
    logits = ours(source, ids)
    difference = logits - logits_of(reference, source, ids)
    assert difference.abs().max() <= 1e-5
    assert logits.std() > 0.05  # there is something to compare
    assert (logits - ours(source.roll(1, 0), ids)).abs().max() > 0.01


def test_distances_beyond_the_last_bucket_are_those_of_the_reference(
    redraw: Callable[[nn.Module], None], tmp_path: Path
) -> None:
    reference = make("original", redraw)
    reference.save_pretrained(tmp_path)
    source, ids = drawn(batch=1, source=300, target=200)
    difference = T5.from_hf(tmp_path)(source, ids) - logits_of(reference, source, ids)
    assert difference.abs().max() <= 1e-5


def test_gradients_are_those_of_the_reference(
    reference: T5ForConditionalGeneration, ours: T5, tmp_path: Path
) -> None:
    source, ids = drawn()
    targets = torch.randint(V, ids.shape)
    for logits in (ours(source, ids), logits_of(reference, source, ids)):
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    with torch.no_grad():  # gradients in the place of weights, to be mapped by name
        for parameter in reference.parameters():
            parameter.copy_(parameter.grad)
    reference.save_pretrained(tmp_path / "gradients")
    theirs = T5.from_hf(tmp_path / "gradients")
    for name, parameter in ours.named_parameters():
        expected = theirs.get_parameter(name)
        assert parameter.grad is not None
        assert (parameter.grad - expected).norm() <= 1e-4 * expected.norm(), name
        assert expected.any(), name


@pytest.mark.parametrize("left", [True, False])
def test_padding_of_the_source_is_treated_as_in_the_reference(
    reference: T5ForConditionalGeneration, ours: T5, left: bool
) -> None:
    source, ids = drawn(source=9)
    mask = torch.ones(3, 9, dtype=torch.bool)
    mask[0, :4] = False
    mask[1, 0] = False
    mask = mask if left else mask.flip(1)
    difference = ours(source, ids, mask=mask) - logits_of(reference, source, ids, mask)
    assert difference.abs().max() <= 1e-5


@pytest.mark.parametrize("left", [True, False])
def test_padding_changes_nothing(ours: T5, left: bool) -> None:
    source, ids = drawn(batch=1, source=6)
    alone = ours(source, ids)
    filler, width = torch.randint(V, (1, 5)), torch.zeros(1, 5, dtype=torch.bool)
    real = torch.ones(1, 6, dtype=torch.bool)
    order = -1 if left else 1
    padded = torch.cat([source, filler][::order], 1)
    mask = torch.cat([real, width][::order], 1)
    torch.testing.assert_close(ours(padded, ids, mask=mask), alone, atol=1e-5, rtol=0)
    moved = torch.where(mask, padded, (padded + 1) % V)
    assert ours(moved, ids, mask=mask).equal(ours(padded, ids, mask=mask))


def test_what_is_written_later_is_not_seen(ours: T5) -> None:
    source, ids = drawn()
    changed = ids.clone()
    changed[:, 5:] = (ids[:, 5:] + 1) % V
    before, after = ours(source, ids), ours(source, changed)
    assert after[:, :5].equal(before[:, :5])
    assert (after[:, 5:] - before[:, 5:]).abs().max() > 1e-3


def test_the_cache_changes_nothing(ours: T5) -> None:
    source, ids = drawn(target=7)
    mask = torch.ones_like(source, dtype=torch.bool)
    mask[0, :3] = False
    memory = ours.decoder.memorise(ours.encode(source, mask=mask))
    cache = ours.decoder.new_cache(3, capacity=7)
    parts = [
        ours.decode(part, memory, mask=mask, cache=cache)
        for part in ids.split([1, 3, 1, 2], dim=1)
    ]
    whole = ours(source, ids, mask=mask)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)


def test_the_reference_loads_what_we_write(
    reference: T5ForConditionalGeneration, ours: T5, tmp_path: Path
) -> None:
    ours.to_hf(tmp_path / "back")
    back = T5ForConditionalGeneration.from_pretrained(tmp_path / "back").eval()
    source, ids = drawn()
    assert logits_of(back, source, ids).equal(logits_of(reference, source, ids))
    assert T5.from_hf(tmp_path / "back").config == ours.config


def test_saved_and_loaded_is_the_same(ours: T5, tmp_path: Path) -> None:
    ours.save(tmp_path / "own")
    again = T5.load(tmp_path / "own")
    assert again.config == ours.config and not again.training
    source, ids = drawn()
    assert again(source, ids).equal(ours(source, ids))
    GPT(GPTConfig(V, 4, 1, 1, 4)).save(tmp_path / "gpt")
    with pytest.raises(ValueError, match="of a model 'gpt', and not of a 't5'"):
        T5.load(tmp_path / "gpt")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_checkpoints_of_half_precision_load(
    dtype: torch.dtype, redraw: Callable[[nn.Module], None], tmp_path: Path
) -> None:
    reference = make("1.1", redraw)
    reference.to(dtype).save_pretrained(tmp_path)
    ours = T5.from_hf(tmp_path)
    assert ours.head.weight.equal(reference.lm_head.weight.float())
    assert ours.embedding.weight.equal(reference.shared.weight.float())


def test_sharded_checkpoints_load_and_a_missing_shard_is_named(
    redraw: Callable[[nn.Module], None], tmp_path: Path
) -> None:
    reference = make("original", redraw)
    reference.save_pretrained(tmp_path, max_shard_size="4KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 2
    source, ids = drawn()
    difference = T5.from_hf(tmp_path)(source, ids) - logits_of(reference, source, ids)
    assert difference.abs().max() <= 1e-5
    shards[1].unlink()
    with pytest.raises(FileNotFoundError, match=shards[1].name):
        T5.from_hf(tmp_path)


def test_old_names_of_the_embedding_are_taken_once(
    redraw: Callable[[nn.Module], None], tmp_path: Path
) -> None:
    reference = make("original", redraw)
    reference.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    embedding = tensors.pop("shared.weight")
    unused = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    copies = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
    source, ids = drawn()
    for more in (copies, copies[1:], (*copies, "shared.weight", "lm_head.weight")):
        old = {name: embedding.clone() for name in more}
        save_file(tensors | old | {unused: torch.ones(32, 4)}, path)
        ours = T5.from_hf(tmp_path)
        assert ours.config.tied and ours.config.scaled
        difference = ours(source, ids) - logits_of(reference, source, ids)
        assert difference.abs().max() <= 1e-5


def test_another_family_is_refused_by_name(tmp_path: Path) -> None:
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertForMaskedLM(BertConfig(vocab_size=V, **shape)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"model_type 'bert' is none of \['t5'\]"):
        T5.from_hf(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "t6"}, "model_type 't6' is none of"),
        ({"feed_forward_proj": "gated-silu"}, "feed_forward_proj 'gated-silu'"),
        ({"is_encoder_decoder": False}, "is_encoder_decoder False"),
        ({"d_kv": None}, "has no d_kv"),
        ({"num_heads": 0}, "heads 0 is not a positive whole number"),
    ],
)
def test_what_we_do_not_have_is_named(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    T5ForConditionalGeneration(CONFIGS["original"]).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    values = {**json.loads(path.read_text()), **changes}
    values = {name: value for name, value in values.items() if value is not None}
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message) as error:
        T5.from_hf(tmp_path)
    assert str(error.value).startswith(str(path))


def test_a_vocabulary_that_does_not_fit_the_embedding_is_named(tmp_path: Path) -> None:
    T5ForConditionalGeneration(CONFIGS["original"]).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"vocab_size": 29}))
    expected = r"shared.weight float32 \(23, 16\) instead of float32 \(29, 16\)"
    with pytest.raises(ValueError, match=expected):
        T5.from_hf(tmp_path)


def test_an_untied_head_that_is_missing_is_named(tmp_path: Path) -> None:
    T5ForConditionalGeneration(CONFIGS["original"]).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text()) | {"tie_word_embeddings": False}
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"missing: lm_head.weight"):
        T5.from_hf(tmp_path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    T5ForConditionalGeneration(CONFIGS["original"]).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        T5.from_hf(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 0}, "vocab_size 0 is not a positive whole number"),
        ({"decoder_layers": 0}, "decoder_layers 0 is not"),
        ({"heads": 3}, "width 16 is not divisible by heads 3: give a head_width"),
        ({"feedforward": "gelu"}, "feedforward 'gelu' is not relu or geglu"),
        ({"buckets": 5}, "buckets 5 is not an even number from 4 on"),
        ({"buckets": 2}, "buckets 2 is not an even number from 4 on"),
        ({"farthest": 16}, "farthest 16 is not beyond the 16 distances"),
        ({"dropout": 1.0}, r"dropout 1.0 is not in \[0, 1\)"),
        ({"norm_eps": 0.0}, "norm_eps 0.0 is not positive"),
        ({"start": V}, "start 23 is no id of a vocabulary of 23"),
    ],
)
def test_bad_configurations_are_named(changes: dict[str, object], message: str) -> None:
    shape = {"vocab_size": V, "layers": 1, "heads": 4, "width": 16}
    with pytest.raises(ValueError, match=message):
        T5Config(**{**shape, **changes})


def test_ids_that_the_model_does_not_have_are_named() -> None:
    model = T5(T5Config(V, 1, 1, 4))
    fine = torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(ValueError, match="exceed the vocabulary: 0 to 22"):
        model(fine + V, fine)
    with pytest.raises(ValueError, match="exceed the vocabulary"):
        model(fine, fine - 1)
    with pytest.raises(ValueError, match=r"of shape \(2,\), not \(B, T\)"):
        model(fine[0], fine)


def test_parameters_are_counted_once() -> None:
    for tied in (True, False):
        model = T5(T5Config(V, 2, 2, 8, decoder_layers=1, head_width=3, tied=tied))
        count = model.parameter_count()
        assert sum(count.values()) == sum(p.numel() for p in model.parameters())
        assert count["attention"] == (2 + 1 + 1) * 4 * 8 * 6
        assert count["position"] == 2 * 32 * 2
        assert count["embedding"] == V * 8
        assert count["head"] == (0 if tied else V * 8)
        assert count["norm"] == 8 * (2 * 2 + 3 + 2)


def test_logits_begin_with_a_spread_of_about_one() -> None:
    for parts in ({}, {"tied": False, "scaled": False, "feedforward": "geglu"}):
        model = T5(T5Config(V, 2, 4, 64, head_width=8, **parts))
        assert 0.5 < model(*drawn()).std() < 2


def test_dropout_is_for_training_only() -> None:
    model = T5(T5Config(V, 1, 2, 8, dropout=0.5))
    source, ids = drawn()
    assert not model(source, ids).equal(model(source, ids))
    model.eval()
    assert model(source, ids).equal(model(source, ids))
