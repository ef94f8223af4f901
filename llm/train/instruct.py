"""Instruction tuning: learn the answers, given the prompts.

The loss is that of pre-training, over the tokens of answers only (Ouyang et al. 2022,
arXiv:2203.02155, section 3.5, "supervised fine-tuning"). The log-probability of an
answer is what preferences (`llm.train.preference`) and rewards (`llm.train.policy`)
are learned with.
"""

import copy
from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional as F

from llm.text.batches import IGNORE, Batch
from llm.train.objectives import Loss, cross_entropy

Model = TypeVar("Model", bound=nn.Module)


def answers(model: nn.Module, batch: Batch) -> Loss:
    """Cross-entropy of each token of the answers, whose rows may be packed.

    `model` is a `GPT`; `batch` is one of `llm.text.packing.packed_batch`: "ids",
    "targets" and "segments", all (B, T). For `answer_batch`, `next_token` does.
    """
    logits = model(batch["ids"], segments=batch["segments"])  # (B, T, V)
    return cross_entropy(logits, batch["targets"])


def token_log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    """log p of each target in nats, 0 where it is IGNORE: (..., V), (...) to (...)."""
    nats = F.cross_entropy(
        logits.flatten(0, -2).float(),  # half precision is too coarse for log-softmax
        targets.flatten(),
        ignore_index=IGNORE,
        reduction="none",
    )
    return -nats.view_as(targets)


def answer_log_probs(model: nn.Module, ids: Tensor, targets: Tensor) -> Tensor:
    """log p(answer | prompt) of each row, a sum over its targets: (B, T) to (B,)."""
    return token_log_probs(model(ids), targets).sum(-1)


def frozen(model: Model) -> Model:
    """A copy that stays as `model` is now: no dropout, no gradient."""
    return copy.deepcopy(model).eval().requires_grad_(False)
