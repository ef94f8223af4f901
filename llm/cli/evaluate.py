"""`python -m llm evaluate`: how well a model predicts a text."""

import argparse
import json
from typing import Any

from llm.cli.common import byte_count, load_run, one_row, positive
from llm.metrics import bits_per_byte
from llm.text.batches import tiled_windows
from llm.text.corpus import read_texts
from llm.train import evaluate


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how well a model predicts a text",
        description="Print loss, perplexity and bits per byte of a model on text "
        "files. The text is cut into windows of the model's context, so that every "
        "token is predicted once.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--model", required=True, metavar="DIR", help="run directory of pretrain"
    )
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="FILE", help="text files in UTF-8"
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
