"""Models, each a configuration and a module built from the parts in `llm.nn`."""

from llm.models.gpt import GPT, GPTConfig

__all__ = ["GPT", "GPTConfig"]
