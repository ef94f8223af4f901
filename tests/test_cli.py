"""The command line: what it prints, what it leaves on disk, how it fails."""

import contextlib
import json
import math
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import llm.cli
from llm.cli import main
from llm.cli.presets import PRESETS, RATES
from llm.cli.progress import reporter
from llm.cli.recipe import best_precision, checksum, split
from llm.models.checkpoint import read_json, read_safetensors, write_json
from llm.models.gpt import GPT
from llm.text.tokenizer import Tokenizer

SMALL = ["--layers", "1", "--heads", "2", "--width", "16", "--context", "16"]
QUICK = [*SMALL, "--batch", "4", "--steps", "6", "--precision", "fp32"]
EN = "The cat sat on the mat. The dog sat on the log. " * 60
ZH = "猫坐在垫子上。狗坐在木头上。鸟站在树枝上。" * 60


@pytest.fixture
def text(tmp_path):
    """A text file of a few kilobytes."""
    path = tmp_path / "text.txt"
    path.write_text(EN, encoding="utf-8")
    return str(path)


@pytest.fixture
def run(text, tmp_path, capsys):
    """A finished run directory."""
    out = str(tmp_path / "run")
    assert main(["pretrain", "--data", text, "--out", out, *QUICK]) == 0
    capsys.readouterr()
    return out


def contents(directory) -> dict[str, bytes]:
    paths = Path(directory).rglob("*")
    return {str(p): p.read_bytes() for p in paths if p.is_file()}


def refused(capsys, argv: list[str], *, status: int = 2) -> str:
    """Run a command that must fail with one line on stderr; return the line."""
    assert main(argv) == status
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def same_weights(a, b) -> bool:
    ours, theirs = (read_safetensors(Path(r) / "model.safetensors")[0] for r in (a, b))
    return all(torch.equal(ours[name], theirs[name]) for name in ours | theirs)


# From text to text


