"""The loop's promises: exact, resumable, careful."""

import json
import math
import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from llm.models.checkpoint import read_safetensors
from llm.text.batches import IGNORE
from llm.train import Loss, TrainConfig, Trainer, evaluate, next_token


def config(**changes) -> TrainConfig:
    return TrainConfig(**{"steps": 6, "lr": 0.02, "log_every": 1, **changes})


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return all(torch.equal(p, q) for p, q in pairs)


def same_files(a: Path, b: Path) -> bool:
    """Whether two run directories hold the same configuration and weights."""
    names = ("config.json", "model.safetensors")
    assert (a / names[0]).read_bytes() == (b / names[0]).read_bytes()
    ours, theirs = (read_safetensors(run / names[1])[0] for run in (a, b))
    assert ours.keys() == theirs.keys()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def timeless(records: list[dict]) -> list[dict]:
    """Records without what the clock says."""
    times = ("seconds", "tokens_per_second")
    return [{k: v for k, v in r.items() if k not in times} for r in records]


# Learning


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_loss_falls_to_what_the_task_allows(tiny, data, optimizer, precision):
    trainer = Trainer(
        tiny(),
        data,
        config=config(steps=80, optimizer=optimizer, precision=precision),
        validation=[data(10**6)],
    )
    records = trainer.fit()
    assert records[0]["loss"] > 1
    assert records[-1]["validation_loss"] < 0.4
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}


def test_one_adamw_step_equals_the_same_step_written_out(tiny, data):
    trained, by_hand = tiny(), tiny()
    Trainer(trained, data, config=config(steps=1, clip=0.1, schedule="constant")).fit()
    optimizer = torch.optim.AdamW(
        by_hand.parameters(), lr=0.02, betas=(0.9, 0.95), weight_decay=0
    )
    loss = next_token(by_hand, data(0))
    (loss.total / loss.count).backward()
    torch.nn.utils.clip_grad_norm_(by_hand.parameters(), 0.1)
    optimizer.step()
    for p, q in zip(trained.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def rows(batch: dict, keep: list[int]) -> dict:
    return {name: t[keep] for name, t in batch.items()}


def test_accumulation_is_exact_with_unequal_counts(tiny, data):
    """One batch of four rows equals four of one row, however they are masked."""
    whole = data(0)
    whole["targets"] = whole["targets"].clone()
    for row, masked in enumerate([0, 4, 3, 5]):
        whole["targets"][row, :masked] = IGNORE
    gradients = []
    for source, accumulate in (
        (lambda _: whole, 1),
        (lambda micro: rows(whole, [micro % 4]), 4),
    ):
        model = tiny()
        trainer = Trainer(model, source, config=config(accumulate=accumulate))
        for optimizer in trainer.optimizers:
            optimizer.zero_grad = lambda: None  # keep the gradient to look at
        record = trainer.update()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        assert record["tokens"] == 8
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-6, atol=1e-7)


def test_accumulation_draws_each_batch_once(tiny, data):
    seen = []

    def source(number: int):
        seen.append(number)
        return data(number)

    Trainer(tiny(), source, config=config(steps=3, accumulate=2)).fit()
    assert seen == [0, 1, 2, 3, 4, 5]


def test_the_schedule_sets_the_rate_of_each_step(tiny, data):
    schedule = config(steps=4, schedule="linear", lr=0.04)
    records = Trainer(tiny(), data, config=schedule).fit()
    assert [r["lr"] for r in records] == pytest.approx([0.04, 0.03, 0.02, 0.01])


def test_clip_zero_leaves_the_gradient_alone(tiny, data):
    clipped, free, wide = tiny(), tiny(), tiny()
    for model, clip in ((clipped, 1e-3), (free, 0.0), (wide, 1e9)):
        trainer = Trainer(
            model, data, config=config(steps=3, clip=clip, optimizer="muon")
        )
        trainer.fit()
    assert same_weights(free, wide)
    assert not same_weights(free, clipped)


