"""Configurations: styles, exchanged parts, and what is refused."""

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from llm import GPTConfig
from llm.models.config import STYLES

SHAPE = {"vocab_size": 11, "context": 16, "layers": 2, "heads": 4, "width": 16}
SOURCE = Path("run/config.json")


@pytest.mark.parametrize("style", ["gpt2", "llama"])
def test_a_style_names_all_parts(style: str) -> None:
    assert GPTConfig(**SHAPE, style=style).parts == STYLES[style]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("position", "rotary"),
        ("norm", "rms"),
        ("feedforward", "swiglu"),
        ("bias", False),
        ("tied", False),
    ],
)
def test_any_part_can_be_exchanged_alone(name: str, value: object) -> None:
    config = GPTConfig(**SHAPE, **{name: value})
    assert config.parts == replace(STYLES["gpt2"], **{name: value})


def test_gpt2_becomes_llama_part_by_part_or_at_once() -> None:
    gpt2, llama = GPTConfig(**SHAPE), GPTConfig(**SHAPE, style="llama")
    assert replace(gpt2, style="llama") == llama
    steps = {"position": "rotary", "norm": "rms", "feedforward": "swiglu"}
    assert replace(gpt2, **steps, bias=False, tied=False).parts == llama.parts


@pytest.mark.parametrize("width", [64, 96, 128, 384, 768])
def test_feedforwards_of_both_kinds_cost_about_the_same(width: int) -> None:
    mlp = GPTConfig(11, 16, 2, 4, width).hidden_width
    gated = GPTConfig(11, 16, 2, 4, width, style="llama").hidden_width
    assert mlp == 4 * width
    assert gated % 8 == 0
    assert 2 * mlp <= 3 * gated < 2 * mlp + 3 * 8
    assert GPTConfig(11, 16, 2, 4, width, hidden=50).hidden_width == 50


def test_a_configuration_cannot_change() -> None:
    with pytest.raises(FrozenInstanceError):
        GPTConfig(**SHAPE).width = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 100, "heads": 3}, "width 100 is not divisible by heads 3"),
        ({"kv_heads": 3}, "heads 4 is not divisible by kv_heads 3"),
        ({"layers": 0}, "layers 0 is not a positive whole number"),
        ({"vocab_size": 11.0}, "vocab_size 11.0 is not a positive whole number"),
        ({"hidden": -1}, "hidden -1 is not a positive whole number"),
        ({"style": "gpt3"}, "style 'gpt3' is none of .*'gpt2', 'llama'"),
        ({"position": "conv"}, "position 'conv' is none of .*'learned', 'sinusoids'"),
        ({"bias": "no"}, "bias 'no' is none of"),
        ({"dropout": 1.0}, r"dropout 1.0 is not in \[0, 1\)"),
        ({"norm_eps": 0.0}, "norm_eps 0.0 is not positive"),
        ({"rope_base": -1.0}, "rope_base -1.0 is not positive"),
        ({"width": 12, "position": "rotary"}, "heads of width 3 leave one over"),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GPTConfig(**{**SHAPE, **changes})


def test_a_configuration_survives_json() -> None:
    config = GPTConfig(**SHAPE, kv_heads=2, norm="rms", hidden=24)
    values = json.loads(json.dumps(config.as_dict()))
    assert GPTConfig.of(values, source=SOURCE) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 6}, "run/config.json: width 6 is not divisible by heads 4"),
        ({"wdith": 6, "haeds": 2}, r"run/config.json has unknown .*wdith.*haeds"),
        ({"dropout": "a"}, "run/config.json: "),
        ({"model": "bert"}, "run/config.json is of a model 'bert'"),
        ({"model_type": "gpt2"}, "run/config.json .* use from_hf"),
    ],
)
def test_a_bad_file_is_named(changes: dict[str, object], message: str) -> None:
    values = {**GPTConfig(**SHAPE).as_dict(), **changes}
    with pytest.raises(ValueError, match=message):
        GPTConfig.of(values, source=SOURCE)


def test_a_missing_key_is_named() -> None:
    values = GPTConfig(**SHAPE).as_dict()
    del values["width"]
    with pytest.raises(ValueError, match=r"run/config.json: .*'width'"):
        GPTConfig.of(values, source=SOURCE)
