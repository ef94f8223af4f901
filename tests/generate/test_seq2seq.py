"""Generation by encoder-decoders: the promises of `generate` hold for them, too."""

from typing import Any

import pytest
import torch

from llm import generate, stream
from llm.models import T5, T5Config, Transformer, TransformerConfig

V, CONTEXT = 13, 24
SOURCES = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]]
CHOICES: list[dict[str, Any]] = [
    {"temperature": 0},
    {"seed": 3},
    {"seed": 3, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.05},
]


@pytest.fixture(params=["t5", "transformer"])
def model(request: pytest.FixtureRequest) -> T5 | Transformer:
    """A tiny model that has strong opinions, with dropout to be switched off."""
    drawn: T5 | Transformer
    if request.param == "t5":
        drawn = T5(T5Config(V, 2, 2, 16, head_width=5, dropout=0.5, start=2))
    else:
        shape = TransformerConfig(V, CONTEXT, 2, 2, 16, dropout=0.5, start=2)
        drawn = Transformer(shape)
    with torch.no_grad():
        for parameter in drawn.parameters():
            parameter.normal_(0, 0.5)
    return drawn


def brute_force(model: T5 | Transformer, source: list[int], count: int) -> list[int]:
    """Greedy text from whole forward passes."""
    model.eval()
    text = [2]
    for _ in range(count):
        logits = model(torch.tensor([source]), torch.tensor([text]))
        text.append(int(logits[0, -1].argmax()))
    return text[1:]


def test_greedy_is_the_most_likely_token_again_and_again(
    model: T5 | Transformer,
) -> None:
    text = generate(model, [1, 2, 3], max_tokens=CONTEXT, temperature=0)
    assert text == brute_force(model, [1, 2, 3], CONTEXT)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_batch_writes_what_each_source_gives_alone(
    model: T5 | Transformer, choice: dict[str, Any]
) -> None:
    together = generate(model, SOURCES, max_tokens=20, **choice)
    assert together == generate(model, SOURCES, max_tokens=20, cache=False, **choice)
    for i, source in enumerate(SOURCES):
        own = choice | ({"seed": choice["seed"] + i} if "seed" in choice else {})
        assert together[i] == generate(model, source, max_tokens=20, **own)
        assert together[i] == list(stream(model, source, max_tokens=20, **own))


def test_the_source_is_read_once(model: T5 | Transformer) -> None:
    fed: list[int] = []
    model.embedding.register_forward_hook(
        lambda module, inputs, output: fed.append(inputs[0].size(1))
    )
    generate(model, [1, 2, 3], max_tokens=5)
    assert fed == [3, 1, 1, 1, 1, 1]


def test_a_row_ends_with_its_stop_token(model: T5 | Transformer) -> None:
    free = generate(model, SOURCES, max_tokens=20, temperature=0)
    stop = {free[0][4]}
    rows = generate(model, SOURCES, max_tokens=20, temperature=0, stop=stop)
    for was, now in zip(free, rows, strict=True):
        end = next((i for i, token in enumerate(was) if token in stop), len(was))
        assert now == was[: end + 1]


def test_the_form_of_the_source_is_the_form_of_the_text(
    model: T5 | Transformer,
) -> None:
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    both = generate(model, ids, max_tokens=4, seed=0)
    assert both.shape == (2, 4) and both.dtype == torch.int64
    assert generate(model, ids.tolist(), max_tokens=4, seed=0) == both.tolist()
    assert generate(model, ids[0], max_tokens=4, seed=0).equal(both[0])
    assert generate(model, ids, max_tokens=0).shape == (2, 0)
    assert generate(model, [1], max_tokens=0) == []
    assert ids.equal(torch.tensor([[1, 2, 3], [4, 5, 6]]))


def test_modules_are_left_in_the_mode_they_were_in(model: T5 | Transformer) -> None:
    generate(model, [1], max_tokens=2)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("ids", "changes", "message"),
    [
        ([], {}, "source 0 is empty"),
        ([V], {}, r"source 0 has ids \[13\]"),
        ([1], {"stop": [V]}, r"stop has ids \[13\]"),
        ([1], {"max_tokens": -1}, "max_tokens -1 is below 0"),
    ],
)
def test_bad_arguments_are_named(
    model: T5 | Transformer, ids: list[int], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate(model, ids, **{"max_tokens": 3, **changes})
