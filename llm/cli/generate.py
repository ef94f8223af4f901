"""`python -m llm generate`: let a model go on with a text."""

import argparse
import json
import sys
from typing import Any

from llm.cli.common import load_run, natural, positive
from llm.generate import stream


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "generate",
        help="continue a prompt",
        description="Continue a prompt with the model of a run directory.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--model", required=True, metavar="DIR", help="run directory of pretrain"
    )
    parser.add_argument(
        "--prompt", required=True, metavar="TEXT", help="text to go on with"
    )
    parser.add_argument(
        "--max-tokens",
        type=natural,
        default=200,
        metavar="N",
        help="tokens to add at most (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        metavar="T",
        help="below 1 safer, above 1 bolder, 0 always the likeliest "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--top-k", type=positive, metavar="K", help="choose among the K likeliest only"
    )
    parser.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        help="choose among the likeliest that together reach probability P",
    )
    parser.add_argument(
        "--min-p",
        type=float,
        metavar="P",
        help="choose among those at least P times as likely as the likeliest",
    )
    parser.add_argument(
        "--seed", type=natural, metavar="N", help="the same seed writes the same text"
    )
    parser.add_argument(
        "--json", action="store_true", help='print {"text": …, "ids": […]}'
    )


def run(args: argparse.Namespace) -> None:
    """Write the prompt and its continuation, token by token on a terminal."""
    model, tok = load_run(args.model)
    prompt = tok.encode(args.prompt)
    if not prompt and tok.end is not None:
        prompt = [tok.end]  # an empty prompt begins a new text
    fresh = stream(
        model,
        prompt,
        max_tokens=args.max_tokens,
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        min_p=args.min_p,
        stop=() if tok.end is None else (tok.end,),
        seed=args.seed,
    )
    if args.json:
        ids = prompt + list(fresh)
        text = tok.decode([i for i in ids if i != tok.end])
        print(json.dumps({"text": text, "ids": ids}, ensure_ascii=False))
        return
    print(args.prompt, end="")
    ids = list(prompt)
    shown = len(tok.decode(ids))
    for token in fresh:
        ids += [] if token == tok.end else [token]
        text = tok.decode(ids)
        # A character may be spread over several tokens: print it when it is whole.
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            print(text[shown:], end="", flush=sys.stdout.isatty())
            shown = len(text)
    print(tok.decode(ids)[shown:])
