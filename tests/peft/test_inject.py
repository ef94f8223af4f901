"""A method begins as the base, trains nothing but its own, and merges exactly."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm import GPT, GPTConfig, generate
from llm.peft import (
    IA3,
    Adapters,
    BitFit,
    LoRA,
    Method,
    PrefixTuning,
    PromptTuning,
    PTuning,
    inject,
    load_adapter,
    merge,
    save_adapter,
    trainable,
    unmerge,
)

Redraw = Callable[[nn.Module], None]
EVERYWHERE = ("*attention.*", "*feedforward.*")
EXACT: dict[str, Method] = {
    "lora": LoRA(rank=2),
    "rslora": LoRA(rank=3, rslora=True, dropout=0.5),
    "lora everywhere": LoRA(EVERYWHERE, rank=2),
    "dora": LoRA(EVERYWHERE, rank=2, dora=True),
    "ia3": IA3(),
    "adapters": Adapters(width=3),
    "bitfit": BitFit(("*norm*",)),
}
PROMPTS: dict[str, Method] = {
    "prompt": PromptTuning(3),
    "p-tuning": PTuning(3, hidden=4),
    "prefix": PrefixTuning(3),
}
ALL = EXACT | PROMPTS


@pytest.mark.parametrize("name", EXACT)
def test_before_training_nothing_has_changed(
    model: GPT, ids: Tensor, name: str
) -> None:
    before = model(ids)
    assert torch.equal(inject(model, EXACT[name]).eval()(ids), before)


@pytest.mark.parametrize("name", ALL)
def test_only_the_method_trains_and_the_base_stays_bit_for_bit(
    model: GPT, ids: Tensor, name: str
) -> None:
    base = {p: p.detach().clone() for p in model.parameters()}
    tuned = inject(model, ALL[name])
    own = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(own, lr=0.05)
    losses = []
    for _ in range(8):
        loss = F.cross_entropy(tuned(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert optimizer.state.keys() == set(own)
    for parameter, value in base.items():
        if parameter not in set(own):
            assert parameter.grad is None and torch.equal(parameter, value)


@pytest.mark.parametrize("name", ["lora", "rslora", "lora everywhere", "dora", "ia3"])
def test_merged_gives_the_same_and_unmerged_the_base_bit_for_bit(
    model: GPT, ids: Tensor, name: str, redraw: Redraw, tmp_path: Path
) -> None:
    base = {k: v.clone() for k, v in model.state_dict().items()}
    names, before = list(base), model(ids)
    inject(model, EXACT[name]).eval()
    redraw(model)
    tuned = model(ids)
    assert (tuned - before).abs().max() > 1e-2

    layers = merge(model)
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model(ids), tuned, rtol=0, atol=1e-5)
    model.save(tmp_path)
    torch.testing.assert_close(GPT.load(tmp_path)(ids), tuned, rtol=0, atol=1e-5)

    unmerge(model, layers)
    assert torch.equal(model(ids), tuned)
    for name, tensor in model.state_dict().items():
        if (plain := name.replace(".base", "")) in base:
            assert torch.equal(tensor, base[plain])


def test_lora_is_a_product_of_two_matrices(redraw: Redraw) -> None:
    model = nn.ModuleDict({"query": nn.Linear(5, 7)})
    plain = model["query"]
    inject(model, LoRA(("query",), rank=4, alpha=6.0, rslora=True))
    redraw(model)
    lora, x = model["query"], torch.randn(3, 5)
    change = (6.0 / 2.0) * lora.up.weight @ lora.down.weight  # alpha / √4
    torch.testing.assert_close(lora(x), plain(x) + x @ change.T)


def test_dropout_acts_on_the_product_alone_and_only_in_training(
    model: GPT, ids: Tensor, redraw: Redraw
) -> None:
    tuned = inject(model, LoRA(rank=2, dropout=0.5))
    before = tuned.train()(ids)
    assert torch.equal(tuned(ids), before)  # the product is zero, dropped or not
    redraw(tuned)
    assert not torch.equal(tuned(ids), tuned(ids))
    assert torch.equal(tuned.eval()(ids), tuned(ids))


def test_adapters_correct_what_a_layer_gives(redraw: Redraw) -> None:
    model = nn.ModuleDict({"out": nn.Linear(5, 7)})
    inject(model, Adapters(("out",), width=2))
    redraw(model)
    layer, x = model["out"], torch.randn(3, 5)
    y = layer.base(x)
    inner = F.gelu(y @ layer.down.weight.T + layer.down.bias)
    torch.testing.assert_close(layer(x), y + inner @ layer.up.weight.T + layer.up.bias)


def test_one_line_says_how_many_train() -> None:
    model = GPT(GPTConfig(10, 8, 2, 2, 8))
    total = sum(model.parameter_count().values())
    inject(model, LoRA(rank=2))
    # Two blocks, two layers each, two matrices of 2 × 8.
    line = f"128 of {total + 128:,} parameters train ({128 / (total + 128):.2%})"
    assert trainable(model) == line


def test_also_trains_what_is_named_in_full(model: GPT) -> None:
    tuned = inject(model, LoRA(rank=2), also=("norm.*",))
    own = {name for name, p in tuned.named_parameters() if p.requires_grad}
    assert "norm.weight" in own and "blocks.0.attention_norm.weight" not in own


@pytest.mark.parametrize("name", ALL)
def test_what_was_learned_comes_back_from_its_file(
    model: GPT, ids: Tensor, name: str, redraw: Redraw, tmp_path: Path
) -> None:
    model.save(tmp_path / "base")
    method = ALL[name]
    tuned = inject(model, method, also=("norm.*",)).eval()
    redraw(tuned)
    save_adapter(tmp_path, tuned, method=method, also=("norm.*",))
    again = load_adapter(tmp_path, GPT.load(tmp_path / "base")).eval()
    assert torch.equal(again(ids), tuned(ids))
    assert trainable(again) == trainable(tuned)


def test_a_file_of_another_base_is_refused(model: GPT, tmp_path: Path) -> None:
    model.save(tmp_path / "base")
    tuned = inject(model, LoRA())
    save_adapter(tmp_path, tuned, method=LoRA())
    other = GPT.load(tmp_path / "base")
    with torch.no_grad():
        other.blocks[0].attention.out.weight[0, 0] += 1
    with pytest.raises(ValueError, match="trained on another base"):
        load_adapter(tmp_path, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "no method that we know"),
        ('{"method": "LoRB", "also": [], "base": ""}', "no method that we know"),
        ('{"method": "LoRA", "also": [], "base": "", "rank": 0}', "rank 0"),
        ('{"method": "LoRA", "also": [], "base": "", "r": 2}', "unexpected keyword"),
    ],
)
def test_a_damaged_adapter_is_refused(
    model: GPT, tmp_path: Path, text: str, message: str
) -> None:
    save_adapter(tmp_path, inject(model, LoRA()), method=LoRA())
    (tmp_path / "adapter.json").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load_adapter(tmp_path, GPT(model.config))
    assert "adapter.json" in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LoRA(rank=0), "rank 0"),
        (lambda: LoRA(alpha=-1.0), "alpha -1.0"),
        (lambda: LoRA(dropout=1.0), "dropout 1.0"),
        (lambda: Adapters(width=0), "width 0"),
        (lambda: PromptTuning(0), "tokens 0"),
        (lambda: PrefixTuning(0), "tokens 0"),
        (lambda: PTuning(0), "tokens 0"),
        (lambda: PTuning(hidden=0), "hidden 0"),
    ],
)
def test_values_out_of_range_are_refused(
    make: Callable[[], Method], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_patterns_that_match_nothing_are_refused_before_any_change(
    model: GPT,
) -> None:
    names = list(model.state_dict())
    with pytest.raises(ValueError, match=r"'\*q_proj'.*attention\.query"):
        inject(model, LoRA(("*q_proj",)))
    with pytest.raises(ValueError, match="no parameter matches 'classifier"):
        inject(model, LoRA(), also=("classifier*",))
    with pytest.raises(ValueError, match="no linear layer matches 'wo'"):
        inject(model, IA3(inputs=("wo",)))
    with pytest.raises(ValueError, match="no parameter matches 'b'"):
        inject(model, BitFit(("b",)))
    with pytest.raises(ValueError, match="no room"):
        inject(model, PromptTuning(99))
    assert list(model.state_dict()) == names
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_tied_head_is_refused() -> None:
    model = GPT(GPTConfig(10, 8, 1, 2, 8))
    with pytest.raises(ValueError, match="head is tied to embedding"):
        inject(model, LoRA(("head",)))


def test_a_second_method_is_refused(model: GPT) -> None:
    inject(model, LoRA())
    with pytest.raises(ValueError, match="LoRALinear"):
        inject(model, IA3())


def test_what_cannot_be_merged_is_refused(model: GPT) -> None:
    with pytest.raises(ValueError, match="nothing to merge"):
        merge(model)
    with pytest.raises(ValueError, match="not linear"):
        merge(inject(model, Adapters()))
    with pytest.raises(ValueError, match="positions"):
        merge(inject(GPT(model.config), PrefixTuning(2)))


def test_a_tuned_model_generates(model: GPT, redraw: Redraw) -> None:
    tuned = inject(model, LoRA(EVERYWHERE, rank=2, dora=True))
    redraw(tuned)
    prompts = [[1, 2, 3], [4]]
    kept = generate(tuned, prompts, max_tokens=5, temperature=0)
    assert kept == generate(tuned, prompts, max_tokens=5, temperature=0, cache=False)
