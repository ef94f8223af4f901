"""Where each tensor of a checkpoint stands in our models, and back.

A family is written down once, as a list of entries; both directions follow from it.
What a file must hold is what our model would write, so a tensor that is missing,
unknown or misshapen is reported under the name that it has in the file.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from llm.models.checkpoint import check_fit, load_weights, weights


@dataclass(frozen=True)
class Entry:
    """One tensor of a checkpoint.

    Args:
        theirs: its name there.
        ours: our name; several where ours are laid above each other there.
        turned: whether the matrix is transposed there.
        shape: its shape there, where that is not the shape of the matrix.
    """

    theirs: str
    ours: tuple[str, ...]
    turned: bool = False
    shape: tuple[int, ...] | None = None

    def to_theirs(self, tensors: Sequence[Tensor]) -> Tensor:
        """One tensor of the checkpoint from ours, in the order of `ours`."""
        tensor = torch.cat(list(tensors)) if len(tensors) > 1 else tensors[0]
        tensor = tensor.T if self.turned else tensor
        return tensor if self.shape is None else tensor.reshape(self.shape)

    def to_ours(self, tensor: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
        """Ours, of the shapes of `like`, from one tensor of the checkpoint."""
        if self.turned:
            tensor = tensor.reshape(like[0].shape[1], -1).T
        rows = [len(one) for one in like]
        parts = torch.split(tensor, rows) if len(like) > 1 else [tensor]
        return [part.reshape(one.shape) for part, one in zip(parts, like, strict=True)]


Layout = Sequence[Entry]


def entries(
    names: Mapping[str, str], kinds: Sequence[str] = ("weight", "bias")
) -> Iterator[Entry]:
    """Entries from our names of layers to theirs; a + joins several of ours."""
    for ours, theirs in names.items():
        for kind in kinds:
            yield Entry(
                f"{theirs}.{kind}", tuple(f"{name}.{kind}" for name in ours.split("+"))
            )


def to_theirs(model: nn.Module, layout: Layout) -> dict[str, Tensor]:
    """The tensors of `model` as a checkpoint has them.

    Entries whose tensors the model does not have (a bias, a tied head) are left out.
    """
    own = weights(model)
    return {
        entry.theirs: entry.to_theirs([own[name] for name in entry.ours])
        for entry in layout
        if entry.ours[0] in own
    }


def load_theirs(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    layout: Layout,
    source: str | Path,
) -> None:
    """Copy the tensors of a checkpoint into `model`, converted to the types it has.

    Raises:
        ValueError: names are missing or unknown, or shapes differ; lists them all.
    """
    check_fit(to_theirs(model, layout), tensors, source=source)
    own = weights(model)
    ours: dict[str, Tensor] = {}
    for entry in layout:
        if entry.theirs in tensors:
            like = [own[name] for name in entry.ours]
            parts = entry.to_ours(tensors[entry.theirs], like)
            ours.update(zip(entry.ours, parts, strict=True))
    load_weights(model, ours, source=source)


@contextmanager
def reading(source: Path) -> Iterator[None]:
    """Say in errors that they come from the configuration in `source`."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{source} has no {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from None


def expect(hf: Mapping[str, Any], answers: Mapping[str, Any]) -> None:
    """Refuse a configuration that asks for anything but our only `answers`.

    A key that is not there asks for nothing.

    Raises:
        ValueError: names the key, its value and ours.
    """
    for name, ours in answers.items():
        if hf.get(name, ours) != ours:
            raise ValueError(f"{name} {hf[name]!r} is not supported, only {ours!r}")


def one_of(name: str, value: Any, choices: Mapping[str, Any]) -> Any:
    """Ours for one of several values that we have.

    Raises:
        ValueError: `value` is none of them.
    """
    if value not in choices:
        raise ValueError(f"{name} {value!r} is none of {list(choices)}")
    return choices[value]
