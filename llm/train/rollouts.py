"""Samples of the policy as batches for the one loop.

The Trainer asks a function of a number for its batch. Here that function holds the
policy, so the batch of a number follows from the number, which gives prompts and seed,
and from the weights of the moment. Those are part of the saved state: a run that is
resumed draws the very samples that it would have drawn. All micro-batches of a step are
drawn from the same weights.

To learn several times from the same samples, wrap the source in `reused`.

Samples are drawn, and their probabilities taken, in `eval` mode and full precision: the
policy must have no dropout and train in fp32, else the ratios of PPO and GRPO start
elsewhere than at 1.
"""

from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from llm.generate.decoding import evaluating, generate
from llm.models.gpt import GPT
from llm.models.reward import RewardModel, ValuedGPT
from llm.text.batches import IGNORE, Batch
from llm.text.packing import answer_batch, shuffled
from llm.train.instruct import token_log_probs
from llm.train.policy import gae, group_advantages, k1

# From prompt and answer to its reward.
Score = Callable[[list[int], list[int]], float]
Source = Callable[[int], Batch]


def grouped(
    policy: GPT,
    reference: GPT,
    prompts: Sequence[Sequence[int]],
    *,
    score: Score,
    max_tokens: int,
    batch_size: int,
    group: int,
    stop: Collection[int] = (),
    seed: int = 0,
) -> Source:
    """Batches for `policy.grpo`: several answers to each prompt, compared.

    Args:
        policy: what is trained.
        reference: `frozen(policy)`, taken before training, on the same device.
        prompts: each epoch gives every prompt once.
        score: the reward of a prompt and an answer.
        max_tokens: most tokens of an answer.
        batch_size: prompts a batch.
        group: G, answers to each; 2 at least.
        stop: an answer ends after any of these tokens.
        seed: of prompts and answers.

    Raises:
        ValueError: there are no prompts, prompt and answer exceed the context, or a
            group has but one answer.
    """
    if group < 2:
        raise ValueError(f"group {group} is below 2: answers are compared in a group")
    check_room(policy, prompts, max_tokens)
    draw = shuffled(prompts, batch_size=batch_size, seed=seed)

    def batch(number: int) -> Batch:
        asked = [list(prompt) for prompt in draw(number) for _ in range(group)]
        pairs = answered(
            policy, asked, max_tokens=max_tokens, stop=stop, seed=(seed, number)
        )
        rewards = scored(pairs, score).view(-1, group)  # (B, G)
        drawn = on_device(answer_batch(pairs), policy)
        return {
            "ids": drawn["ids"],
            "targets": drawn["targets"],
            "old": log_probs(policy, drawn),
            "reference": log_probs(reference, drawn),
            "advantages": group_advantages(rewards).flatten(),
        }

    return batch


def valued(
    policy: ValuedGPT,
    reference: GPT,
    prompts: Sequence[Sequence[int]],
    *,
    score: Score,
    max_tokens: int,
    batch_size: int,
    beta: float = 0.1,
    gamma: float = 1.0,
    lam: float = 0.95,
    stop: Collection[int] = (),
    seed: int = 0,
) -> Source:
    """Batches for `policy.ppo`: an answer to each prompt, with advantages by token.

    A token earns -β log π/π_ref, the last one the answer's score besides (Ouyang et al.
    2022, arXiv:2203.02155, equation 2, without its pre-training term).

    Args:
        policy: what is trained.
        reference: `frozen(policy.gpt)`, taken before training, on the same device.
        prompts: see `grouped`, as for all that is not told here.
        score: what an answer is worth.
        max_tokens: most tokens of an answer.
        batch_size: prompts a batch, and answers.
        beta: β, how dear it is to leave the reference.
        gamma: γ, see `policy.gae`.
        lam: λ, see `policy.gae`.
        stop: tokens that end an answer.
        seed: what is drawn.

    Raises:
        ValueError: there are no prompts, or prompt and answer exceed the context.
    """
    check_room(policy.gpt, prompts, max_tokens)
    draw = shuffled(prompts, batch_size=batch_size, seed=seed)

    def batch(number: int) -> Batch:
        asked = [list(prompt) for prompt in draw(number)]
        pairs = answered(
            policy.gpt, asked, max_tokens=max_tokens, stop=stop, seed=(seed, number)
        )
        scores = scored(pairs, score)  # (B,)
        drawn = on_device(answer_batch(pairs), policy)
        with torch.no_grad(), evaluating(policy):
            logits, values = policy(drawn["ids"])
        old = token_log_probs(logits, drawn["targets"])  # (B, T)
        rewards = token_rewards(
            scores.to(old.device),
            penalty=beta * k1(old, log_probs(reference, drawn)),
            lengths=drawn["lengths"],
        )
        real = drawn["targets"] != IGNORE
        advantages = gae(rewards, values, real, gamma=gamma, lam=lam)
        return {
            "ids": drawn["ids"],
            "targets": drawn["targets"],
            "old": old,
            "advantages": advantages,
            "returns": advantages + values,
        }

    return batch


