"""Models, each a configuration and a module built from the parts in `llm.nn`.

A family is loaded when it is first asked for: a program with a GPT does not run BERT's
file, and its record stays true when that changes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm.models.bert import BERT, BERTConfig
    from llm.models.gpt import GPT, GPTConfig
    from llm.models.heads import SequenceClassifier, SpanExtractor, TokenClassifier
    from llm.models.recurrent import Recurrent, RecurrentConfig
    from llm.models.t5 import T5, T5Config
    from llm.models.transformer import Transformer, TransformerConfig
    from llm.models.xlnet import XLNet, XLNetConfig

__all__ = [
    "BERT",
    "GPT",
    "T5",
    "BERTConfig",
    "GPTConfig",
    "Recurrent",
    "RecurrentConfig",
    "SequenceClassifier",
    "SpanExtractor",
    "T5Config",
    "TokenClassifier",
    "Transformer",
    "TransformerConfig",
    "XLNet",
    "XLNetConfig",
]
HEADS = ("SequenceClassifier", "SpanExtractor", "TokenClassifier")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "heads" if name in HEADS else name.removesuffix("Config").lower()
    return getattr(import_module(f"{__name__}.{module}"), name)
