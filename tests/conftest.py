"""One thread and one seed: tiny shapes are faster that way, and results repeat."""

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)
