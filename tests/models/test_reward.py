"""Reward models and values: what they read, and their files."""

from pathlib import Path

import pytest
import torch

from llm import GPT
from llm.models.reward import RewardModel, ValuedGPT


def test_what_follows_the_last_token_changes_no_reward(model: GPT) -> None:
    judge = RewardModel(model)
    torch.nn.init.normal_(judge.reward.weight)
    ids = torch.randint(11, (3, 8))
    lengths = torch.tensor([3, 8, 1])
    rewards = judge(ids, lengths=lengths)
    assert rewards.shape == (3,)
    for row, length in enumerate(lengths):
        alone = judge(ids[row : row + 1, :length], lengths=length[None])
        torch.testing.assert_close(alone[0], rewards[row])


def test_rewards_and_values_begin_as_zero(model: GPT) -> None:
    ids = torch.randint(11, (3, 8))
    assert RewardModel(model)(ids, lengths=torch.tensor([8, 8, 8])).eq(0).all()
    logits, values = ValuedGPT(model)(ids)
    assert values.shape == (3, 8) and values.eq(0).all()
    assert logits.equal(model(ids))


def test_values_see_no_future(model: GPT) -> None:
    valued = ValuedGPT(model)
    torch.nn.init.normal_(valued.value.weight)
    ids = torch.randint(11, (1, 8))
    changed = ids.clone()
    changed[:, 5:] = (ids[:, 5:] + 1) % 11
    moved = (valued(changed)[1] - valued(ids)[1]).abs()[0]
    assert moved[:5].max() == 0 and moved[5:].min() > 0


def test_a_reward_model_comes_back_bit_for_bit(model: GPT, tmp_path: Path) -> None:
    judge = RewardModel(model)
    torch.nn.init.normal_(judge.reward.weight)
    judge.save(tmp_path)
    back = RewardModel.load(tmp_path)
    assert back.gpt.config == model.config and not back.training
    ids, lengths = torch.randint(11, (2, 8)), torch.tensor([8, 4])
    assert back(ids, lengths=lengths).equal(judge(ids, lengths=lengths))


def test_files_of_another_model_are_refused(model: GPT, tmp_path: Path) -> None:
    model.save(tmp_path / "gpt")
    with pytest.raises(ValueError, match="is not of a reward-model"):
        RewardModel.load(tmp_path / "gpt")
    RewardModel(model).save(tmp_path / "reward")
    with pytest.raises(ValueError, match="is of a model 'reward-model'"):
        GPT.load(tmp_path / "reward")


def test_a_policy_is_saved_as_a_gpt(model: GPT, tmp_path: Path) -> None:
    ValuedGPT(model).save(tmp_path)
    ids = torch.randint(11, (2, 8))
    assert GPT.load(tmp_path)(ids).equal(model(ids))
