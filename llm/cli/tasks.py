"""The tasks of `finetune`, and the run directory that one leaves behind.

    task.json            the task, the directory of the base, the options of the run
    labels.json          the labels, in the order of their ids
    tokenizer.json       that of the base
    config.json, model.safetensors      the model, with LoRA and IA3 merged into it
    adapter.json, adapter.safetensors   what a PEFT method has learned

Adapters, prompts and prefixes cannot be merged: their run has no model of its own, and
needs the base where it was.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from torch import nn

from llm.cli.finding import Find
from llm.cli.labelling import COLUMNS, Classify, Columns, Tag
from llm.cli.writing import Instruct, Prefer, Translate
from llm.models import families
from llm.models.checkpoint import CONFIG, WEIGHTS, read_json, write_json
from llm.peft import (
    IA3,
    Adapters,
    BitFit,
    LoRA,
    Method,
    PrefixTuning,
    PromptTuning,
    PTuning,
    inject,
    load_adapter,
    merge,
    save_adapter,
    unmerge,
)
from llm.peft.methods import Patterns
from llm.text.batches import Batch
from llm.text.tokenizer import Tokenizer
from llm.train.objectives import Objective

TASK, LABELS, TOKENIZER = "task.json", "labels.json", "tokenizer.json"
RANK = 8


class Task(Protocol):
    """What a task knows: its file, its head, its loss, its batches, its metric.

    Attributes:
        models: the classes of models that it works with.
    """

    models: tuple[type[nn.Module], ...]

    def __init__(self, model: Any, tok: Tokenizer, labels: Sequence[str]) -> None:
        """`model` has its head, and whatever PEFT adds to it."""

    @staticmethod
    def read(
        path: str, labels: Sequence[str] | None = None, columns: Columns = COLUMNS
    ) -> list[Any]:
        """The examples of a file; with `labels`, any other is an error.

        `columns` are for tables with names of their own.
        """

    @staticmethod
    def labels_of(examples: Sequence[Any]) -> list[str]:
        """The labels in the order of their ids; none where the task has none."""

    @staticmethod
    def head(model: nn.Module, labels: Sequence[str]) -> nn.Module:
        """`model` under a new head, where the task needs one."""

    @staticmethod
    def objective(model: nn.Module) -> Objective:
        """The loss; `model` is the one that training begins with."""

    def encode(self, examples: Sequence[Any]) -> tuple[list[Any], int]:
        """Items that fit the context, and how many had to be cut for it."""

    def batch(self, items: Sequence[Any]) -> Batch:
        """One batch of all items."""

    def measure(self, items: Sequence[Any]) -> dict[str, float]:
        """The metrics of the model by name."""


TASKS: Mapping[str, type[Task]] = {
    "classify": Classify,
    "instruct": Instruct,
    "ner": Tag,
    "qa": Find,
    "seq2seq": Translate,
    "dpo": Prefer,
}
METHODS: Mapping[str, Callable[[int], Method]] = {
    "lora": lambda rank: LoRA(rank=rank, alpha=2 * rank),
    "dora": lambda rank: LoRA(rank=rank, alpha=2 * rank, dora=True),
    "ia3": lambda rank: IA3(),
    "bitfit": lambda rank: BitFit(),
    "adapters": lambda rank: Adapters(),
    "prompt": lambda rank: PromptTuning(),
    "ptuning": lambda rank: PTuning(),
    "prefix": lambda rank: PrefixTuning(),
}


def load_base(directory: str | Path, task: str) -> tuple[Any, Tokenizer]:
    """The model that `task` begins with, and its tokenizer.

    Raises:
        FileNotFoundError: there is no model, or no tokenizer.
        ValueError: the model is none that the task works with.
    """
    path = Path(directory)
    if not (path / CONFIG).exists() and (path / TASK).exists():
        base = read_json(path / TASK).get("base")
        raise ValueError(
            f"{path} holds what PEFT learned beside {base}, and no model: give that, "
            "or one tuned with lora, dora, ia3 or bitfit"
        )
    model = families.load(path)
    known = TASKS[task].models
    if not isinstance(model, known):
        names = " or ".join(kind.__name__ for kind in known)
        raise ValueError(
            f"{path} holds a {type(model).__name__}, and task {task} needs a {names}"
        )
    return model, Tokenizer.load(path / TOKENIZER)


class Tuned(nn.Module):
    """A model in training, and how it is saved: `Trainer` takes it.

    Args:
        model: with its head and its method.
        method: None where all weights train.
        also: patterns of what trains beside the method.
    """

    def __init__(
        self, model: nn.Module, method: Method | None = None, also: Patterns = ()
    ) -> None:
        super().__init__()
        self.model = model
        self.method = method
        self.also = also

    def save(self, directory: str | Path) -> None:
        """Write what was learned; and the model as any other, if it can be one."""
        model: Any = self.model
        match self.method:
            case None | BitFit():
                model.save(directory)
            case LoRA() | IA3():
                layers = merge(model)
                try:
                    model.save(directory)
                finally:
                    unmerge(model, layers)
        if self.method is not None:
            save_adapter(directory, model, method=self.method, also=self.also)


def tune(model: nn.Module, *, base: nn.Module, peft: str | None, rank: int) -> Tuned:
    """`model`, which is `base` or a head on it, ready to train.

    Args:
        model: is changed in place; a new head trains with every method.
        base: what `model` stands on.
        peft: one of METHODS, or None to train all weights.
        rank: of lora and dora.

    Raises:
        ValueError: the method does not work with this model.
    """
    if peft is None:
        return Tuned(model)
    method = METHODS[peft](rank)
    known = [name for name, _ in base.named_parameters()]
    if isinstance(method, BitFit) and not any(n.endswith("bias") for n in known):
        raise ValueError("--peft bitfit trains biases, and this model has none")
    parts = [] if model is base else [name for name, _ in model.named_children()]
    owned = [name for name in parts if list(getattr(model, name).parameters())]
    also = tuple(f"{name}.*" for name in owned if name != "model")
    try:
        return Tuned(inject(model, method, also=also), method, also)
    except ValueError as error:
        raise ValueError(f"--peft {peft} with this model: {error}") from None


class Run(NamedTuple):
    """A fine-tuned run, ready to use."""

    model: Any
    tok: Tokenizer
    task: str
    labels: list[str]
    columns: Columns


def save_notes(
    out: Path, notes: Mapping[str, Any], *, base: str, labels: Sequence[str]
) -> None:
    """Write task.json, with "task" and what else `notes` hold, and labels.json."""
    write_json(out / TASK, {**notes, "base": str(Path(base).resolve())})
    if labels:
        write_json(out / LABELS, {"labels": list(labels)})


def load_tuned(directory: str | Path) -> Run:
    """Read what `finetune` left.

    Raises:
        FileNotFoundError: the run has no model yet, or its base is gone.
        ValueError: a file is damaged, or the base is another one now.
    """
    path = Path(directory)
    notes = read_json(path / TASK)
    labels: list[str] = []
    if (path / LABELS).exists():
        labels = read_json(path / LABELS).get("labels", [])
    task = str(notes.get("task"))
    if task not in TASKS:
        raise ValueError(f"{path / TASK}: task {task!r} is none of {', '.join(TASKS)}")
    if (path / WEIGHTS).exists():
        model = families.load(path)
    elif (path / "adapter.json").exists():
        base = families.load(notes["base"])
        model = load_adapter(path, TASKS[task].head(base, labels)).eval()
    else:
        raise FileNotFoundError(f"{path} holds no model: its finetune did not finish")
    columns = notes.get("columns") or COLUMNS
    return Run(model, Tokenizer.load(path / TOKENIZER), task, labels, columns)


def shown(figures: Mapping[str, float]) -> str:
    """accuracy 0.9125, macro F1 0.9101"""
    names = {name: name.replace("_f1", " F1").replace("_", " ") for name in figures}
    return ", ".join(f"{names[name]} {value:.4g}" for name, value in figures.items())


def cut_line(cut: int, total: int) -> str:
    """What is said of examples that did not fit."""
    return f"{cut:,} of {total:,} examples exceed the model's context, and were cut"
