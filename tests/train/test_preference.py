"""Preference losses: by hand, by brute force, and learned."""

import math

import pytest
import torch

from llm import GPT, GPTConfig
from llm.models.reward import RewardModel
from llm.text.packing import preference_batch, shuffled
from llm.train import TrainConfig, Trainer, evaluate
from llm.train.instruct import frozen
from llm.train.preference import (
    bradley_terry,
    dpo,
    dpo_loss,
    ipo,
    ipo_loss,
    log_ratio,
    pair_log_probs,
    reward_difference,
)

TRIPLES = [([1, 2], [3, 4, 5], [6]), ([7], [8], [9, 10]), ([1, 1, 1], [2, 3], [4])]
POLICY = torch.tensor([[-1.0, -2.0], [-5.0, -3.0]], dtype=torch.float64)
REFERENCE = torch.tensor([[-1.5, -1.8], [-4.0, -4.0]], dtype=torch.float64)
RATIOS = [0.7, -2.0]  # (-1 + 1.5) - (-2 + 1.8) and (-5 + 4) - (-3 + 4)


def gpt(seed=0):
    """A tiny GPT whose logits are not all alike."""
    torch.manual_seed(seed)
    model = GPT(GPTConfig(11, 16, 2, 2, 16))
    for p in model.parameters():
        torch.nn.init.normal_(p, 0.0, 0.3)
    return model


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def brute_ratio(model, reference, prompt, chosen, rejected):
    """h in float64, one forward pass a token."""

    @torch.no_grad()
    def log_p(net, answer):
        seen = [torch.tensor([prompt + answer[:i]]) for i in range(len(answer))]
        rows = [net(ids)[0, -1].double().log_softmax(-1) for ids in seen]
        return sum(float(r[a]) for r, a in zip(rows, answer, strict=True))

    return (log_p(model, chosen) - log_p(reference, chosen)) - (
        log_p(model, rejected) - log_p(reference, rejected)
    )


def test_dpo_by_hand():
    expected = [-math.log(sigmoid(0.5 * h)) for h in RATIOS]
    found = dpo_loss(POLICY, REFERENCE, beta=0.5)
    assert log_ratio(POLICY, REFERENCE).tolist() == pytest.approx(RATIOS, abs=1e-12)
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_smoothing_by_hand():
    expected = [
        -0.9 * math.log(sigmoid(0.5 * h)) - 0.1 * math.log(sigmoid(-0.5 * h))
        for h in RATIOS
    ]
    found = dpo_loss(POLICY, REFERENCE, beta=0.5, smoothing=0.1)
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_ipo_by_hand():
    assert ipo_loss(POLICY, REFERENCE, tau=0.25).tolist() == pytest.approx(
        [(0.7 - 2) ** 2, (-2 - 2) ** 2], abs=1e-12
    )


def test_bradley_terry_by_hand():
    chosen, rejected = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    expected = [-math.log(sigmoid(1.5)), -math.log(sigmoid(-4.0))]
    assert bradley_terry(chosen, rejected).tolist() == pytest.approx(expected, abs=1e-6)


def test_far_margins_stay_finite():
    far = torch.tensor([[-1e4, 0.0], [0.0, -1e4]])
    loss = dpo_loss(far, torch.zeros(2, 2), beta=1.0, smoothing=0.1)
    assert loss.tolist() == pytest.approx([9000.0, 1000.0])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_dpo_equals_brute_force_over_unequal_lengths(smoothing):
    model, reference = gpt(0), gpt(1)
    loss = dpo(reference, beta=0.3, smoothing=smoothing)(
        model, preference_batch(TRIPLES)
    )
    margins = [0.3 * brute_ratio(model, reference, *triple) for triple in TRIPLES]
    expected = sum(
        -(1 - smoothing) * math.log(sigmoid(m)) - smoothing * math.log(sigmoid(-m))
        for m in margins
    )
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-6)
    assert loss.count == 3


def test_ipo_equals_brute_force_over_unequal_lengths():
    model, reference = gpt(0), gpt(1)
    loss = ipo(reference, tau=0.4)(model, preference_batch(TRIPLES))
    ratios = [brute_ratio(model, reference, *triple) for triple in TRIPLES]
    expected = sum((h - 1 / 0.8) ** 2 for h in ratios)
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-6)


