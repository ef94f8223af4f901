"""Samples as batches: drawn from the policy of the moment, and of nothing else."""

import pytest
import torch

from llm import GPT, GPTConfig, generate
from llm.models.reward import RewardModel, ValuedGPT
from llm.text.batches import IGNORE
from llm.train import TrainConfig, Trainer
from llm.train.instruct import frozen, token_log_probs
from llm.train.policy import gae, grpo, ppo
from llm.train.rollouts import (
    by_model,
    grouped,
    mean_reward,
    reused,
    token_rewards,
    valued,
)

PROMPTS = [[0, 1], [2], [4, 5, 6], [1]]
SETTINGS = {"max_tokens": 4, "batch_size": 2, "stop": (7,)}


def threes(prompt, answer):
    """The reward: what share of the answer is token 3."""
    return answer.count(3) / len(answer)


def gpt(seed=0):
    """A tiny GPT."""
    torch.manual_seed(seed)
    return GPT(GPTConfig(8, 12, 2, 2, 16))


def groups(policy, reference, **settings):
    own = {"score": threes, "group": 3} | SETTINGS | settings
    return grouped(policy, reference, PROMPTS, **own)


def test_answers_of_a_group_continue_the_same_prompt_and_are_the_policys_own():
    policy, reference = gpt(0), gpt(1)
    batch = groups(policy, reference)(0)
    real = batch["targets"] != IGNORE
    assert batch["ids"].shape == batch["old"].shape == batch["reference"].shape
    assert len(batch["ids"]) == len(batch["advantages"]) == 6
    for first in (0, 3):
        lengths = real[first : first + 3].int().argmax(1) + 1
        assert len(set(lengths.tolist())) == 1
        prompts = batch["ids"][first : first + 3, : lengths[0]]
        assert (prompts == prompts[0]).all()
        assert prompts[0].tolist() in PROMPTS
    for name, model in (("old", policy), ("reference", reference)):
        expected = token_log_probs(model(batch["ids"]), batch["targets"])
        torch.testing.assert_close(batch[name], expected.detach())
    assert not any(tensor.requires_grad for tensor in batch.values())
    assert policy.training


def test_advantages_follow_the_scores():
    batch = groups(gpt(), gpt(), batch_size=4)(0)
    for i, advantages in enumerate(batch["advantages"].view(-1, 3)):
        targets = batch["targets"][3 * i : 3 * i + 3]
        scores = [threes([], [t for t in row if t >= 0]) for row in targets.tolist()]
        order = torch.tensor(scores).argsort(stable=True)
        assert (advantages[order].diff() >= 0).all()
        assert advantages.sum().abs() < 1e-5


def test_samples_follow_from_number_seed_and_weights():
    policy = gpt()
    source = groups(policy, policy)
    later = source(9)["ids"]
    torch.manual_seed(99)
    source(0)
    assert source(9)["ids"].equal(later)
    assert groups(gpt(), policy)(9)["ids"].equal(later)
    assert not same(groups(policy, policy, seed=1)(9)["ids"], later)
    assert not same(groups(gpt(1), policy)(9)["ids"], later)


def same(a, b):
    return a.shape == b.shape and a.equal(b)


def test_an_answer_ends_after_a_stop():
    stop = range(8)
    batch = groups(gpt(), gpt(), stop=stop)(0)
    assert ((batch["targets"] != IGNORE).sum(1) == 1).all()


def test_the_last_token_earns_the_score_and_each_pays_for_leaving_the_reference():
    penalty = torch.tensor([[0.0, 0.5, 0.25, 0.0], [0.125, 0.0, 0.0, 0.0]])
    rewards = token_rewards(
        torch.tensor([1.0, 2.0]), penalty=penalty, lengths=torch.tensor([4, 2])
    )
    assert rewards.tolist() == [[0.0, -0.5, 0.75, 0.0], [1.875, 0.0, 0.0, 0.0]]


def test_advantages_and_returns_are_those_of_the_tokens_rewards():
    policy, reference = ValuedGPT(gpt(0)), gpt(1)
    torch.nn.init.normal_(policy.value.weight)
    batch = valued(
        policy,
        reference,
        PROMPTS,
        score=threes,
        beta=0.2,
        gamma=0.9,
        lam=0.8,
        **SETTINGS,
    )(0)
    real = batch["targets"] != IGNORE
    with torch.no_grad():
        logits, values = policy(batch["ids"])
        old = token_log_probs(logits, batch["targets"])
        anchor = token_log_probs(reference(batch["ids"]), batch["targets"])
    rewards = -0.2 * (old - anchor)
    for i, row in enumerate(batch["targets"].tolist()):
        answer = [token for token in row if token >= 0]
        last = max(t for t, token in enumerate(row) if token >= 0)
        rewards[i, last] += threes([], answer)
    expected = gae(rewards, values, real, gamma=0.9, lam=0.8)
    torch.testing.assert_close(batch["old"], old)
    torch.testing.assert_close(batch["advantages"], expected)
    torch.testing.assert_close(batch["returns"][real], (expected + values)[real])


