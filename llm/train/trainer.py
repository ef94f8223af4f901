"""The one training loop.

A task is a source of batches, an objective and metrics; they are passed in, and nothing
here knows what the model is. What the loop adds is care: exact means over unequal
micro-batches, reduced precision, clipping, a schedule, evaluation, a log, and states
from which a killed run goes on bit for bit.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from llm.metrics import perplexity
from llm.text.batches import Batch
from llm.train import state
from llm.train.config import TrainConfig
from llm.train.objectives import Loss, Objective, next_token
from llm.train.optim import make_optimizers, set_rate
from llm.train.schedules import rate
from llm.train.signals import stop_on_signal

Record = dict[str, Any]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# A loss is a sum over some hundred targets, so 2^8 of it is about the customary 2^16 of
# a mean; the scaler adapts from there.
LOSS_SCALE = 2.0**8
# Each overflow in fp16 halves the scale. Gradients that still overflow at 2^-16 are not
# too large for fp16: they diverge.
OVERFLOWS = 24


class Trainer:
    """Train `model` on `data`, a function from a number to a batch.

    objective   model, batch -> Loss
    validation  batches whose mean loss is taken at each evaluation
    metrics     model -> figures by name, added to the record of each evaluation
    out         run directory, where `model.save(out)` writes the model, too; without
                it nothing is written
    progress    called with each record

    `data` gets the number of the micro-batch, counted from the start of the run, so a
    run that goes on from a saved state sees the batches that it would have seen.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Callable[[int], Batch],
        *,
        config: TrainConfig,
        objective: Objective = next_token,
        validation: Sequence[Batch] | None = None,
        metrics: Callable[[nn.Module], dict[str, float]] | None = None,
        out: str | Path | None = None,
        progress: Callable[[Record], None] | None = None,
    ) -> None:
        if out is not None and not hasattr(model, "save"):
            raise TypeError(f"out= needs a model that can save: {type(model).__name__}")
        self.model = model.to(config.device)
        self.data = data
        self.config = config
        self.objective = objective
        self.validation = validation
        self.metrics = metrics
        self.out = None if out is None else Path(out)
        self.progress = progress
        self.optimizers = make_optimizers(
            model,
            optimizer=config.optimizer,
            lr=config.lr,
            embedding_lr=config.embedding_lr,
            other_lr=config.other_lr,
            weight_decay=config.weight_decay,
        )
        self.device = torch.device(config.device)
        self.scaler = torch.amp.GradScaler(
            self.device.type, LOSS_SCALE, enabled=config.precision == "fp16"
        )
        self.step = 0  # updates done
        self.tokens = 0  # targets seen
        self.seconds = 0.0  # spent in updates
        self.overflows = 0  # in a row
        self.logged = 0, 0.0  # tokens and seconds at the last record
        self.records: list[Record] = []

    def fit(self, *, resume: bool = False) -> list[Record]:
        """Train until `config.steps` updates are done; return the records.

        `resume` goes on from the newest state in `out`, if there is one. Ctrl-C or
        SIGTERM ends the training after the step under way, with its state saved.

        Raises:
            FileExistsError: `out` holds a run, and `resume` was not asked for.
            FloatingPointError: loss, gradient or weights are no longer finite; states
                saved before stay as they are.
        """
        config = self.config
        self.begin(resume)
        self.model.train()
        with stop_on_signal() as signalled:
            finished = self.step >= config.steps
            stopping = False
            while not (finished or stopping):
                record = self.update()
                finished = self.step == config.steps
                stopping = signalled.is_set()
                evaluating = finished or due(self.step, config.eval_every)
                if evaluating:
                    record |= self.validate()
                if evaluating or due(self.step, config.log_every):
                    self.log(record)
                if finished or stopping or due(self.step, config.save_every):
                    self.save()
        return self.records

    def update(self) -> Record:
        """One step: the gradient of the mean over all micro-batches, then one move."""
        start = time.perf_counter()
        share = self.share()
        set_rate(self.optimizers, share)
        total = targets = torch.zeros((), device=self.device)
        for micro in range(self.config.accumulate):
            loss = self.forward(self.step * self.config.accumulate + micro)
            torch.autograd.backward(self.scaler.scale(loss.total))
            total, targets = total + loss.total.detach(), targets + loss.count
        norm = float(self.average_gradient(targets))
        count = int(targets)
        if count == 0:
            raise ValueError(
                f"step {self.step + 1}: none of its batches has a target to learn from"
            )
        mean = float(total) / count
        self.move(mean, norm)
        self.step += 1
        self.tokens += count
        self.seconds += time.perf_counter() - start
        return {
            "step": self.step,
            "loss": mean,
            "lr": share * self.config.lr,
            "grad_norm": norm,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }

    def share(self) -> float:
        """Share of the peak learning rate that the schedule gives the step ahead."""
        config = self.config
        return rate(
            self.step,
            schedule=config.schedule,
            steps=config.steps,
            warmup=config.warmup,
            decay=config.decay,
            floor=config.floor,
        )

    def forward(self, micro: int) -> Loss:
        """The loss of one micro-batch, in the precision asked for."""
        batch = to_device(self.data(micro), self.device)
        with self.autocast():
            return self.objective(self.model, batch)

    def autocast(self) -> torch.autocast:
        """Matrix products in reduced precision; the weights themselves stay fp32."""
        dtype = DTYPES[self.config.precision]
        return torch.autocast(
            self.device.type, dtype, enabled=dtype is not torch.float32
        )

    def average_gradient(self, targets: Tensor) -> Tensor:
        """Divide the summed gradients by `targets`, and clip; the norm before that."""
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        params = [p for p in self.model.parameters() if p.grad is not None]
        for p in params:
            assert p.grad is not None
            p.grad /= targets
        return nn.utils.clip_grad_norm_(params, self.config.clip or math.inf)

    def move(self, loss: float, norm: float) -> None:
        """Let the optimisers step; leave out a step whose gradient overflowed fp16."""
        if math.isfinite(loss) and math.isfinite(norm):
            with self.autocast():  # Muon multiplies matrices, too
                for optimizer in self.optimizers:
                    self.scaler.step(optimizer)
            self.overflows = 0
        else:
            self.overflows += 1
            scalable = self.scaler.is_enabled() and math.isfinite(loss)
            if not scalable or self.overflows > OVERFLOWS:
                what = f"the loss is {loss}, the gradient's norm {norm}"
                raise self.diverged(self.step + 1, what)
        self.scaler.update()
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def diverged(self, step: int, what: str) -> FloatingPointError:
        """The error that ends a run whose numbers are no longer finite."""
        kept = state.state_paths(self.out)[:1] if self.out else []
        return FloatingPointError(
            f"step {step}: {what}; "
            f"try a lower learning rate (now {self.config.lr}) or a longer warm-up "
            f"(now {self.config.warmup})"
            + "".join(f"; the last good state is {path}" for path in kept)
        )

    def validate(self) -> Record:
        """Loss on the validation batches, and whatever `metrics` finds."""
        figures: Record = {}
        self.model.eval()
        with torch.no_grad(), self.autocast():
            if self.validation is not None:
                result = evaluate(self.model, self.validation, self.objective)
                if not math.isfinite(result["loss"]):
                    raise self.diverged(self.step, "the validation loss is not finite")
                figures["validation_loss"] = result["loss"]
                figures["validation_perplexity"] = result["perplexity"]
            if self.metrics is not None:
                figures |= self.metrics(self.model)
        self.model.train()
        return figures

    def log(self, record: Record) -> None:
        """Keep a record, write it down, show it; null stands for NaN and infinity."""
        tokens, seconds = self.logged
        self.logged = self.tokens, self.seconds
        speed = (self.tokens - tokens) / (self.seconds - seconds)
        record["tokens_per_second"] = speed  # since the record before
        record = {k: v if math.isfinite(v) else None for k, v in record.items()}
        self.records.append(record)
        if self.out is not None:
            state.append_record(self.out / "log.jsonl", record)
        if self.progress is not None:
            self.progress(record)

    def begin(self, resume: bool) -> None:
        """Seed the random generators; with `resume`, go back to the newest state."""
        torch.manual_seed(self.config.seed)
        if self.out is None:
            if resume:
                raise ValueError("resume=True needs the run's directory: pass out=")
            return
        if state.holds_run(self.out) and not resume:
            raise FileExistsError(
                f"{self.out} already holds a run: resume it or choose another directory"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        state.sweep(self.out)
        saved = state.newest_state(self.out)
        if saved is not None:
            self.restore(saved)
            self.save_model()
        self.records = state.rewind_log(self.out / "log.jsonl", step=self.step)

    def restore(self, saved: state.State) -> None:
        """Take over weights, optimisers, random generators and counters."""
        facts = saved.facts
        was = facts["config"]["optimizer"]
        if was != self.config.optimizer:
            raise ValueError(
                f"the run in {self.out} uses optimizer={was!r}, "
                f"so it cannot go on with {self.config.optimizer!r}"
            )
        state.restore(saved, self.model, self.optimizers)
        self.step, self.tokens = facts["step"], facts["tokens"]
        self.seconds, self.overflows = facts["seconds"], facts["overflows"]
        self.logged = self.tokens, self.seconds
        if facts["scaler"]:
            self.scaler.load_state_dict(facts["scaler"])

    def save(self) -> None:
        """Write the state, then the model; nothing that is not finite."""
        if self.out is None:
            return
        for name, p in self.model.named_parameters():
            if not p.isfinite().all():
                raise self.diverged(self.step, f"{name} is no longer finite")
        facts = {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "overflows": self.overflows,
            "scaler": self.scaler.state_dict(),
            "config": asdict(self.config),
        }
        state.write_state(self.out, state.collect(self.model, self.optimizers, facts))
        self.save_model()

    def save_model(self) -> None:
        """Let the model write itself to `out`."""
        model: Any = self.model  # nn.Module promises no `save`; `out` demands it
        model.save(self.out)


def evaluate(
    model: nn.Module, batches: Sequence[Batch], objective: Objective = next_token
) -> dict[str, float]:
    """Mean loss of `model` over all targets in `batches`, without dropout.

    Returns "loss" in nats a target, "perplexity" and "tokens", the number of targets.
    """
    training = model.training
    device = next(model.parameters()).device
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in batches:
            loss = objective(model, to_device(batch, device))
            total += float(loss.total)
            count += int(loss.count)
    model.train(training)
    return {
        "loss": total / count,
        "perplexity": perplexity(total / count),
        "tokens": count,
    }


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch where the model is."""
    return {name: t.to(device, non_blocking=True) for name, t in batch.items()}


def due(step: int, every: int) -> bool:
    """Whether `step` is one of every `every` steps; 0 means never."""
    return every > 0 and step % every == 0
