"""The library `peft` and we compute the same from the same file, either way."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from llm import GPT, GPTConfig
from llm.models.families import from_hf
from llm.peft import (
    IA3,
    Adapters,
    LoRA,
    Method,
    PrefixTuning,
    PromptTuning,
    PTuning,
    from_peft,
    inject,
    quantize,
    to_peft,
)
from llm.peft.huggingface.names import joints
from llm.peft.layers import Injected

Redraw = Callable[[nn.Module], None]
Pair = Any
TASK = {"task_type": "CAUSAL_LM"}
LAYERS = {
    "gpt2": ["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"],
    "llama": ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"],
}
SCALED = {"gpt2": ["c_attn", "mlp.c_proj"], "llama": ["k_proj", "v_proj", "down_proj"]}
INPUT = {"gpt2": ["mlp.c_proj"], "llama": ["down_proj"]}
THEIRS: dict[str, Callable[[str], Any]] = {
    "lora": lambda style: LoraConfig(
        r=3, lora_alpha=5, target_modules=LAYERS[style], **TASK
    ),
    "rslora": lambda style: LoraConfig(
        r=3, lora_alpha=5, use_rslora=True, target_modules=LAYERS[style], **TASK
    ),
    "dora": lambda style: LoraConfig(
        r=2, use_dora=True, target_modules=LAYERS[style], **TASK
    ),
    "patterns": lambda style: LoraConfig(
        r=2,
        target_modules=LAYERS[style],
        rank_pattern={LAYERS[style][0]: 4},
        alpha_pattern={LAYERS[style][1]: 3},
        **TASK,
    ),
    "ia3": lambda style: IA3Config(
        target_modules=SCALED[style], feedforward_modules=INPUT[style], **TASK
    ),
    "prompt": lambda style: PromptTuningConfig(num_virtual_tokens=3, **TASK),
    "p-tuning": lambda style: PromptEncoderConfig(
        num_virtual_tokens=3, encoder_hidden_size=8, **TASK
    ),
    "prefix": lambda style: PrefixTuningConfig(num_virtual_tokens=3, **TASK),
}
EVERYWHERE = ("*attention.*", "*feedforward.*")
OURS: dict[str, Method] = {
    "query and value": LoRA(rank=2),
    "rslora": LoRA(EVERYWHERE, rank=3, rslora=True),
    "dora": LoRA(rank=2, dora=True),
    "ia3": IA3(),
    "prompt": PromptTuning(3),
    "p-tuning": PTuning(3, hidden=4),
    "prefix": PrefixTuning(3),
}


def logits(theirs: nn.Module, ids: Tensor) -> Tensor:
    """Those of `ids` alone: `peft` gives those of a prompt, too."""
    return theirs(input_ids=ids).logits[:, -ids.size(1) :]


def equal(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", THEIRS)
def test_what_peft_wrote_computes_the_same_here(
    pair: Pair, ids: Tensor, name: str, redraw: Redraw, tmp_path: Path
) -> None:
    base = logits(pair.theirs, ids)
    theirs = get_peft_model(pair.theirs, THEIRS[name](pair.style)).eval()
    redraw(theirs)
    theirs.save_pretrained(tmp_path)
    ours = from_peft(tmp_path, pair.ours).eval()
    expected = logits(theirs, ids)
    assert (expected - base).abs().max() > 1e-2
    equal(ours(ids), expected)


@pytest.mark.parametrize("name", OURS)
def test_what_we_wrote_computes_the_same_in_peft_and_comes_back(
    pair: Pair, ids: Tensor, name: str, redraw: Redraw, tmp_path: Path
) -> None:
    pair.ours.save(tmp_path / "ours")
    ours = inject(pair.ours, OURS[name]).eval()
    redraw(ours)
    to_peft(tmp_path, ours)
    expected = ours(ids)
    equal(from_peft(tmp_path, GPT.load(tmp_path / "ours")).eval()(ids), expected)
    theirs = PeftModel.from_pretrained(pair.theirs, tmp_path).eval()
    equal(logits(theirs, ids), expected)


def test_our_own_lora_comes_back_number_by_number(
    model: GPT, redraw: Redraw, tmp_path: Path
) -> None:
    model.save(tmp_path / "ours")
    ours = inject(model, LoRA(rank=2, dora=False))
    redraw(ours)
    to_peft(tmp_path, ours)
    again = from_peft(tmp_path, GPT.load(tmp_path / "ours"))
    assert ours.state_dict().keys() == again.state_dict().keys()
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


@pytest.mark.parametrize("name", ["lora", "rslora", "dora", "ia3"])
def test_gradients_are_those_of_peft(
    pair: Pair, ids: Tensor, name: str, redraw: Redraw, tmp_path: Path
) -> None:
    """What is one layer there is three here: their A gets what all three of ours do."""
    theirs = get_peft_model(pair.theirs, THEIRS[name](pair.style)).eval()
    redraw(theirs)
    theirs.save_pretrained(tmp_path)
    ours = from_peft(tmp_path, pair.ours).eval()
    weight = torch.randn(19)
    (logits(theirs, ids) @ weight).sum().backward()
    (ours(ids) @ weight).sum().backward()

    compared = 0
    for joint in joints(ours):
        layer = theirs.get_submodule(f"base_model.model.{joint.theirs}")
        own = [part for part in joint.layers(ours) if isinstance(part, Injected)]
        if name == "ia3" and own:
            gain = torch.cat([part.gain.grad for part in own])
            expected = layer.ia3_l["default"].grad.flatten()
            equal(gain, expected)
        elif own:
            down = torch.stack([part.down.weight.grad for part in own]).sum(0)
            equal(down, layer.lora_A["default"].weight.grad)
            up = torch.cat([part.up.weight.grad for part in own])
            equal(up, layer.lora_B["default"].weight.grad)
        if name == "dora" and own:
            magnitude = torch.cat([part.magnitude.grad for part in own])
            found = layer.lora_magnitude_vector["default"].weight.grad
            equal(magnitude, found)
        compared += len(own)
    assert compared >= 3


OTHERS: dict[str, Callable[[], nn.Module]] = {
    "bert": lambda: BertForMaskedLM(
        BertConfig(
            vocab_size=19,
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=20,
        )
    ),
    "t5": lambda: T5ForConditionalGeneration(
        T5Config(
            vocab_size=19,
            d_model=12,
            d_kv=4,
            d_ff=20,
            num_layers=2,
            num_heads=3,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
        )
    ),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "method", [LoRA(rank=2), LoRA(EVERYWHERE, rank=2, dora=True), IA3()]
)
def test_bert_and_t5_compute_the_same_in_peft(
    ids: Tensor, name: str, method: Method, redraw: Redraw, tmp_path: Path
) -> None:
    theirs = OTHERS[name]().eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.3)
    theirs.save_pretrained(tmp_path / "base")
    ours = inject(from_hf(tmp_path / "base"), method).eval()
    redraw(ours)
    to_peft(tmp_path, ours)
    again = from_peft(tmp_path, from_hf(tmp_path / "base")).eval()
    tuned = PeftModel.from_pretrained(theirs, tmp_path).eval()
    if name == "t5":
        expected = tuned(input_ids=ids[:1], decoder_input_ids=ids[1:]).logits
        found = [model(ids[:1], ids[1:]) for model in (ours, again)]
    else:
        expected = tuned(input_ids=ids).logits
        found = [model(ids) for model in (ours, again)]
    assert torch.equal(found[0], found[1])
    equal(found[0], expected)


def test_an_untied_head_is_written_and_read(
    pair: Pair, ids: Tensor, redraw: Redraw, tmp_path: Path
) -> None:
    pair.ours.save(tmp_path / "ours")
    if pair.style == "gpt2":  # tied
        written(GPT(replace(pair.ours.config, tied=False)), LoRA(("head",)), tmp_path)
        with pytest.raises(ValueError, match="head is tied"):
            from_peft(tmp_path, pair.ours)
        return
    ours = inject(pair.ours, LoRA(("head",), rank=2))
    redraw(ours)
    to_peft(tmp_path, ours)
    theirs = PeftModel.from_pretrained(pair.theirs, tmp_path).eval()
    equal(logits(theirs, ids), ours(ids))
    equal(from_peft(tmp_path, GPT.load(tmp_path / "ours"))(ids), ours(ids))


def test_a_base_of_four_bits_takes_a_file(
    model: GPT, ids: Tensor, redraw: Redraw, tmp_path: Path
) -> None:
    model.save(tmp_path / "ours")
    ours = inject(quantize(model), LoRA(rank=2, dora=True))
    redraw(ours)
    to_peft(tmp_path, ours)
    again = from_peft(tmp_path, quantize(GPT.load(tmp_path / "ours")))
    assert torch.equal(again(ids), ours(ids))


def written(model: GPT, method: Method, directory: Path) -> Path:
    """The directory, with the files of a method that has learned nothing."""
    to_peft(directory, inject(model, method))
    return directory


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("peft_type", "ADALORA", "peft_type 'ADALORA'"),
        ("bias", "all", "bias 'all'"),
        ("init_lora_weights", "pissa", "'pissa' changes the base"),
        ("modules_to_save", ["lm_head"], "modules_to_save"),
        ("lora_alpha", None, "adapter_config.json: lora_alpha None"),
    ],
)
def test_what_we_do_not_have_is_refused(
    model: GPT, tmp_path: Path, key: str, value: Any, message: str
) -> None:
    path = written(model, LoRA(), tmp_path) / "adapter_config.json"
    values = json.loads(path.read_text())
    values[key] = value
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message):
        from_peft(tmp_path, GPT(model.config))


def test_a_prompt_for_another_family_is_refused(model: GPT, tmp_path: Path) -> None:
    written(model, PromptTuning(2), tmp_path)
    with pytest.raises(ValueError, match="work with a GPT"):
        from_peft(tmp_path, nn.Linear(2, 2))


def test_files_for_another_model_are_refused(model: GPT, tmp_path: Path) -> None:
    for method in (LoRA(), IA3(), PromptTuning(2), PrefixTuning(2)):
        written(GPT(model.config), method, tmp_path)
        wide = GPT(replace(model.config, width=32))
        with pytest.raises(ValueError, match="the model has"):
            from_peft(tmp_path, wide)
    written(GPT(model.config), LoRA(), tmp_path)
    shallow = GPT(replace(model.config, layers=1))
    with pytest.raises(ValueError, match=r"no layers for .*\.1\."):
        from_peft(tmp_path, shallow)


def test_a_tensor_that_is_missing_is_named(model: GPT, tmp_path: Path) -> None:
    path = written(model, LoRA(), tmp_path) / "adapter_model.safetensors"
    tensors = load_file(path)
    save_file({k: v for k, v in tensors.items() if "lora_B" not in k}, path)
    with pytest.raises(ValueError, match="has no lora_B"):
        from_peft(tmp_path, GPT(model.config))


def test_what_peft_has_no_place_for_is_refused(model: GPT, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none is here"):
        to_peft(tmp_path, inject(model, Adapters()))
    with pytest.raises(ValueError, match="not of a Linear"):
        to_peft(tmp_path, nn.Linear(2, 2))
    beside = inject(GPT(model.config), LoRA(), also=("norm.weight",))
    with pytest.raises(ValueError, match=r"no place for norm\.weight"):
        to_peft(tmp_path, beside)
    beside = inject(GPT(model.config), PromptTuning(2), also=("norm.weight",))
    with pytest.raises(ValueError, match=r"no place for model\.norm\.weight"):
        to_peft(tmp_path, beside)
    mixed = GPT(GPTConfig(10, 8, 1, 2, 8, norm="rms"))
    with pytest.raises(ValueError, match="neither GPT-2 nor Llama"):
        to_peft(tmp_path, inject(mixed, LoRA()))


def test_inputs_of_joined_layers_are_refused(pair: Pair, tmp_path: Path) -> None:
    """Query, key and value read one input there: it cannot be scaled for one alone."""
    ours = inject(pair.ours, IA3(outputs=(), inputs=("*attention.key",)))
    if pair.style == "gpt2":
        with pytest.raises(ValueError, match="c_attn"):
            to_peft(tmp_path, ours)
        file = tmp_path / "adapter_model.safetensors"
        written(GPT(pair.ours.config), IA3(), tmp_path)
        tensors = load_file(file)
        name = next(name for name in tensors if "c_attn" in name)
        save_file({name: torch.ones(1, 16)}, file)
        with pytest.raises(ValueError, match="inputs of joined layers"):
            from_peft(tmp_path, GPT(pair.ours.config))
    else:
        to_peft(tmp_path, ours)
        assert from_peft(tmp_path, GPT(pair.ours.config)) is not None
