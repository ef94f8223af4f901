"""Learned positions act as tokens in their place would, and stay out of the way."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from llm import GPT, GPTConfig, generate
from llm.peft import LoRA, Method, PrefixTuning, PromptTuning, PTuning, inject
from llm.peft.prompts import Prefixed, Prompted, keys_values

Redraw = Callable[[nn.Module], None]
P = 3
METHODS = [PromptTuning(P), PTuning(P, hidden=4), PrefixTuning(P)]
HARD = torch.tensor([[5, 0, 7]])  # a prompt of tokens


def hard(model: GPT, method: Method) -> nn.Module:
    """`model` with learned positions that are those of `HARD`."""
    prefix = keys_values(model, HARD)
    tuned = inject(model, method).eval()
    if isinstance(tuned, Prefixed):
        tuned.prefix.data.copy_(prefix)
    elif isinstance(tuned, Prompted):
        tuned.prompt.weight.data.copy_(model.embedding.weight[HARD[0]])
    return tuned


def greedy(
    model: nn.Module, rows: list[list[int]], *, tokens: int, cache: bool = True
) -> list[list[int]]:
    """Prompts and their most likely continuations."""
    return generate(model, rows, max_tokens=tokens, temperature=0, cache=cache)


@pytest.mark.parametrize("method", [PromptTuning(P), PrefixTuning(P)])
def test_vectors_of_tokens_act_as_these_tokens(
    model: GPT, ids: Tensor, method: Method
) -> None:
    expected = model(torch.cat((HARD.expand(2, -1), ids), dim=1))[:, P:]
    tuned = hard(model, method)
    torch.testing.assert_close(tuned(ids), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", [PromptTuning(P), PrefixTuning(P)])
def test_generation_goes_on_as_after_these_tokens(model: GPT, method: Method) -> None:
    prompts = [[1, 2, 3, 4], [8]]
    with_hard = [[*HARD[0].tolist(), *row] for row in prompts]
    expected = greedy(model, with_hard, tokens=6)
    tuned = hard(model, method)
    for cache in (True, False):
        rows = greedy(tuned, prompts, tokens=6, cache=cache)
        assert rows == [row[P:] for row in expected]


@pytest.mark.parametrize("method", METHODS)
def test_left_padding_changes_nothing(
    model: GPT, ids: Tensor, method: Method, redraw: Redraw
) -> None:
    tuned = inject(model, method).eval()
    redraw(tuned)
    mask = torch.arange(9) >= torch.tensor([[0], [4]])
    padded = tuned(ids, mask=mask)[1, 4:]
    torch.testing.assert_close(padded, tuned(ids[1:, 4:])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_text_beyond_the_context_is_forgotten_and_not_the_prompt(
    model: GPT, method: Method
) -> None:
    tuned = inject(model, method)
    assert tuned.config.context == model.config.context - P
    kept = greedy(tuned, [[1, 2], [3]], tokens=40)
    assert kept == greedy(tuned, [[1, 2], [3]], tokens=40, cache=False)


def test_vectors_begin_as_those_of_tokens(model: GPT) -> None:
    tuned = inject(model, PromptTuning(P))
    near = torch.cdist(tuned.prompt(), model.embedding.weight).amin(1)
    assert torch.equal(near, torch.zeros(P))


def test_ids_outside_the_vocabulary_are_still_refused(model: GPT) -> None:
    tuned = inject(model, PromptTuning(P))
    with pytest.raises(ValueError, match="exceed the vocabulary"):
        tuned(torch.tensor([[model.config.vocab_size]]))


@pytest.mark.parametrize("method", METHODS)
def test_what_they_do_not_work_with_is_refused(method: Method) -> None:
    shape = {"vocab_size": 10, "context": 8, "layers": 1, "heads": 2, "width": 8}
    for parts in ({"position": "alibi"}, {"window": 4}):
        with pytest.raises(ValueError, match="without ALiBi"):
            inject(GPT(GPTConfig(**shape, **parts)), method)
    with pytest.raises(ValueError, match="3 tokens leave no room in 3"):
        inject(GPT(GPTConfig(**{**shape, "context": 3})), method)
    with pytest.raises(ValueError, match="works with a GPT, and this is a Linear"):
        inject(nn.Linear(2, 2), method)
    tuned = inject(GPT(GPTConfig(**shape)), method)
    with pytest.raises(ValueError, match="holds a method already"):
        inject(tuned, LoRA())
