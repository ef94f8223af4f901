"""The run directory: what a training run leaves on disk, whole at any moment.

    config.json, model.safetensors   the model of the last save, ready to load
    state/step-00000100.safetensors  all that a resume needs, in one file: weights, what
                                     the optimisers remember, random generators
    log.jsonl                        one record a line

A state is written to a temporary file, flushed to the disk and renamed, so a process
killed at any moment leaves whole states behind; older ones go only after that. Nothing
is pickled: tensors are safetensors, the rest is JSON in the same file's header.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from llm.models.checkpoint import (
    load_weights,
    read_safetensors,
    weights,
    write_safetensors,
)
from llm.train.optim import load_state_tensors, state_tensors

log = logging.getLogger(__name__)

# Two: should the disk damage the newest, the one before still serves.
KEEP = 2
RUN_FILES = ("config.json", "model.safetensors", "state", "log.jsonl")


class State(NamedTuple):
    """A state as read from disk: tensors by name, and plain facts."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def holds_run(out: Path) -> bool:
    """Whether the directory `out` has any file of a run."""
    return any((out / name).exists() for name in RUN_FILES)


def collect(
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    facts: dict[str, Any],
) -> State:
    """The present state of training, by reference."""
    tensors = {f"model/{k}": v for k, v in weights(model).items()}
    for name, tensor in state_tensors(model, optimizers).items():
        tensors[f"optimizer/{name}"] = tensor
    tensors["random/cpu"] = torch.get_rng_state()
    if on_gpu():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    return State(tensors, facts)


def on_gpu() -> bool:
    """Whether this process computes on a GPU, whose generator then matters."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def restore(
    state: State, model: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> None:
    """Put `state` back into the model, its optimisers and the random generators.

    Raises:
        ValueError: the state is that of another model.
    """
    kinds: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "random": {}}
    for path, tensor in state.tensors.items():
        kind, name = path.split("/", 1)
        kinds[kind][name] = tensor
    source = f"the state of step {state.facts['step']}"
    load_weights(model, kinds["model"], source=source)
    load_state_tensors(model, optimizers, kinds["optimizer"])
    torch.set_rng_state(kinds["random"]["cpu"])
    if "cuda" in kinds["random"] and on_gpu():
        torch.cuda.set_rng_state(kinds["random"]["cuda"])


def state_path(out: Path, step: int) -> Path:
    """Where the state after `step` steps lives."""
    return out / "state" / f"step-{step:08d}.safetensors"


def state_paths(out: Path) -> list[Path]:
    """States in `out`, newest first."""
    return sorted((out / "state").glob("step-*.safetensors"), reverse=True)


def write_state(out: Path, state: State) -> None:
    """Write `state` whole, then drop all but the newest KEEP."""
    path = state_path(out, state.facts["step"])
    write_safetensors(path, state.tensors, {"facts": json.dumps(state.facts)})
    for old in state_paths(out)[KEEP:]:
        old.unlink()


def newest_state(out: Path) -> State | None:
    """The newest state in `out` that can be read; a damaged one is named and skipped.

    Raises:
        ValueError: there are states, and none can be read.
    """
    paths = state_paths(out)
    for path in paths:
        try:
            tensors, header = read_safetensors(path)
            if "facts" not in header:
                raise ValueError(f"{path} is not the state of a run")
            return State(tensors, json.loads(header["facts"]))
        except ValueError as error:
            log.warning("passing over a state that cannot be read: %s", error)
    if paths:
        raise ValueError(
            f"no state in {out / 'state'} can be read; start again in another directory"
        )
    return None


def sweep(out: Path) -> None:
    """Remove the temporary files of a process that was killed while it wrote."""
    # Ours end in .tmp; those that safetensors writes on the way begin with it.
    names = (".*.tmp", ".tmp*", "state/.*.tmp", "state/.tmp*")
    for temporary in [path for name in names for path in out.glob(name)]:
        temporary.unlink()


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Add one line to a log, in one write."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def rewind_log(path: Path, *, step: int) -> list[dict[str, Any]]:
    """Cut a log back to the records of the first `step` steps, and return those.

    A last line that a killed process left unfinished goes as well.
    """
    records: list[dict[str, Any]] = []
    end = 0
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            record = parse(line)
            if record is None or record["step"] > step:
                break
            records.append(record)
            end += len(line)
        os.truncate(path, end)
    return records


def parse(line: bytes) -> dict[str, Any] | None:
    """One record, or None for a line that is not whole."""
    try:
        return dict(json.loads(line)) if line.endswith(b"\n") else None
    except ValueError:
        return None
