"""What a pre-training run is made of, settled once and kept for `--resume`."""

import argparse
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.benchmark import Timer

from llm.cli.common import byte_count, one_row
from llm.cli.presets import DEFAULT, PRESETS, RATES
from llm.models.checkpoint import read_json, write_json
from llm.models.gpt import GPTConfig
from llm.text.corpus import read_texts
from llm.text.tokenizer import Tokenizer
from llm.train import TrainConfig
from llm.train.state import holds_run, state_paths

# A tenth is customary; after 200,000 characters the loss is known well enough.
HELD_OUT_SHARE, HELD_OUT_MOST = 0.1, 200_000
# A BPE vocabulary gets one id for so many bytes of text: rarer ones are hardly learned.
BYTES_PER_ID = 100

# A text too short for the preset's context gets one that fits it this many times.
WINDOWS_IN_TEXT = 4
LEAST_CONTEXT = 8
# Casting weights to bf16 at each step must pay for itself.
CLEARLY = 1.5

MODEL_OPTIONS = ("context", "layers", "heads", "width", "dropout")
TRAIN_OPTIONS = (
    "steps",
    "optimizer",
    "lr",
    "schedule",
    "warmup",
    "accumulate",
    "precision",
    "eval_every",
    "save_every",
    "log_every",
    "seed",
    "device",
)
# What a run keeps from its start: the model is made, the order of batches is drawn.
FIXED_OPTIONS = (
    *("preset", "tokenizer", "vocab_size", "batch", *MODEL_OPTIONS),
    *("optimizer", "accumulate", "seed"),
)


@dataclass(frozen=True)
class Recipe:
    """What a run was started with.

    data      the text files
    checksum  CRC-32 of their texts
    options   what the command line said of FIXED_OPTIONS
    batch     windows in a batch
    """

    data: list[str]
    checksum: int
    options: dict[str, Any]
    batch: int
    model: GPTConfig
    train: TrainConfig

    def save(self, out: Path) -> None:
        """Write state/recipe.json."""
        write_json(recipe_path(out), asdict(self))

    @classmethod
    def load(cls, out: Path) -> "Recipe":
        """Read state/recipe.json."""
        saved = read_json(recipe_path(out))
        saved["model"] = GPTConfig(**saved["model"])
        saved["train"] = TrainConfig(**saved["train"])
        return cls(**saved)


def recipe_path(out: Path) -> Path:
    """Where a run directory keeps its recipe."""
    return out / "state" / "recipe.json"


def settle(args: argparse.Namespace, out: Path) -> tuple[Recipe, Tokenizer, list[str]]:
    """Recipe, tokenizer and texts of the run in `out`, started here or before."""
    if args.resume and recipe_path(out).exists():
        return go_on(args, out)
    return start(args, out)