def test_any_objective_and_metric_can_be_passed_in(tiny, data):
    def squares(model, batch) -> Loss:
        logits = model(batch["ids"])
        return Loss(logits.square().sum(), torch.tensor(logits.numel()))

    def size(model) -> dict[str, float]:
        return {
            "training": float(model.training),
            "logit": float(model.head.weight.sum()),
        }

    model = tiny()
    records = Trainer(
        model, data, config=config(eval_every=3), objective=squares, metrics=size
    ).fit()
    assert records[-1]["loss"] < records[0]["loss"]
    assert [r["step"] for r in records if "logit" in r] == [3, 6]
    assert records[-1]["training"] == 0.0 and model.training


# Evaluation and log


def test_evaluate_is_the_mean_over_all_targets_without_dropout(tiny, data):
    model = tiny(dropout=0.5)
    batches = [data(1), rows(data(2), [0])]
    result = evaluate(model, batches)
    assert model.training
    model.eval()
    losses = [next_token(model, b) for b in batches]
    mean = sum(x.total.item() for x in losses) / 25
    assert result == {
        "loss": pytest.approx(mean),
        "perplexity": pytest.approx(math.exp(mean)),
        "tokens": 25,
    }


def test_evaluating_more_often_changes_no_weight(tiny, data):
    models = [tiny(dropout=0.3), tiny(dropout=0.3)]
    for model, every in zip(models, (0, 1), strict=True):
        Trainer(
            model, data, config=config(eval_every=every), validation=[data(99)]
        ).fit()
    assert same_weights(*models)


def test_records_come_when_due_and_are_returned_shown_and_written(tiny, data, tmp_path):
    shown = []
    records = Trainer(
        tiny(),
        data,
        config=config(steps=7, log_every=3, eval_every=4),
        validation=[data(99)],
        out=tmp_path,
        progress=shown.append,
    ).fit()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert records == shown == [json.loads(line) for line in lines]
    assert [r["step"] for r in records] == [3, 4, 6, 7]
    assert ["validation_loss" in r for r in records] == [False, True, False, True]
    assert records[-1]["tokens"] == 7 * 20
    assert records[-1]["seconds"] > 0 and records[-1]["tokens_per_second"] > 0


# Going on


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_resume_is_bit_for_bit(tiny, data, tmp_path, optimizer, precision):
    """Dropout, accumulation, schedule, optimiser: as if never interrupted."""
    settings = config(
        optimizer=optimizer, precision=precision, accumulate=2, save_every=4, warmup=2
    )

    class Killed(Exception):
        pass

    def killed(number: int):
        if number == 2 * 5 + 1:  # amid step 6, one step after the state was saved
            raise Killed
        return data(number)

    whole = tiny(dropout=0.2)
    expected = Trainer(whole, data, config=settings, out=tmp_path / "whole").fit()
    with pytest.raises(Killed):
        model = tiny(dropout=0.2)
        Trainer(model, killed, config=settings, out=tmp_path / "run").fit()
    torch.manual_seed(123)  # another process knows nothing of the first
    resumed = tiny(seed=1, dropout=0.2)
    trainer = Trainer(resumed, data, config=settings, out=tmp_path / "run")
    records = trainer.fit(resume=True)
    assert same_weights(whole, resumed)
    assert timeless(records) == timeless(expected)
    assert same_files(tmp_path / "whole", tmp_path / "run")


def test_a_finished_run_may_be_resumed_and_prolonged(tiny, data, tmp_path):
    first = Trainer(tiny(), data, config=config(schedule="constant"), out=tmp_path)
    done = first.fit()
    again = tiny(seed=1)
    settings = config(schedule="constant")
    assert Trainer(again, data, config=settings, out=tmp_path).fit(resume=True) == done
    assert same_weights(first.model, again)
    longer = config(steps=9, schedule="constant")
    resumed, straight = tiny(seed=1), tiny()
    Trainer(resumed, data, config=longer, out=tmp_path).fit(resume=True)
    Trainer(straight, data, config=longer).fit()
    assert same_weights(resumed, straight)


