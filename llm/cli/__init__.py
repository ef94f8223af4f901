"""The command line: `python -m llm COMMAND …`.

Each command is a module with `add`, which declares its options, and `run`. An error is
one line on stderr that says what to do. The exit status is 0 when done, 1 when it
failed on the way (a full disk, a loss that diverged), 2 when misused.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import torch

from llm.cli import convert, evaluate, finetune, generate, pretrain, tokenizer
from llm.cli.progress import clear

COMMANDS = (pretrain, finetune, generate, evaluate, tokenizer, convert)
# What the user can put right by calling again with something else.
MISUSE = (
    ValueError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    ConnectionError,
    ImportError,
)


class Parser(argparse.ArgumentParser):
    """argparse, with errors of one line."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where the options are described."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parser() -> Parser:
    """All commands with their options."""
    top = Parser(
        prog="python -m llm",
        description="Train a language model on your own text, and let it write.",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    try:
        args = parser().parse_args(argv)
    except SystemExit as end:  # --help, or misuse that argparse has named
        return int(end.code or 0)
    try:
        args.run(args)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except MISUSE as error:
        return fail(error, status=2)
    except (OSError, FloatingPointError, torch.OutOfMemoryError) as error:
        return fail(error, status=1)
    except KeyboardInterrupt as error:
        return fail(error, status=1)
    return 0


def fail(error: BaseException, *, status: int) -> int:
    """Print one line for `error`; return `status`."""
    if isinstance(error, OSError) and error.strerror:
        what = f"{error.filename or 'the system says'}: {error.strerror}"
    else:
        what = " ".join(str(error).split()) or "interrupted"
    print(clear(), end="", flush=True)
    print(f"error: {what}", file=sys.stderr)
    return status
