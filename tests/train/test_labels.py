"""One loss for three heads, against sums by hand."""

import torch

from llm.text.batches import IGNORE
from llm.train.labels import labels

SEEDED = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 5, 3, dtype=torch.float64, generator=SEEDED)
BATCH = {
    "ids": torch.zeros(2, 5, dtype=torch.long),
    "mask": torch.ones(2, 5, dtype=torch.bool),
}


class Fixed(torch.nn.Module):
    """Gives the same logits whatever it is shown; remembers what that was."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, ids, *, mask, types=None):
        self.shown = ids, mask, types
        return self.logits


def test_the_loss_is_that_of_each_label():
    logs = LOGITS.log_softmax(-1)
    texts = labels(Fixed(LOGITS[:, 0]), BATCH | {"targets": torch.tensor([2, 0])})
    assert texts.count == 2
    torch.testing.assert_close(
        texts.total.double(), -(logs[0, 0, 2] + logs[1, 0, 0]), rtol=1e-6, atol=0
    )
    tags = torch.full((2, 5), IGNORE)
    tags[0, 1], tags[1, 4] = 1, 2
    words = labels(Fixed(LOGITS), BATCH | {"targets": tags})
    assert words.count == 2
    torch.testing.assert_close(
        words.total.double(), -(logs[0, 1, 1] + logs[1, 4, 2]), rtol=1e-6, atol=0
    )


def test_the_loss_of_a_span_is_that_of_its_two_ends():
    logits = LOGITS[:, :2]  # (B, 2, T) with T = 3
    logs = logits.log_softmax(-1)
    found = labels(Fixed(logits), BATCH | {"targets": torch.tensor([[0, 2], [1, 1]])})
    by_hand = -(logs[0, 0, 0] + logs[0, 1, 2] + logs[1, 0, 1] + logs[1, 1, 1])
    assert found.count == 4
    torch.testing.assert_close(found.total.double(), by_hand, rtol=1e-6, atol=0)


def test_types_are_shown_where_the_batch_has_them():
    model = Fixed(LOGITS[:, 0])
    batch = BATCH | {"targets": torch.tensor([2, 0])}
    labels(model, batch)
    assert model.shown == (batch["ids"], batch["mask"], None)
    types = torch.ones(2, 5, dtype=torch.long)
    labels(model, batch | {"types": types})
    assert model.shown[2] is types