def test_pretrain_resume_evaluate_generate(text, tmp_path, capsys):
    """The whole chain; stopped half-way and resumed equals straight through."""
    whole, halves = str(tmp_path / "whole"), str(tmp_path / "halves")
    options = ["--data", text, *QUICK, "--schedule", "constant", "--dropout", "0.1"]
    assert main(["pretrain", "--out", whole, *options]) == 0
    assert main(["pretrain", "--out", halves, *options, "--steps", "3"]) == 0
    assert main(["pretrain", "--out", halves, "--resume", "--steps", "6"]) == 0
    assert same_weights(whole, halves)
    assert {p.name for p in Path(whole).iterdir()} == {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "state",
        "log.jsonl",
    }
    capsys.readouterr()
    assert main(["evaluate", "--model", whole, "--data", text, "--json"]) == 0
    assert 0 < json.loads(capsys.readouterr().out)["bits_per_byte"] < 8
    assert main(["generate", "--model", whole, "--prompt", "The", "--seed", "1"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("The") and len(first) > 4
    assert main(["generate", "--model", halves, "--prompt", "The", "--seed", "1"]) == 0
    assert capsys.readouterr().out == first


def test_the_default_preset_learns_a_small_text(text, tmp_path, capsys):
    out = str(tmp_path / "run")
    argv = ["pretrain", "--data", text, "--out", out, "--steps", "30", "--json"]
    assert main([*argv, "--width", "32", "--batch", "8"]) == 0
    *records, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert records[0]["loss"] > 2.0
    assert result["validation_bits_per_byte"] < 1.0


def test_chinese_text_works_with_every_built_in_tokenizer(tmp_path, capsys):
    path = tmp_path / "文本.txt"
    path.write_text(ZH, encoding="utf-8")
    for kind in ("bpe", "bytes", "char"):
        out = str(tmp_path / kind)
        argv = ["pretrain", "--data", str(path), "--out", out, "--tokenizer", kind]
        assert main([*argv, *QUICK]) == 0
        capsys.readouterr()
        argv = ["generate", "--model", out, "--prompt", "猫坐", "--max-tokens", "9"]
        assert main(argv) == 0
        assert capsys.readouterr().out.startswith("猫坐")


def test_pretrain_uses_a_tokenizer_from_a_file(text, tmp_path, capsys):
    tok = str(tmp_path / "tok.json")
    argv = ["tokenizer", "--data", text, "--vocab-size", "270", "--out", tok]
    assert main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vocab_size"] == 270
    out = tmp_path / "run"
    argv = ["pretrain", "--data", text, "--out", str(out), "--tokenizer", tok]
    assert main([*argv, *QUICK]) == 0
    assert read_json(out / "config.json")["vocab_size"] == 270
    assert Tokenizer.load(out / "tokenizer.json").encode("The cat") == Tokenizer.load(
        tok
    ).encode("The cat")


def test_a_name_of_tiktoken_is_asked_for_by_name(text, tmp_path, monkeypatch):
    asked = []
    named = classmethod(lambda cls, name: asked.append(name) or cls.bytes())
    monkeypatch.setattr(Tokenizer, "named", named)
    argv = ["pretrain", "--data", text, "--out", str(tmp_path / "run")]
    assert main([*argv, "--tokenizer", "gpt2", *QUICK]) == 0
    assert asked == ["gpt2"]


def test_several_files_are_one_text_with_ends_between(tmp_path, capsys):
    paths = []
    for index, text in enumerate((EN, ZH)):
        paths.append(tmp_path / f"{index}.txt")
        paths[-1].write_text(text, encoding="utf-8")
    out = str(tmp_path / "run")
    assert main(["pretrain", "--data", *map(str, paths), "--out", out, *QUICK]) == 0
    assert main(["evaluate", "--model", out, "--data", *map(str, paths)]) == 0
    assert f"{len((EN + ZH).encode()):,} bytes" in capsys.readouterr().out


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_a_model_and_can_learn(name):
    preset = PRESETS[name]
    with torch.device("meta"):
        model = GPT(preset.model)
    assert model.head.weight.shape == (preset.model.vocab_size, preset.model.width)
    assert preset.batch > 0 and preset.train.save_every > 0


# What is printed


def test_evaluate_agrees_with_the_log_on_the_held_out_text(run, text, tmp_path, capsys):
    """Two ways to the same figure: during training, and from the saved model."""
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("".join(split([EN])[1]))
    assert main(["evaluate", "--model", run, "--data", str(held_out), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    log = Path(run, "log.jsonl").read_text().splitlines()
    last = json.loads(log[-1])
    assert figures["loss"] == pytest.approx(last["validation_loss"], rel=1e-5)
    bits = figures["loss"] * figures["tokens"] / math.log(2) / figures["bytes"]
    assert figures["bits_per_byte"] == pytest.approx(bits)
    assert figures["perplexity"] == pytest.approx(math.exp(figures["loss"]))


def test_json_is_one_object_a_line_and_the_log_holds_the_same(text, tmp_path, capsys):
    out = str(tmp_path / "run")
    argv = ["pretrain", "--data", text, "--out", out, "--json", "--log-every", "2"]
    assert main([*argv, *QUICK]) == 0
    *records, result = map(json.loads, capsys.readouterr().out.splitlines())
    log = Path(out, "log.jsonl").read_text().splitlines()
    assert records == [json.loads(line) for line in log]
    assert [r["step"] for r in records] == [2, 4, 6]
    assert result["out"] == out and result["step"] == 6
    assert result["validation_loss"] == records[-1]["validation_loss"]


def test_without_a_terminal_progress_is_plain_lines(text, tmp_path, capsys):
    argv = ["pretrain", "--data", text, "--out", str(tmp_path / "run"), *QUICK]
    assert main([*argv, "--log-every", "3"]) == 0
    shown = capsys.readouterr().out
    assert "\r" not in shown and "\033" not in shown
    assert "step 3/6  loss " in shown and "tokens/s" in shown
    assert "validation loss" in shown and "bits per byte" in shown
    assert "python -m llm generate --model" in shown


def test_on_a_terminal_progress_is_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    report = reporter(4, as_json=False)
    record = {"step": 2, "loss": 2.345, "tokens_per_second": 54321.0}
    report(record)
    assert "━" * 12 + "─" * 12 + "  2/4  loss 2.345  54,321" in capsys.readouterr().out
    report({**record, "step": 4, "validation_loss": 2.25})
    above, below = capsys.readouterr().out.split("\n")
    assert above.endswith(
        "step 4/4  loss 2.345  54,321 tokens/s  validation loss 2.250"
    )
    assert "━" * 24 + "  4/4" in below


def test_generate_json_gives_all_ids_and_their_text(run, capsys):
    argv = ["generate", "--model", run, "--prompt", "The cat", "--max-tokens", "5"]
    assert main([*argv, "--json", "--seed", "3"]) == 0
    answer = json.loads(capsys.readouterr().out)
    tok = Tokenizer.load(Path(run) / "tokenizer.json")
    prompt = tok.encode("The cat")
    assert answer["ids"][: len(prompt)] == prompt
    assert len(answer["ids"]) <= len(prompt) + 5
    assert answer["text"] == tok.decode(answer["ids"])


def test_temperature_zero_writes_the_same_whatever_the_seed(run, capsys):
    texts = []
    for seed in ("1", "2"):
        argv = ["generate", "--model", run, "--prompt", "The", "--seed", seed]
        assert main([*argv, "--temperature", "0", "--max-tokens", "8"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_an_empty_prompt_begins_a_new_text(run, capsys):
    argv = ["generate", "--model", run, "--prompt", "", "--max-tokens", "4", "--json"]
    assert main(argv) == 0
    tok = Tokenizer.load(Path(run) / "tokenizer.json")
    assert json.loads(capsys.readouterr().out)["ids"][0] == tok.end


@pytest.mark.parametrize("command", ["pretrain", "generate", "evaluate", "tokenizer"])
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "usage: python -m llm " + command in shown
    assert len(shown.splitlines()) > 10
    if command != "tokenizer":
        assert "default" in shown


def test_the_end_of_a_text_ends_the_writing_and_is_not_shown(run, monkeypatch, capsys):
    tok = Tokenizer.load(Path(run) / "tokenizer.json")
    written = [*tok.encode(" sat"), tok.end]
    monkeypatch.setattr(llm.cli.generate, "stream", lambda *_, **__: iter(written))
    argv = ["generate", "--model", run, "--prompt", "The cat"]
    assert main(argv) == 0
    assert capsys.readouterr().out == "The cat sat\n"
    assert main([*argv, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["text"] == "The cat sat" and answer["ids"][-1] == tok.end


def test_a_character_of_several_tokens_is_printed_whole(tmp_path, capsys):
    path = tmp_path / "zh.txt"
    path.write_text(ZH, encoding="utf-8")
    out = str(tmp_path / "run")
    argv = ["pretrain", "--data", str(path), "--out", out, "--tokenizer", "bytes"]
    assert main([*argv, *QUICK, "--steps", "40", "--lr", "0.1"]) == 0
    capsys.readouterr()
    argv = ["generate", "--model", out, "--prompt", "猫", "--seed", "1"]
    assert main([*argv, "--max-tokens", "90", "--json"]) == 0
    ids = json.loads(capsys.readouterr().out)["ids"]
    whole = bytes(i for i in ids if i < 256).decode("utf-8", "replace")
    assert main([*argv, "--max-tokens", "90"]) == 0
    assert capsys.readouterr().out == whole + "\n"


def test_the_tokenizer_says_how_well_it_packs_and_when_pairs_ran_out(
    text, tmp_path, capsys
):
    argv = ["tokenizer", "--data", text, "--vocab-size", "9999"]
    assert main([*argv, "--out", str(tmp_path / "tok.json")]) == 0
    more, figures = capsys.readouterr().out.splitlines()
    assert "no more pairs" in more
    assert f"{len(EN):,} bytes" in figures and "bytes each" in figures


# Small texts


def test_context_and_vocabulary_shrink_to_a_small_text(tmp_path, capsys):
    path = tmp_path / "small.txt"
    path.write_text("Small is beautiful. " * 6)
    out = tmp_path / "run"
    argv = ["pretrain", "--data", str(path), "--out", str(out), "--steps", "2"]
    assert main(argv) == 0
    config = read_json(out / "config.json")
    assert config["context"] < PRESETS["tiny"].model.context
    assert config["vocab_size"] < 300


def test_a_text_shorter_than_a_window_is_refused_with_the_numbers(tmp_path, capsys):
    path = tmp_path / "short.txt"
    path.write_text("Hello.")
    out = tmp_path / "run"
    error = refused(capsys, ["pretrain", "--data", str(path), "--out", str(out)])
    assert "tokens" in error
    assert not out.exists()


def test_a_context_that_the_text_cannot_fill_is_refused(text, tmp_path, capsys):
    argv = ["pretrain", "--data", text, "--out", str(tmp_path / "run")]
    error = refused(capsys, [*argv, "--context", "100000"])
    assert "100000" in error and "smaller" in error
    assert not (tmp_path / "run").exists()


def test_a_tenth_of_the_characters_is_held_out_from_the_end():
    assert split(["a" * 30, "b" * 65, "c" * 5]) == (
        ["a" * 30, "b" * 60],
        ["b" * 5, "c" * 5],
    )
    learned, held_out = split(["x" * 10_000_000])
    assert len(held_out[0]) == 200_000 and len(learned[0]) == 9_800_000


# Going on


def test_an_existing_run_is_not_touched_without_resume(run, text, capsys):
    before = contents(run)
    error = refused(capsys, ["pretrain", "--data", text, "--out", run, *QUICK])
    assert "already holds a run" in error and "--resume" in error
    assert contents(run) == before


def test_the_same_command_with_resume_goes_on(run, text, capsys):
    before = contents(run)
    argv = ["pretrain", "--data", text, "--out", run, *QUICK, "--resume"]
    assert main(argv) == 0
    after = contents(run)
    weights = str(Path(run) / "model.safetensors")
    assert before.keys() == after.keys()
    assert len(before[weights]) == len(after[weights])


def test_resume_in_an_empty_directory_starts(text, tmp_path, capsys):
    out = tmp_path / "run"
    argv = ["pretrain", "--data", text, "--out", str(out), *QUICK, "--resume"]
    assert main(argv) == 0
    assert (out / "model.safetensors").exists()


def test_a_stopped_run_says_how_to_go_on(run, monkeypatch, capsys):
    stop = threading.Event()
    stop.set()
    signalled = contextlib.nullcontext(stop)
    monkeypatch.setattr(llm.train.trainer, "stop_on_signal", lambda: signalled)
    assert main(["pretrain", "--out", run, "--resume", "--steps", "9"]) == 0
    assert "stopped after step 7" in capsys.readouterr().out


def test_a_finished_run_is_measured_again_if_its_log_is_gone(run, capsys):
    log = Path(run) / "log.jsonl"
    before = json.loads(log.read_text().splitlines()[-1])["validation_loss"]
    log.unlink()
    assert main(["pretrain", "--out", run, "--resume", "--json"]) == 0
    after = json.loads(capsys.readouterr().out)["validation_loss"]
    assert after == pytest.approx(before)


def test_another_optimiser_gets_a_learning_rate_of_its_own(text, tmp_path):
    argv = ["pretrain", "--data", text, *QUICK, "--optimizer", "adamw", "--out"]
    for name, more, expected in (
        ("default", [], RATES["adamw"]),
        ("given", ["--lr", "0.001"], 0.001),
    ):
        out = tmp_path / name
        assert main([*argv, str(out), *more]) == 0
        assert read_json(out / "state" / "recipe.json")["train"]["lr"] == expected


def test_resume_refuses_what_would_make_another_run(run, capsys):
    argv = ["pretrain", "--out", run, "--resume"]
    error = refused(capsys, [*argv, "--width", "64"])
    assert "--width 64" in error and "started with 16" in error
    error = refused(capsys, [*argv, "--vocab-size", "300"])
    assert "--vocab-size 300" in error and "the default" in error


def test_resume_refuses_another_text(run, tmp_path, capsys):
    other = tmp_path / "other.txt"
    other.write_text(ZH, encoding="utf-8")
    argv = ["pretrain", "--data", str(other), "--out", run, "--resume"]
    assert "not the one" in refused(capsys, argv)


def test_resume_refuses_a_run_that_pretrain_did_not_start(run, text, capsys):
    (Path(run) / "state" / "recipe.json").unlink()
    before = contents(run)
    argv = ["pretrain", "--data", text, "--out", run, *QUICK, "--resume"]
    assert "not started by pretrain" in refused(capsys, argv)
    assert contents(run) == before


def test_resume_after_all_states_were_damaged_says_so(run, capsys):
    for path in (Path(run) / "state").glob("*.safetensors"):
        path.write_bytes(b"nothing")
    argv = ["pretrain", "--out", run, "--resume"]
    assert main(argv) == 2
    assert "can be read" in capsys.readouterr().err.splitlines()[-1]


# Misuse


def test_misuse_is_one_line_with_status_2(text, run, tmp_path, capsys):
    new = str(tmp_path / "new")
    pretrain = ["pretrain", "--data", text, "--out", new]
    model = ["generate", "--model", run, "--prompt"]
    for argv, words in (
        ([], "COMMAND"),
        (["pretrian"], "pretrian"),
        (["pretrain", "--data", text], "--out"),
        (["pretrain", "--out", new], "--data"),
        (["pretrain", "--data", "missing.txt", "--out", new], "missing.txt"),
        ([*pretrain, "--steps", "0"], "from 1 on"),
        ([*pretrain, "--seed", "-1"], "-1"),
        ([*pretrain, "--eval-every", "x"], "from 0 on"),
        ([*pretrain, "--lr", "0"], "lr=0.0"),
        ([*pretrain, "--preset", "giant"], "giant"),
        ([*pretrain, "--heads", "3"], "3"),
        ([*pretrain, "--vocab-size", "10"], "too small"),
        ([*pretrain, "--tokenizer", "char", "--vocab-size", "300"], "--vocab-size"),
        ([*pretrain, "--tokenizer", "missing.json"], "missing.json"),
        ([*pretrain, "--tokenizer", "no-such-encoding"], "no-such-encoding"),
        ([*pretrain, "--unknown"], "--unknown"),
        (["generate", "--model", "nowhere", "--prompt", "x"], "nowhere"),
        (["generate", "--model", str(tmp_path), "--prompt", "x"], "model.safetensors"),
        ([*model, "word " * 99], "context"),
        ([*model, "The", "--temperature", "-1"], "temperature"),
        ([*model, "The", "--top-k", "0"], "from 1 on"),
        ([*model, "The", "--top-p", "2"], "top_p"),
        (["evaluate", "--model", run, "--data", "missing.txt"], "missing.txt"),
        (["evaluate", "--model", run, "--data", text, "--batch", "0"], "from 1 on"),
        (["tokenizer", "--data", text, "--vocab-size", "9", "--out", new], "too small"),
        (["tokenizer", "--data", text, "--vocab-size", "300", "--out", text], "exists"),
    ):
        assert words in refused(capsys, argv), argv
    assert not Path(new).exists()
    assert Path(text).read_text() == EN


@pytest.mark.parametrize("content", ["", "   \n"])
def test_an_empty_text_is_named(tmp_path, capsys, content):
    path = tmp_path / "empty.txt"
    path.write_text(content)
    argv = ["pretrain", "--data", str(path), "--out", str(tmp_path / "run")]
    assert "empty.txt" in refused(capsys, argv)


def test_a_text_that_is_not_utf8_is_named(tmp_path, capsys):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9 " * 99)
    argv = ["pretrain", "--data", str(path), "--out", str(tmp_path / "run")]
    assert "latin.txt" in refused(capsys, argv)


def test_damaged_model_files_are_named(run, capsys):
    argv = ["generate", "--model", run, "--prompt", "The"]
    weights, config = Path(run) / "model.safetensors", Path(run) / "config.json"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-7])
    assert "model.safetensors" in refused(capsys, argv)
    flipped = bytearray(whole)
    flipped[-7] ^= 64
    weights.write_bytes(bytes(flipped))
    assert "model.safetensors" in refused(capsys, argv)
    weights.write_bytes(whole)
    settings = read_json(config)
    write_json(config, {**settings, "colour": "red"})
    assert "colour" in refused(capsys, argv)
    write_json(config, {**settings, "width": 32})
    assert "config.json" in refused(capsys, argv) or "model.safetensors" in refused(
        capsys, argv
    )
    config.write_text("{")
    assert "config.json" in refused(capsys, argv)
    write_json(config, settings)
    (Path(run) / "tokenizer.json").write_text("[]")
    assert "tokenizer.json" in refused(capsys, argv)


def test_a_character_that_the_tokenizer_never_saw_is_named(text, tmp_path, capsys):
    out = str(tmp_path / "run")
    argv = ["pretrain", "--data", text, "--out", out, "--tokenizer", "char", *QUICK]
    assert main(argv) == 0
    capsys.readouterr()
    assert "猫" in refused(capsys, ["generate", "--model", out, "--prompt", "猫"])


# Failure on the way


def failing(error: BaseException):
    def run(args) -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "run/x"), "run/x: No space left"),
        (OSError(28, "No space left on device"), "No space left"),
        (FloatingPointError("step 3: the loss is nan"), "step 3: the loss is nan"),
        (torch.OutOfMemoryError("CUDA out\nof memory"), "CUDA out of memory"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_failure_on_the_way_is_one_line_with_status_1(monkeypatch, capsys, error, line):
    monkeypatch.setattr(llm.cli.tokenizer, "run", failing(error))
    argv = ["tokenizer", "--data", "x", "--vocab-size", "300", "--out", "y"]
    assert line in refused(capsys, argv, status=1)


def test_a_diverging_run_fails_with_status_1_and_keeps_its_last_state(
    text, tmp_path, capsys
):
    out = tmp_path / "run"
    argv = ["pretrain", "--data", text, "--out", str(out), *QUICK, "--lr", "1e30"]
    error = refused(capsys, [*argv, "--optimizer", "adamw"], status=1)
    assert "learning rate" in error


def test_a_reader_that_leaves_is_no_error(monkeypatch, capsys):
    closed = []
    monkeypatch.setattr(os, "dup2", lambda source, target: closed.append(target))
    monkeypatch.setattr(llm.cli.tokenizer, "run", failing(BrokenPipeError()))
    argv = ["tokenizer", "--data", "x", "--vocab-size", "300", "--out", "y"]
    assert main(argv) == 1
    assert closed == [1] and capsys.readouterr().err == ""


# Choices


def test_reduced_precision_is_chosen_only_where_it_is_clearly_faster(monkeypatch):
    seconds = {torch.float32: 1.0, torch.bfloat16: 0.1}

    class Timer:
        def __init__(self, *_, globals, **__):
            self.dtype = globals["square"].dtype

        def timeit(self, _):
            return type("Measurement", (), {"median": seconds[self.dtype]})

    monkeypatch.setattr(llm.cli.recipe, "Timer", Timer)
    assert best_precision("cpu") == "bf16"
    seconds[torch.bfloat16] = 0.9
    assert best_precision("cpu") == "fp32"


def test_the_checksum_tells_texts_apart():
    assert checksum(["a", "b"]) == checksum(["a", "b"])
    assert checksum(["a", "b"]) != checksum(["b", "a"])


# As a user calls it

COMMAND = [sys.executable, "-m", "llm"]


def test_the_module_runs_as_a_program(text):
    argv = ["tokenizer", "--data", text, "--vocab-size", "300", "--out"]
    done = subprocess.run([*COMMAND, *argv, text], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"error: {text} exists: choose another --out, or remove it\n"


def test_ctrl_c_saves_and_ends_well(text, tmp_path):
    """On a real terminal: the bar is drawn, Ctrl-C stops, and --resume goes on."""
    out = tmp_path / "run"
    argv = [*COMMAND, "pretrain", "--data", text, "--out", str(out), *QUICK]
    ours, theirs = pty.openpty()
    argv += ["--steps", "1000000"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(argv, stdout=theirs, env=one_thread)
    os.close(theirs)
    shown = b""
    while b"loss" not in shown:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # a terminal whose program has ended
        pass
    os.close(ours)
    assert process.wait() == 0
    assert "stopped after step" in shown.decode() and "─" in shown.decode()
    step = int(next((out / "state").glob("step-*")).stem.split("-")[1])
    assert (
        main(["pretrain", "--out", str(out), "--resume", "--steps", str(step + 2)]) == 0
    )
    log = (out / "log.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["step"] == step + 2
