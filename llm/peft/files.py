"""What a method has learned, without the model: a small file to lay beside many bases.

    adapter.json         the method, what else trains, and the checksum of the base
    adapter.safetensors  the parameters that train, by name

For LoRA, IA3 and prompts there is the format of the library `peft`, too: see
`llm.peft.huggingface`. This one holds every method on every model, and refuses a base
whose numbers are not those that it was trained on.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from llm.models.checkpoint import (
    check_fit,
    checksum,
    read_json,
    read_safetensors,
    weights,
    write_json,
    write_safetensors,
)
from llm.peft.inject import inject
from llm.peft.methods import (
    IA3,
    Adapters,
    BitFit,
    LoRA,
    Method,
    Patterns,
    PrefixTuning,
    PromptTuning,
    PTuning,
)

CONFIG = "adapter.json"
WEIGHTS = "adapter.safetensors"
KINDS: Mapping[str, type[Method]] = {
    kind.__name__: kind
    for kind in (LoRA, IA3, BitFit, Adapters, PromptTuning, PTuning, PrefixTuning)
}


def save_adapter(
    directory: str | Path, model: nn.Module, *, method: Method, also: Patterns = ()
) -> None:
    """Write what trains in `model`, which `inject(…, method, also=also)` gave."""
    learned, base = split(model)
    values = {
        "method": type(method).__name__,
        **asdict(method),
        "also": also,
        "base": checksum(base, {}),
    }
    write_json(Path(directory) / CONFIG, values)
    write_safetensors(Path(directory) / WEIGHTS, learned)


def load_adapter(directory: str | Path, model: nn.Module) -> nn.Module:
    """Inject into `model` the method that `save_adapter` wrote, with what it learned.

    After an error `model` may hold the method, without what it learned.

    Returns:
        What `inject` gives.

    Raises:
        FileNotFoundError: the directory or one of the files is missing.
        ValueError: a file is damaged, or `model` is not the base it was trained on.
    """
    path = Path(directory) / CONFIG
    method, also, base = read_method(path)
    tensors, _ = read_safetensors(Path(directory) / WEIGHTS)
    model = inject(model, method, also=also)
    learned, frozen = split(model)
    check_fit(learned, tensors, source=Path(directory) / WEIGHTS)
    if checksum(frozen, {}) != base:
        raise ValueError(f"{path} was trained on another base than this model")
    for name, tensor in learned.items():
        tensor.copy_(tensors[name])
    return model


def read_method(path: Path) -> tuple[Method, Patterns, str]:
    """The method in adapter.json, what else trains, and the checksum of the base.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or of a method that we do not have.
    """
    values: dict[str, Any] = read_json(path)
    # JSON has lists only.
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        kind, also = values.pop("method"), values.pop("also")
        base = values.pop("base")
        return KINDS[kind](**values), also, base
    except KeyError as error:
        raise ValueError(f"{path} has no method that we know: {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def split(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors of `model` that train, by name, and those that do not."""
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    tensors = weights(model)
    learned = {name: tensor for name, tensor in tensors.items() if name in names}
    return learned, {k: v for k, v in tensors.items() if k not in names}
