"""What several commands share: kinds of numbers, texts as ids, the parts of a run."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from llm.cli.tasks import TASK, load_tuned
from llm.models.gpt import GPT
from llm.text.tokenizer import Tokenizer

# Tasks of `finetune` whose model goes on with a prompt.
WRITING = ("instruct", "dpo")


def positive(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def natural(text: str) -> int:
    """A whole number from 0 on, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def one_row(tok: Tokenizer, texts: Sequence[str]) -> Tensor:
    """All texts as one row of ids (N,), the end token, if there is one, before each.

    With it even the first token of a text has something to be predicted from.
    """
    before = [] if tok.end is None else [tok.end]
    ids = [i for text in texts for i in (*before, *tok.encode(text))]
    return torch.tensor(ids, dtype=torch.int64)


def byte_count(texts: Sequence[str]) -> int:
    """Length of all texts in bytes of UTF-8."""
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def load_run(directory: str | Path) -> tuple[GPT, Tokenizer]:
    """Model and tokenizer of a run directory, ready to use.

    Raises:
        FileNotFoundError: there is no such directory, or no model in it yet.
        ValueError: it is that of `finetune`, for a task that does not go on with texts.
    """
    path = Path(directory)
    if not path.is_dir():
        raise FileNotFoundError(f"no directory {path}: give what pretrain --out made")
    if (path / TASK).exists():
        run = load_tuned(path)
        if run.task not in WRITING:
            raise ValueError(f"{path} was tuned for {run.task}: evaluate takes it")
        return run.model, run.tok
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        if not (path / name).exists():
            raise FileNotFoundError(
                f"{path} holds no {name}: give the directory of a pretrain run, "
                "or finish that run with pretrain --resume"
            )
    return GPT.load(path).eval(), Tokenizer.load(path / "tokenizer.json")
