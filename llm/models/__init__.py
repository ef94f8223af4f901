"""Models, each a configuration and a module built from the parts in `llm.nn`."""

from llm.models.gpt import GPT, GPTConfig
from llm.models.t5 import T5, T5Config
from llm.models.transformer import Transformer, TransformerConfig

__all__ = ["GPT", "T5", "GPTConfig", "T5Config", "Transformer", "TransformerConfig"]
