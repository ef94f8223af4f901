"""From the files of `peft` to a model that has learned it."""

import re
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from llm.models.checkpoint import (
    described,
    few,
    read_json,
    read_safetensors,
)
from llm.models.gpt import GPT
from llm.models.huggingface.layout import expect, reading
from llm.peft.huggingface.names import (
    BEGINNINGS,
    CONFIG,
    FIXED,
    PREFIX,
    PROMPT,
    WEIGHTS,
    Joint,
    joints,
)
from llm.peft.inject import inject, refuse_second, refuse_tied
from llm.peft.layers import LoRALinear, ScaledLinear, Side
from llm.peft.methods import PrefixTuning, PromptTuning
from llm.peft.prompts import Prefixed, Prompted, Vectors
from llm.peft.quantize import Linear

PROMPTS = ("PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING")


def from_peft(directory: str | Path, model: nn.Module) -> nn.Module:
    """Inject into `model` what `peft` or `to_peft` wrote: see `inject`.

    Raises:
        FileNotFoundError: the directory or one of the files is missing.
        ValueError: a file is damaged, of a method that we do not have, or of a model
            with other layers or shapes.
    """
    path = Path(directory) / CONFIG
    values = read_json(path)
    tensors, _ = read_safetensors(Path(directory) / WEIGHTS)
    refuse_second(model)
    kind = values.get("peft_type")
    with reading(path):
        expect(values, FIXED)
        if kind not in ("LORA", "IA3", *PROMPTS):
            raise ValueError(f"peft_type {kind!r} is none that we have")
        if kind == "LORA" and not isinstance(values["lora_alpha"], int | float):
            raise ValueError(f"lora_alpha {values['lora_alpha']!r} is no number")
        if (begun := values.get("init_lora_weights", True)) not in BEGINNINGS:
            raise ValueError(f"init_lora_weights {begun!r} changes the base")
    with reading(Path(directory) / WEIGHTS):
        if kind not in ("LORA", "IA3"):
            return prompt_from_peft(
                model, tensors[PROMPT], prefix=kind == "PREFIX_TUNING"
            )
        layers = by_layer(tensors, {joint.theirs for joint in joints(model)})
        made: dict[str, nn.Module] = {}
        for joint in joints(model):
            if joint.theirs not in layers:
                continue
            parts = layers[joint.theirs]
            if kind == "LORA":
                made |= lora_from_peft(model, joint, parts, values=values)
            else:
                made |= ia3_from_peft(model, joint, parts)
        for name in made:
            refuse_tied(model, name)
    model.requires_grad_(False)
    for name, layer in made.items():
        model.set_submodule(name, layer)
    return model


def by_layer(
    tensors: Mapping[str, Tensor], known: set[str]
) -> dict[str, dict[str, Tensor]]:
    """The tensors of each layer of theirs, by the rest of their names."""
    layers: dict[str, dict[str, Tensor]] = {}
    unknown = []
    for name, tensor in tensors.items():
        layer, _, part = name.removeprefix(PREFIX).rpartition(".")
        if part == "weight":
            layer, _, part = layer.rpartition(".")
        if layer in known:
            layers.setdefault(layer, {})[part] = tensor
        else:
            unknown.append(name)
    if unknown:
        raise ValueError(f"the model has no layers for {few(unknown)}")
    return layers


