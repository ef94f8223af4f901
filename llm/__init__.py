"""A small, tested PyTorch package for language models: the code the notes quote."""

from llm.environment import check_env
from llm.generate import generate, stream
from llm.models.gpt import GPT, GPTConfig
from llm.text.tokenizer import Tokenizer
from llm.train import TrainConfig, Trainer

__version__ = "0.1.0"

__all__ = [
    "GPT",
    "GPTConfig",
    "Tokenizer",
    "TrainConfig",
    "Trainer",
    "check_env",
    "generate",
    "stream",
]
