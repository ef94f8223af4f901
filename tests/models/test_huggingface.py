"""The same weights give the same numbers as `transformers`, there and back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from llm import GPT, GPTConfig, generate

V, CONTEXT = 19, 24
GPT2 = {"vocab_size": V, "n_positions": CONTEXT, "bos_token_id": 0, "eos_token_id": 0}
LLAMA = {"vocab_size": V, "max_position_embeddings": CONTEXT}
REFERENCES: dict[str, Callable[[], PreTrainedModel]] = {
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**GPT2, n_embd=16, n_layer=2, n_head=4)),
    "gpt2 of odd shape": lambda: GPT2LMHeadModel(
        GPT2Config(
            **GPT2,
            n_embd=12,
            n_layer=3,
            n_head=3,
            n_inner=20,
            activation_function="gelu",
            layer_norm_epsilon=1e-3,
        )
    ),
    "gpt2 untied": lambda: GPT2LMHeadModel(
        GPT2Config(**GPT2, n_embd=8, n_layer=1, n_head=1, tie_word_embeddings=False)
    ),
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(
            **LLAMA,
            hidden_size=16,
            intermediate_size=40,
            num_hidden_layers=2,
            num_attention_heads=4,
        )
    ),
    "llama of grouped heads": lambda: LlamaForCausalLM(
        LlamaConfig(
            **LLAMA,
            hidden_size=24,
            intermediate_size=30,
            num_hidden_layers=3,
            num_attention_heads=6,
            num_key_value_heads=2,
            rope_parameters={"rope_type": "default", "rope_theta": 500.0},
            rms_norm_eps=1e-3,
            tie_word_embeddings=True,
        )
    ),
    "llama 3": lambda: LlamaForCausalLM(
        LlamaConfig(
            **LLAMA,
            hidden_size=32,
            intermediate_size=40,
            num_hidden_layers=1,
            num_attention_heads=2,
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 100.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 6,
            },
        )
    ),
    "llama of one shared head, with biases": lambda: LlamaForCausalLM(
        LlamaConfig(
            **LLAMA,
            hidden_size=8,
            intermediate_size=12,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=1,
            attention_bias=True,
            mlp_bias=True,
        )
    ),
}


@pytest.fixture(params=REFERENCES)
def reference(
    request: pytest.FixtureRequest, redraw: Callable[[nn.Module], None]
) -> PreTrainedModel:
    """A model of the reference library, every tensor drawn."""
    model = REFERENCES[request.param]().eval()
    redraw(model)
    return model


@pytest.fixture
def ours(reference: PreTrainedModel, tmp_path: Path) -> GPT:
    """The same weights in our class."""
    reference.save_pretrained(tmp_path / "theirs")
    return GPT.from_hf(tmp_path / "theirs")


def logits_of(reference: PreTrainedModel, ids: Tensor) -> Tensor:
    """What the reference says."""
    return reference(input_ids=ids).logits


def test_logits_are_those_of_the_reference(
    reference: PreTrainedModel, ours: GPT
) -> None:
    ids = torch.randint(V, (3, CONTEXT))
    difference = ours(ids) - logits_of(reference, ids)
    assert difference.abs().max() <= 1e-5
    assert ours(ids).std() > 0.01  # there is something to compare


def test_gradients_are_those_of_the_reference(
    reference: PreTrainedModel, ours: GPT, tmp_path: Path
) -> None:
    ids, targets = torch.randint(V, (2, 3, CONTEXT)).unbind()
    for logits in (ours(ids), logits_of(reference, ids)):
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    with torch.no_grad():  # gradients in the place of weights, to be mapped by name
        for parameter in reference.parameters():
            parameter.copy_(parameter.grad)
    reference.save_pretrained(tmp_path / "gradients")
    theirs = GPT.from_hf(tmp_path / "gradients")
    for name, parameter in ours.named_parameters():
        expected = theirs.get_parameter(name)
        assert parameter.grad is not None
        # Without rotation the gradient of a key's bias is rounding, since a number
        # added to all scores of a query changes nothing: hence the 1e-8.
        allowed = (1e-4 * expected.norm()).clamp(min=1e-8)
        assert (parameter.grad - expected).norm() <= allowed, name


def test_left_padding_is_treated_as_in_the_reference(
    reference: PreTrainedModel, ours: GPT
) -> None:
    ids = torch.randint(V, (2, 9))
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[0, :4] = False
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    theirs = reference(
        input_ids=ids, attention_mask=mask.long(), position_ids=positions
    ).logits
    difference = (ours(ids, mask=mask) - theirs)[mask]
    assert difference.abs().max() <= 1e-5


def test_greedy_text_is_that_of_the_reference(
    reference: PreTrainedModel, ours: GPT
) -> None:
    prompt = torch.randint(V, (1, 4))
    theirs = reference.generate(
        prompt, max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    assert generate(ours, prompt, max_tokens=20, temperature=0).equal(theirs)


def test_the_reference_loads_what_we_write(
    reference: PreTrainedModel, ours: GPT, tmp_path: Path
) -> None:
    ours.to_hf(tmp_path / "back")
    back = AutoModelForCausalLM.from_pretrained(tmp_path / "back").eval()
    assert type(back) is type(reference)
    ids = torch.randint(V, (3, CONTEXT))
    assert logits_of(back, ids).equal(logits_of(reference, ids))


def test_a_checkpoint_without_head_and_with_old_masks_loads(
    tmp_path: Path, redraw: Callable[[nn.Module], None]
) -> None:
    reference = REFERENCES["gpt2"]().eval()
    redraw(reference)
    reference.transformer.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    old = {"h.0.attn.bias": torch.ones(1), "h.0.attn.masked_bias": torch.ones(1)}
    save_file(load_file(path) | old, path)
    assert "wte.weight" in load_file(path)
    ids = torch.randint(V, (1, 5))
    difference = GPT.from_hf(tmp_path)(ids) - logits_of(reference, ids)
    assert difference.abs().max() <= 1e-5


def test_a_tied_head_that_was_written_twice_is_taken_once(tmp_path: Path) -> None:
    reference = REFERENCES["gpt2"]()
    reference.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"lm_head.weight": torch.ones(V, 16)}, path)
    head = GPT.from_hf(tmp_path).head.weight
    assert head.equal(tensors["transformer.wte.weight"])


def test_bfloat16_checkpoints_load(
    tmp_path: Path, redraw: Callable[[nn.Module], None]
) -> None:
    reference = REFERENCES["llama"]()
    redraw(reference)
    reference.bfloat16().save_pretrained(tmp_path)
    ours = GPT.from_hf(tmp_path)
    assert ours.head.weight.equal(reference.lm_head.weight.float())


@pytest.mark.parametrize(
    ("family", "changes", "message"),
    [
        ("gpt2", {"model_type": "bert"}, "model_type 'bert' is none of"),
        ("gpt2", {"activation_function": "relu"}, "activation_function 'relu'"),
        ("gpt2", {"add_cross_attention": True}, "add_cross_attention True"),
        ("gpt2", {"n_embd": 18}, "width 18 is not divisible by heads 4"),
        ("gpt2", {"n_embd": None}, "has no n_embd"),
        ("llama", {"head_dim": 8}, "head_dim 8 times 4 heads is not 16"),
        ("llama", {"mlp_bias": True}, "attention_bias and mlp_bias differ"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act 'gelu'"),
        (
            "llama",
            {"rope_parameters": {"rope_type": "yarn"}},
            "rope_type 'yarn' is none of",
        ),
    ],
)
def test_what_we_do_not_have_is_named(
    family: str, changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    REFERENCES[family]().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    values = {**json.loads(path.read_text()), **changes}
    values = {name: value for name, value in values.items() if value is not None}
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message) as error:
        GPT.from_hf(tmp_path)
    assert str(error.value).startswith(str(path))


def test_an_unknown_tensor_is_named(tmp_path: Path) -> None:
    REFERENCES["llama"]().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    save_file(load_file(path) | {"model.lora.weight": torch.ones(1)}, path)
    with pytest.raises(ValueError, match=r"unknown: model.lora.weight"):
        GPT.from_hf(tmp_path)


@pytest.mark.parametrize(
    "parts",
    [
        {"qk_norm": True},
        {"norm": "rms"},
        {"kv_heads": 2},
        {"feedforward": "swiglu"},
        {"style": "llama", "position": "learned"},
        {"style": "llama", "qk_norm": True},
    ],
)
def test_what_the_format_cannot_hold_is_not_written(
    parts: dict[str, object], tmp_path: Path
) -> None:
    model = GPT(GPTConfig(V, CONTEXT, 1, 4, 16, **parts))
    with pytest.raises(ValueError, match="neither GPT-2 nor Llama has these parts"):
        model.to_hf(tmp_path)
    assert not list(tmp_path.iterdir())
