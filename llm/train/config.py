"""How to train: every setting of the loop, in one frozen dataclass."""

import math
from dataclasses import dataclass

from llm.train.optim import OPTIMIZERS
from llm.train.schedules import SCHEDULES

PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Rates are peaks; `schedule`, `warmup` and `decay` shape them.

    steps          updates of the weights
    optimizer      "adamw", or "muon" for hidden matrices with AdamW for the rest
    lr             learning rate: of all with "adamw", of the matrices with "muon"
    embedding_lr   with "muon": rate of the embeddings
    other_lr       with "muon": rate of an untied head, norms and biases
    weight_decay   decoupled decay of matrices
    schedule       "cosine", "wsd", "linear" or "constant"
    warmup         steps over which the rates climb
    decay          with "wsd": share of the steps after warm-up over which they fall
    floor          share of the peak at which the schedule ends
    clip           largest norm of the gradient; 0 leaves it alone
    accumulate     micro-batches an update
    precision      "fp32", "bf16" or "fp16": of the forward pass; weights stay fp32
    eval_every     steps between evaluations; 0 evaluates after the last step only
    save_every     steps between saved states; 0 saves after the last step only
    log_every      steps between records
    seed           of dropout and whatever else the model draws
    device         where to train
    """

    steps: int
    optimizer: str = "adamw"
    lr: float = 1e-3
    embedding_lr: float = 0.05
    other_lr: float = 0.01
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: int = 0
    decay: float = 0.6
    floor: float = 0.0
    clip: float = 1.0
    accumulate: int = 1
    precision: str = "fp32"
    eval_every: int = 0
    save_every: int = 0
    log_every: int = 10
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is none of {', '.join(known)}"
                )
        for name in ("steps", "accumulate", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("warmup", "eval_every", "save_every", "clip", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)} must not be negative")
        for name in ("lr", "embedding_lr", "other_lr"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be positive")
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay={self.decay} is a share: more than 0, at most 1")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor={self.floor} is a share: from 0 to 1")
