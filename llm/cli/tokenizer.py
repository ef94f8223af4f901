"""`python -m llm tokenizer`: learn a vocabulary from text."""

import argparse
import json
from pathlib import Path
from typing import Any

from llm.cli.common import byte_count, positive
from llm.text.corpus import read_texts
from llm.text.tokenizer import Tokenizer


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "tokenizer",
        help="learn a byte-pair vocabulary from text",
        description="Learn a byte-level BPE vocabulary from text files and save it as "
        "JSON, for pretrain --tokenizer FILE.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="FILE", help="text files in UTF-8"
    )
    parser.add_argument(
        "--vocab-size",
        type=positive,
        required=True,
        metavar="N",
        help="ids to learn, among them 256 bytes and the end of a text",
    )
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="where to write; must not exist"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Train, save, and say how well the vocabulary packs the text."""
    out = Path(args.out)
    if out.exists():
        raise FileExistsError(f"{out} exists: choose another --out, or remove it")
    texts = read_texts(args.data)
    tok = Tokenizer.train(texts, args.vocab_size)
    tok.save(out)
    size = byte_count(texts)
    count = sum(len(tok.encode(text)) for text in texts)
    result = {
        "out": str(out),
        "vocab_size": tok.vocab_size,
        "bytes": size,
        "tokens": count,
        "bytes_per_token": size / count,
    }
    if args.json:
        print(json.dumps(result))
        return
    if tok.vocab_size < args.vocab_size:
        print(f"the text has no more pairs to join: {tok.vocab_size:,} ids are all")
    print(
        f"{out}: {tok.vocab_size:,} ids; {size:,} bytes of text are {count:,} "
        f"tokens, {size / count:.2f} bytes each"
    )
