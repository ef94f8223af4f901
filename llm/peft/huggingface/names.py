"""Files, and which layers of ours stand where in them."""

import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from llm.models.gpt import GPT
from llm.models.huggingface.gpt import layout
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
    "num_transformer_submodules": 1,
}


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


def joints(model: GPT) -> list[Joint]:
    """Every linear layer of the Hugging Face model of the same weights.

    Raises:
        ValueError: neither GPT-2 nor Llama has the parts of `model`.
    """
    return [
        Joint(
            entry.theirs.removesuffix(".weight"),
            tuple(name.removesuffix(".weight") for name in entry.ours),
        )
        for entry in layout(model.config)
        if re.search(r"(attention|feedforward)\.\w+\.weight$", entry.ours[0])
    ]
