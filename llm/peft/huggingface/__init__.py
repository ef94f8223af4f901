"""Adapters in the format of the library `peft`: LoRA, IA3, prompts and prefixes.

Files are adapter_config.json and adapter_model.safetensors, and layers have the names
of the Hugging Face model of the same weights: see `llm.models.huggingface.gpt`. GPT-2
has query, key and value in one layer there. What we hold of each part is written as one
LoRA of all their ranks, whose B has zeros between the parts; what is read of one is
given to each part without the ranks that do nothing there.
"""

from llm.peft.huggingface.reading import from_peft
from llm.peft.huggingface.writing import to_peft

__all__ = ["from_peft", "to_peft"]