def token_rewards(scores: Tensor, *, penalty: Tensor, lengths: Tensor) -> Tensor:
    """What each action earns: (B, T).

    Args:
        scores: of whole answers, (B,), which their last action earns.
        penalty: what each action costs, (B, T), 0 where there is none.
        lengths: of prompt and answer, (B,).
    """
    last = lengths[:, None] - 2  # (B, 1): the place whose target is the last token
    return (-penalty).scatter_add(1, last, scores[:, None])


def reused(source: Source, times: int) -> Source:
    """Give each batch of `source` `times` times in a row.

    PPO learns from a sample for several steps (Schulman et al. 2017, algorithm 1). A
    run that is resumed between those draws its samples anew, from newer weights: sound,
    but not bit for bit the run that it was. Save after a multiple of `times` steps.
    """
    kept: dict[int, Batch] = {}

    def batch(number: int) -> Batch:
        turn = number // times
        if turn not in kept:
            kept.clear()
            kept[turn] = source(turn)
        return kept[turn]

    return batch


def by_model(reward: RewardModel) -> Score:
    """The score that a reward model gives."""

    @torch.no_grad()
    def score(prompt: list[int], answer: list[int]) -> float:
        ids = torch.tensor([prompt + answer], device=device_of(reward))
        lengths = torch.tensor([ids.size(1)], device=ids.device)
        with evaluating(reward):
            return float(reward(ids, lengths=lengths))

    return score


def answered(
    policy: GPT,
    prompts: list[list[int]],
    *,
    max_tokens: int,
    stop: Collection[int],
    seed: tuple[int, int],
) -> list[tuple[list[int], list[int]]]:
    """Each prompt with an answer drawn from the policy as it is: no rule, no heat."""
    own = int(np.random.default_rng(seed).integers(2**62))
    rows = generate(policy, prompts, max_tokens=max_tokens, stop=stop, seed=own)
    return [
        (prompt, row[len(prompt) :]) for prompt, row in zip(prompts, rows, strict=True)
    ]


def scored(pairs: list[tuple[list[int], list[int]]], score: Score) -> Tensor:
    """The reward of each prompt and answer, (B,)."""
    return torch.tensor([score(*pair) for pair in pairs], dtype=torch.float32)


def mean_reward(
    policy: GPT,
    prompts: Sequence[Sequence[int]],
    *,
    score: Score,
    max_tokens: int,
    stop: Collection[int] = (),
    seed: int = 0,
) -> float:
    """The mean score of one answer to each prompt: a metric for the Trainer.

    Arguments are those of `grouped`.
    """
    asked = [list(prompt) for prompt in prompts]
    pairs = answered(policy, asked, max_tokens=max_tokens, stop=stop, seed=(seed, 0))
    return float(scored(pairs, score).mean())


def log_probs(model: GPT, batch: Batch) -> Tensor:
    """log p of each target, (B, T), without dropout and gradient."""
    with torch.no_grad(), evaluating(model):
        return token_log_probs(model(batch["ids"]), batch["targets"])


def check_room(policy: GPT, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
    """Refuse prompts whose answers would not fit beside them."""
    longest, context = max(map(len, prompts), default=0), policy.config.context
    if longest + max_tokens > context:
        raise ValueError(
            f"a prompt of {longest} tokens and an answer of up to {max_tokens} exceed "
            f"the context of {context}: shorten one of them"
        )
    if max_tokens < 1:
        raise ValueError(f"max_tokens {max_tokens} leaves no answer to learn from")


def on_device(batch: Batch, model: nn.Module) -> Batch:
    """The batch where the model is."""
    return {name: t.to(device_of(model)) for name, t in batch.items()}


def device_of(model: nn.Module) -> torch.device:
    """Where the model is."""
    return next(model.parameters()).device
