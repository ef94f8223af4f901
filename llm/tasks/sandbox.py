"""Run a program that nobody has read, in a process with limits.

What a model writes may loop for ever, fill the memory or the disk, delete files, or
pretend to be right. So a program is run in a process of its own, in an empty temporary
folder, with a limit of time, memory, file size and output, without the environment and
without standard input. Python's audit hook refuses to open files, to start processes,
to touch the network or foreign memory, and to load any other module than those for
calculating (math, re, collections, itertools and the like).

It never sees the values that are expected: it is asked for the values of calls, and
those are compared outside. A program that prints "passed", or ends itself with success,
gains nothing by that.

This stops accidents and simple tricks, not an attack: the process has the rights of the
user, and a hole in the interpreter leads around the hook. (The limits of memory and of
processor time are those of POSIX; elsewhere there is the limit of time alone.) Programs
of strangers want a container or a virtual machine around all this.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

MEMORY = 512 * 2**20  # bytes of address space; an empty interpreter takes some 20 MiB
FILE = 2**20  # bytes of all answers together
OUTPUT = 10_000  # most characters of one value

# What the child runs: it reads program and calls, gives up its rights, then runs them.
# Its answer goes where the program's own prints do not.
CHILD = r"""
import json, os, sys
# What programs may import: nothing more is loaded once they run.
import abc, array, bisect, cmath, collections, copy, dataclasses, datetime, decimal
import enum, fractions, functools, heapq, itertools, math, numbers, operator, random
import re, statistics, string, textwrap, time, typing, unicodedata, _strptime
task = json.loads(sys.stdin.read())
try:
    import resource
    for kind, most in (
        (resource.RLIMIT_CPU, task["seconds"]),
        (resource.RLIMIT_AS, task["memory"]),
        (resource.RLIMIT_FSIZE, task["file"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
except ImportError:
    pass
answer = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
null = os.open(os.devnull, os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(null, number)


# The hook holds no name that a program could change, and then has no name itself.
def refuse(event, args):
    if event.split(".")[0] in {
        "open", "import", "code", "cpython", "ctypes", "fcntl", "gc", "mmap", "os",
        "resource", "shutil", "signal", "socket", "sqlite3", "subprocess", "syslog",
        "_posixsubprocess", "_winapi", "msvcrt", "winreg",
    }:
        raise PermissionError(f"a program may not do this: {event}")

def show(value):
    text = repr(value)
    if str.__len__(text) > task["output"]:  # a class of its own may lie about it
        raise ValueError(f"the value has {str.__len__(text)} characters")
    return text

def attempt(action):
    try:
        return [action(), None]
    except BaseException as error:
        return [None, f"{type(error).__name__}: {error}"[:200]]

space = {"__name__": "program"}
sys.addaudithook(refuse)
del refuse
_, fault = attempt(lambda: exec(compile(task["program"], "program", "exec"), space))
rows = [
    [None, fault] if fault else attempt(lambda: show(eval(call, space)))
    for call in task["calls"]
]
answer.write(json.dumps(rows))
answer.flush()
"""


class Outcome(NamedTuple):
    """What became of a call.

    Attributes:
        value: repr of the value, None if there is none.
        error: why there is none, in a line.
    """

    value: str | None
    error: str | None


def run_calls(
    program: str, calls: Sequence[str], *, seconds: float = 5.0, memory: int = MEMORY
) -> list[Outcome]:
    """The values of calls, expressions in Python, after a program has run.

    Args:
        program: source in Python, of anybody.
        calls: expressions, as in "f(3)". Their values should have one repr: numbers,
            texts, lists, but no sets of texts.
        seconds: limit of time for all together, the start of Python included.
        memory: limit in bytes.

    Returns:
        One outcome for each call. A program that fails as a whole, does not end in time
        or disturbs the answer fails in all of them.

    Raises:
        ValueError: `seconds` or `memory` is not above 0.
    """
    if seconds <= 0 or memory <= 0:
        raise ValueError(f"limits must be above 0: {seconds} s, {memory} bytes")
    task = {
        "program": program,
        "calls": list(calls),
        "seconds": int(seconds) + 1,
        "memory": memory,
        "file": FILE,
        "output": OUTPUT,
    }
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as answer:
        try:
            run = subprocess.run(
                # Isolated from user and site; no files beside the standard library's.
                [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", CHILD],
                input=json.dumps(task).encode(),
                stdout=answer,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                # Windows cannot start Python without this one.
                env={k: v for k, v in os.environ.items() if k == "SYSTEMROOT"},
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return [Outcome(None, f"no answer in {seconds} s")] * len(calls)
        answer.seek(0)
        text = answer.read(FILE)
    try:
        rows = [Outcome(*row) for row in json.loads(text)]
    except (ValueError, TypeError, RecursionError):
        rows = []
    known = all(isinstance(part, str | None) for row in rows for part in row)
    if len(rows) != len(calls) or not known:
        why = f"the program ended Python with status {run.returncode}"
        return [Outcome(None, why)] * len(calls)
    return rows
