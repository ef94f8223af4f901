"""Which class reads which directory, by what its config.json says."""

from pathlib import Path

from llm.models.checkpoint import CONFIG, read_json
from llm.models.gpt import GPT
from llm.models.huggingface.files import locate

Model = GPT
OURS: dict[str, type[Model]] = {"gpt": GPT}
THEIRS: dict[str, type[Model]] = {"gpt2": GPT, "llama": GPT}


def load(directory: str | Path) -> Model:
    """Read a model of any family that `save` wrote.

    Raises:
        FileNotFoundError: the directory or one of the files is missing.
        ValueError: a file is damaged, or of a family that we do not have.
    """
    return family(Path(directory), key="model", classes=OURS).load(directory)


def from_hf(source: str | Path) -> Model:
    """Read a checkpoint of any family in the layout of Hugging Face.

    Raises:
        FileNotFoundError: the directory or one of the files is missing.
        ValueError: a file is damaged, or of a family that we do not have.
    """
    directory = locate(source)
    return family(directory, key="model_type", classes=THEIRS).from_hf(directory)


def family(
    directory: Path, *, key: str, classes: dict[str, type[Model]]
) -> type[Model]:
    """The class that config.json in `directory` names under `key`."""
    values = read_json(directory / CONFIG)
    if values.get(key) not in classes:
        raise ValueError(
            f"{directory / CONFIG}: {key} {values.get(key)!r} is none of "
            f"{', '.join(classes)}"
        )
    return classes[values[key]]
