"""From what was learned to the files of `peft`."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from llm.models.checkpoint import (
    few,
    write_json,
    write_safetensors,
)
from llm.models.gpt import GPT
from llm.models.huggingface.gpt import format_of
from llm.models.t5 import T5
from llm.peft.huggingface.names import CONFIG, PREFIX, PROMPT, WEIGHTS, base_of, joints
from llm.peft.layers import LoRALinear, ScaledLinear, injected, row_norms
from llm.peft.prompts import Prefixed, Prompted

# What `peft` wants to know of a model before it makes room for a prompt.
TASKS = {
    GPT: "CAUSAL_LM",
    Prompted: "CAUSAL_LM",
    Prefixed: "CAUSAL_LM",
    T5: "SEQ_2_SEQ_LM",
}


def to_peft(directory: str | Path, model: nn.Module) -> None:
    """Write what a method has learned in `model` so that `peft` can load it.

    P-tuning is written as the prompt that its network makes; rsLoRA as the LoRA of the
    same scale.

    Raises:
        ValueError: `peft` has no place for the method, or for the model.
    """
    if isinstance(model, Prompted | Prefixed):
        placed: tuple[str, ...] = ("prompt.", "prefix")
        values, tensors = prompt_to_peft(model)
    else:
        placed = tuple(f"{name}." for joint in joints(model) for name in joint.ours)
        kinds = {type(layer) for _, layer in injected(model)}
        if kinds == {LoRALinear}:
            values, tensors = lora_to_peft(model)
        elif kinds == {ScaledLinear}:
            values, tensors = ia3_to_peft(model)
        else:
            raise ValueError("peft reads LoRA, IA3, prompts and prefixes: none is here")
        transposed = isinstance(model, GPT) and format_of(model.config) == "gpt2"
        values["fan_in_fan_out"] = transposed
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    if left := [name for name in trained if not name.startswith(placed)]:
        raise ValueError(f"peft has no place for {few(left)}: use save_adapter")
    values |= {
        "task_type": TASKS.get(type(model)),
        "base_model_name_or_path": None,
        "inference_mode": True,
    }
    write_json(Path(directory) / CONFIG, values)
    write_safetensors(Path(directory) / WEIGHTS, tensors)


def lora_to_peft(model: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the two files hold of LoRA."""
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    alphas: dict[str, float] = {}
    magnitude = False
    for joint in joints(model):
        layers = joint.layers(model)
        own = [layer for layer in layers if isinstance(layer, LoRALinear)]
        if not own:
            continue
        A = torch.cat([layer.down.weight for layer in own])  # (rank, in)
        rows = []
        for layer, base in zip(layers, joint.bases(model), strict=True):
            B = A.new_zeros(base.out_features, len(A))
            if isinstance(layer, LoRALinear):
                start = sum(before.up.in_features for before in own[: own.index(layer)])
                B[:, start : start + layer.up.in_features] = layer.up.weight.detach()
            rows.append(B)
        name = f"{PREFIX}{joint.theirs}."
        tensors[f"{name}lora_A.weight"] = A
        tensors[f"{name}lora_B.weight"] = torch.cat(rows)
        if own[0].magnitude is not None:
            magnitude = True
            tensors[f"{name}lora_magnitude_vector"] = torch.cat(
                [magnitude_of(layer) for layer in layers]
            )
        ranks[joint.theirs] = len(A)
        alphas[joint.theirs] = own[0].scale * len(A)
    first = next(iter(ranks))
    return {
        "peft_type": "LORA",
        "target_modules": list(ranks),
        "r": ranks[first],
        "lora_alpha": alphas[first],
        "rank_pattern": {k: v for k, v in ranks.items() if v != ranks[first]},
        "alpha_pattern": {k: v for k, v in alphas.items() if v != alphas[first]},
        "lora_dropout": own_dropout(model),
        "use_dora": magnitude,
        "bias": "none",
    }, tensors


def own_dropout(model: nn.Module) -> float:
    """The dropout that all layers of LoRA share."""
    rates = [m.dropout.p for m in model.modules() if isinstance(m, LoRALinear)]
    return rates[0]


def magnitude_of(layer: nn.Module) -> Tensor:
    """Norms of the rows: those that DoRA learned, else those that the weight has."""
    if isinstance(layer, LoRALinear) and layer.magnitude is not None:
        return layer.magnitude
    return row_norms(base_of(layer).weight)


def ia3_to_peft(model: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the two files hold of IA3."""
    tensors: dict[str, Tensor] = {}
    inputs: list[str] = []
    targets: list[str] = []
    for joint in joints(model):
        layers = joint.layers(model)
        own = [layer for layer in layers if isinstance(layer, ScaledLinear)]
        if not own:
            continue
        if {layer.side for layer in own} == {"input"} and len(layers) == 1:
            gain = own[0].gain[None]  # (1, in)
            inputs.append(joint.theirs)
        elif {layer.side for layer in own} == {"output"}:
            gains = [
                layer.gain
                if isinstance(layer, ScaledLinear)
                else own[0].gain.new_ones(base_of(layer).out_features)
                for layer in layers
            ]
            gain = torch.cat(gains)[:, None]  # (out, 1)
        else:
            raise ValueError(f"peft cannot scale the input of a part of {joint.theirs}")
        targets.append(joint.theirs)
        tensors[f"{PREFIX}{joint.theirs}.ia3_l"] = gain
    return {
        "peft_type": "IA3",
        "target_modules": targets,
        "feedforward_modules": inputs,
    }, tensors


def prompt_to_peft(
    model: Prompted | Prefixed,
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the two files hold of a prompt or a prefix."""
    config = model.config
    format_of(config)
    values: dict[str, Any] = {
        "num_virtual_tokens": model.tokens,
        "num_layers": config.layers,
        "num_transformer_submodules": 1,
        "num_attention_heads": config.heads,
        "token_dim": config.width,
    }
    if isinstance(model, Prompted):
        values["peft_type"] = "PROMPT_TUNING"
        return values, {PROMPT: model.prompt()}
    heads = config.kv_heads or config.heads
    values |= {
        "peft_type": "PREFIX_TUNING",
        "num_attention_heads": heads,
        "token_dim": heads * config.head_width,
        "prefix_projection": False,
    }
    # (layers, 2, H, P, D) to (P, layers · 2 · H · D)
    return values, {PROMPT: model.prefix.permute(3, 0, 1, 2, 4).flatten(1)}