def test_resume_without_a_state_starts_at_the_beginning(tiny, data, tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"ste')  # died before saving
    fresh, resumed = tiny(), tiny()
    Trainer(fresh, data, config=config()).fit()
    records = Trainer(resumed, data, config=config(), out=tmp_path).fit(resume=True)
    assert same_weights(fresh, resumed)
    assert [r["step"] for r in records] == [1, 2, 3, 4, 5, 6]


def test_a_run_is_never_overwritten(tiny, data, tmp_path):
    Trainer(tiny(), data, config=config(), out=tmp_path).fit()
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(FileExistsError, match="already holds a run"):
        Trainer(tiny(), data, config=config(), out=tmp_path).fit()
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}


def test_a_model_that_cannot_save_is_refused_at_once(data, tmp_path):
    model = torch.nn.Embedding(11, 11)
    with pytest.raises(TypeError, match="Embedding"):
        Trainer(model, data, config=config(), out=tmp_path / "run")
    assert Trainer(model, data, config=config(steps=1)).fit()  # needs no directory


def test_resume_needs_a_directory(tiny, data):
    with pytest.raises(ValueError, match="pass out="):
        Trainer(tiny(), data, config=config()).fit(resume=True)


def test_resume_with_another_optimiser_is_refused(tiny, data, tmp_path):
    Trainer(tiny(), data, config=config(), out=tmp_path).fit()
    settings = config(optimizer="muon", steps=9)
    with pytest.raises(ValueError, match=r"'adamw'.*'muon'"):
        Trainer(tiny(), data, config=settings, out=tmp_path).fit(resume=True)


# Stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_stops(tiny, data, tmp_path, number):
    def source(n: int):
        if n == 3:
            os.kill(os.getpid(), number)  # in the midst of step 4
        return data(n)

    before = signal.getsignal(number)
    settings = config(steps=50)
    Trainer(tiny(), source, config=settings, out=tmp_path).fit()
    assert signal.getsignal(number) is before
    states = [p.name for p in (tmp_path / "state").iterdir()]
    assert states == ["step-00000004.safetensors"]
    resumed, straight = tiny(), tiny()
    Trainer(resumed, data, config=settings, out=tmp_path).fit(resume=True)
    Trainer(straight, data, config=settings).fit()
    assert same_weights(resumed, straight)


def test_a_second_ctrl_c_stops_at_once(tiny, data):
    # A job that a shell started in the background is born deaf to Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def source(n: int):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        return data(n)

    try:
        with pytest.raises(KeyboardInterrupt):
            Trainer(tiny(), source, config=config()).fit()
    finally:
        signal.signal(signal.SIGINT, before)


def test_training_works_outside_the_main_thread(tiny, data):
    done = []
    run = Trainer(tiny(), data, config=config()).fit
    thread = threading.Thread(target=lambda: done.append(run()))
    thread.start()
    thread.join()
    assert done[0][-1]["step"] == 6


def test_nan_stops_before_it_reaches_the_weights(tiny, data, tmp_path):
    def poisoned(model, batch) -> Loss:
        loss = next_token(model, batch)
        return loss if next(calls) < 4 else Loss(loss.total * math.nan, loss.count)

    calls = iter(range(100))
    model = tiny()
    settings = config(save_every=2)
    trainer = Trainer(model, data, config=settings, objective=poisoned, out=tmp_path)
    with pytest.raises(FloatingPointError) as caught:
        trainer.fit()
    message = str(caught.value)
    assert "\n" not in message
    assert "step 5: the loss is nan" in message
    assert "lower learning rate (now 0.02)" in message
    assert "step-00000004.safetensors" in message
    good = tiny()
    Trainer(good, data, config=config(steps=6)).fit()  # 6: the same schedule
    assert all(p.isfinite().all() for p in model.parameters())
    resumed = Trainer(tiny(seed=3), data, config=settings, out=tmp_path)
    resumed.fit(resume=True)
    assert same_weights(resumed.model, good)


def test_weights_that_are_not_finite_are_never_saved(tiny, data, tmp_path):
    settings = config(lr=1e38, schedule="constant", save_every=1, clip=0.0)
    with pytest.raises(FloatingPointError, match="step"):
        Trainer(tiny(), data, config=settings, out=tmp_path).fit()
    for path in (tmp_path / "state").glob("*"):
        tensors, _ = read_safetensors(path)
        assert all(
            t.isfinite().all() for t in tensors.values() if t.is_floating_point()
        )


