"""Heads give the numbers of `transformers`, there and back, and those of a GPT agree
with themselves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForQuestionAnswering,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
)

from llm import GPT, GPTConfig
from llm.models.bert import BERT, BERTConfig
from llm.models.heads import SequenceClassifier, SpanExtractor, TokenClassifier

V, CONTEXT = 23, 20
Head = SequenceClassifier | TokenClassifier | SpanExtractor
Redraw = Callable[[nn.Module], None]
SHAPE = {
    "vocab_size": V,
    "max_position_embeddings": CONTEXT + 2,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
}
PAIRS = {
    "BertForSequenceClassification": (
        SequenceClassifier,
        lambda: BertForSequenceClassification(BertConfig(**SHAPE, num_labels=5)),
    ),
    "BertForTokenClassification": (
        TokenClassifier,
        lambda: BertForTokenClassification(BertConfig(**SHAPE, num_labels=4)),
    ),
    "BertForQuestionAnswering": (
        SpanExtractor,
        lambda: BertForQuestionAnswering(BertConfig(**SHAPE)),
    ),
    "RobertaForSequenceClassification": (
        SequenceClassifier,
        lambda: RobertaForSequenceClassification(RobertaConfig(**SHAPE, num_labels=3)),
    ),
    "RobertaForTokenClassification": (
        TokenClassifier,
        lambda: RobertaForTokenClassification(RobertaConfig(**SHAPE, num_labels=1)),
    ),
    "RobertaForQuestionAnswering": (
        SpanExtractor,
        lambda: RobertaForQuestionAnswering(RobertaConfig(**SHAPE)),
    ),
}


@pytest.fixture(params=PAIRS)
def pair(
    request: pytest.FixtureRequest, redraw: Redraw, tmp_path: Path
) -> tuple[Head, PreTrainedModel]:
    """A head of ours and the model of the reference that it was read from."""
    kind, make = PAIRS[request.param]
    reference = make().eval()
    redraw(reference)
    reference.save_pretrained(tmp_path / "theirs")
    return kind.from_hf(tmp_path / "theirs"), reference


def logits_of(reference: PreTrainedModel, ids: Tensor, mask: Tensor) -> Tensor:
    """What the reference says; a span as (B, 2, T)."""
    outputs = reference(input_ids=ids, attention_mask=mask.long())
    if hasattr(outputs, "start_logits"):
        return torch.stack([outputs.start_logits, outputs.end_logits], 1)
    return outputs.logits


def batch() -> tuple[Tensor, Tensor]:
    """Ids, the first row shorter than the second, and their mask."""
    ids = torch.randint(2, V, (2, 9))
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[0, 5:] = False
    return ids.where(mask, 1), mask


def test_logits_are_those_of_the_reference(
    pair: tuple[Head, PreTrainedModel],
) -> None:
    ours, reference = pair
    ids, mask = batch()
    difference = ours(ids, mask=mask) - logits_of(reference, ids, mask)
    assert difference.abs().max() <= 1e-5
    assert ours(ids).std() > 0.001


def test_gradients_are_those_of_the_reference(
    pair: tuple[Head, PreTrainedModel], tmp_path: Path
) -> None:
    ours, reference = pair
    ids, mask = batch()
    weight = torch.randn_like(ours(ids, mask=mask))
    (ours(ids, mask=mask) * weight).sum().backward()
    (logits_of(reference, ids, mask) * weight).sum().backward()
    with torch.no_grad():  # gradients in the place of weights, to be mapped by name
        for parameter in reference.parameters():
            parameter.copy_(parameter.grad)
    reference.save_pretrained(tmp_path / "gradients")
    theirs = type(ours).from_hf(tmp_path / "gradients")
    for name, parameter in ours.named_parameters():
        expected = theirs.get_parameter(name)
        assert parameter.grad is not None
        allowed = (1e-4 * expected.norm()).clamp(min=1e-6)
        assert (parameter.grad - expected).norm() <= allowed, name


def test_the_reference_loads_what_we_write(
    pair: tuple[Head, PreTrainedModel], tmp_path: Path
) -> None:
    ours, reference = pair
    ours.to_hf(tmp_path / "back")
    back, report = type(reference).from_pretrained(
        tmp_path / "back", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    ids, mask = batch()
    assert logits_of(back.eval(), ids, mask).equal(logits_of(reference, ids, mask))
    written = json.loads((tmp_path / "back" / "config.json").read_text())
    assert written["architectures"] == [type(reference).__name__]


def test_what_is_saved_comes_back(
    pair: tuple[Head, PreTrainedModel], tmp_path: Path
) -> None:
    ours, _ = pair
    ours.save(tmp_path / "ours")
    again = type(ours).load(tmp_path / "ours")
    ids, mask = batch()
    assert again(ids, mask=mask).equal(ours(ids, mask=mask))
    assert not again.training
    path = tmp_path / "ours" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model": "other"}))
    with pytest.raises(ValueError, match="is of a model 'other', and not of a"):
        type(ours).load(tmp_path / "ours")


def test_a_saved_head_without_classes_is_named(tmp_path: Path) -> None:
    for kind in (SequenceClassifier, TokenClassifier):
        kind(BERT(BERTConfig(V, 8, 1, 1, 4)), 2).save(tmp_path)
        path = tmp_path / "config.json"
        values = json.loads(path.read_text())
        del values["classes"]
        path.write_text(json.dumps(values))
        with pytest.raises(ValueError, match=r"config.json has no classes"):
            kind.load(tmp_path)


@pytest.mark.parametrize("style", ["bert", "roberta"])
def test_a_pretrained_model_goes_under_a_new_head_and_out(
    style: str, tmp_path: Path
) -> None:
    """What the head does not need (masked head, pairs) is left out of the file."""
    config = BERTConfig(V, CONTEXT, 2, 2, 8, style=style, padding=1)
    ids, mask = batch()
    for kind in ("BertForQuestionAnswering", "BertForSequenceClassification"):
        head = PAIRS[kind][0](BERT(config), *([4] if "Sequence" in kind else []))
        head.eval().to_hf(tmp_path / kind)
        again = type(head).from_hf(tmp_path / kind)
        assert again(ids, mask=mask).equal(head(ids, mask=mask))
        assert not again.model.config.masked_head


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_gpt_is_read_at_its_last_real_token(side: str, redraw: Redraw) -> None:
    gpt = GPT(GPTConfig(V, CONTEXT, layers=1, heads=2, width=8))
    head = SequenceClassifier(gpt, 3).eval()
    redraw(head)
    ids = torch.randint(V, (2, 7))
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[0, :3] = False
    mask = mask if side == "left" else mask.flip(1)
    alone = head(ids[:1, mask[0]])
    torch.testing.assert_close(head(ids, mask=mask)[:1], alone)
    at_last = head.classifier(gpt.features(ids)[:, -1])
    torch.testing.assert_close(head(ids), at_last)


def test_heads_stand_on_a_gpt_and_come_back(tmp_path: Path) -> None:
    gpt = GPT(GPTConfig(V, CONTEXT, layers=1, heads=2, width=8, style="llama"))
    ids = torch.randint(V, (2, 7))
    for head in (SequenceClassifier(gpt, 3), TokenClassifier(gpt, 3)):
        head.eval().save(tmp_path)
        assert type(head).load(tmp_path)(ids).equal(head(ids))
    assert SequenceClassifier(gpt, 3, reads="first").dense.weight.shape == (8, 8)


def test_segments_reach_a_bert(redraw: Redraw) -> None:
    head = TokenClassifier(BERT(BERTConfig(V, CONTEXT, 1, 2, 8)), 2).eval()
    redraw(head)
    ids = torch.randint(V, (1, 4))
    ones = torch.ones_like(ids)
    expected = head.classifier(head.model.features(ids, types=ones))
    assert head(ids, types=ones).equal(expected)
    assert not head(ids).equal(expected)


def test_what_does_not_go_together_is_named(tmp_path: Path) -> None:
    gpt = GPT(GPTConfig(V, CONTEXT, layers=1, heads=2, width=8))
    ids = torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(ValueError, match="a GPT has no segments"):
        SequenceClassifier(gpt, 2)(ids, types=ids)
    with pytest.raises(ValueError, match="classes 0 is not a positive whole number"):
        TokenClassifier(gpt, 0)
    with pytest.raises(ValueError, match="are read at their first token"):
        SequenceClassifier(gpt, 2).to_hf(tmp_path)
    with pytest.raises(ValueError, match="are of BERT, and not of a GPT"):
        SpanExtractor(gpt).to_hf(tmp_path)
    BertForMaskedLM(BertConfig(**SHAPE)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"no classifier.weight: .*stands on BERT"):
        SequenceClassifier.from_hf(tmp_path)
