"""Beam search against `transformers`, and against looking at every text."""

import math
from collections import Counter
from itertools import chain, product
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm import GPT, GPTConfig, generate
from llm.generate.beam import beam_search, search
from llm.models import T5, T5Config, Transformer, TransformerConfig

V = 23
ROWS = [[4, 5, 6, 7, 8], [9, 10], [11], [12, 13, 14, 15, 16, 17, 18], [19, 20, 21]]


def theirs(
    reference: PreTrainedModel, rows: list[list[int]], stop: list[int], **asked: Any
) -> list[list[int]]:
    """What the reference writes for each row, up to its stop token."""
    longest = max(map(len, rows))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    texts = reference.generate(
        ids,
        attention_mask=mask,
        do_sample=False,
        eos_token_id=stop or None,
        pad_token_id=0,
        **asked,
    )
    first = 1 if reference.config.is_encoder_decoder else longest
    return [cut(row, stop) for row in texts[:, first:].tolist()]


def cut(row: list[int], stop: list[int]) -> list[int]:
    """A row up to its first stop token, that included."""
    end = next((i for i, token in enumerate(row) if token in stop), len(row))
    return row[: end + 1]


def written(model: GPT | T5, rows: list[list[int]], texts: list[list[int]]) -> Any:
    """Texts without the prompts that a GPT has before them."""
    if not isinstance(model, GPT):
        return texts
    return [text[len(row) :] for row, text in zip(rows, texts, strict=True)]


def frequent(model: GPT | T5, count: int) -> list[int]:
    """The tokens that most texts hold: as stop tokens, they do stop."""
    found = search(model, ROWS, beams=4, max_tokens=32)
    texts = [set(one.tokens) for hypotheses in found for one in hypotheses]
    return [token for token, _ in Counter(chain(*texts)).most_common(count)]


@pytest.mark.parametrize("stops", [0, 1, 3])
def test_greedy_texts_are_those_of_the_reference(
    pair: tuple[PreTrainedModel, GPT | T5], stops: int
) -> None:
    reference, model = pair
    stop = frequent(model, stops)
    texts = generate(model, ROWS, max_tokens=32, temperature=0, stop=stop)
    found = written(model, ROWS, texts)
    assert found == theirs(reference, ROWS, stop, max_new_tokens=32)
    if not stops:  # the rows are told apart
        assert len({tuple(row) for row in found}) > 1


@pytest.mark.parametrize(
    ("length_penalty", "stops"),
    [(0.6, 1), (1.0, 1), (2.0, 1), (0.0, 3), (2.0, 3), (1.0, 0)],
)
def test_beams_are_those_of_the_reference(
    pair: tuple[PreTrainedModel, GPT | T5], length_penalty: float, stops: int
) -> None:
    reference, model = pair
    stop = frequent(model, stops)
    texts = beam_search(
        model,
        ROWS,
        beams=4,
        max_tokens=32,
        length_penalty=length_penalty,
        stop=stop,
    )
    found = written(model, ROWS, texts)
    asked = {"max_new_tokens": 32, "num_beams": 4, "length_penalty": length_penalty}
    assert found == theirs(reference, ROWS, stop, **asked)
    if stops and length_penalty < 2:  # the search does end texts before the last token
        assert any(len(row) < 32 for row in found)


def test_all_beams_and_scores_are_those_of_the_reference(
    pair: tuple[PreTrainedModel, GPT | T5],
) -> None:
    reference, model = pair
    asked = {"max_new_tokens": 9, "num_beams": 4, "num_return_sequences": 4}
    stop = frequent(model, 1)
    found = search(model, ROWS[:1], beams=4, max_tokens=9, stop=stop)[0]
    rows = theirs(reference, ROWS[:1], stop, **asked)
    assert [one.tokens for one in found] == rows
    result = reference.generate(
        torch.tensor(ROWS[:1]),
        do_sample=False,
        eos_token_id=stop,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
        **asked,
    )
    scores = torch.tensor([one.score for one in found])
    torch.testing.assert_close(scores, result.sequences_scores, atol=1e-5, rtol=0)


