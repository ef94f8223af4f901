"""XLNet: the numbers of `transformers`, no leaks, memory, files and refusals."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertForMaskedLM,
    XLNetLMHeadModel,
)
from transformers import XLNetConfig as TheirConfig

from llm.models.xlnet import XLNet, XLNetConfig
from llm.nn import permutation_mask
from llm.text.permutation import draw_orders
from llm.train import TrainConfig, Trainer
from llm.train.objectives import cross_entropy, permuted_token

V, T, K = 19, 9, 4
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"d_model": 16, "n_layer": 2, "n_head": 4, "d_inner": 64},
    "odd": {
        "d_model": 18,
        "n_layer": 3,
        "n_head": 3,
        "d_inner": 31,
        "ff_activation": "relu",
        "layer_norm_eps": 1e-3,
        "clamp_len": 4,
    },
    "untied, short memory": {
        "d_model": 10,
        "n_layer": 1,
        "n_head": 1,
        "d_inner": 7,
        "ff_activation": "gelu_new",
        "mem_len": 5,
        "reuse_len": 4,
        "tie_word_embeddings": False,
    },
}
SMALL = XLNetConfig(V, layers=2, heads=2, width=8)


@pytest.fixture(params=SHAPES)
def reference(
    request: pytest.FixtureRequest, redraw: Callable[[nn.Module], None]
) -> XLNetLMHeadModel:
    """A model of the reference library, every tensor drawn."""
    return drawn(request.param, redraw)


def drawn(shape: str, redraw: Callable[[nn.Module], None]) -> XLNetLMHeadModel:
    """A reference of some shape, every tensor drawn."""
    config = TheirConfig(vocab_size=V, **{"mem_len": None, **SHAPES[shape]})
    model = XLNetLMHeadModel(config).eval()
    redraw(model)
    sharpen_(model)
    return model


@torch.no_grad()
def sharpen_(model: nn.Module) -> None:
    """Let attention choose: with weights as small as drawn, it is nearly a mean."""
    for name, parameter in model.named_parameters():
        if ("rel_attn" in name or "attention" in name) and "norm" not in name:
            parameter *= 5


@pytest.fixture
def ours(reference: XLNetLMHeadModel, tmp_path: Path) -> XLNet:
    """The same weights in our class."""
    reference.save_pretrained(tmp_path / "theirs")
    return XLNet.from_hf(tmp_path / "theirs")


@pytest.fixture
def small(redraw: Callable[[nn.Module], None]) -> XLNet:
    """A tiny XLNet, every tensor drawn."""
    model = XLNet(SMALL).eval()
    redraw(model)
    sharpen_(model)
    return model


def some_ids(*shape: int) -> Tensor:
    """Random ids."""
    return torch.randint(V, shape)


def some_orders(rows: int) -> Tensor:
    """An order for each row."""
    return torch.stack([torch.randperm(T) for _ in range(rows)])


def inputs(*, mask: bool, types: bool, targets: bool) -> dict[str, Any]:
    """Arguments of ours."""
    order = some_orders(2)
    visible = permutation_mask(order, itself=False)
    given: dict[str, Any] = {}
    if mask:
        given["mask"] = torch.ones(2, T, dtype=torch.bool)
        given["mask"][0, :2] = given["mask"][1, -3:] = False
    if types:
        given["types"] = torch.randint(2, (2, T))
    if targets:
        given |= {"visible": visible, "targets": order[:, -K:]}
    return given


def of_reference(
    reference: XLNetLMHeadModel, ids: Tensor, given: dict[str, Any], mems: Any = None
) -> Tensor:
    """What the reference says, asked in its own words."""
    theirs: dict[str, Any] = {"mems": mems}
    if "mask" in given:
        theirs["attention_mask"] = given["mask"].float()
    if "types" in given:
        theirs["token_type_ids"] = given["types"]
    if "targets" in given:
        theirs["perm_mask"] = (~given["visible"]).float()
        theirs["target_mapping"] = nn.functional.one_hot(given["targets"], T).float()
    return reference(input_ids=ids, use_mems=True, **theirs).logits


@pytest.mark.parametrize("targets", [False, True])
@pytest.mark.parametrize("types", [False, True])
@pytest.mark.parametrize("mask", [False, True])
@torch.no_grad()
def test_logits_are_those_of_the_reference(
    reference: XLNetLMHeadModel, ours: XLNet, mask: bool, types: bool, targets: bool
) -> None:
    first, ids = some_ids(2, 6), some_ids(2, T)
    given = inputs(mask=mask, types=types, targets=targets)
    seen = slice(None)  # a masked row may leave a target with nothing to see
    if mask and targets:
        sees = (given["visible"] & given["mask"][:, None]).any(-1)  # (B, T)
        seen = sees.gather(1, given["targets"])  # (B, K)
    without = ours(ids, **given) - of_reference(reference, ids, given)
    assert without[seen].abs().max() <= 1e-5
    assert ours(ids, **given).std() > 0.01  # there is something to compare

    memory, mems = ours.new_memory(), None
    for before in (first, some_ids(2, 3)):
        ours(before, memory=memory)
        mems = reference(input_ids=before, mems=mems, use_mems=True).mems
        for kept, theirs in zip(memory, mems, strict=True):
            torch.testing.assert_close(kept.states.transpose(0, 1), theirs)
    within = ours(ids, memory=memory, **given)
    difference = within - of_reference(reference, ids, given, mems)
    assert difference.abs().max() <= 1e-5
    assert (within - ours(ids, **given)).abs().max() > 1e-3


def test_gradients_are_those_of_the_reference(
    reference: XLNetLMHeadModel, ours: XLNet, tmp_path: Path
) -> None:
    ids, targets = some_ids(2, T), some_ids(2, K)
    given = inputs(mask=False, types=True, targets=True)
    for logits in (ours(ids, **given), of_reference(reference, ids, given)):
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    with torch.no_grad():  # gradients in the place of weights, to be mapped by name
        for parameter in reference.parameters():
            parameter.copy_(
                torch.zeros(()) if parameter.grad is None else parameter.grad
            )
    reference.save_pretrained(tmp_path / "gradients")
    theirs = XLNet.from_hf(tmp_path / "gradients")
    for name, parameter in ours.named_parameters():
        expected = theirs.get_parameter(name)
        assert parameter.grad is not None and expected.norm() > 1e-6
        assert (parameter.grad - expected).norm() <= 1e-4 * expected.norm(), name


@torch.no_grad()
def test_the_reference_loads_what_we_write(
    reference: XLNetLMHeadModel, ours: XLNet, tmp_path: Path
) -> None:
    ours.to_hf(tmp_path / "back")
    back = AutoModelForCausalLM.from_pretrained(tmp_path / "back").eval()
    assert type(back) is type(reference)
    assert XLNet.from_hf(tmp_path / "back").config == ours.config
    ids, given = some_ids(2, T), inputs(mask=True, types=True, targets=True)
    expected = of_reference(reference, ids, given)
    assert of_reference(back, ids, given).equal(expected)


@torch.no_grad()
def test_who_may_see_nothing_sees_nothing_where_the_reference_sees_all(
    redraw: Callable[[nn.Module], None], tmp_path: Path
) -> None:
    reference = drawn("plain", redraw)
    reference.save_pretrained(tmp_path)
    ours, ids, order = XLNet.from_hf(tmp_path), some_ids(2, T), some_orders(2)
    given = {
        "visible": permutation_mask(order, itself=False),
        "targets": order[:, :1],
    }
    changed = (ids + 1) % V
    leak = of_reference(reference, changed, given) - of_reference(reference, ids, given)
    assert leak.abs().max() > 1e-3
    assert ours(changed, **given).equal(ours(ids, **given))


@torch.no_grad()
def test_a_prediction_depends_on_what_comes_before_it_in_the_order_and_on_no_other(
    small: XLNet,
) -> None:
    ids, order = some_ids(1, T), some_orders(1)
    given = {"visible": permutation_mask(order, itself=False), "targets": order}
    queries, contents = small(ids, **given), small(ids, visible=given["visible"])
    for turn, place in enumerate(order[0].tolist()):
        changed = ids.clone()
        changed[0, place] = (ids[0, place] + 1) % V
        moved = (small(changed, **given) - queries).abs().amax((0, 2))
        assert moved[: turn + 1].eq(0).all()  # a query does not know its own token
        assert moved[turn + 1 :].gt(0).all()
        known = (small(changed, visible=given["visible"]) - contents).abs()
        known = known.amax((0, 2))[order[0]]
        assert known[:turn].eq(0).all()
        assert known[turn:].gt(0).all()  # the content stream does


@torch.no_grad()
def test_padding_on_either_side_changes_nothing(small: XLNet) -> None:
    ids, types = some_ids(1, 5), torch.randint(2, (1, 5))
    for left, right in ((3, 0), (0, 2), (2, 1)):
        padded = torch.cat((some_ids(1, left), ids, some_ids(1, right)), 1)
        kinds = torch.cat((some_ids(1, left) % 2, types, some_ids(1, right) % 2), 1)
        mask = torch.zeros(1, left + 5 + right, dtype=torch.bool)
        mask[:, left : left + 5] = True
        within = small(padded, mask=mask, types=kinds)[:, left : left + 5]
        torch.testing.assert_close(
            within, small(ids, types=types), atol=1e-5, rtol=1e-5
        )


@torch.no_grad()
def test_only_distances_matter(small: XLNet) -> None:
    ids = some_ids(1, 5)
    assert (small(ids) - small(ids.flip(1)).flip(1)).abs().max() > 1e-3
    far = torch.cat((some_ids(1, 30), ids), 1)
    mask = torch.arange(35)[None] >= 30
    torch.testing.assert_close(small(far, mask=mask)[:, 30:], small(ids))


def test_a_memory_is_read_and_not_trained(small: XLNet) -> None:
    memory = small.new_memory()
    small(some_ids(2, 4), memory=memory)
    assert [kept.length for kept in memory] == [4, 4]
    assert all(not kept.states.requires_grad for kept in memory)
    small(some_ids(2, 3), memory=memory)
    assert [kept.length for kept in memory] == [7, 7]


@torch.no_grad()
def test_remembering_is_reading_on_where_nobody_looks_ahead(small: XLNet) -> None:
    ids, causal = some_ids(2, T), torch.ones(T, T, dtype=torch.bool).tril()
    memory = small.new_memory()
    parts = [
        small(part, visible=causal[:3, :3], memory=memory) for part in ids.split(3, 1)
    ]
    torch.testing.assert_close(torch.cat(parts, 1), small(ids, visible=causal))


def test_targets_without_a_mask_are_refused(small: XLNet) -> None:
    with pytest.raises(ValueError, match="hides from each its own token"):
        small(some_ids(1, T), targets=torch.tensor([[2]]))


def test_ids_outside_the_vocabulary_are_named(small: XLNet) -> None:
    with pytest.raises(ValueError, match=r"ids from 3 to 19 exceed .* 0 to 18"):
        small(torch.tensor([[3, 19]]))


def test_weights_begin_as_documented() -> None:
    model = XLNet(XLNetConfig(200, 2, 4, 64))
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith(".bias"):
            assert parameter.eq(float("norm.weight" in name)).all(), name
        else:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.3), name


def test_parameters_are_those_of_the_reference(
    reference: XLNetLMHeadModel, ours: XLNet
) -> None:
    count = ours.parameter_count()
    assert sum(count.values()) == reference.num_parameters()
    assert count["start"] == ours.config.width


def test_parameters_of_xlnet_base_are_those_that_are_published() -> None:
    with torch.device("meta"):
        model = XLNet(XLNetConfig(32_000, layers=12, heads=12, width=768))
    assert (
        sum(model.parameter_count().values()) == 116_718_336 + 32_000
    )  # the head's bias


@torch.no_grad()
def test_a_saved_model_comes_back_bit_for_bit(ours: XLNet, tmp_path: Path) -> None:
    ours.save(tmp_path / "run")
    back = XLNet.load(tmp_path / "run")
    assert back.config == ours.config and not back.training
    ids, given = some_ids(2, T), inputs(mask=True, types=True, targets=True)
    assert back(ids, **given).equal(ours(ids, **given))
    assert (back.head.weight is back.embedding.weight) == ours.config.tied


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_half_precision_checkpoints_load_and_run(
    dtype: torch.dtype, tmp_path: Path, redraw: Callable[[nn.Module], None]
) -> None:
    reference = drawn("plain", redraw).to(dtype)
    reference.save_pretrained(tmp_path)
    ours = XLNet.from_hf(tmp_path)
    assert ours.start.equal(reference.transformer.mask_emb.float().flatten())
    ids, given = some_ids(2, T), inputs(mask=False, types=True, targets=True)
    full = ours(ids, **given)
    half = ours.to(dtype)(ids, **given)
    assert half.dtype == dtype
    torch.testing.assert_close(half.float(), full, atol=0.05, rtol=0.05)


@torch.no_grad()
def test_checkpoints_in_shards_load(
    tmp_path: Path, redraw: Callable[[nn.Module], None]
) -> None:
    reference = drawn("odd", redraw)
    reference.save_pretrained(tmp_path, max_shard_size="10KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1
    ids = some_ids(1, T)
    difference = XLNet.from_hf(tmp_path)(ids) - reference(ids).logits
    assert difference.abs().max() <= 1e-5
    shards[1].unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {shards[1].name}"):
        XLNet.from_hf(tmp_path)


def test_dropout_acts_in_training_only() -> None:
    model = XLNet(XLNetConfig(V, 1, 2, 8, dropout=0.5))
    ids, given = some_ids(2, T), inputs(mask=False, types=False, targets=True)
    assert not model(ids, **given).equal(model(ids, **given))
    model.eval()
    assert model(ids, **given).equal(model(ids, **given))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "model_type 'bert' is none of"),
        ({"attn_type": "uni"}, "attn_type 'uni' is not supported, only 'bi'"),
        ({"bi_data": True}, "bi_data True is not supported"),
        ({"same_length": True}, "same_length True is not supported"),
        ({"untie_r": False}, "untie_r False is not supported"),
        ({"ff_activation": "tanh"}, "ff_activation 'tanh' is none of"),
        ({"d_head": 5}, "d_head 5 times 4 heads is not 16"),
        ({"d_model": None}, "has no d_model"),
        ({"n_layer": 0}, "layers 0 is not a positive whole number"),
    ],
)
def test_what_we_do_not_have_is_named(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    XLNet(XLNetConfig(V, 1, 4, 16)).to_hf(tmp_path)
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
    with pytest.raises(ValueError, match=message) as error:
        XLNet.from_hf(tmp_path)
    assert str(error.value).startswith(str(path))


def test_tensors_that_do_not_fit_are_named(tmp_path: Path) -> None:
    XLNet(SMALL).to_hf(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    tensors["transformer.word_embedding.weight"] = torch.zeros(V + 1, 8)
    tensors["extra"] = tensors.pop("transformer.mask_emb")
    save_file(tensors, path)
    with pytest.raises(ValueError, match="does not fit the model") as error:
        XLNet.from_hf(tmp_path)
    message = str(error.value)
    assert "missing: transformer.mask_emb; unknown: extra" in message
    assert "word_embedding.weight float32 (20, 8) instead of float32 (19, 8)" in message
    assert str(tmp_path) in message and "\n" not in message


def test_files_of_other_families_and_damaged_files_are_named(tmp_path: Path) -> None:
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertForMaskedLM(BertConfig(**shape)).save_pretrained(tmp_path / "bert")
    with pytest.raises(ValueError, match=r"config.json: model_type 'bert' is none of"):
        XLNet.from_hf(tmp_path / "bert")
    with pytest.raises(ValueError, match="Hugging Face checkpoint: use from_hf"):
        XLNet.load(tmp_path / "bert")
    XLNet(SMALL).to_hf(tmp_path / "cut")
    path = tmp_path / "cut" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"model.safetensors is damaged"):
        XLNet.from_hf(tmp_path / "cut")
    with pytest.raises(FileNotFoundError, match="nowhere is no directory"):
        XLNet.from_hf(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 9}, "width 9 is not divisible by heads 2"),
        ({"width": 9, "heads": 3}, "width 9 is odd"),
        ({"layers": 0}, "layers 0 is not a positive whole number"),
        ({"memory": 0}, "memory 0 is not a positive whole number"),
        ({"hidden": 2.5}, "hidden 2.5 is not a positive whole number"),
        ({"activation": "tanh"}, "activation 'tanh' is none of"),
        ({"tied": None}, "tied None is neither True nor False"),
        ({"dropout": 1.0}, r"dropout 1.0 is not in \[0, 1\)"),
        ({"norm_eps": math.inf}, "norm_eps inf is not positive"),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, Any], message: str) -> None:
    shape = {"vocab_size": V, "layers": 1, "heads": 2, "width": 8}
    with pytest.raises(ValueError, match=message):
        XLNetConfig(**{**shape, **changes})


def windows(step: int) -> dict[str, Tensor]:
    """Rows of one token that repeats: any token tells all."""
    generator = torch.Generator().manual_seed(step)
    row = torch.randint(V, (8, 1), generator=generator)
    return {"ids": row.expand(8, T)}


def test_orders_depend_on_seed_and_step_alone() -> None:
    data = draw_orders(windows, share=4, seed=1)
    batch = data(3)
    assert all(batch[name].equal(other) for name, other in data(3).items())
    assert batch["order"].sort(1).values.equal(torch.arange(T).expand(8, T))
    assert batch["places"].equal(batch["order"][:, -2:])
    assert batch["targets"].equal(batch["ids"].gather(1, batch["places"]))
    assert not batch["order"].equal(data(4)["order"])
    assert not batch["order"].equal(draw_orders(windows, share=4, seed=2)(3)["order"])
    assert draw_orders(windows, share=100)(0)["places"].shape == (8, 1)
    assert draw_orders(windows, share=1)(0)["places"].shape == (8, T)
    with pytest.raises(ValueError, match="share 0 is below 1"):
        draw_orders(windows, share=0)


def test_a_start_comes_first_in_every_order_and_is_no_target() -> None:
    batch = draw_orders(windows, share=1, start=2)(0)
    assert batch["order"][:, :2].equal(torch.tensor([0, 1]).expand(8, 2))
    assert batch["places"].equal(batch["order"][:, 2:])
    assert batch["order"].sort(1).values.equal(torch.arange(T).expand(8, T))
    with pytest.raises(ValueError, match="9 tokens leave none beyond start 9"):
        draw_orders(windows, start=9)(0)


@torch.no_grad()
def test_who_sees_less_than_two_tokens_does_not_know_where_it_stands(
    small: XLNet,
) -> None:
    ids, places = torch.arange(T)[None], torch.arange(2, T)[None]
    seen = torch.zeros(T, T, dtype=torch.bool)
    for known in range(3):
        seen[:, :known] = True
        logits = small(ids, visible=seen, targets=places)
        moved = (logits[:, 1:] - logits[:, :-1]).abs().amax(-1)
        # A single source has all the weight, however far it is.
        assert moved.gt(1e-5).all() if known == 2 else moved.lt(1e-6).all()


def test_every_order_is_equally_likely() -> None:
    def three(step: int) -> dict[str, Tensor]:
        return {"ids": torch.zeros(6_000, 3, dtype=torch.long)}

    orders = draw_orders(three)(0)["order"] @ torch.tensor([100, 10, 1])
    counts = orders.unique(return_counts=True)[1]
    assert len(counts) == 6
    assert counts.float().sub(1_000).abs().max() < 150  # five standard deviations


@torch.no_grad()
def test_the_objective_is_the_loss_of_one_target_after_another(small: XLNet) -> None:
    batch = draw_orders(lambda step: {"ids": some_ids(2, T)}, share=3)(0)
    loss, expected = permuted_token(small, batch), torch.zeros(())
    for row in range(2):
        ids, order = batch["ids"][row : row + 1], batch["order"][row]
        for turn in range(T - 3, T):
            # What comes later is hidden from all, so it may be anything.
            hidden = ids.clone()
            hidden[0, order[turn:]] = 0
            logits = small(
                hidden,
                visible=permutation_mask(order, itself=False),
                targets=order[turn].view(1, 1),
            )
            expected += cross_entropy(logits, ids[:, order[turn], None]).total
    assert loss.count == 6
    torch.testing.assert_close(loss.total, expected)


def test_it_learns_through_the_trainer_and_saves(tmp_path: Path) -> None:
    model = XLNet(XLNetConfig(V, 1, 2, 16))
    config = TrainConfig(steps=120, lr=0.03, warmup=5, log_every=10)
    data = draw_orders(windows, share=3)
    run = Trainer(model, data, config=config, objective=permuted_token, out=tmp_path)
    records = run.fit()
    assert records[0]["loss"] > 2 > 0.3 > records[-1]["loss"]
    assert XLNet.load(tmp_path).config == model.config