def start(args: argparse.Namespace, out: Path) -> tuple[Recipe, Tokenizer, list[str]]:
    """Settle a new run: the preset, what the options change, what the text allows.

    Raises:
        FileExistsError: `out` already holds a run, or part of one.
        ValueError: no text was given, or it is too short.
    """
    occupied = holds_run(out) or (out / "tokenizer.json").exists()
    if occupied and (not args.resume or state_paths(out)):
        hint = "it was not started by pretrain" if args.resume else "add --resume"
        raise FileExistsError(
            f"{out} already holds a run: {hint}, or choose another --out"
        )
    if not args.data:
        raise ValueError("no text to train on: give --data FILE…")
    texts = read_texts(args.data)
    preset = PRESETS[args.preset or DEFAULT]
    tok = make_tokenizer(args, texts, preset.model.vocab_size)
    shape = {"vocab_size": tok.vocab_size} | given(args, MODEL_OPTIONS)
    if args.context is None:
        length = len(one_row(tok, split(texts)[0]))
        fitting = max(LEAST_CONTEXT, length // WINDOWS_IN_TEXT)
        shape["context"] = min(preset.model.context, fitting)
    settings = given(args, TRAIN_OPTIONS)
    if args.optimizer not in (None, preset.train.optimizer):
        settings.setdefault("lr", RATES[args.optimizer])
    settings.setdefault("device", best_device())
    if args.precision is None:
        settings["precision"] = best_precision(settings["device"])
    recipe = Recipe(
        data=[str(Path(path).resolve()) for path in args.data],
        checksum=checksum(texts),
        options=given(args, FIXED_OPTIONS),
        batch=args.batch or preset.batch,
        model=replace(preset.model, **shape),
        train=replace(preset.train, **settings),
    )
    return recipe, tok, texts


def go_on(args: argparse.Namespace, out: Path) -> tuple[Recipe, Tokenizer, list[str]]:
    """Take up a run: options may change how it goes on, not what it is.

    Raises:
        ValueError: an option or the text contradicts what the run was started with.
    """
    recipe = Recipe.load(out)
    for name, value in given(args, FIXED_OPTIONS).items():
        began = recipe.options.get(name)
        if value != began:
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{option} {value}: the run in {out} was started with "
                f"{'the default' if began is None else began}, which cannot change; "
                f"leave {option} out, or start another run"
            )
    texts = read_texts(args.data or recipe.data)
    if checksum(texts) != recipe.checksum:
        raise ValueError(
            f"the text is not the one that the run in {out} was started with "
            f"({', '.join(recipe.data)}): give that, or start another run"
        )
    recipe = replace(recipe, train=replace(recipe.train, **given(args, TRAIN_OPTIONS)))
    return recipe, Tokenizer.load(out / "tokenizer.json"), texts


def given(args: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Those of the options `names` that the command line had."""
    return {n: v for n in names if (v := getattr(args, n)) is not None}


def make_tokenizer(
    args: argparse.Namespace, texts: Sequence[str], most: int
) -> Tokenizer:
    """The tokenizer that was asked for; BPE learns from the text that training sees."""
    kind = args.tokenizer or "bpe"
    if args.vocab_size is not None and kind != "bpe":
        raise ValueError(f"--vocab-size is for bpe; tokenizer {kind} has its own size")
    if kind == "bpe":
        learned, _ = split(texts)
        fitting = 257 + byte_count(learned) // BYTES_PER_ID
        return Tokenizer.train(learned, args.vocab_size or min(most, fitting))
    if kind == "bytes":
        return Tokenizer.bytes()
    if kind == "char":
        return Tokenizer.chars(texts)
    if Path(kind).exists() or kind.endswith(".json"):
        return Tokenizer.load(kind)
    return Tokenizer.named(kind)


def split(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Texts to learn from, and the held-out end: HELD_OUT_SHARE of the characters."""
    missing = int(min(HELD_OUT_SHARE * sum(map(len, texts)), HELD_OUT_MOST))
    learned = list(texts)
    held_out: list[str] = []
    while missing > 0:
        text = learned.pop()
        cut = max(len(text) - missing, 0)
        held_out.insert(0, text[cut:])
        missing -= len(text) - cut
        if cut > 0:
            learned.append(text[:cut])
    return learned, held_out


def checksum(texts: Sequence[str]) -> int:
    """CRC-32 of all texts in order."""
    crc = 0
    for text in texts:
        crc = zlib.crc32(text.encode("utf-8", "surrogatepass"), crc)
    return crc


def best_device() -> str:
    """A GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def best_precision(device: str) -> str:
    """bf16 where it multiplies matrices clearly faster than fp32, else fp32.

    Measured, since no flag tells: processors without bf16 units emulate it slowly.
    """
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        square = torch.ones(512, 512, device=device, dtype=dtype)
        timer = Timer(
            "square @ square",
            globals={"square": square},
            num_threads=torch.get_num_threads(),
        )
        seconds[dtype] = timer.timeit(10).median  # warms up first
    faster = seconds[torch.float32] / seconds[torch.bfloat16]
    return "bf16" if faster > CLEARLY else "fp32"
