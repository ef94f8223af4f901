"""Learning from preferences: of two answers to a prompt, people chose one.

Bradley and Terry 1952 (doi:10.2307/2334029): the chance that one is preferred is the
logistic function of the difference of their rewards. A reward model learns the reward
from that (Ouyang et al. 2022, arXiv:2203.02155, equation 1). Direct preference
optimisation does without one: the language model itself, compared with a reference that
stays as it was, is the reward (Rafailov et al. 2023, arXiv:2305.18290).

A batch is one of `llm.text.packing.preference_batch`: "ids" and "targets" (B, 2, T),
"lengths" (B, 2), chosen at place 0 and rejected at 1. A loss counts pairs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.text.batches import Batch
from llm.train.instruct import answer_log_probs
from llm.train.objectives import Loss, Objective


def bradley_terry(chosen: Tensor, rejected: Tensor) -> Tensor:
    """-log σ(chosen - rejected) of each pair of rewards, (B,)."""
    return -F.logsigmoid(chosen - rejected)


def reward_difference(model: nn.Module, batch: Batch) -> Loss:
    """The Bradley-Terry loss of a `RewardModel`.

    Ouyang et al. 2022, equation 1, with one pair a prompt.
    """
    lengths = batch["lengths"].flatten()  # (2B,)
    rewards = model(batch["ids"].flatten(0, 1), lengths=lengths)  # (2B,)
    return summed(bradley_terry(*rewards.view(-1, 2).unbind(1)))


def dpo_loss(
    policy: Tensor, reference: Tensor, *, beta: float, smoothing: float = 0.0
) -> Tensor:
    """Direct preference optimisation, a loss for each pair: (B,).

    Rafailov et al. 2023, equation 7. With `smoothing` ε, each label is taken to be
    wrong with probability ε (Mitchell 2023, "A note on DPO with noisy preferences",
    equation 3, "conservative DPO").

    Args:
        policy: log p of the answers under the model, (B, 2), chosen first.
        reference: the same under the reference.
        beta: β, how dear it is to leave the reference.
        smoothing: ε, from 0 to 1/2.
    """
    margin = beta * log_ratio(policy, reference)  # (B,)
    right, wrong = F.logsigmoid(margin), F.logsigmoid(-margin)
    return -(1 - smoothing) * right - smoothing * wrong


def ipo_loss(policy: Tensor, reference: Tensor, *, tau: float) -> Tensor:
    """Identity preference optimisation, a loss for each pair: (B,).

    Azar et al. 2023 (arXiv:2310.12036), equation 17: the log-ratio shall be 1 / 2τ and
    no more, where DPO drives it to infinity if the preferences never differ. Arguments
    are those of `dpo_loss`; `tau` is τ, how dear it is to leave the reference.
    """
    return (log_ratio(policy, reference) - 1 / (2 * tau)) ** 2


def log_ratio(policy: Tensor, reference: Tensor) -> Tensor:
    """h: by how much more than the reference the policy prefers the chosen, (B,)."""
    chosen, rejected = (policy - reference).unbind(1)
    return chosen - rejected


def dpo(
    reference: nn.Module, *, beta: float = 0.1, smoothing: float = 0.0
) -> Objective:
    """The objective of `dpo_loss`.

    Args:
        reference: `llm.train.instruct.frozen(model)`, taken before training, on the
            model's device. A run that is resumed needs the same again: make it from
            the model that the run began with.
        beta: see `dpo_loss`.
        smoothing: see `dpo_loss`.

    Raises:
        ValueError: `beta` is not positive, or `smoothing` not in [0, 1/2).
    """
    positive("beta", beta)
    if not 0 <= smoothing < 0.5:
        raise ValueError(f"smoothing {smoothing} is not in [0, 1/2)")

    def objective(model: nn.Module, batch: Batch) -> Loss:
        policy, anchor = both_log_probs(model, reference, batch)
        return summed(dpo_loss(policy, anchor, beta=beta, smoothing=smoothing))

    return objective


def ipo(reference: nn.Module, *, tau: float = 0.1) -> Objective:
    """The objective of `ipo_loss`; for `reference` see `dpo`.

    Raises:
        ValueError: `tau` is not positive.
    """
    positive("tau", tau)

    def objective(model: nn.Module, batch: Batch) -> Loss:
        policy, anchor = both_log_probs(model, reference, batch)
        return summed(ipo_loss(policy, anchor, tau=tau))

    return objective


def both_log_probs(
    model: nn.Module, reference: nn.Module, batch: Batch
) -> tuple[Tensor, Tensor]:
    """log p of the answers under the model and under the reference, both (B, 2)."""
    policy = pair_log_probs(model, batch)
    with torch.no_grad():
        return policy, pair_log_probs(reference, batch)


def pair_log_probs(model: nn.Module, batch: Batch) -> Tensor:
    """log p(answer | prompt) of both answers of each pair: (B, 2)."""
    ids, targets = batch["ids"].flatten(0, 1), batch["targets"].flatten(0, 1)
    return answer_log_probs(model, ids, targets).view(-1, 2)


def summed(losses: Tensor) -> Loss:
    """The sum of one loss a pair, (B,), beside their number."""
    return Loss(losses.sum(), torch.tensor(len(losses), device=losses.device))


def positive(name: str, value: float) -> None:
    """Refuse what is not above 0."""
    if not value > 0:
        raise ValueError(f"{name} {value} is not positive")