def test_the_reward_loss_equals_brute_force_over_unequal_lengths():
    model = RewardModel(gpt())
    torch.nn.init.normal_(model.reward.weight)
    loss = reward_difference(model, preference_batch(TRIPLES))

    @torch.no_grad()
    def reward(ids):
        last = model.gpt.features(torch.tensor([ids]))[0, -1].double()
        return float(last @ model.reward.weight[0].double())

    expected = sum(
        -math.log(sigmoid(reward(p + chosen) - reward(p + rejected)))
        for p, chosen, rejected in TRIPLES
    )
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-6)
    assert loss.count == 3


def test_at_the_start_every_pair_costs_one_bit():
    model, batch = gpt(), preference_batch(TRIPLES)
    start = dpo(frozen(model))(model, batch)
    assert float(start.total.detach()) == pytest.approx(3 * math.log(2), rel=1e-6)
    rewards = reward_difference(RewardModel(model), batch)
    assert float(rewards.total.detach()) == pytest.approx(3 * math.log(2), rel=1e-6)
    start = ipo(frozen(model), tau=0.5)(model, batch)
    assert float(start.total.detach()) == pytest.approx(3.0, rel=1e-6)


def test_the_gradient_pulls_answers_apart_by_equation_7():
    """∂L/∂log π(chosen) = -β σ(-β h), the weight of Rafailov et al., section 4."""
    policy = POLICY.clone().requires_grad_()
    dpo_loss(policy, REFERENCE, beta=0.5).sum().backward()
    pull = [0.5 * sigmoid(-0.5 * h) for h in RATIOS]
    assert policy.grad[:, 0].tolist() == pytest.approx([-p for p in pull], abs=1e-12)
    assert policy.grad[:, 1].tolist() == pytest.approx(pull, abs=1e-12)


def test_ipo_and_smoothing_have_a_margin_that_is_enough():
    """Beyond 1 / 2τ, or log((1 - ε) / ε) / β, the gradient turns round."""
    for loss, enough in (
        (lambda p: ipo_loss(p, torch.zeros(1, 2), tau=0.25), 2.0),
        (
            lambda p: dpo_loss(p, torch.zeros(1, 2), beta=0.5, smoothing=0.1),
            math.log(9) / 0.5,
        ),
    ):
        for margin, sign in ((enough - 0.1, -1), (enough + 0.1, 1)):
            policy = torch.tensor([[margin, 0.0]], requires_grad=True)
            loss(policy).sum().backward()
            assert torch.sign(policy.grad[0, 0]) == sign


def test_the_reference_gets_no_gradient():
    model, reference = gpt(0), gpt(1)
    dpo(reference)(model, preference_batch(TRIPLES)).total.backward()
    assert all(p.grad is None for p in reference.parameters())
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: dpo(m, beta=0.0), "beta 0.0 is not positive"),
        (lambda m: ipo(m, tau=-1.0), "tau -1.0 is not positive"),
        (lambda m: dpo(m, smoothing=0.5), "smoothing 0.5 is not in"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(gpt())


LIKED = [([a], [a, 3], [a, b]) for a in range(4, 11) for b in (1, 2)]


@pytest.mark.parametrize("objective", [dpo, ipo])
def test_the_chosen_answers_gain(objective):
    torch.manual_seed(0)
    model = GPT(GPTConfig(11, 8, 2, 2, 16))
    reference, batch = frozen(model), preference_batch(LIKED)
    triples = shuffled(LIKED, batch_size=7)
    Trainer(
        model,
        lambda step: preference_batch(triples(step)),
        config=TrainConfig(steps=30, lr=3e-3),
        objective=objective(reference),
    ).fit()
    with torch.no_grad():
        gain = log_ratio(pair_log_probs(model, batch), pair_log_probs(reference, batch))
    assert gain.min() > 1.0


def test_a_reward_model_learns_whom_people_prefer(tmp_path):
    torch.manual_seed(0)
    model = RewardModel(GPT(GPTConfig(11, 8, 2, 2, 16)))
    triples = shuffled(LIKED, batch_size=7)
    Trainer(
        model,
        lambda step: preference_batch(triples(step)),
        config=TrainConfig(steps=30, lr=1e-2),
        objective=reward_difference,
        out=tmp_path,
    ).fit()
    batch = preference_batch(LIKED)
    assert evaluate(model, [batch], reward_difference)["loss"] < 0.1
    back = RewardModel.load(tmp_path)
    ids, lengths = batch["ids"][:, 0], batch["lengths"][:, 0]
    assert back(ids, lengths=lengths).equal(model.eval()(ids, lengths=lengths))
