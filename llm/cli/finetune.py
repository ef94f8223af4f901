"""`python -m llm finetune`: train a model for a task, on a file of examples."""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from llm.cli.common import natural, positive
from llm.cli.labelling import COLUMNS
from llm.cli.pretrain import ONE_THREAD
from llm.cli.progress import clear, reporter
from llm.cli.recipe import best_device
from llm.cli.tasks import (
    METHODS,
    RANK,
    TASK,
    TASKS,
    TOKENIZER,
    Task,
    Tuned,
    cut_line,
    load_base,
    save_notes,
    shown,
    tune,
)
from llm.models.checkpoint import read_json
from llm.peft import trainable
from llm.text.batches import Batch
from llm.text.packing import shuffled
from llm.text.tokenizer import Tokenizer
from llm.train import Loss, TrainConfig, Trainer
from llm.train.objectives import Objective

HELD_OUT = 10  # one example in so many, when there is no --validation
# Learning rates times the width: 0.001 and 0.003 at a width of 64, where they were
# tried, and at 768 what is customary. Few parameters take larger steps than all.
RATES = {"full": 0.064, "peft": 0.2}
# What a run keeps from its start: the model is made, the order of batches is drawn.
FIXED_OPTIONS = (
    *("task", "peft", "rank", "batch", "seed"),
    *("model", "data", "validation", "columns"),
)


class Data(NamedTuple):
    """Examples to learn from and held-out ones, and the labels of both."""

    learned: list[Any]
    held_out: list[Any]
    labels: list[str]


class Ready(NamedTuple):
    """All that training needs: `task` holds the model that `tuned` trains.

    Attributes:
        learned: what `task` makes batches of, to learn from.
        held_out: the same, to measure with.
        cut: how many of both did not fit the context.
        width: of the model.
    """

    tuned: Tuned
    task: Task
    tok: Tokenizer
    objective: Objective
    learned: list[Any]
    held_out: list[Any]
    labels: list[str]
    cut: int
    width: int


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "finetune",
        help="train a model for a task",
        description="Train the model of a run directory for a task: all weights, or a "
        "few with --peft. Prints the metric of the untouched model and that of the "
        "trained one on held-out examples, and writes a run directory. Ctrl-C finishes "
        "the step, saves and stops; the same command with --resume goes on.",
        epilog="Files. classify: TSV or JSON Lines with text and label. instruct: JSON "
        "Lines with instruction, input, output, or messages. dpo: JSON Lines with "
        "prompt, chosen, rejected. ner: CoNLL's columns. qa: SQuAD's JSON. seq2seq: "
        "source, tab, target. A GPT does all but seq2seq, a BERT classify, ner and qa, "
        "a T5 seq2seq.",
    )
    parser.set_defaults(run=run)
    files = parser.add_argument_group("run")
    files.add_argument(
        "--model", required=True, metavar="DIR", help="run directory to begin with"
    )
    files.add_argument("--data", required=True, metavar="FILE", help="examples")
    files.add_argument(
        "--validation",
        metavar="FILE",
        help="examples to measure with (default: a tenth of --data, held out)",
    )
    files.add_argument("--task", required=True, choices=TASKS)
    files.add_argument(
        "--columns",
        nargs=2,
        metavar=("TEXT", "LABEL"),
        help="with classify: names of the two columns (default: text label)",
    )
    files.add_argument(
        "--out", required=True, metavar="DIR", help="run directory; must not exist"
    )
    files.add_argument(
        "--resume", action="store_true", help="go on from the last saved state in DIR"
    )
    files.add_argument("--json", action="store_true", help="print records as JSON")
    train_options(parser.add_argument_group("training"))


def train_options(group: Any) -> None:
    """Options about the training itself."""
    group.add_argument(
        "--peft",
        choices=METHODS,
        help="train few parameters beside the frozen model (default: all weights)",
    )
    group.add_argument(
        "--rank",
        type=positive,
        metavar="N",
        help=f"rank of lora and dora (default: {RANK})",
    )
    for name, kind, default, help_text in (
        ("steps", positive, 200, "updates of the weights"),
        ("batch", positive, 16, "examples in a batch"),
        ("eval-every", natural, 0, "steps between measurements; 0: only at the end"),
        ("save-every", natural, 0, "steps between saved states; 0: only at the end"),
        ("log-every", positive, 10, "steps between records"),
        ("seed", natural, 0, "of new weights, held-out examples and batches"),
    ):
        group.add_argument(
            f"--{name}",
            type=kind,
            default=default,
            metavar="N",
            help=f"{help_text} (default: %(default)s)",
        )
    group.add_argument(
        "--lr",
        type=float,
        metavar="R",
        help=f"learning rate (default: {RATES['full']} over the width of the model, "
        f"{RATES['peft']} over it with --peft)",
    )
    group.add_argument(
        "--device",
        metavar="NAME",
        help="where to train (default: cuda if there is one, else cpu)",
    )


