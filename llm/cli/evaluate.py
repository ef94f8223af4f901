"""`python -m llm evaluate`: how well a model predicts a text, or does its task."""

import argparse
import json
from pathlib import Path
from typing import Any

from llm.cli.common import byte_count, load_run, one_row, positive
from llm.cli.tasks import TASK, TASKS, cut_line, load_tuned, shown
from llm.metrics import bits_per_byte
from llm.text.batches import tiled_windows
from llm.text.corpus import read_texts
from llm.train import evaluate


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how well a model predicts a text, or does its task",
        description="Print loss, perplexity and bits per byte of a model on text "
        "files. The text is cut into windows of the model's context, so that every "
        "token is predicted once. Of a fine-tuned model, print the metrics of its task "
        "on files of examples: see finetune --help.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--model",
        required=True,
        metavar="DIR",
        help="run directory of pretrain or finetune",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="FILE",
        help="text files in UTF-8, or files of examples",
    )
    parser.add_argument(
        "--batch",
        type=positive,
        default=32,
        metavar="N",
        help="windows at once (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Evaluate, and print the figures."""
    if (Path(args.model) / TASK).exists():
        evaluate_task(args)
        return
    model, tok = load_run(args.model)
    texts = read_texts(args.data)
    batches = tiled_windows(
        one_row(tok, texts), context=model.config.context, batch_size=args.batch
    )
    figures = evaluate(model, batches)
    total = figures["loss"] * figures["tokens"]
    size = byte_count(texts)
    figures["bytes"] = size
    figures["bits_per_byte"] = bits_per_byte(total, byte_count=size)
    if args.json:
        print(json.dumps(figures))
        return
    print(
        f"loss {figures['loss']:.4f} nats a token, "
        f"perplexity {figures['perplexity']:.2f}, "
        f"{figures['bits_per_byte']:.3f} bits per byte "
        f"({figures['tokens']:,} tokens, {size:,} bytes)"
    )


def evaluate_task(args: argparse.Namespace) -> None:
    """Evaluate a fine-tuned model on examples, and print the metrics of its task."""
    run = load_tuned(args.model)
    kind = TASKS[run.task]
    examples = [
        example
        for path in args.data
        for example in kind.read(path, run.labels, run.columns)
    ]
    task = kind(run.model, run.tok, run.labels)
    items, cut = task.encode(examples)
    figures = task.measure(items)
    if args.json:
        print(
            json.dumps({"task": run.task, "examples": len(items), "cut": cut} | figures)
        )
        return
    if cut:
        print(cut_line(cut, len(items)))
    print(f"{run.task}: {shown(figures)} ({len(items):,} examples)")