def test_a_sample_is_used_several_times_and_then_drawn_anew():
    asked = []
    source = reused(lambda turn: asked.append(turn) or {"turn": torch.tensor(turn)}, 3)
    assert [int(source(n)["turn"]) for n in range(8)] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert asked == [0, 1, 2]
    again = reused(lambda turn: {"turn": torch.tensor(turn)}, 3)
    assert int(again(4)["turn"]) == 1  # as after a resume


def test_a_reward_model_can_be_the_score():
    judge = RewardModel(gpt())
    torch.nn.init.normal_(judge.reward.weight)
    expected = judge(torch.tensor([[1, 2, 3]]), lengths=torch.tensor([3]))
    score = by_model(judge)([1, 2], [3])
    assert score == pytest.approx(expected.item(), rel=1e-6)
    assert judge.training


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_tokens": 10}, r"3 tokens and an answer of up to 10 exceed .* of 12"),
        ({"max_tokens": 0}, "max_tokens 0 leaves no answer"),
    ],
)
def test_answers_that_have_no_room_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        groups(gpt(), gpt(), **settings)
    with pytest.raises(ValueError, match=message):
        policy = ValuedGPT(gpt())
        valued(policy, gpt(), PROMPTS, score=threes, **(SETTINGS | settings))


def test_a_group_of_one_has_nobody_to_be_compared_with():
    with pytest.raises(ValueError, match="group 1 "):
        groups(gpt(), gpt(), group=1)


def test_without_prompts_there_is_nothing_to_sample():
    with pytest.raises(ValueError, match="nothing to draw"):
        grouped(gpt(), gpt(), [], score=threes, group=2, **SETTINGS)


def test_the_mean_reward_is_that_of_the_samples():
    policy, own = gpt(), {"max_tokens": 4, "seed": 3}
    asked = [[1]] * 50
    found = mean_reward(policy, asked, score=threes, **own)
    assert 0 < found < 0.5  # 1/8, deviation 0.02
    assert mean_reward(policy, asked, score=threes, **own) == found
    assert mean_reward(policy, asked, score=lambda p, a: 2, **own) == 2.0


@pytest.mark.parametrize("times", [1, 3])
def test_grpo_raises_the_reward(times):
    policy = gpt()
    source = groups(policy, frozen(policy), batch_size=4, stop=())
    asked = {"score": threes, "max_tokens": 4}
    before = mean_reward(policy, PROMPTS * 10, **asked)
    Trainer(
        policy,
        reused(source, times),
        config=TrainConfig(steps=45, lr=1e-2),
        objective=grpo(),
    ).fit()
    assert mean_reward(policy, PROMPTS * 10, **asked) > before + 0.5


def test_ppo_raises_the_reward_and_learns_what_to_expect():
    policy = ValuedGPT(gpt())
    source = valued(
        policy,
        frozen(policy.gpt),
        PROMPTS * 4,
        score=threes,
        max_tokens=4,
        batch_size=16,
    )
    asked = {"score": threes, "max_tokens": 4}
    before = mean_reward(policy.gpt, PROMPTS * 10, **asked)
    Trainer(
        policy,
        reused(source, 2),
        config=TrainConfig(steps=60, lr=1e-2),
        objective=ppo(),
    ).fit()
    after = mean_reward(policy.gpt, PROMPTS * 10, **asked)
    assert after > before + 0.4
    batch = source(1000)
    real = batch["targets"] != IGNORE
    values = policy(batch["ids"])[1][real].mean().item()
    assert abs(values - batch["returns"][real].mean().item()) < 0.3


def test_the_penalty_keeps_the_policy_near_its_reference():
    """With no reward but the divergence, what has left comes back."""
    reference, policy = gpt(0), gpt(1)
    with torch.no_grad():
        policy.head.weight[3] *= 20

    def divergence():
        batch = groups(policy, reference, batch_size=4, seed=7)(0)
        return float((batch["old"] - batch["reference"]).sum())

    before = divergence()
    source = grouped(
        policy, reference, PROMPTS, score=lambda p, a: 0, group=3, **SETTINGS
    )
    Trainer(
        policy,
        source,
        config=TrainConfig(steps=30, lr=3e-3),
        objective=grpo(beta=1.0),
    ).fit()
    assert before > 1 and divergence() < 0.5 * before


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_resumed_run_draws_the_samples_of_the_unbroken_one(tmp_path, accumulate):
    def run(policy, steps, *, resume):
        Trainer(
            policy,
            groups(policy, frozen(gpt())),
            config=TrainConfig(
                steps=steps, lr=1e-2, schedule="constant", accumulate=accumulate
            ),
            objective=grpo(),
            out=tmp_path / ("broken" if policy is not whole else "whole"),
        ).fit(resume=resume)

    whole = gpt()
    run(whole, 4, resume=False)
    run(gpt(), 2, resume=False)
    resumed = gpt(1)
    run(resumed, 4, resume=True)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert a.equal(b)
    row = generate(resumed, [1], max_tokens=4, seed=0)
    assert row == generate(whole, [1], max_tokens=4, seed=0)
