"""Run comparisons, ours and theirs in turn, so that a busy machine slows both.

A budget is measured once, since it is dear; a busy machine makes it worse.

    python -m bench [NAME ...] [--rounds N]

Each NAME is a module of this package with a function `comparisons`; all, when none is
named. Prints the medians, their ratio and the goal, and keeps them in results.json.
"""

import argparse
import importlib
import json
import platform
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench import Budget, Comparison

MODULES = ["bpe", "imports", "site", "lighthouse"]
RESULTS = Path(__file__).with_name("results.json")


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock time of one run, as `timeit` takes it: no garbage collection."""
    return timeit.timeit(run, number=1)


def measure(comparison: Comparison, rounds: int) -> dict[str, object]:
    """Medians over `rounds` of ours and theirs, A B A B, after one round to warm up."""
    ours, theirs = [], []
    for _ in range(rounds + 1):
        ours.append(seconds(comparison.ours))
        theirs.append(seconds(comparison.theirs))
    ours_median, theirs_median = median(ours[1:]), median(theirs[1:])
    return {
        "seconds": round(ours_median, 4),
        "reference_seconds": round(theirs_median, 4),
        "ratio": round(ours_median / theirs_median, 3),
        "goal": comparison.goal,
        "rounds": rounds,
        **place(),
    }


def place() -> dict[str, object]:
    """Where and when something was measured."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    """Run the comparisons of the modules named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(MODULES))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MODULES):
        parser.error(f"no benchmark {', '.join(unknown)}: there are {MODULES}")

    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    print(f"{'comparison':58} {'ours':>8} {'theirs':>8} {'ratio':>6} {'goal':>5}")
    for name in arguments.names or MODULES:
        for comparison in importlib.import_module(f"bench.{name}").comparisons():
            if isinstance(comparison, Budget):
                figure, unit = round(comparison.measure(), 1), comparison.unit
                row = {unit: figure, "goal": comparison.goal, **place()}
                results[f"{name}: {comparison.name}"] = row
                print(f"{comparison.name:58} {figure:8} {unit:>14} {comparison.goal:7}")
                continue
            row = measure(comparison, arguments.rounds)
            results[f"{name}: {comparison.name}"] = row
            print(
                f"{comparison.name:58} {row['seconds']:7.3f}s "
                f"{row['reference_seconds']:7.3f}s {row['ratio']:6.2f} {row['goal']:5}"
            )
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
