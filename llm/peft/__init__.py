"""Fine-tuning of few parameters: a frozen model, and a little that trains beside it."""

from llm.peft.files import load_adapter, save_adapter
from llm.peft.huggingface import from_peft, to_peft
from llm.peft.inject import inject, merge, trainable, unmerge
from llm.peft.methods import (
    IA3,
    Adapters,
    BitFit,
    LoRA,
    Method,
    PrefixTuning,
    PromptTuning,
    PTuning,
)
from llm.peft.quantize import quantize

__all__ = [
    "IA3",
    "Adapters",
    "BitFit",
    "LoRA",
    "Method",
    "PTuning",
    "PrefixTuning",
    "PromptTuning",
    "from_peft",
    "inject",
    "load_adapter",
    "merge",
    "quantize",
    "save_adapter",
    "to_peft",
    "trainable",
    "unmerge",
]