def lora_from_peft(
    model: nn.Module,
    joint: Joint,
    parts: Mapping[str, Tensor],
    *,
    values: Mapping[str, Any],
) -> dict[str, LoRALinear]:
    """Our layers for one of theirs."""
    bases = joint.bases(model)
    rows = [base.out_features for base in bases]
    A, B = parts["lora_A"], parts["lora_B"]
    rank = len(A)
    check_shape(joint.theirs, A, (rank, bases[0].in_features))
    check_shape(joint.theirs, B, (sum(rows), rank))
    dora = values.get("use_dora", False)
    if dora:
        check_shape(joint.theirs, parts["lora_magnitude_vector"], (sum(rows),))
        norms = torch.split(parts["lora_magnitude_vector"], rows)
    alpha = patterned(values.get("alpha_pattern"), joint.theirs, values["lora_alpha"])
    scale = alpha / (sqrt(rank) if values.get("use_rslora") else rank)
    made = {}
    for i, (name, base, part) in enumerate(
        zip(joint.ours, bases, torch.split(B, rows), strict=True)
    ):
        used = part.any(0) if B.any() else torch.ones(rank, dtype=torch.bool)
        if not (used.any() or dora):
            continue
        used = used if used.any() else ~used  # DoRA may change the norms alone
        layer = LoRALinear(
            base,
            rank=int(used.sum()),
            scale=scale,
            dropout=values.get("lora_dropout", 0.0),
            dora=dora,
        )
        layer.down.weight.data.copy_(A[used])
        layer.up.weight.data.copy_(part[:, used])
        if layer.magnitude is not None:
            layer.magnitude.data.copy_(norms[i])
        made[name] = layer
    return made


def patterned(patterns: Mapping[str, float] | None, name: str, default: float) -> float:
    """The value that the first pattern for a layer of theirs gives."""
    for pattern, value in (patterns or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", name):
            return value
    return default


def ia3_from_peft(
    model: nn.Module, joint: Joint, parts: Mapping[str, Tensor]
) -> dict[str, ScaledLinear]:
    """Our layers for one of theirs; a part whose gains are all 1 is left alone."""
    bases = joint.bases(model)
    rows = [base.out_features for base in bases]
    gain = parts["ia3_l"]
    made = {}
    if len(gain) == 1:
        check_shape(joint.theirs, gain, (1, bases[0].in_features))
        if len(bases) > 1:
            raise ValueError(f"{joint.theirs}: inputs of joined layers are not scaled")
        made[joint.ours[0]] = scaled(bases[0], gain[0], side="input")
        return made
    check_shape(joint.theirs, gain, (sum(rows), 1))
    untrained = bool((gain == 1).all())
    for name, base, part in zip(
        joint.ours, bases, torch.split(gain, rows), strict=True
    ):
        if untrained or not (part == 1).all():
            made[name] = scaled(base, part[:, 0], side="output")
    return made


def scaled(base: Linear, gain: Tensor, *, side: Side) -> ScaledLinear:
    """`base` with the gains of IA3."""
    layer = ScaledLinear(base, side=side)
    layer.gain.data.copy_(gain)
    return layer


def prompt_from_peft(model: nn.Module, found: Tensor, *, prefix: bool) -> nn.Module:
    """`model` with a prompt, (P, C), or a prefix, (P, layers · 2 · H · D)."""
    if not isinstance(model, GPT):
        kind = type(model).__name__
        raise ValueError(f"prompts work with a GPT, and this is a {kind}")
    config, tokens = model.config, len(found)
    heads, D = config.kv_heads or config.heads, config.head_width
    if not prefix:
        check_shape(PROMPT, found, (tokens, config.width))
        tuned = inject(model, PromptTuning(tokens))
        assert isinstance(tuned, Prompted) and isinstance(tuned.prompt, Vectors)
        tuned.prompt.weight.data.copy_(found)
        return tuned
    check_shape(PROMPT, found, (tokens, config.layers * 2 * heads * D))
    tuned = inject(model, PrefixTuning(tokens))
    assert isinstance(tuned, Prefixed)
    flat = found.view(tokens, config.layers, 2, heads, D)
    tuned.prefix.data.copy_(flat.permute(1, 2, 3, 0, 4))
    return tuned


def check_shape(name: str, found: Tensor, expected: tuple[int, ...]) -> None:
    """Refuse a tensor of another shape.

    Raises:
        ValueError: names it and both shapes.
    """
    if found.shape != expected:
        raise ValueError(f"{name} is {described(found)}, and the model has {expected}")
