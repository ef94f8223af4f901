"""Files of models: whole or not at all, and every damage named in one line."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from llm import GPT, GPTConfig
from llm.models.checkpoint import (
    load_weights,
    read_json,
    read_safetensors,
    weights,
    write_json,
    write_safetensors,
)


@pytest.fixture
def run(model: GPT, tmp_path: Path) -> Path:
    """A directory with a saved model."""
    model.save(tmp_path / "run")
    return tmp_path / "run"


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    """The message, if it is of one line."""
    message = str(error.value)
    assert "\n" not in message
    return message


def test_json_comes_back(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None], "词": "元"}
    write_json(tmp_path / "new" / "a.json", value)
    assert read_json(tmp_path / "new" / "a.json") == value
    assert "词" in (tmp_path / "new" / "a.json").read_text(encoding="utf-8")


def test_tensors_of_every_type_come_back_with_their_header(tmp_path: Path) -> None:
    tensors = {
        "half": torch.randn(3, 4).half(),
        "brain": torch.randn(2).bfloat16(),
        "transposed": torch.randn(3, 4).T,
        "one": torch.tensor(5),
        "none": torch.empty(0, 3),
        "flags": torch.tensor([True, False]),
    }
    write_safetensors(tmp_path / "a.safetensors", tensors, {"step": "7"})
    back, header = read_safetensors(tmp_path / "a.safetensors")
    assert header["step"] == "7"
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert back[name].equal(tensor)


def test_other_libraries_read_ours_and_we_read_theirs(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3)}
    write_safetensors(tmp_path / "ours", tensors)
    assert load_file(tmp_path / "ours")["a"].equal(tensors["a"])
    save_file(tensors, tmp_path / "theirs")
    assert read_safetensors(tmp_path / "theirs")[0]["a"].equal(tensors["a"])


def test_an_interrupted_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def no_room(descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"new": 2})
    with pytest.raises(OSError, match="No space left"):
        write_safetensors(path, {"a": torch.zeros(3)})
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_who_is_reading_the_old_file_reads_it_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with path.open() as file:
        write_json(path, {"new": 2})
        assert json.load(file) == {"old": 1}
    assert read_json(path) == {"new": 2}


def test_what_json_cannot_say_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_others_may_read_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_safetensors(tmp_path / "a", {"a": torch.zeros(3)})
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    GPT(GPTConfig(11, 16, 1, 2, 8)).save(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert "embedding.weight" in stored
    assert "head.weight" not in stored


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_weights_are_named(run: Path, keep: int) -> None:
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"model.safetensors is damaged") as error:
        GPT.load(run)
    one_line(error)


def test_a_changed_bit_is_noticed_wherever_it_is(run: Path) -> None:
    path = run / "model.safetensors"
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 40):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model.safetensors") as error:
            GPT.load(run)
        one_line(error)


def test_text_is_no_weights(run: Path) -> None:
    (run / "model.safetensors").write_text("version https://git-lfs...")
    with pytest.raises(ValueError, match=r"is damaged or no safetensors"):
        GPT.load(run)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"run has no {name}") as error:
        GPT.load(run)
    one_line(error)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere is no directory"):
        GPT.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1', r"config.json is not valid JSON: .* line 1 column"),
        (b"\xff\xfe", r"config.json is not valid JSON: .*decode"),
        (b"[1, 2]", r"config.json holds no JSON object but a list"),
    ],
)
def test_bad_json_is_named(run: Path, text: bytes, message: str) -> None:
    (run / "config.json").write_bytes(text)
    with pytest.raises(ValueError, match=message) as error:
        GPT.load(run)
    one_line(error)


def test_an_edited_shape_is_told_tensor_by_tensor(run: Path) -> None:
    values = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**values, "vocab_size": 12}))
    with pytest.raises(ValueError, match=r"of another shape") as error:
        GPT.load(run)
    expected = "embedding.weight float32 (11, 16) instead of float32 (12, 16)"
    assert expected in one_line(error)


def test_all_that_does_not_fit_is_in_one_message() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    tensors = weights(model)
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    wrong = {
        "0.weight": torch.zeros(2, 3),
        "0.bias": torch.zeros(3, dtype=torch.int8),
        "1.weight": torch.zeros(2, 3),
        "extra": torch.zeros(1),
    }
    with pytest.raises(ValueError, match=r"^there does not fit") as error:
        load_weights(model, wrong, source="there")
    assert one_line(error) == (
        "there does not fit the model: missing: 1.bias; unknown: extra; "
        "of another shape: 0.weight float32 (2, 3) instead of float32 (3, 2), "
        "0.bias int8 (3,) instead of float32 (3,)"
    )
    assert all(weights(model)[name].equal(before[name]) for name in before)


def test_a_long_list_is_cut() -> None:
    with pytest.raises(ValueError, match=r"missing: .* and 14 more") as error:
        load_weights(GPT(GPTConfig(11, 16, 1, 2, 8)), {}, source="there")
    assert len(one_line(error)) < 300


def test_saved_buffers_travel_and_others_do_not() -> None:
    model = nn.BatchNorm1d(2)
    model.register_buffer("scratch", torch.zeros(2), persistent=False)
    assert weights(model).keys() == model.state_dict().keys()
