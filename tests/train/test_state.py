"""The run directory keeps what it promises, also when files are damaged."""

import json
import logging

import pytest
import torch

from llm.models.checkpoint import read_safetensors, write_safetensors
from llm.train import TrainConfig, Trainer
from llm.train.state import (
    append_record,
    newest_state,
    rewind_log,
    state_paths,
    sweep,
)


@pytest.fixture
def run(tiny, data, tmp_path):
    """A finished run with its two newest states."""
    config = TrainConfig(steps=6, save_every=2)
    Trainer(tiny(), data, config=config, out=tmp_path).fit()
    return tmp_path


def test_the_two_newest_states_stay(run):
    names = [p.name for p in state_paths(run)]
    assert names == ["step-00000006.safetensors", "step-00000004.safetensors"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(bytes(content))


def strip(path):
    tensors, _ = read_safetensors(path)
    write_safetensors(path, tensors, {"format": "pt"})


@pytest.mark.parametrize("damage", [truncate, empty, flip, strip])
def test_a_damaged_newest_state_falls_back_and_says_so(run, damage, caplog):
    damage(state_paths(run)[0])
    with caplog.at_level(logging.WARNING):
        found = newest_state(run)
    assert found.facts["step"] == 4
    (line,) = caplog.messages
    assert "step-00000006" in line and "passing over" in line and "\n" not in line


def test_states_that_cannot_be_read_are_never_taken_for_no_state(run):
    for path in state_paths(run):
        truncate(path)
    with pytest.raises(ValueError, match=r"no state in .* can be read"):
        newest_state(run)


def test_a_state_of_another_model_is_refused(run, tiny, data):
    model = tiny()
    model.extra = torch.nn.Linear(2, 2)
    trainer = Trainer(model, data, config=TrainConfig(steps=9), out=run)
    with pytest.raises(ValueError, match=r"step 6 does not fit .* extra\.weight"):
        trainer.fit(resume=True)


def test_tied_weights_survive_a_state(tiny, data, tmp_path):
    model, resumed = tiny(), tiny(seed=1)
    for m in (model, resumed):
        m.head.weight = m.embed.weight
        m.save = lambda out: None
    config = TrainConfig(steps=3, optimizer="muon")
    Trainer(model, data, config=config, out=tmp_path).fit()
    Trainer(resumed, data, config=config, out=tmp_path).fit(resume=True)
    assert torch.equal(model.head.weight, resumed.embed.weight)


def test_files_of_a_killed_writer_are_swept_and_no_others(tmp_path):
    (tmp_path / "state").mkdir()
    left = [tmp_path / ".model.safetensors.7.tmp", tmp_path / "state" / ".step-1.7.tmp"]
    kept = [tmp_path / "notes.tmp", tmp_path / ".gitignore"]
    for path in left + kept:
        path.touch()
    sweep(tmp_path)
    assert [p.exists() for p in left + kept] == [False, False, True, True]


def test_a_log_is_cut_at_the_step_and_at_an_unfinished_line(tmp_path):
    path = tmp_path / "log.jsonl"
    for step in (10, 20, 30):
        append_record(path, {"step": step})
    path.write_text(path.read_text() + '{"step": 4')
    assert rewind_log(path, step=99) == [{"step": 10}, {"step": 20}, {"step": 30}]
    assert rewind_log(path, step=20) == [{"step": 10}, {"step": 20}]
    lines = path.read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [10, 20]


def test_a_log_line_that_is_no_json_ends_the_log(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\nrubbish\n{"step": 2}\n')
    assert rewind_log(path, step=9) == [{"step": 1}]


def test_a_missing_log_is_an_empty_log(tmp_path):
    assert rewind_log(tmp_path / "log.jsonl", step=9) == []
