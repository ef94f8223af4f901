"""The files of a checkpoint: config.json and safetensors, whole or in shards."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from llm.models.checkpoint import (
    CONFIG,
    WEIGHTS,
    read_json,
    read_safetensors,
    write_json,
    write_safetensors,
)

INDEX = "model.safetensors.index.json"
PICKLED = "pytorch_model.bin"
# Of a repository on the hub: what we can read, and no pickles.
WANTED = ("config.json", "*.safetensors", INDEX, "tokenizer*.json", "vocab.*", "*.txt")


def read_checkpoint(
    source: str | Path,
) -> tuple[dict[str, Any], dict[str, Tensor], Path]:
    """The configuration and the tensors of a checkpoint, and its directory.

    Args:
        source: a directory, or the name of a repository on the Hugging Face hub, which
            is downloaded if `huggingface_hub` is installed and there is a network.

    Raises:
        FileNotFoundError: the directory, one of its files, or the repository is
            missing.
        ValueError: a file is damaged, or the weights are pickled.
    """
    directory = locate(source)
    config = read_json(directory / CONFIG)
    if (directory / INDEX).is_file() and not (directory / WEIGHTS).is_file():
        return config, read_shards(directory / INDEX), directory
    if (directory / PICKLED).is_file() and not (directory / WEIGHTS).is_file():
        raise ValueError(
            f"{directory / PICKLED} is a pickle, which can run any program when "
            f"loaded: save the model as {WEIGHTS} first"
        )
    return config, read_safetensors(directory / WEIGHTS)[0], directory


def read_shards(index: Path) -> dict[str, Tensor]:
    """Every tensor that an index names, each from the file that it names for it.

    Raises:
        FileNotFoundError: a shard is missing.
        ValueError: the index or a shard is damaged, or a tensor is not in its shard.
    """
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict):
        raise ValueError(f"{index} has no weight_map: which tensor is in which file")
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(where.values())):
        path = index.parent / Path(name).name  # a shard stands beside its index
        shard = read_safetensors(path)[0]
        own = [tensor for tensor, file in where.items() if file == name]
        if absent := [tensor for tensor in own if tensor not in shard]:
            raise ValueError(
                f"{path} lacks {absent[0]}, which {index.name} places there"
            )
        tensors |= {tensor: shard[tensor] for tensor in own}
    return tensors


def locate(source: str | Path) -> Path:
    """The directory of a checkpoint, downloaded if it is none of this machine's.

    Raises:
        FileNotFoundError: there is no such directory, and no such download.
    """
    directory = Path(source)
    if directory.is_dir() or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(source)):
        return directory
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise FileNotFoundError(
            f"{source} is no directory here; if it is on the Hugging Face hub, "
            "pip install huggingface_hub to download it"
        ) from None
    try:
        return Path(snapshot_download(str(source), allow_patterns=list(WANTED)))
    except Exception as error:  # of a dozen kinds, by what failed on the way
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise FileNotFoundError(
            f"{source} is no directory here, and was not downloaded from the Hugging "
            f"Face hub: {type(error).__name__}: {first}"
        ) from None


def write_checkpoint(
    directory: str | Path, *, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write config.json and model.safetensors, each whole or not at all."""
    write_json(Path(directory) / CONFIG, dict(config))
    write_safetensors(Path(directory) / WEIGHTS, tensors)
