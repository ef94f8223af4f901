"""`python -m llm convert`: from Hugging Face's files to ours, and back."""

import argparse
import json
from pathlib import Path
from typing import Any

from llm.models import families
from llm.models.checkpoint import write_json
from llm.models.huggingface.files import locate
from llm.text.tokenizer import Tokenizer

TOKENIZER = "tokenizer.json"


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "convert",
        help="read a checkpoint of Hugging Face, or write one",
        description="Convert a model and its tokenizer: a checkpoint of Hugging Face "
        "to a directory that generate and evaluate take, or such a directory to a "
        "checkpoint that transformers loads.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="DIR",
        help="what to read; with --format llm also a name on the Hugging Face hub",
    )
    parser.add_argument(
        "--to", required=True, metavar="DIR", help="where to write; must not exist"
    )
    parser.add_argument(
        "--format", required=True, choices=("llm", "hf"), help="what to write"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Read, write, and say what was converted."""
    out = Path(args.to)
    if out.exists():
        raise FileExistsError(f"{out} exists: choose another --to, or remove it")
    read = from_hf if args.format == "llm" else from_ours
    model, tok = read(args.source)
    size = getattr(model, "model", model).config.vocab_size  # a head stands on one
    if tok is not None and tok.vocab_size > size:
        raise ValueError(
            f"{args.source} has a tokenizer of {tok.vocab_size} ids and an embedding "
            f"of {size}: they do not belong together"
        )
    if args.format == "llm":
        model.save(out)
        if tok is not None:
            tok.save(out / TOKENIZER)
    else:
        if not hasattr(model, "to_hf"):
            name = type(model).__name__
            raise ValueError(f"{args.source} holds a {name}: transformers has none")
        spec = None if tok is None else tok.to_hf()
        model.to_hf(out)
        if spec is not None:
            write_json(out / TOKENIZER, spec)
    count = sum(parameter.numel() for parameter in model.parameters())
    result = {
        "out": str(out),
        "model": type(model).__name__,
        "parameters": count,
        "tokenizer": tok is not None,
    }
    if args.json:
        print(json.dumps(result))
        return
    beside = "its tokenizer" if tok is not None else "no tokenizer, for there was none"
    print(f"{out}: a {result['model']} of {count:,} parameters, and {beside}")


def from_hf(source: str) -> tuple[Any, Tokenizer | None]:
    """Model and tokenizer of a checkpoint; many have no tokenizer beside them."""
    directory = locate(source)
    model = families.from_hf(directory)
    try:
        return model, Tokenizer.from_hf(directory)
    except FileNotFoundError:
        return model, None


def from_ours(source: str) -> tuple[Any, Tokenizer | None]:
    """Model and tokenizer of a directory of ours."""
    path = Path(source) / TOKENIZER
    model = families.load(source)
    return model, Tokenizer.load(path) if path.is_file() else None