def test_a_validation_loss_that_is_not_finite_stops_the_run(tiny, data, tmp_path):
    def broken(model, batch) -> Loss:
        loss = next_token(model, batch)
        return loss if model.training else Loss(loss.total * math.nan, loss.count)

    settings = config(eval_every=3, save_every=2)
    trainer = Trainer(
        tiny(),
        data,
        config=settings,
        objective=broken,
        validation=[data(9)],
        out=tmp_path,
    )
    message = r"step 3: the validation loss .*step-00000002\.safetensors"
    with pytest.raises(FloatingPointError, match=message):
        trainer.fit()


def scaled(factor: float):
    def objective(model, batch) -> Loss:
        loss = next_token(model, batch)
        return Loss(loss.total * factor, loss.count)

    return objective


def test_fp16_overflow_skips_steps_until_the_scale_fits(tiny, data):
    trainer = Trainer(
        tiny(),
        data,
        config=config(precision="fp16", steps=30),
        objective=scaled(2.0**12),
    )
    first = trainer.update()
    assert not math.isfinite(first["grad_norm"])
    start = tiny()
    assert same_weights(start, trainer.model)
    records = trainer.fit()
    assert not same_weights(start, trainer.model)
    assert trainer.overflows == 0
    assert records[-1]["grad_norm"] is not None


def test_an_overflow_is_null_in_the_log(tiny, data, tmp_path):
    trainer = Trainer(
        tiny(),
        data,
        config=config(precision="fp16", steps=1),
        objective=scaled(2.0**12),
        out=tmp_path,
    )
    assert trainer.fit()[0]["grad_norm"] is None
    assert '"grad_norm": null' in (tmp_path / "log.jsonl").read_text()


def test_gradients_that_overflow_at_every_scale_stop_the_run(tiny, data):
    def infinite(model, batch) -> Loss:
        loss = next_token(model, batch)
        loss.total.register_hook(lambda g: g * math.inf)
        return loss

    settings = config(precision="fp16", steps=100)
    with pytest.raises(FloatingPointError, match="step 25"):
        Trainer(tiny(), data, config=settings, objective=infinite).fit()


def test_batches_without_targets_are_named(tiny, data):
    def empty(n: int):
        batch = data(n)
        return {**batch, "targets": torch.full_like(batch["targets"], IGNORE)}

    with pytest.raises(ValueError, match="step 1: none of its batches has a target"):
        Trainer(tiny(), empty, config=config()).fit()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("accumulate", 0),
        ("optimizer", "sgd"),
        ("schedule", "step"),
        ("precision", "fp8"),
        ("lr", 0.0),
        ("lr", math.nan),
        ("warmup", -1),
        ("decay", 0.0),
        ("floor", 1.5),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(field, value):
    with pytest.raises(ValueError, match=f"{field}={value!r}"):
        config(**{field: value})


# Killed at any moment


def train_or_go_on(model, data, out) -> list[dict]:
    """A run that saves at every step, so that a kill often falls inside a write."""
    settings = config(steps=60, save_every=1, optimizer="muon", accumulate=2)
    return Trainer(model, data, config=settings, out=out).fit(resume=True)


def test_killed_at_any_moment_and_resumed_the_run_ends_the_same(tiny, data, tmp_path):
    out, moments, kills = tmp_path / "run", random.Random(0), 0
    fork = multiprocessing.get_context("fork")
    for _ in range(12):
        model = tiny(dropout=0.2)
        process = fork.Process(target=train_or_go_on, args=(model, data, out))
        process.start()
        time.sleep(moments.uniform(0.0, 0.05))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    assert kills > 0
    records = train_or_go_on(tiny(dropout=0.2), data, out)
    expected = train_or_go_on(tiny(dropout=0.2), data, tmp_path / "whole")
    assert timeless(records) == timeless(expected)
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert log == records
    assert same_files(tmp_path / "whole", out)
    assert {p.name for p in out.rglob("*")} == {
        "config.json",
        "model.safetensors",
        "log.jsonl",
        "state",
        "step-00000059.safetensors",
        "step-00000060.safetensors",
    }
