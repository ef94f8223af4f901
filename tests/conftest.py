"""One thread and one seed: tiny shapes are faster that way, and results repeat."""

import os

# Before torch is imported; and programs that tests start inherit it. Threads that wait
# for a core which another test has cost many times what they save.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)
