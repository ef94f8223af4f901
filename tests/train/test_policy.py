"""PPO and GRPO: formulae against sums written out, and by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llm import GPT, GPTConfig
from llm.models.reward import ValuedGPT
from llm.text.packing import answer_batch
from llm.train.policy import (
    clipped_surrogate,
    gae,
    group_advantages,
    grpo,
    k1,
    k3,
    ppo,
)

PAIRS = [([1, 2], [3, 4, 5]), ([7], [8]), ([1, 1, 1], [2, 3]), ([4, 5], [6])]
real_numbers = st.floats(-3, 3, allow_nan=False)


def gpt(seed=0):
    """A tiny GPT whose logits are not all alike."""
    torch.manual_seed(seed)
    model = GPT(GPTConfig(11, 16, 2, 2, 16))
    for p in model.parameters():
        torch.nn.init.normal_(p, 0.0, 0.3)
    return model


def row(*numbers):
    return torch.tensor([numbers], dtype=torch.float64)


def brute_gae(rewards, values, gamma, lam):
    """Equation 16 as it stands: a double sum over one row of actions."""
    T = len(rewards)
    after = [*values[1:], 0.0]
    delta = [rewards[t] + gamma * after[t] - values[t] for t in range(T)]
    return [
        sum((gamma * lam) ** k * delta[t + k] for k in range(T - t)) for t in range(T)
    ]


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_gae_equals_the_double_sum_whatever_surrounds_the_actions(data):
    T = data.draw(st.integers(1, 6))
    before, after = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    gamma, lam = data.draw(st.floats(0, 1)), data.draw(st.floats(0, 1))
    size = before + T + after
    numbers = st.lists(real_numbers, min_size=size, max_size=size)
    values, rewards = row(*data.draw(numbers)), row(*data.draw(numbers))
    real = torch.tensor([[False] * before + [True] * T + [False] * after])
    found = gae(rewards, values, real, gamma=gamma, lam=lam)
    expected = brute_gae(rewards[real].tolist(), values[real].tolist(), gamma, lam)
    assert found[real].tolist() == pytest.approx(expected, abs=1e-12)
    assert (found[~real] == 0).all()


def test_gae_by_hand():
    everything = torch.ones(1, 3, dtype=torch.bool)
    rewards, values = row(0, 0, 1), row(0.5, 0.25, 0.5)
    found = gae(rewards, values, everything, gamma=0.5, lam=0.5)
    # δ = -0.375, 0, 0.5; a step back is worth a quarter
    assert found.tolist() == [[-0.375 + 0.5 / 16, 0.125, 0.5]]


def test_lambda_one_trusts_the_rewards_and_zero_the_values():
    everything = torch.ones(1, 3, dtype=torch.bool)
    rewards, values = row(1, 2, 3), row(0.5, 0.25, 0.75)
    one = gae(rewards, values, everything, gamma=1.0, lam=1.0)
    torch.testing.assert_close(one + values, row(6, 5, 3))
    zero = gae(rewards, values, everything, gamma=1.0, lam=0.0)
    torch.testing.assert_close(zero, row(1 + 0.25 - 0.5, 2 + 0.75 - 0.25, 3 - 0.75))


def test_values_that_are_right_leave_no_advantage():
    everything = torch.ones(1, 3, dtype=torch.bool)
    found = gae(row(1, 2, 3), row(6, 5, 3), everything, gamma=1.0, lam=0.7)
    assert found.abs().max() == 0


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "moves"),
    [
        (1.0, 2.0, 2.0, True),
        (1.1, 2.0, 2.2, True),
        (1.5, 2.0, 2.4, False),  # good, and likelier by more than ε: no more to gain
        (0.5, 2.0, 1.0, True),  # good, but less likely: pulled back
        (0.5, -2.0, -1.6, False),  # bad, and less likely by more than ε
        (1.5, -2.0, -3.0, True),  # bad, but likelier: pulled back
    ],
)
def test_the_six_cases_of_the_clip(ratio, advantage, expected, moves):
    old = torch.tensor(-1.0, dtype=torch.float64)
    new = (old + math.log(ratio)).requires_grad_()
    gain = clipped_surrogate(new, old, torch.tensor(advantage), clip=0.2)
    gain.backward()
    assert gain.item() == pytest.approx(expected, abs=1e-9)
    assert new.grad.item() == pytest.approx(expected if moves else 0.0, abs=1e-9)


def test_both_estimators_average_to_the_divergence():
    new = torch.randn(7, dtype=torch.float64).log_softmax(-1)
    reference = torch.randn(7, dtype=torch.float64).log_softmax(-1)
    p = new.exp()
    divergence = float((p * (new - reference)).sum())
    assert float((p * k1(new, reference)).sum()) == pytest.approx(divergence)
    assert float((p * k3(new, reference)).sum()) == pytest.approx(divergence)
    assert k3(new, reference).min() >= 0 > k1(new, reference).min()


def test_estimators_by_hand():
    new, reference = row(math.log(0.5), math.log(0.2)), row(math.log(0.25)).expand(1, 2)
    expected = [[math.log(2), math.log(0.8)]]
    torch.testing.assert_close(k1(new, reference), torch.tensor(expected).double())
    expected = [[0.5 - math.log(0.5) - 1, 1.25 - math.log(1.25) - 1]]
    torch.testing.assert_close(k3(new, reference), torch.tensor(expected).double())


def test_groups_by_hand():
    rewards = torch.tensor([[1.0, 0.0, 0.0, 1.0], [2.0, 2.0, 2.0, 6.0]])
    third = 1 / math.sqrt(3)
    expected = [[1, -1, -1, 1], [-third, -third, -third, math.sqrt(3)]]
    torch.testing.assert_close(group_advantages(rewards), torch.tensor(expected))


@settings(deadline=None, max_examples=50)
@given(st.lists(real_numbers, min_size=2, max_size=6), st.floats(0.5, 4), real_numbers)
def test_neither_scale_nor_shift_of_rewards_matters(numbers, scale, shift):
    rewards = row(*[round(number, 2) for number in numbers])
    found = group_advantages(rewards)
    torch.testing.assert_close(
        group_advantages(scale * rewards + shift), found, atol=1e-6, rtol=1e-6
    )
    assert found.sum().abs() < 1e-9


@pytest.mark.parametrize("reward", [0.0, 0.1, 1 / 3, 1e8])
def test_equal_rewards_teach_exactly_nothing(reward):
    assert (group_advantages(torch.full((2, 3), reward)) == 0).all()


def drawn():
    """A batch of rollouts, made up."""
    torch.manual_seed(5)
    batch = answer_batch(PAIRS)
    real = batch["targets"] >= 0
    noise = [torch.randn(real.shape) * real for _ in range(4)]
    return {
        "ids": batch["ids"],
        "targets": batch["targets"],
        "old": noise[0] - 2.4 * real,
        "reference": noise[1] - 2.4 * real,
        "advantages": noise[2],
        "returns": noise[3],
    }


def actions(model, batch):
    """Row, place and log π in float64 of each action, one forward pass an action."""
    for i, (prompt, answer) in enumerate(PAIRS):
        for j, token in enumerate(answer):
            with torch.no_grad():
                logits = model(torch.tensor([prompt + answer[:j]]))[0, -1].double()
            yield i, len(prompt) - 1 + j, float(logits.log_softmax(-1)[token])


def surrogate(new, old, advantage, clip):
    ratio = math.exp(new - old)
    return min(ratio * advantage, min(max(ratio, 1 - clip), 1 + clip) * advantage)


def test_ppo_equals_brute_force_over_unequal_lengths():
    model, batch = ValuedGPT(gpt()), drawn()
    torch.nn.init.normal_(model.value.weight)
    loss = ppo(clip=0.1, value_weight=0.3)(model, batch)
    expected = 0.0
    for i, t, new in actions(model.gpt, batch):
        value = model(batch["ids"][i : i + 1, : t + 1])[1][0, -1].item()
        gain = surrogate(
            new, batch["old"][i, t].item(), batch["advantages"][i, t].item(), 0.1
        )
        expected += 0.3 * (value - batch["returns"][i, t].item()) ** 2 - gain
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-6)
    assert loss.count == 7


def test_grpo_equals_brute_force_over_unequal_lengths():
    model, batch = gpt(), drawn()
    advantages = torch.tensor([1.0, -1.0, 0.5, -0.5])
    loss = grpo(clip=0.1, beta=0.3)(model, batch | {"advantages": advantages})
    expected = 0.0
    for i, t, new in actions(model, batch):
        away = batch["reference"][i, t].item() - new
        gain = surrogate(new, batch["old"][i, t].item(), advantages[i].item(), 0.1)
        expected += (0.3 * (math.exp(away) - away - 1) - gain) / len(PAIRS[i][1])
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-6)
    assert loss.count == 4


def test_at_the_start_the_gradient_is_that_of_reinforce():
    """With π = π_old = π_ref: -Â ∇log π, averaged over each answer."""
    model, batch = gpt(), answer_batch(PAIRS)
    advantages = torch.tensor([1.0, -1.0, 0.5, -0.5])
    log_probs = torch.zeros(batch["targets"].shape)
    for i, t, new in actions(model, batch):
        log_probs[i, t] = new
    samples = {"old": log_probs, "reference": log_probs, "advantages": advantages}
    grpo()(model, batch | samples).total.backward()
    found = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    scores = model(batch["ids"]).log_softmax(-1)
    targets = batch["targets"].clamp(min=0)[..., None]
    real = batch["targets"] >= 0
    means = (scores.gather(-1, targets)[..., 0] * real).sum(-1) / real.sum(-1)
    (-(advantages * means).sum()).backward()
    for gradient, p in zip(found, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, p.grad, rtol=1e-4, atol=1e-5)
