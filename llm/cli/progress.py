"""Progress of a training run: a bar on a terminal, else lines, or JSON for machines."""

import json
import sys
from collections.abc import Callable
from typing import Any

Record = dict[str, Any]
# What every record has, or what repeats another figure: the rest was measured.
USUAL = ("step", "loss", "lr", "grad_norm", "tokens", "seconds", "tokens_per_second")
REPEATED = ("validation_perplexity", "answer_perplexity")
WIDTH = 24  # characters of the bar: with the figures beside it a line has under 80


def reporter(
    steps: int, *, as_json: bool, unit: str = "tokens"
) -> Callable[[Record], None]:
    """What to call with each record of a run of `steps` steps; `unit` is learned."""
    if as_json:
        return lambda record: print(json.dumps(record), flush=True)
    if not sys.stdout.isatty():
        return lambda record: print(line(record, steps, unit), flush=True)

    def draw(record: Record) -> None:
        if measured(record):  # stays above the bar, which is drawn again
            print(f"{clear()}{line(record, steps, unit)}")
        print(f"{clear()}{bar(record, steps, unit)}", end="", flush=True)

    return draw


def clear() -> str:
    """What wipes an unfinished bar off a terminal."""
    return "\r\033[K" if sys.stdout.isatty() else ""


def bar(record: Record, steps: int, unit: str) -> str:
    """━━━━━━━━━━━━────────────  120/250  loss 2.310  54,321 tokens/s"""
    done = WIDTH * record["step"] // steps
    return f"{'━' * done}{'─' * (WIDTH - done)}  {figures(record, steps, unit)}"


def line(record: Record, steps: int, unit: str) -> str:
    """step 120/250  loss 2.310  54,321 tokens/s  validation loss 2.280"""
    extra = [f"{name} {value:.3f}" for name, value in measured(record).items()]
    return "  ".join([f"step {figures(record, steps, unit)}", *extra])


def measured(record: Record) -> dict[str, float]:
    """The figures that an evaluation has added, by the names that are shown."""
    return {
        name.replace("_", " "): value
        for name, value in record.items()
        if name not in USUAL + REPEATED and value is not None
    }


def figures(record: Record, steps: int, unit: str) -> str:
    """120/250  loss 2.310  54,321 tokens/s"""
    return (
        f"{record['step']}/{steps}  loss {record['loss']:.3f}"
        f"  {record['tokens_per_second']:,.0f} {unit}/s"
    )
