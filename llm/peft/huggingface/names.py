"""Files, and which layers of ours stand where in them."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from llm.models.bert import BERT
from llm.models.gpt import GPT
from llm.models.huggingface import bert, gpt, t5
from llm.models.huggingface.layout import Layout
from llm.models.t5 import T5
from llm.peft.layers import LoRALinear, ScaledLinear
from llm.peft.quantize import Linear, NF4Linear

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."
PROMPT = "prompt_embeddings"
# What a file may ask for without our noticing, and the only answer we have.
FIXED: dict[str, Any] = {
    "bias": "none",
    "lora_bias": False,
    "modules_to_save": None,
    "trainable_token_indices": None,
    "layer_replication": None,
    "use_qalora": False,
    "alora_invocation_tokens": None,
    "arrow_config": None,
    "kasa_config": None,
    "target_parameters": None,
    "num_transformer_submodules": 1,
}
# Ways to begin LoRA that leave the base as it is; others (PiSSA, OLoRA, CorDA) subtract
# from it what they begin with, and the file does not say what.
BEGINNINGS = (True, False, "gaussian", "orthogonal", "eva")


@dataclass(frozen=True)
class Joint:
    """A linear layer of theirs, and the layers of ours that are laid above each other.

    Args:
        theirs: its name there.
        ours: our names.
    """

    theirs: str
    ours: tuple[str, ...]

    def layers(self, model: nn.Module) -> list[nn.Module]:
        """Our layers."""
        return [model.get_submodule(name) for name in self.ours]

    def bases(self, model: nn.Module) -> list[Linear]:
        """Our layers, without what was injected."""
        return [base_of(layer) for layer in self.layers(model)]


def base_of(layer: nn.Module) -> Linear:
    """The linear layer that `layer` is or holds."""
    held = layer.base if isinstance(layer, LoRALinear | ScaledLinear) else layer
    assert isinstance(held, nn.Linear | NF4Linear)
    return held


def joints(model: nn.Module) -> list[Joint]:
    """Every linear layer of the Hugging Face model of the same weights.

    Raises:
        ValueError: `model` is of no family that we know their names of.
    """
    named = [
        Joint(
            entry.theirs.removesuffix(".weight"),
            tuple(name.removesuffix(".weight") for name in entry.ours),
        )
        for entry in layout_of(model)
        if entry.ours[0].endswith(".weight")
    ]
    modules = dict(model.named_modules())
    kinds = (nn.Linear, NF4Linear, LoRALinear, ScaledLinear)
    return [joint for joint in named if isinstance(modules.get(joint.ours[0]), kinds)]


def layout_of(model: nn.Module) -> Layout:
    """Where every tensor of the Hugging Face model of the same weights stands.

    Raises:
        ValueError: `model` is of no family that we know their names of.
    """
    match model:
        case GPT():
            return gpt.layout(model.config)
        case BERT():
            return bert.layout(model.config)
        case T5():
            return t5.layout(model.config)
    kind = type(model).__name__
    raise ValueError(f"peft knows the layers of GPT, BERT and T5, not of a {kind}")
