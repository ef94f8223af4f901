"""From logits to text: decoding rules and generation."""

from llm.generate.decoding import generate, stream

__all__ = ["generate", "stream"]
