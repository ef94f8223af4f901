"""Run snippets and keep what they print, draw and name.

    runner.py [SLUG ...]            run those whose record is stale (default: of all)
    runner.py --verify [SLUG ...]   run afresh, stale or not, compare with the records,
                                    run the tests of the notes, and every text that a
                                    copy button of their pages gives

Every script runs in a forked process of its own, so that one import of torch serves all
and nothing leaks from one into another.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import cells
import compare
import copies
import execute
import records

HEAVY = ("torch", "matplotlib.pyplot")  # imported once, before the processes fork

Job = tuple[Path, Path]  # a script and the project it belongs to
Outcome = tuple[str, list[str]]  # its slug, and what went wrong


def renew(job: Job) -> Outcome:
    """Run one script and write its record."""
    script, root = job
    return _guarded(script, lambda: _renew(script, root))


def verify(job: Job) -> Outcome:
    """Run one script and compare it with its record."""
    script, root = job
    return _guarded(script, lambda: _verify(script, root))


def _renew(script: Path, root: Path) -> list[str]:
    records.write(script, execute.execute(script, root=root))
    return []


def _verify(script: Path, root: Path) -> list[str]:
    stale = records.causes(script, root=root)
    old = records.load(script)
    if stale or old is None:
        return [f"its record is stale ({', '.join(stale)}): run make site"]
    new = execute.execute(script, root=root)
    parts = cells.parse(script.read_text("utf-8"), path=str(script))
    return compare.differences(old, new, parts)


def _guarded(script: Path, work: Callable[[], list[str]]) -> Outcome:
    """Any error of the script as its traceback, from the script's own frame on."""
    try:
        return records.slug_of(script), work()
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [n for n, frame in enumerate(frames) if frame.filename == str(script)]
        tail = traceback.format_list(frames[own[0] :]) if own else []
        lines = [*tail, *traceback.format_exception_only(error)]
        return records.slug_of(script), ["".join(lines).rstrip()]


def run_all(
    work: Callable[[Job], Outcome], scripts: list[Path], *, root: Path
) -> dict[str, list[str]]:
    """Run scripts side by side, one line each; returns what went wrong, by slug."""
    if not scripts:
        return {}
    os.environ["MPLBACKEND"] = "agg"
    for name in HEAVY:
        __import__(name)
    processes = min(os.cpu_count() or 1, len(scripts))
    failed = {}
    context = multiprocessing.get_context("fork")
    with context.Pool(processes, maxtasksperchild=1) as pool:
        jobs = [(script, root) for script in scripts]
        for slug, problems in pool.imap_unordered(work, jobs, chunksize=1):
            print(f"{'FAILED' if problems else 'ran'} {slug}", file=sys.stderr)
            for problem in problems:
                print(problem, file=sys.stderr)
            if problems:
                failed[slug] = problems
    return failed


def stale(scripts: list[Path], *, root: Path) -> list[Path]:
    return [script for script in scripts if records.causes(script, root=root)]


def exercise_tests(slugs: list[str], *, root: Path) -> bool:
    """Run the notes' tests: solutions pass, formulae hold. True when they do."""
    folder = root / "tests" / "notes"
    files = [
        folder / Path(slug).parent / f"test_{Path(slug).name}.py" for slug in slugs
    ]
    paths = [str(file) for file in files if file.is_file()]
    if not paths:
        return True
    command = [sys.executable, "-m", "pytest", "-q", *paths]
    return subprocess.run(command, cwd=root).returncode == 0


def copied_texts(slugs: list[str], *, root: Path) -> tuple[int, list[str]]:
    """Try the texts that readers copy: how many there are, and what is wrong."""
    old = [records.slug_of(s) for s in stale(records.scripts(root), root=root)]
    if old:
        return 0, [f"copied texts were not tried: run make site for {', '.join(old)}"]
    try:
        texts = copies.built(slugs, root=root)
    except RuntimeError as error:
        return 0, [str(error)]
    return len(texts), copies.faults(texts, root=root)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description="Run snippets, or verify their records."
    )
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="default: all")
    parser.add_argument("--verify", action="store_true", help="compare with records")
    options = parser.parse_args(arguments)
    root = records.ROOT
    try:
        scripts = [records.script_of(slug, root=root) for slug in options.slugs]
    except FileNotFoundError as error:
        parser.error(str(error))
    scripts = scripts or records.scripts(root)
    if not options.verify:
        return int(bool(run_all(renew, stale(scripts, root=root), root=root)))
    failed = run_all(verify, scripts, root=root)
    slugs = [records.slug_of(script) for script in scripts]
    passed = exercise_tests(slugs, root=root)
    count, wrong = copied_texts(slugs, root=root)
    for line in wrong:
        print(line, file=sys.stderr)
    print(
        f"verify: {len(scripts) - len(failed)} of {len(scripts)} snippets as recorded;"
        f" tests of the notes {'pass' if passed else 'FAIL'};"
        f" {count} copied texts {'FAIL' if wrong else 'run'}"
    )
    return int(bool(failed or wrong) or not passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
