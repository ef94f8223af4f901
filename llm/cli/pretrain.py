"""`python -m llm pretrain`: train a model on text files."""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from llm.cli.common import byte_count, natural, one_row, positive
from llm.cli.presets import DEFAULT, PRESETS
from llm.cli.progress import clear, reporter
from llm.cli.recipe import HELD_OUT_MOST, settle, split
from llm.metrics import bits_per_byte, perplexity
from llm.models.gpt import GPT
from llm.text.batches import RandomWindows, tiled_windows
from llm.train import Trainer
from llm.train.config import PRECISIONS
from llm.train.optim import OPTIMIZERS
from llm.train.schedules import SCHEDULES

# Below this many parameters a product is too small to share among threads: with other
# programs running on two cores, two threads took 4 times as long as one.
ONE_THREAD = 2_000_000


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "pretrain",
        help="train a model on text files",
        description="Train a model on text files. The last tenth of the text (at most "
        f"{HELD_OUT_MOST:,} characters) is held out to measure the loss on text that "
        "the model has not seen. Ctrl-C finishes the step, saves and stops; the same "
        "command with --resume goes on.",
        epilog="Presets. "
        + " ".join(f"{name}: {preset.about}." for name, preset in PRESETS.items()),
    )
    parser.set_defaults(run=run)
    run_options(parser.add_argument_group("run"))
    model_options(
        parser.add_argument_group("model", "Defaults in brackets: those of tiny.")
    )
    train_options(
        parser.add_argument_group("training", "Defaults in brackets: those of tiny.")
    )


def run_options(group: Any) -> None:
    """Options about files and output."""
    group.add_argument("--data", nargs="+", metavar="FILE", help="text files in UTF-8")
    group.add_argument("--out", required=True, metavar="DIR", help="run directory")
    group.add_argument(
        "--preset", choices=PRESETS, help=f"shape and recipe (default: {DEFAULT})"
    )
    group.add_argument(
        "--resume", action="store_true", help="go on from the last saved state in DIR"
    )
    group.add_argument("--json", action="store_true", help="print records as JSON")


def model_options(group: Any) -> None:
    """Options about the tokenizer and the shape of the model."""
    group.add_argument(
        "--tokenizer",
        metavar="KIND",
        help="bpe (learned from the text), bytes, char, the name of a tiktoken "
        "encoding such as gpt2, or a file that `tokenizer` wrote (default: bpe)",
    )
    group.add_argument(
        "--vocab-size",
        type=positive,
        metavar="N",
        help="ids that bpe learns (default: sized to the text)",
    )
    for name, help_text in (
        ("context", "tokens that the model sees at once"),
        ("layers", "blocks"),
        ("heads", "attention heads in a block"),
        ("width", "numbers that stand for a token"),
    ):
        group.add_argument(
            f"--{name}", type=positive, metavar="N", help=help_text + default(name)
        )
    group.add_argument(
        "--dropout",
        type=float,
        metavar="P",
        help="share of activations dropped" + default("dropout"),
    )


def train_options(group: Any) -> None:
    """Options about the training itself."""
    for name, kind, help_text in (
        ("steps", positive, "updates of the weights"),
        ("batch", positive, "windows in a batch"),
        ("accumulate", positive, "batches in an update"),
        ("warmup", natural, "steps over which the learning rate climbs"),
        ("eval-every", natural, "steps between evaluations; 0: only at the end"),
        ("save-every", natural, "steps between saved states; 0: only at the end"),
        ("log-every", positive, "steps between records"),
        ("seed", natural, "of weights, batches and dropout"),
    ):
        group.add_argument(
            f"--{name}", type=kind, metavar="N", help=help_text + default(name)
        )
    group.add_argument(
        "--lr",
        type=float,
        metavar="RATE",
        help="peak learning rate, with muon that of the matrices (0.025 with muon, "
        "0.003 with adamw)",
    )
    group.add_argument(
        "--optimizer",
        choices=OPTIMIZERS,
        help="adamw, or muon for hidden matrices and adamw for the rest"
        + default("optimizer"),
    )
    group.add_argument(
        "--schedule",
        choices=SCHEDULES,
        help="how the learning rate falls after the warm-up" + default("schedule"),
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of matrix products (bf16 where the machine is much faster with it)",
    )
    group.add_argument("--device", help="cpu, cuda or mps (a GPU if there is one)")


def default(name: str) -> str:
    """The value of an option in the default preset, in brackets."""
    preset = PRESETS[DEFAULT]
    values = {**vars(preset.model), **vars(preset.train), "batch": preset.batch}
    return f" ({values[name.replace('-', '_')]})"


def run(args: argparse.Namespace) -> None:
    """Start a run or go on with one, and train it to its end."""
    out = Path(args.out)
    recipe, tok, texts = settle(args, out)
    learned, held_out = split(texts)
    context = recipe.model.context
    ids, held_out_ids = one_row(tok, learned), one_row(tok, held_out)
    windows = RandomWindows(
        ids, context=context, batch_size=recipe.batch, seed=recipe.train.seed
    )
    validation = tiled_windows(held_out_ids, context=context, batch_size=32)
    torch.manual_seed(recipe.train.seed)
    model = GPT(recipe.model)
    parameters = sum(model.parameter_count().values())
    if recipe.train.device == "cpu" and parameters < ONE_THREAD:
        torch.set_num_threads(1)
    # All that can be wrong with the input has been seen: now the directory is made.
    out.mkdir(parents=True, exist_ok=True)
    tok.save(out / "tokenizer.json")
    recipe.save(out)
    if not args.json:
        print(
            f"{parameters:,} parameters, {tok.vocab_size:,} ids, "
            f"{len(ids):,} tokens to learn from, {len(held_out_ids):,} held out"
        )
    trainer = Trainer(
        model,
        windows,
        config=recipe.train,
        validation=validation,
        out=out,
        progress=reporter(recipe.train.steps, as_json=args.json),
    )
    records = trainer.fit(resume=True)
    result = {"out": str(out), "step": trainer.step, "seconds": trainer.seconds}
    finished = trainer.step >= recipe.train.steps
    if finished:
        last = records[-1] if records else trainer.validate()
        loss = last["validation_loss"]
        total = loss * (len(held_out_ids) - 1)
        result["validation_loss"] = loss
        result["validation_perplexity"] = perplexity(loss)
        result["validation_bits_per_byte"] = bits_per_byte(
            total, byte_count=byte_count(held_out)
        )
    print(json.dumps(result) if args.json else clear() + summary(result, finished))


def summary(result: dict[str, Any], finished: bool) -> str:
    """The end of a run in a line or two."""
    if not finished:
        return f"stopped after step {result['step']}: the same with --resume goes on"
    return (
        f"{result['step']} steps in {result['seconds']:.1f} s; held out: "
        f"loss {result['validation_loss']:.3f}, "
        f"perplexity {result['validation_perplexity']:.2f}, "
        f"{result['validation_bits_per_byte']:.3f} bits per byte\n"
        f'try: python -m llm generate --model {result["out"]} --prompt "…"'
    )
