"""A number beside the words: GPT as a reward model, and as a policy with values.

Reward model: Ouyang et al. 2022 (arXiv:2203.02155), section 3.5: the head over the
vocabulary gives way to a linear map to one number, the reward of prompt and answer.
Policy with values: Schulman et al. 2017 (arXiv:1707.06347), section 5: one network
that also says, at each position, what reward it expects.
"""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from llm.models.checkpoint import CONFIG, load_saved, read_json, save_model
from llm.models.gpt import GPT, GPTConfig

KIND = "reward-model"


class RewardModel(nn.Module):
    """The reward of whole sequences, from what their last token has seen.

    The reward begins as 0 for all. The GPT's own head has no part in it.

    Args:
        gpt: is trained further, not copied.
    """

    def __init__(self, gpt: GPT) -> None:
        super().__init__()
        self.gpt = gpt
        # A bias would raise all rewards alike, which no preference can tell.
        self.reward = scalar_head(gpt, bias=False)

    def forward(self, ids: Tensor, *, lengths: Tensor) -> Tensor:
        """The reward of each row: (B, T) to (B,).

        Args:
            ids: prompt and answer, filled up on the right, (B, T).
            lengths: tokens of each row that are real, (B,).
        """
        rows = torch.arange(len(ids), device=ids.device)
        last = self.gpt.features(ids)[rows, lengths - 1]  # (B, C)
        rewards: Tensor = self.reward(last).squeeze(-1)  # (B,)
        return rewards

    def save(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors, each whole or not at all."""
        config = {"model": KIND, "gpt": self.gpt.config.as_dict()}
        save_model(self, directory, config=config)

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what `save` wrote: on the CPU, in float32, dropout off (`eval`).

        Raises:
            FileNotFoundError: the directory or one of the files is missing.
            ValueError: a file is damaged or of another model, or they do not fit.
        """
        path = Path(directory) / CONFIG
        values = read_json(path)
        if values.get("model") != KIND or not isinstance(values.get("gpt"), dict):
            raise ValueError(f"{path} is not of a {KIND}")
        gpt = GPT(GPTConfig.of(values["gpt"], source=path))
        return load_saved(cls(gpt), directory)


class ValuedGPT(nn.Module):
    """A policy and its critic: logits, and the reward still expected, at each position.

    Values begin as 0.

    Args:
        gpt: the policy; is trained further, not copied.
    """

    def __init__(self, gpt: GPT) -> None:
        super().__init__()
        self.gpt = gpt
        self.value = scalar_head(gpt, bias=True)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, (B, T, V), and values, (B, T), of ids, (B, T)."""
        x = self.gpt.features(ids)  # (B, T, C)
        return self.gpt.head(x), self.value(x).squeeze(-1)

    def save(self, directory: str | Path) -> None:
        """Write the policy, as a GPT: values serve in training alone."""
        self.gpt.save(directory)


def scalar_head(gpt: GPT, *, bias: bool) -> nn.Linear:
    """A linear map from the width to one number, which begins as 0."""
    head = nn.Linear(gpt.config.width, 1, bias=bias)
    for parameter in head.parameters():
        nn.init.zeros_(parameter)
    return head
