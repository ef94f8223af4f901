"""Learning from rewards: the policy samples answers, and likely the good ones become.

PPO (Schulman et al. 2017, arXiv:1707.06347) with generalised advantages (Schulman et
al. 2016, arXiv:1506.02438), and GRPO (Shao et al. 2024, arXiv:2402.03300), which takes
the other answers to the same prompt as the yardstick and needs no values. Here are the
formulae and their objectives; the samples come from `llm.train.rollouts`.

In all tensors (B, T), place t belongs to the action `targets[:, t]`, the token drawn
after `ids[:, : t + 1]`; where the target is IGNORE, there is no action.
"""

import torch
from torch import Tensor, nn

from llm.text.batches import IGNORE, Batch
from llm.train.instruct import token_log_probs
from llm.train.objectives import Loss, Objective


def gae(
    rewards: Tensor, values: Tensor, real: Tensor, *, gamma: float, lam: float
) -> Tensor:
    """Generalised advantages, 0 where there is no action: (B, T).

    Schulman et al. 2016, equation 16: Âₜ = Σₗ (γλ)ˡ δₜ₊ₗ, δₜ = rₜ + γ V(sₜ₊₁) − V(sₜ).
    After the last action, nothing more is expected: V = 0.

    Args:
        rewards: r, what each action earned, (B, T).
        values: V, what was still expected before it, (B, T).
        real: where there is an action, (B, T) boolean; side by side in each row.
        gamma: γ, what a reward one action later is worth; 1 is no discount.
        lam: λ: 0 trusts the values, 1 the rewards that came.
    """
    values = values * real
    following = torch.cat((values[:, 1:], torch.zeros_like(values[:, :1])), 1)
    delta = rewards + gamma * following - values  # (B, T)
    advantages = torch.zeros_like(values)
    advantage = torch.zeros_like(values[:, 0])  # (B,)
    for t in reversed(range(values.size(1))):
        advantage = (delta[:, t] + gamma * lam * advantage) * real[:, t]
        advantages[:, t] = advantage
    return advantages


def group_advantages(rewards: Tensor) -> Tensor:
    """How far each answer's reward is from the mean of its group, in deviations.

    Shao et al. 2024, section 4.1.2. A group of equal rewards teaches nothing: all 0.
    The deviation is that of the group itself, with the divisor G.

    Args:
        rewards: of G answers to each of B prompts, (B, G).
    """
    spread = rewards.std(-1, correction=0, keepdim=True)  # (B, 1)
    differ = rewards.amax(-1, keepdim=True) > rewards.amin(-1, keepdim=True)
    away = rewards - rewards.mean(-1, keepdim=True)
    return torch.where(differ, away / spread, 0.0)


def clipped_surrogate(
    new: Tensor, old: Tensor, advantages: Tensor, *, clip: float
) -> Tensor:
    """What PPO raises: min(r Â, clip(r, 1 − ε, 1 + ε) Â), elementwise.

    Schulman et al. 2017, equation 7. r = π / π_old; once an action is more likely (or,
    if it was bad, less) than before by the share ε, there is nothing more to gain.

    Args:
        new: log π of the actions.
        old: log π when they were drawn.
        advantages: Â.
        clip: ε.
    """
    ratio = (new - old).exp()
    bounded = ratio.clamp(1 - clip, 1 + clip)
    return torch.minimum(ratio * advantages, bounded * advantages)


def k1(new: Tensor, reference: Tensor) -> Tensor:
    """log π/π_ref: its mean over draws from π is KL(π ‖ π_ref); may be negative.

    Both estimators: Schulman 2020, http://joschu.net/blog/kl-approx.html.
    """
    return new - reference


def k3(new: Tensor, reference: Tensor) -> Tensor:
    """π_ref/π − log π_ref/π − 1: the same mean, never negative, and of less variance.

    Shao et al. 2024, equation 4.
    """
    difference = reference - new
    return difference.exp() - difference - 1


def ppo(*, clip: float = 0.2, value_weight: float = 0.5) -> Objective:
    """The objective of PPO: a mean over actions, of a `ValuedGPT`.

    Schulman et al. 2017, equation 9 without the bonus for entropy: the reward already
    holds a penalty for leaving the reference (see `rollouts.valued`).

    Its batch: "ids", "targets", "old" (log π when drawn), "advantages" and "returns"
    (what the values should have been), all (B, T).

    Args:
        clip: ε, see `clipped_surrogate`.
        value_weight: c₁, weight of the squared error of the values.
    """

    def objective(model: nn.Module, batch: Batch) -> Loss:
        logits, values = model(batch["ids"])  # (B, T, V), (B, T)
        real = batch["targets"] != IGNORE
        new = token_log_probs(logits, batch["targets"])
        gain = clipped_surrogate(new, batch["old"], batch["advantages"], clip=clip)
        error = (values.float() - batch["returns"]) ** 2
        losses = (value_weight * error - gain) * real  # (B, T)
        return Loss(losses.sum(), real.sum())

    return objective


def grpo(*, clip: float = 0.2, beta: float = 0.04) -> Objective:
    """The objective of GRPO: a mean over answers of the mean over their tokens.

    Shao et al. 2024, equation 3.

    Its batch: "ids", "targets", "old" (log π when drawn) and "reference" (log π_ref),
    all (B, T), and "advantages" (B,).

    Args:
        clip: ε, see `clipped_surrogate`.
        beta: β, how dear it is to leave the reference.
    """

    def objective(model: nn.Module, batch: Batch) -> Loss:
        real = batch["targets"] != IGNORE
        new = token_log_probs(model(batch["ids"]), batch["targets"])  # (B, T)
        gain = clipped_surrogate(
            new, batch["old"], batch["advantages"][:, None], clip=clip
        )
        cost = beta * k3(new, batch["reference"])
        lengths = real.sum(-1)  # (B,)
        losses = ((cost - gain) * real).sum(-1) / lengths
        return Loss(losses.sum(), torch.tensor(len(losses), device=losses.device))

    return objective
