"""Answers alone are learned, packed or not."""

import pytest
import torch

from llm import GPT, GPTConfig
from llm.text.packing import answer_batch, pack, packed_batch, shuffled
from llm.train import TrainConfig, Trainer, evaluate, next_token
from llm.train.instruct import answer_log_probs, answers, frozen, token_log_probs

PAIRS = [([1, 2], [3, 4]), ([5], [6]), ([7, 8, 9], [10, 1, 2]), ([4, 4], [4])]


@pytest.fixture(params=["gpt2", "llama"])
def gpt(request):
    """A tiny GPT whose logits are not all alike."""
    model = GPT(GPTConfig(11, 16, 2, 2, 16, style=request.param))
    for p in model.parameters():
        torch.nn.init.normal_(p, 0.0, 0.3)
    return model


def by_hand(model, prompt, answer):
    """log p of each token of the answer, one forward pass a token, in float64."""
    nats = []
    for i, token in enumerate(answer):
        seen = torch.tensor([prompt + answer[:i]])
        nats.append(model(seen)[0, -1].double().log_softmax(-1)[token])
    return torch.stack(nats)


def test_an_answer_is_as_likely_as_its_tokens_one_by_one(gpt):
    batch = answer_batch(PAIRS)
    found = answer_log_probs(gpt, batch["ids"], batch["targets"])
    expected = torch.stack([by_hand(gpt, *pair).sum() for pair in PAIRS])
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
    tokens = token_log_probs(gpt(batch["ids"]), batch["targets"])
    assert tokens.shape == batch["targets"].shape
    assert (tokens[batch["targets"] < 0] == 0).all()


def test_the_packed_loss_is_the_loss_of_each_example_alone(gpt):
    rows = pack(PAIRS, context=8)
    assert len(rows) == 2
    gpt.zero_grad()
    packed = answers(gpt, packed_batch(rows, context=8))
    packed.total.backward()
    gradients = [p.grad.clone() for p in gpt.parameters()]
    gpt.zero_grad()
    alone = [next_token(gpt, answer_batch([pair])) for pair in PAIRS]
    total = sum(loss.total for loss in alone)
    total.backward()
    assert packed.count == sum(loss.count for loss in alone) == 7
    torch.testing.assert_close(packed.total, total, rtol=1e-6, atol=0)
    for packed_gradient, p in zip(gradients, gpt.parameters(), strict=True):
        torch.testing.assert_close(packed_gradient, p.grad, rtol=1e-5, atol=1e-5)


def test_a_frozen_copy_stays_as_it_is(gpt):
    copy = frozen(gpt)
    before = copy(torch.tensor([[1, 2, 3]]))
    with torch.no_grad():
        for p in gpt.parameters():
            p.add_(1.0)
    assert copy(torch.tensor([[1, 2, 3]])).equal(before)
    assert not copy.training and gpt.training
    assert not any(p.requires_grad for p in copy.parameters())
    assert all(p.requires_grad for p in gpt.parameters())


def test_packed_answers_can_be_learned():
    pairs = [([a, b], [b, a]) for a in range(4) for b in range(4)]
    gpt = GPT(GPTConfig(4, 12, 2, 2, 16))
    rows = shuffled(pack(pairs, context=12), batch_size=2)
    plain = [answer_batch(pairs)]
    before = evaluate(gpt, plain)["loss"]
    Trainer(
        gpt,
        lambda step: packed_batch(rows(step), context=12),
        config=TrainConfig(steps=60, lr=1e-2),
        objective=answers,
    ).fit()
    assert evaluate(gpt, plain)["loss"] < 0.5 * before
