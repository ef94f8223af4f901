"""Generation: batches, caches, padding and windows change nothing that is written."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from llm import GPT, GPTConfig, generate, stream

V, CONTEXT = 13, 12
PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]]
# Every way to choose tokens that the tests compare.
CHOICES: list[dict[str, Any]] = [
    {"temperature": 0},
    {"seed": 3},
    {"seed": 3, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.05},
]


@pytest.fixture(params=["gpt2", "llama"])
def model(request: pytest.FixtureRequest) -> GPT:
    """A tiny GPT that has strong opinions, with dropout to be switched off."""
    config = GPTConfig(V, CONTEXT, 2, 4, 16, 2, style=request.param, dropout=0.5)
    gpt = GPT(config)
    with torch.no_grad():
        for parameter in gpt.parameters():
            parameter.normal_(0, 0.4)
    return gpt


def brute_force(model: GPT, prompt: list[int], *, max_tokens: int) -> list[int]:
    """Greedy text from whole forward passes, by the documented rule of the window."""
    model.eval()
    written, window = list(prompt), list(prompt)
    for _ in range(max_tokens):
        token = int(model(torch.tensor([window]))[0, -1].argmax())
        written.append(token)
        window.append(token)
        if len(window) > CONTEXT:
            window = window[-(CONTEXT // 2) :]
    return written


def test_greedy_is_the_most_likely_token_again_and_again(model: GPT) -> None:
    text = generate(model, [1, 2, 3], max_tokens=40, temperature=0)
    assert text == brute_force(model, [1, 2, 3], max_tokens=40)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_batch_writes_what_each_prompt_writes_alone(
    model: GPT, choice: dict[str, Any]
) -> None:
    together = generate(model, PROMPTS, max_tokens=40, **choice)
    for i, prompt in enumerate(PROMPTS):
        own = choice | ({"seed": choice["seed"] + i} if "seed" in choice else {})
        assert together[i] == generate(model, prompt, max_tokens=40, **own)


@pytest.mark.parametrize("choice", CHOICES)
def test_the_cache_changes_nothing(model: GPT, choice: dict[str, Any]) -> None:
    for ids in (PROMPTS[0], PROMPTS):
        fast = generate(model, ids, max_tokens=40, **choice)
        assert fast == generate(model, ids, max_tokens=40, cache=False, **choice)


def test_with_a_cache_each_token_is_computed_once_until_the_window_moves(
    model: GPT,
) -> None:
    fed: list[int] = []
    model.embedding.register_forward_hook(
        lambda module, inputs, output: fed.append(inputs[0].size(1))
    )
    generate(model, [1, 2, 3], max_tokens=14)
    assert fed == [3] + [1] * 9 + [6] + [1] * 3
    fed.clear()
    generate(model, [1, 2, 3], max_tokens=14, cache=False)
    assert fed == [*range(3, 13), *range(6, 10)]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_stream_gives_what_generate_adds(model: GPT, choice: dict[str, Any]) -> None:
    whole = generate(model, [1, 2, 3], max_tokens=20, **choice)
    assert [1, 2, 3, *stream(model, [1, 2, 3], max_tokens=20, **choice)] == whole
    ids = torch.tensor([1, 2, 3])
    assert list(stream(model, ids, max_tokens=20, **choice)) == whole[3:]


def test_a_context_of_one_token_still_writes() -> None:
    model = GPT(GPTConfig(V, 1, 1, 1, 4))
    assert len(generate(model, [1], max_tokens=5)) == 6


def test_the_form_of_the_prompt_is_the_form_of_the_text(model: GPT) -> None:
    row, rows = [1, 2, 3], [[1, 2, 3], [4, 5, 6]]
    one = generate(model, row, max_tokens=4, seed=0)
    both = generate(model, rows, max_tokens=4, seed=0)
    assert row == [1, 2, 3] and rows == [[1, 2, 3], [4, 5, 6]]  # left alone
    assert one == both[0]
    tensor = generate(model, torch.tensor(row), max_tokens=4, seed=0)
    assert tensor.shape == (7,) and tensor.tolist() == one
    tensors = generate(model, torch.tensor(rows), max_tokens=4, seed=0)
    assert tensors.shape == (2, 7) and tensors.tolist() == both
    assert not tensors.is_inference()


def test_a_row_ends_with_its_stop_token_and_the_others_go_on(model: GPT) -> None:
    free = generate(model, PROMPTS, max_tokens=20, temperature=0)
    stop = {free[0][5]}
    rows = generate(model, PROMPTS, max_tokens=20, temperature=0, stop=stop)
    for prompt, was, now in zip(PROMPTS, free, rows, strict=True):
        new = was[len(prompt) :]
        end = next((i for i, token in enumerate(new) if token in stop), len(new))
        assert now == was[: len(prompt) + end + 1]
    assert len(rows[0]) <= 6
    streamed = list(stream(model, PROMPTS[0], max_tokens=20, temperature=0, stop=stop))
    assert PROMPTS[0] + streamed == rows[0]


def test_a_tensor_repeats_the_last_token_of_rows_that_ended(model: GPT) -> None:
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    rows = generate(model, ids.tolist(), max_tokens=20, temperature=0)
    stop = {rows[0][3]}
    full = generate(model, ids, max_tokens=20, temperature=0, stop=stop)
    short = generate(model, ids.tolist(), max_tokens=20, temperature=0, stop=stop)
    assert full.size(1) == max(map(len, short))
    for row, expected in zip(full.tolist(), short, strict=True):
        assert row[: len(expected)] == expected
        assert set(row[len(expected) :]) <= {expected[-1]}


def test_no_tokens_are_asked_for(model: GPT) -> None:
    assert generate(model, PROMPTS, max_tokens=0) == PROMPTS
    assert list(stream(model, [1], max_tokens=0)) == []


def test_a_seed_repeats_and_another_does_not(model: GPT) -> None:
    first = generate(model, [1], max_tokens=30, seed=5)
    assert generate(model, [1], max_tokens=30, seed=5) == first
    assert generate(model, [1], max_tokens=30, seed=6) != first


def test_equal_prompts_of_a_batch_are_continued_differently(model: GPT) -> None:
    first, second = generate(model, [[1], [1]], max_tokens=30, seed=5)
    assert first != second


def test_without_a_seed_the_global_generator_decides(model: GPT) -> None:
    torch.manual_seed(1)
    first, second = (generate(model, [1], max_tokens=30) for _ in range(2))
    torch.manual_seed(1)
    assert generate(model, [1], max_tokens=30) == first
    assert first != second


def test_drawing_with_a_seed_leaves_the_global_generator_alone(model: GPT) -> None:
    state = torch.get_rng_state()
    generate(model, [1], max_tokens=5, seed=5)
    assert torch.get_rng_state().equal(state)


def test_modules_are_left_in_the_mode_they_were_in(model: GPT) -> None:
    model.train()
    model.blocks[0].eval()
    before = [module.training for module in model.modules()]
    generate(model, [1], max_tokens=2)
    assert [module.training for module in model.modules()] == before
    tokens = stream(model, [1], max_tokens=9)
    next(tokens)
    assert not model.training
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    tokens.close()  # type: ignore[attr-defined]
    assert [module.training for module in model.modules()] == before


BAD: list[tuple[Any, dict[str, Any], str]] = [
    ([], {}, r"prompt 0 is empty"),
    (torch.empty(1, 0, dtype=torch.long), {}, r"prompt 0 is empty"),
    ([1] * 13, {}, r"prompt 0 has 13 tokens, more than the context of 12"),
    ([2, 13], {}, r"prompt 0 has ids \[13\], but the vocabulary is of 13"),
    ([-1], {}, r"prompt 0 has ids \[-1\]"),
    ([1], {"stop": [99]}, r"stop has ids \[99\]"),
    ([1], {"max_tokens": -1}, r"max_tokens -1 is below 0"),
    ([1], {"temperature": -0.5}, r"temperature -0.5 is not a positive number"),
    ([1], {"top_k": 0}, r"top_k 0 is below 1"),
    ([1], {"top_p": 1.5}, r"top_p 1.5 is not in \(0, 1\]"),
    ([1], {"temperature": 0, "min_p": 0.0}, r"min_p 0.0 is not in \(0, 1\]"),
]


@pytest.mark.parametrize(("ids", "arguments", "message"), BAD)
@pytest.mark.parametrize("write", [generate, stream])
def test_bad_arguments_are_named_at_once(
    model: GPT,
    write: Callable[..., Any],
    ids: Any,
    arguments: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        write(model, ids, **{"max_tokens": 5, **arguments})


@pytest.mark.parametrize(
    ("row", "message"),
    [([], "is empty"), ([1] * 13, "has 13 tokens"), ([2, 13], r"has ids \[13\]")],
)
def test_the_bad_prompt_of_a_batch_is_told(
    model: GPT, row: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=f"prompt 1 {message}"):
        generate(model, [[1], row], max_tokens=5)


def test_a_stream_of_several_prompts_is_refused(model: GPT) -> None:
    with pytest.raises(ValueError, match="one prompt, not 3: use generate"):
        stream(model, torch.ones(3, 2, dtype=torch.long), max_tokens=5)
