"""Files of models: safetensors for weights, JSON for the rest, whole or not at all.

Each file is written under a temporary name in its own directory, flushed to the disk
and renamed over the old one, so a process killed at any moment leaves the old file or
the new. What is read back is checked before it is used: a damaged file, or one that
does not fit the model, is named in one line. Nothing is ever unpickled.
"""

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Model = TypeVar("Model", bound=nn.Module)
Config = TypeVar("Config", bound="DataclassInstance")
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
# More names than these say nothing new, and the message shall stay one line.
NAMED = 6


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; what is written there replaces `path` when all went well.

    Makes the directories above `path`. After an error `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # safetensors leaves files that only their owner can read
        flush(temporary, os.O_RDWR)
        os.replace(temporary, path)
        with suppress(PermissionError):  # Windows opens no directories
            flush(path.parent, os.O_RDONLY)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path, flags: int) -> None:
    """Wait until the file or directory `path` has reached the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON, whole or not at all.

    Raises:
        ValueError: `value` holds a number that JSON does not have (NaN, infinity).
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(Path(path)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not JSON, or not an object.
    """
    try:
        value = json.loads(readable(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object but a {type(value).__name__}")
    return value


def write_safetensors(
    path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] = {}
) -> None:
    """Write `tensors` by name, with a checksum and `header` beside them.

    No two tensors may share memory: see `weights`.
    """
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    # "format" tells other libraries whose tensors these are.
    header = {**header, "format": "pt"}
    with replacing(Path(path)) as temporary:
        save_file(whole, temporary, {**header, "crc32": checksum(whole, header)})


def read_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read every tensor by name, on the CPU, and the header.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut short or no safetensors, or its content is not
            what `write_safetensors` wrote.
    """
    try:
        with safe_open(readable(path), framework="pt") as file:
            header = dict(file.metadata() or {})
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors: {error}") from None
    if header.pop("crc32", None) not in (None, checksum(tensors, header)):
        raise ValueError(f"{path} is damaged: its bytes do not match their checksum")
    return tensors, header


def checksum(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    """CRC-32 over the header, then names, types, shapes and bytes in order of names."""
    crc = zlib.crc32(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        crc = zlib.crc32(f"{name} {described(tensor)}".encode(), crc)
        crc = zlib.crc32(tensor.flatten().view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def config_to_json(config: Any, *, model: str) -> dict[str, Any]:
    """What config.json holds of the dataclass `config`, and which model it is of."""
    return {"model": model, **asdict(config)}


def config_of_json(
    kind: type[Config], values: Mapping[str, Any], *, model: str, source: Path
) -> Config:
    """The configuration that config.json, read from `source`, holds.

    Raises:
        ValueError: it is of another model, or has unknown keys or bad values.
    """
    if "model_type" in values:
        raise ValueError(f"{source} is of a Hugging Face checkpoint: use from_hf")
    if values.get("model") != model:
        found = values.get("model")
        raise ValueError(f"{source} is of a model {found!r}, and not of a {model!r}")
    own = {name: value for name, value in values.items() if name != "model"}
    known = [field.name for field in fields(kind)]
    if unknown := [name for name in own if name not in known]:
        raise ValueError(f"{source} has unknown keys {unknown}: known are {known}")
    try:
        return kind(**own)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from None


def save_model(
    model: nn.Module, directory: str | Path, *, config: Mapping[str, Any]
) -> None:
    """Write config.json and model.safetensors, each whole or not at all."""
    write_json(Path(directory) / CONFIG, config)
    write_safetensors(Path(directory) / WEIGHTS, weights(model))


def load_saved(model: Model, directory: str | Path) -> Model:
    """Give a new model the weights that `save_model` wrote, and switch dropout off.

    Raises:
        FileNotFoundError: there is no model.safetensors.
        ValueError: it is damaged, or does not fit.
    """
    path = Path(directory) / WEIGHTS
    load_weights(model, read_safetensors(path)[0], source=path)
    return model.eval()


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and saved buffers of `model`; tied ones once, by their first name."""
    first: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        first.setdefault(id(tensor), (name, tensor))
    return {name: tensor.detach() for name, tensor in first.values()}


def load_weights(
    model: nn.Module, tensors: Mapping[str, Tensor], *, source: str | Path
) -> None:
    """Copy `tensors` into `model` by name, converted to the types it has.

    Args:
        model: keeps what it had if anything does not fit.
        tensors: one of each name in `weights(model)`, of the same shape.
        source: where the tensors come from, for the message.

    Raises:
        ValueError: names are missing or unknown, or shapes differ; lists them.
    """
    own = weights(model)
    check_fit(own, tensors, source=source)
    for name in own:
        own[name].copy_(tensors[name])


def check_fit(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    *,
    source: str | Path,
) -> None:
    """Refuse tensors that are not, by name and shape, the expected ones.

    Raises:
        ValueError: names are missing or unknown, or shapes differ; lists them.
    """
    faults = {
        "missing": [name for name in expected if name not in found],
        "unknown": [name for name in found if name not in expected],
        "of another shape": [
            f"{name} {described(found[name])} instead of {described(tensor)}"
            for name, tensor in expected.items()
            if name in found and not alike(found[name], tensor)
        ],
    }
    if any(faults.values()):
        lists = "; ".join(f"{kind}: {few(of)}" for kind, of in faults.items() if of)
        raise ValueError(f"{source} does not fit the model: {lists}")


def alike(a: Tensor, b: Tensor) -> bool:
    """Whether `a` can be copied into `b`: its shape is the same, its numbers alike."""
    return a.shape == b.shape and a.is_floating_point() == b.is_floating_point()


def described(tensor: Tensor) -> str:
    """Type and shape, as in `float32 (3, 4)`."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def few(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def readable(path: str | Path) -> Path:
    """`path`, if it is a file.

    Raises:
        FileNotFoundError: it is not.
    """
    path = Path(path)
    if not path.is_file():
        where = "is no directory" if not path.parent.is_dir() else f"has no {path.name}"
        raise FileNotFoundError(f"{path.parent} {where}: nothing to load there")
    return path
