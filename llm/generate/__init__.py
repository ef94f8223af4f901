"""From logits to text: decoding rules, generation and beam search."""

from llm.generate.beam import beam_search
from llm.generate.decoding import generate, stream

__all__ = ["beam_search", "generate", "stream"]
