"""The same weights give the same numbers as `transformers`, there and back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaModel,
)

from llm.models.bert import BERT, BERTConfig

V, CONTEXT = 23, 20
Redraw = Callable[[nn.Module], None]
SHAPE = {
    "vocab_size": V,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
ODD = {
    "vocab_size": V,
    "hidden_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "layer_norm_eps": 1e-3,
}
BERTS = {"max_position_embeddings": CONTEXT}
# RoBERTa leaves out the rows up to that of padding, whose id is 1.
ROBERTAS = {"max_position_embeddings": CONTEXT + 2}
REFERENCES: dict[str, Callable[[], PreTrainedModel]] = {
    "bert": lambda: BertForMaskedLM(BertConfig(**SHAPE, **BERTS)),
    "bert of odd shape": lambda: BertForMaskedLM(
        BertConfig(**ODD, **BERTS, type_vocab_size=3, pad_token_id=5)
    ),
    "bert untied": lambda: BertForMaskedLM(
        BertConfig(**SHAPE, **BERTS, tie_word_embeddings=False)
    ),
    "bert with next sentence": lambda: BertForPreTraining(BertConfig(**SHAPE, **BERTS)),
    "roberta": lambda: RobertaForMaskedLM(
        RobertaConfig(**SHAPE, **ROBERTAS, type_vocab_size=1)
    ),
    "roberta of odd shape": lambda: RobertaForMaskedLM(
        RobertaConfig(**ODD, max_position_embeddings=CONTEXT + 5, pad_token_id=4)
    ),
}


def reference_named(name: str, redraw: Redraw) -> PreTrainedModel:
    """A model of the reference library, every tensor drawn."""
    model = REFERENCES[name]().eval()
    redraw(model)
    return model


@pytest.fixture(params=REFERENCES)
def reference(request: pytest.FixtureRequest, redraw: Redraw) -> PreTrainedModel:
    """Each of `REFERENCES`."""
    return reference_named(request.param, redraw)


@pytest.fixture
def ours(reference: PreTrainedModel, tmp_path: Path) -> BERT:
    """The same weights in our class."""
    reference.save_pretrained(tmp_path / "theirs")
    return BERT.from_hf(tmp_path / "theirs")


@pytest.fixture
def bert(redraw: Redraw) -> BERT:
    """A tiny BERT with every part."""
    model = BERT(BERTConfig(V, CONTEXT, layers=2, heads=4, width=16)).eval()
    redraw(model)
    return model


def logits_of(reference: PreTrainedModel, ids: Tensor, **inputs: Tensor) -> Tensor:
    """What the masked head of the reference says."""
    outputs = reference(input_ids=ids, **inputs)
    return getattr(outputs, "logits", getattr(outputs, "prediction_logits", None))


def test_logits_are_those_of_the_reference(
    reference: PreTrainedModel, ours: BERT
) -> None:
    ids = torch.randint(V, (3, CONTEXT))  # padding stands anywhere in it
    difference = ours(ids) - logits_of(reference, ids)
    assert difference.abs().max() <= 1e-5
    assert ours(ids).std() > 0.01  # there is something to compare


def test_segments_are_those_of_the_reference(
    reference: PreTrainedModel, ours: BERT
) -> None:
    ids = torch.randint(V, (3, CONTEXT - 3))
    types = torch.randint(ours.config.type_count, ids.shape)
    theirs = logits_of(reference, ids, token_type_ids=types)
    assert (ours(ids, types=types) - theirs).abs().max() <= 1e-5


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_treated_as_in_the_reference(
    reference: PreTrainedModel, ours: BERT, side: str
) -> None:
    padding = reference.config.pad_token_id
    ids = torch.randint(V, (2, 9))
    ids[ids == padding] = padding + 1
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[0, :4] = False
    mask = mask if side == "left" else mask.flip(1)
    ids[~mask] = padding
    theirs = logits_of(reference, ids, attention_mask=mask.long())
    assert (ours(ids, mask=mask) - theirs)[mask].abs().max() <= 1e-5


def test_gradients_are_those_of_the_reference(
    reference: PreTrainedModel, ours: BERT, tmp_path: Path
) -> None:
    ids, targets = torch.randint(V, (2, 3, CONTEXT)).unbind()
    follows = torch.tensor([0, 1, 1])
    for masked, pair in (
        (ours(ids), ours.config.has_next_sentence and ours.follows(ours.features(ids))),
        (
            logits_of(reference, ids),
            ours.config.has_next_sentence
            and reference(input_ids=ids).seq_relationship_logits,
        ),
    ):
        loss = nn.functional.cross_entropy(masked.flatten(0, 1), targets.flatten())
        if ours.config.has_next_sentence:
            loss = loss + nn.functional.cross_entropy(pair, follows)
        loss.backward()
    with torch.no_grad():  # gradients in the place of weights, to be mapped by name
        for parameter in reference.parameters():
            if parameter.grad is not None:  # a bias that untied heads have and not use
                parameter.copy_(parameter.grad)
    reference.save_pretrained(tmp_path / "gradients")
    theirs = BERT.from_hf(tmp_path / "gradients")
    for name, parameter in ours.named_parameters():
        expected = theirs.get_parameter(name)
        assert parameter.grad is not None
        # The gradient of a key's bias is rounding, since a number added to all scores
        # of a query changes nothing: hence the 1e-8.
        allowed = (1e-4 * expected.norm()).clamp(min=1e-8)
        assert (parameter.grad - expected).norm() <= allowed, name


def test_pooler_and_next_sentence_are_those_of_the_reference(
    redraw: Redraw, tmp_path: Path
) -> None:
    reference = reference_named("bert with next sentence", redraw)
    reference.save_pretrained(tmp_path)
    ours = BERT.from_hf(tmp_path)
    ids = torch.randint(1, V, (3, 8))
    x = ours.features(ids)
    encoded = reference.bert(input_ids=ids)
    assert (x - encoded.last_hidden_state).abs().max() <= 1e-5
    assert (ours.pooled(x) - encoded.pooler_output).abs().max() <= 1e-5
    theirs = reference(input_ids=ids).seq_relationship_logits
    assert (ours.follows(x) - theirs).abs().max() <= 1e-5


def test_the_reference_loads_what_we_write(
    reference: PreTrainedModel, ours: BERT, tmp_path: Path
) -> None:
    ours.to_hf(tmp_path / "back")
    back, report = type(reference).from_pretrained(
        tmp_path / "back", output_loading_info=True
    )
    unused = {"cls.predictions.bias"} if not ours.config.tied else set()
    assert set(report["missing_keys"]) <= unused and not report["unexpected_keys"]
    ids = torch.randint(V, (3, CONTEXT))
    assert logits_of(back.eval(), ids).equal(logits_of(reference, ids))
    written = json.loads((tmp_path / "back" / "config.json").read_text())
    assert written["architectures"] == [type(reference).__name__]


def test_roberta_counts_from_after_padding_and_bert_from_zero() -> None:
    ids = torch.tensor([[1, 1, 7, 8, 1, 9]])
    shape = {"context": 6, "layers": 1, "heads": 1, "width": 4}
    roberta = BERT(BERTConfig(V, **shape, style="roberta", padding=1))
    assert roberta.positions(ids).tolist() == [[1, 1, 2, 3, 1, 4]]
    assert BERT(BERTConfig(V, **shape)).positions(ids).tolist() == [0, 1, 2, 3, 4, 5]
    assert roberta.position.weight.shape == (8, 4)


@pytest.mark.parametrize("style", ["bert", "roberta"])
def test_masked_padding_changes_nothing_at_all(style: str, redraw: Redraw) -> None:
    model = BERT(BERTConfig(V, CONTEXT, 2, 2, 8, style=style, padding=0)).eval()
    redraw(model)
    ids = torch.randint(1, V, (2, 9))
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[0, 6:] = False
    other = torch.where(mask, ids, ids % (V - 1) + 1)  # another id at padding
    before, after = model(ids, mask=mask), model(other, mask=mask)
    assert (before - after)[mask].abs().max() == 0.0
    assert (before - after)[~mask].abs().max() > 0.0


def test_every_token_sees_both_directions(bert: BERT) -> None:
    ids = torch.randint(1, V, (1, 7))
    for place in range(7):
        other = ids.clone()
        other[0, place] = ids[0, place] % (V - 1) + 1
        moved = (bert(ids) - bert(other)).abs().amax(-1)
        assert (moved > 0).all()


@pytest.mark.parametrize("model", ["bert", "roberta"])
def test_an_encoder_without_head_loads_if_a_fresh_one_is_asked_for(
    model: str, redraw: Redraw, tmp_path: Path
) -> None:
    kinds = {"bert": (BertModel, BertConfig), "roberta": (RobertaModel, RobertaConfig)}
    kind, config = kinds[model]
    reference = kind(config(**SHAPE, **ROBERTAS)).eval()
    redraw(reference)
    reference.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"has no masked head \(.*fresh_head=True"):
        BERT.from_hf(tmp_path)
    ours = BERT.from_hf(tmp_path, fresh_head=True)
    ids = torch.randint(V, (2, 8))
    theirs = reference(input_ids=ids)
    x = ours.features(ids)
    assert (x - theirs.last_hidden_state).abs().max() <= 1e-5
    assert (ours.pooled(x) - theirs.pooler_output).abs().max() <= 1e-5
    assert ours(ids).shape == (2, 8, V)
    assert 0.01 < ours.transform.weight.std() < 0.03  # drawn anew


def test_old_names_buffers_and_second_copies_are_understood(
    redraw: Redraw, tmp_path: Path
) -> None:
    reference = reference_named("bert", redraw)
    reference.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    old = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): one
        for name, one in load_file(path).items()
    }
    assert "bert.embeddings.LayerNorm.gamma" in old
    old["cls.predictions.decoder.bias"] = old.pop("cls.predictions.bias")
    old["cls.predictions.decoder.weight"] = torch.ones(V, 16)
    old["bert.embeddings.position_ids"] = torch.arange(CONTEXT)[None]
    save_file(old, path)
    ids = torch.randint(V, (1, 5))
    difference = BERT.from_hf(tmp_path)(ids) - logits_of(reference, ids)
    assert difference.abs().max() <= 1e-5


def test_shards_and_half_precision_load(redraw: Redraw, tmp_path: Path) -> None:
    for dtype in (torch.bfloat16, torch.float16):
        reference = reference_named("roberta", redraw).to(dtype)
        directory = tmp_path / str(dtype)
        reference.save_pretrained(directory, max_shard_size="10KB")
        assert len(list(directory.glob("*.safetensors"))) > 1
        ours = BERT.from_hf(directory)
        assert ours.embedding.weight.dtype == torch.float32
        table = reference.roberta.embeddings.word_embeddings.weight
        assert ours.embedding.weight.equal(table.float())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "electra"}, "model_type 'electra' is none of"),
        ({"model_type": None}, "has no model_type"),
        ({"hidden_act": "relu"}, "hidden_act 'relu' is not supported, only 'gelu'"),
        ({"is_decoder": True}, "is_decoder True"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"hidden_size": None}, "has no hidden_size"),
        ({"hidden_size": 18}, "width 18 is not divisible by heads 4"),
    ],
)
def test_what_we_do_not_have_is_named(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    REFERENCES["bert"]().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    values = {**json.loads(path.read_text()), **changes}
    values = {name: value for name, value in values.items() if value is not None}
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message) as error:
        BERT.from_hf(tmp_path)
    assert str(error.value).startswith(str(path))


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    REFERENCES["bert"]().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"vocab_size": 30}))
    found, expected = r"float32 \(23, 16\)", r"float32 \(30, 16\)"
    table = "bert.embeddings.word_embeddings.weight"
    with pytest.raises(ValueError, match=f"{table} {found} instead of {expected}"):
        BERT.from_hf(tmp_path)
    path.write_text(json.dumps(values))
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"classifier.weight": torch.ones(1)}, path)
    with pytest.raises(ValueError, match=r"unknown: classifier.weight"):
        BERT.from_hf(tmp_path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"model.safetensors is damaged"):
        BERT.from_hf(tmp_path)


def test_another_family_and_a_missing_shard_are_named(tmp_path: Path) -> None:
    gpt = GPT2LMHeadModel(GPT2Config(vocab_size=V, n_embd=8, n_layer=1, n_head=1))
    gpt.save_pretrained(tmp_path / "gpt")
    with pytest.raises(ValueError, match=r"config.json: model_type 'gpt2' is none of"):
        BERT.from_hf(tmp_path / "gpt")
    REFERENCES["bert"]().save_pretrained(tmp_path / "bert", max_shard_size="10KB")
    shard = sorted((tmp_path / "bert").glob("*.safetensors"))[0]
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=shard.name):
        BERT.from_hf(tmp_path / "bert")


def test_what_is_saved_comes_back(bert: BERT, tmp_path: Path) -> None:
    bert.save(tmp_path)
    again = BERT.load(tmp_path)
    ids = torch.randint(V, (2, 6))
    assert again.config == bert.config and not again.training
    assert again(ids).equal(bert(ids))
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(values | {"model": "gpt"}))
    with pytest.raises(ValueError, match="is of a model 'gpt', and not of a 'bert'"):
        BERT.load(tmp_path)


def test_parameters_are_counted_once_and_bert_base_has_110_million() -> None:
    with torch.device("meta"):
        base = BERT(BERTConfig(30522, 512, layers=12, heads=12, width=768))
    count = base.parameter_count()
    assert sum(count.values()) == sum(p.numel() for p in base.parameters())
    # 109 482 240 in the encoder with pooler, 622 650 in the masked head, 1 538 pairs
    assert sum(count.values()) == 109_482_240 + 622_650 + 1_538
    assert count["head"] == 768 * 769 + 30522


def test_weights_begin_as_released_with_the_paper() -> None:
    model = BERT(BERTConfig(500, 8, 1, 2, 64, padding=3))
    table = model.embedding.weight
    assert table.abs().max() <= 0.04 and 0.015 < table.std() < 0.02
    assert not table[3].any() and table[2].any()
    wide = BERT(BERTConfig(500, 8, 1, 2, 64, init_std=0.2)).blocks[0].attention.key
    assert 0.15 < wide.weight.std() < 0.2
    assert not any(p.any() for name, p in model.named_parameters() if "bias" in name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "width 16 is not divisible by heads 3"),
        ({"layers": 0}, "layers 0 is not a positive whole number"),
        ({"types": 0}, "types 0 is not a positive whole number"),
        ({"style": "albert"}, "style 'albert' is none of"),
        ({"padding": V}, f"padding {V} is no id of the vocabulary: 0 to {V - 1}"),
        ({"style": "roberta"}, "set padding"),
        ({"pooler": False}, "pooler=True"),
        ({"dropout": 1.0}, r"dropout 1.0 is not in \[0, 1\)"),
        ({"norm_eps": 0.0}, "norm_eps 0.0 is not positive"),
        ({"init_std": -1.0}, "init_std -1.0 is not positive"),
    ],
)
def test_bad_configurations_are_named(changes: dict[str, object], message: str) -> None:
    config = BERTConfig(V, CONTEXT, layers=2, heads=4, width=16, next_sentence=True)
    with pytest.raises(ValueError, match=message):
        replace(config, **changes)


@pytest.mark.parametrize(
    ("ids", "inputs", "message"),
    [
        (torch.zeros(3), {}, r"ids are of shape \(3,\), not \(B, T\)"),
        (torch.zeros(1, CONTEXT + 1), {}, f"{CONTEXT + 1} tokens exceed the context"),
        (torch.full((1, 2), V), {}, f"ids from {V} to {V} exceed what the model knows"),
        (
            torch.zeros(1, 2),
            {"types": torch.full((1, 2), 2)},
            "types from 2 to 2 exceed what the model knows: 0 to 1",
        ),
        (
            torch.zeros(1, 2),
            {"mask": torch.ones(1, 3, dtype=torch.bool)},
            r"mask of shape \(1, 3\) for ids of shape \(1, 2\)",
        ),
        (torch.zeros(1, 2), {"mask": torch.ones(1, 2)}, "mask is of torch.float32"),
    ],
)
def test_bad_inputs_are_named(
    bert: BERT, ids: Tensor, inputs: dict[str, Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bert(ids.long(), **inputs)


def test_a_part_that_was_left_out_is_named(tmp_path: Path) -> None:
    bare = BERTConfig(V, 8, 1, 1, 4, masked_head=False, next_sentence=False)
    model = BERT(bare)
    ids = torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(ValueError, match="masked_head=True makes one"):
        model(ids)
    with pytest.raises(ValueError, match="pooler=True makes one"):
        model.pooled(model.features(ids))
    with pytest.raises(ValueError, match="next_sentence=True makes one"):
        model.follows(model.features(ids))
    roberta = BERTConfig(V, 8, 1, 1, 4, style="roberta", padding=1, next_sentence=True)
    with pytest.raises(ValueError, match="RoBERTa have no next-sentence head"):
        BERT(roberta).to_hf(tmp_path)
    assert not list(tmp_path.iterdir())


def test_dropout_acts_in_training_only() -> None:
    model = BERT(BERTConfig(V, CONTEXT, 1, 2, 8, dropout=0.5))
    ids = torch.randint(V, (1, 6))
    assert not model(ids).equal(model(ids))
    assert model.eval()(ids).equal(model(ids))