def tiny(kind: str) -> GPT | T5 | Transformer:
    """A model of three tokens that has strong opinions."""
    models = {
        "gpt": lambda: GPT(GPTConfig(3, 8, 1, 2, 8)),
        "t5": lambda: T5(T5Config(3, 1, 2, 8)),
        "transformer": lambda: Transformer(TransformerConfig(3, 8, 1, 2, 8)),
    }
    model = models[kind]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.7)
    return model


@pytest.mark.parametrize("kind", ["gpt", "t5", "transformer"])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_a_beam_as_wide_as_all_texts_finds_the_best(
    kind: str, length_penalty: float
) -> None:
    model, T, stop = tiny(kind), 4, 2

    def log_p(prompt: list[int], text: tuple[int, ...]) -> float:
        if isinstance(model, GPT):
            logits = model(torch.tensor([[*prompt, *text[:-1]]]))[0, len(prompt) - 1 :]
        else:
            ids = torch.tensor([[model.config.start, *text[:-1]]])
            logits = model(torch.tensor([prompt]), ids)[0]
        chosen = logits.double().log_softmax(-1)[range(len(text)), list(text)]
        return chosen.sum().item()

    for prompt in ([0], [1, 1, 0], [1]):
        texts = {tuple(cut(list(text), [stop])) for text in product(range(3), repeat=T)}
        scores = {x: log_p(prompt, x) / len(x) ** length_penalty for x in texts}
        found = search(
            model,
            [prompt],
            beams=3**T,
            max_tokens=T,
            length_penalty=length_penalty,
            stop=[stop],
        )[0]
        assert tuple(found[0].tokens) == max(scores, key=scores.__getitem__)
        assert {tuple(one.tokens) for one in found} == texts
        for one in found:
            assert math.isclose(one.score, scores[tuple(one.tokens)], abs_tol=1e-5)


def test_a_beam_of_one_is_greedy(pair: tuple[PreTrainedModel, GPT | T5]) -> None:
    model = pair[1]
    greedy = generate(model, ROWS, max_tokens=12, temperature=0)
    assert beam_search(model, ROWS, beams=1, max_tokens=12) == greedy


def test_batches_and_the_cache_change_nothing(
    pair: tuple[PreTrainedModel, GPT | T5],
) -> None:
    model = pair[1]
    asked: dict[str, Any] = {"beams": 3, "max_tokens": 12, "stop": frequent(model, 1)}
    together = beam_search(model, ROWS, **asked)
    assert together == [beam_search(model, row, **asked) for row in ROWS]
    assert together == beam_search(model, ROWS, cache=False, **asked)


def test_beams_outgrow_the_context_as_greedy_does() -> None:
    model = tiny("gpt")
    greedy = generate(model, [0, 1], max_tokens=30, temperature=0)
    assert beam_search(model, [0, 1], beams=1, max_tokens=30) == greedy
    wide = beam_search(model, [0, 1], beams=3, max_tokens=30)
    assert wide == beam_search(model, [0, 1], beams=3, max_tokens=30, cache=False)
    assert len(wide) == 32


def test_the_form_of_the_prompt_is_the_form_of_the_text() -> None:
    model = tiny("gpt")
    ids = torch.tensor([[0, 1], [1, 1]])
    both = beam_search(model, ids, beams=2, max_tokens=3)
    assert isinstance(both, Tensor) and both.shape == (2, 5)
    assert both.tolist() == beam_search(model, ids.tolist(), beams=2, max_tokens=3)
    assert beam_search(model, [0, 1], beams=2, max_tokens=3) == both[0].tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beams": 0}, "beams 0 is below 1"),
        ({"max_tokens": 0}, "max_tokens 0 is below 1"),
        ({"stop": [3]}, r"stop has ids \[3\], but the vocabulary is of 3"),
        ({"ids": [[1], []]}, "source 1 is empty"),
        ({"ids": [3]}, r"source 0 has ids \[3\]"),
        ({"ids": [1] * 9}, "source 0 has 9 tokens, more than the context of 8"),
        ({"max_tokens": 9}, "max_tokens 9 exceeds the context of 8"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    arguments = {"ids": [1], "beams": 2, "max_tokens": 3, **changes}
    with pytest.raises(ValueError, match=message):
        beam_search(tiny("transformer"), **arguments)
