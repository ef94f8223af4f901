"""Training: one loop, and what is handed to it."""

from llm.train.config import TrainConfig
from llm.train.objectives import Loss, next_token
from llm.train.trainer import Trainer, evaluate

__all__ = ["Loss", "TrainConfig", "Trainer", "evaluate", "next_token"]
