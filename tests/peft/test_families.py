"""The same patterns serve BERT, T5 and heads, and the Trainer trains what is left."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from llm import GPT, GPTConfig, TrainConfig, Trainer
from llm.models import T5, T5Config
from llm.models.bert import BERT, BERTConfig
from llm.models.families import load
from llm.models.heads import SequenceClassifier
from llm.peft import (
    IA3,
    Adapters,
    BitFit,
    LoRA,
    Method,
    inject,
    load_adapter,
    merge,
    quantize,
    save_adapter,
)

Redraw = Callable[[nn.Module], None]
V = 13
FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "bert": lambda: BERT(BERTConfig(V, 12, layers=2, heads=2, width=8)),
    "classifier": lambda: SequenceClassifier(
        BERT(BERTConfig(V, 12, layers=2, heads=2, width=8)), 3
    ),
    "t5": lambda: T5(T5Config(V, layers=2, heads=2, width=8, feedforward="geglu")),
}
METHODS: list[Method] = [
    LoRA(rank=2),
    LoRA(("*attention.*", "*feedforward.*"), rank=2, dora=True),
    IA3(),
    Adapters(width=2),
    BitFit(("*norm.weight",)),
]


@pytest.fixture(params=FAMILIES)
def other(request: pytest.FixtureRequest) -> nn.Module:
    """A model that is no GPT."""
    model = FAMILIES[request.param]().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.3)
    return model


def outputs(model: nn.Module, ids: Tensor) -> Tensor:
    """Logits; T5 reads the one text and writes the other."""
    return model(ids[:1], ids[1:]) if isinstance(model, T5) else model(ids)


@pytest.mark.parametrize("method", METHODS)
def test_methods_begin_as_the_base_and_come_back_from_their_file(
    other: nn.Module, method: Method, redraw: Redraw, tmp_path: Path
) -> None:
    ids = torch.randint(V, (2, 7))
    other.save(tmp_path / "base")
    before = outputs(other, ids)
    tuned = inject(other, method)
    assert torch.equal(outputs(tuned, ids), before)
    redraw(tuned)
    changed = outputs(tuned, ids)
    assert (changed - before).abs().max() > 1e-3
    save_adapter(tmp_path, tuned, method=method)
    again = load_adapter(tmp_path, load(tmp_path / "base"))
    assert torch.equal(outputs(again, ids), changed)
    if isinstance(method, LoRA | IA3):
        merge(tuned)
        torch.testing.assert_close(outputs(tuned, ids), changed, rtol=1e-5, atol=1e-5)


def test_every_attention_of_t5_is_reached() -> None:
    tuned = inject(FAMILIES["t5"](), LoRA(rank=2))
    reached = {name.rsplit(".", 2)[0] for name, p in own(tuned)}
    parts = ("encoder.blocks.0.attention", "decoder.blocks.1.cross_attention")
    assert all(f"{part}.query" in reached for part in parts)


def own(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """What trains, by name."""
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def test_a_new_head_trains_beside_the_method() -> None:
    tuned = inject(FAMILIES["classifier"](), BitFit(), also=("classifier.*",))
    names = {name for name, _ in own(tuned)}
    assert {"classifier.weight", "classifier.bias"} <= names
    assert not any(name.endswith("query.weight") for name in names)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_trainer_trains_the_method_alone(optimizer: str) -> None:
    model = quantize(GPT(GPTConfig(V, 12, layers=2, heads=2, width=16)))
    tuned = inject(model, LoRA(rank=2))
    base = {n: t.clone() for n, t in tuned.state_dict().items()}
    ids = torch.randint(V, (4, 9), generator=torch.Generator().manual_seed(0))
    batch = {"ids": ids[:, :-1], "targets": ids[:, 1:]}
    config = TrainConfig(steps=20, lr=0.02, optimizer=optimizer, log_every=1)
    trainer = Trainer(tuned, lambda step: batch, config=config)
    records = trainer.fit()
    assert records[-1]["loss"] < records[0]["loss"]
    trained = {name for name, _ in own(tuned)}
    for name, tensor in tuned.state_dict().items():
        assert torch.equal(tensor, base[name]) != (name in trained)
    states = [p for optimizer in trainer.optimizers for p in optimizer.state]
    assert len(states) == len(trained)