def run(args: argparse.Namespace) -> None:
    """Fine-tune, measure before and after, save."""
    out = Path(args.out)
    check(out, args)
    ready = prepare(args)
    config = settings(args, ready.width)
    before = ready.task.measure(ready.held_out)
    if not args.json:
        print(f"{overview(ready)}\nuntouched: {shown(before)}")
    # All that can be wrong with the input has been seen: now the directory is made.
    out.mkdir(parents=True, exist_ok=True)
    ready.tok.save(out / TOKENIZER)
    save_notes(out, notes(args), base=args.model, labels=ready.labels)
    drawn = shuffled(ready.learned, batch_size=args.batch, seed=args.seed)
    trainer = Trainer(
        ready.tuned,
        lambda step: ready.task.batch(drawn(step)),
        config=config,
        objective=ready.objective,
        metrics=lambda tuned: ready.task.measure(ready.held_out),
        out=out,
        progress=reporter(config.steps, as_json=args.json, unit="targets"),
    )
    records = trainer.fit(resume=True)
    if trainer.step >= config.steps:
        after = {name: records[-1][name] for name in before}
    else:
        after = ready.task.measure(ready.held_out)
    result = {
        "out": str(out),
        "step": trainer.step,
        "seconds": trainer.seconds,
        "examples": len(ready.learned),
        "held_out": len(ready.held_out),
        "cut": ready.cut,
        "before": before,
        "after": after,
    }
    print(json.dumps(result) if args.json else clear() + summary(result, args))


def prepare(args: argparse.Namespace) -> Ready:
    """Read the model and the examples, and put a head and a method on the model."""
    kind, device = TASKS[args.task], args.device or best_device()
    base, tok = load_base(args.model, args.task)
    data = read(args, kind)
    size = sum(parameter.numel() for parameter in base.parameters())
    if device == "cpu" and size < ONE_THREAD:
        torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    base.to(device)
    inner = kind.objective(base)
    head = kind.head(base, data.labels)
    tuned = tune(head, base=base, peft=args.peft, rank=args.rank or RANK).to(device)
    task = kind(tuned.model, tok, data.labels)
    learned, cut = task.encode(data.learned)
    held_out, cut_too = task.encode(data.held_out)

    def objective(outer: Any, batch: Batch) -> Loss:
        return inner(outer.model, batch)

    return Ready(
        tuned=tuned,
        task=task,
        tok=tok,
        objective=objective,
        learned=learned,
        held_out=held_out,
        labels=data.labels,
        cut=cut + cut_too,
        width=base.config.width,
    )


def overview(ready: Ready) -> str:
    """What will be trained on what, in a line; and in another what had to be cut."""
    learned, held_out = len(ready.learned), len(ready.held_out)
    text = (
        f"{trainable(ready.tuned)}; {learned:,} examples to learn from, "
        f"{held_out:,} held out"
    )
    return text + (f"\n{cut_line(ready.cut, learned + held_out)}" if ready.cut else "")


def check(out: Path, args: argparse.Namespace) -> None:
    """Refuse a directory that is there, but for a run to go on with.

    Raises:
        FileExistsError: there is something, and no --resume.
        ValueError: an option contradicts another, or what the run was started with.
    """
    if args.rank is not None and args.peft not in ("lora", "dora"):
        raise ValueError("--rank is for --peft lora and dora")
    if args.columns is not None and args.task != "classify":
        raise ValueError("--columns is for --task classify")
    if not out.exists():
        return
    if not args.resume or not (out / TASK).exists():
        hint = "" if args.resume else "add --resume to go on with a run, "
        raise FileExistsError(f"{out} exists: {hint}choose another --out, or remove it")
    began = read_json(out / TASK)
    for name, value in notes(args).items():
        if began.get(name) != value:
            raise ValueError(
                f"--{name} {value}: the run in {out} was started with "
                f"{began.get(name)}, which cannot change; start another run"
            )


def notes(args: argparse.Namespace) -> dict[str, Any]:
    """What a run keeps from its start."""
    return {name: getattr(args, name) for name in FIXED_OPTIONS}


def settings(args: argparse.Namespace, width: int) -> TrainConfig:
    """How to train, from the options; the model's width chooses a learning rate."""
    rate = RATES["peft" if args.peft else "full"] / width
    return TrainConfig(
        steps=args.steps,
        lr=rate if args.lr is None else args.lr,
        schedule="linear",
        warmup=args.steps // 10,
        eval_every=args.eval_every,
        save_every=args.save_every,
        log_every=args.log_every,
        seed=args.seed,
        device=args.device or best_device(),
    )


def read(args: argparse.Namespace, kind: type[Task]) -> Data:
    """The examples, those held out apart.

    Raises:
        ValueError: there are too few to hold any out.
    """
    columns = args.columns or COLUMNS
    examples = kind.read(args.data, None, columns)
    labels = kind.labels_of(examples)
    if args.validation is not None:
        return Data(examples, kind.read(args.validation, labels, columns), labels)
    if len(examples) < 2:
        raise ValueError(
            f"{args.data} has one example, and none to hold out: give --validation"
        )
    order = np.random.default_rng(args.seed).permutation(len(examples))
    drawn = [examples[i] for i in order]
    size = max(1, len(examples) // HELD_OUT)
    return Data(drawn[size:], drawn[:size], labels)


def summary(result: dict[str, Any], args: argparse.Namespace) -> str:
    """The end of a run in two or three lines."""
    stopped = ""
    if result["step"] < args.steps:
        stopped = "stopped, and the same with --resume goes on: "
    model = result["out"]
    lines = [
        f"{stopped}{result['step']} steps in {result['seconds']:.1f} s",
        f"untouched: {shown(result['before'])}",
        f"tuned:     {shown(result['after'])}",
        f"try: python -m llm evaluate --model {model} --data FILE",
    ]
    if args.task == "instruct":
        prompt = r"$'User: …\nAssistant:'"
        lines.append(f"or:  python -m llm generate --model {model} --prompt {prompt}")
    return "\n".join(lines)
