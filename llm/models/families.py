"""Which class reads which directory, by what its config.json says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from llm.models.bert import BERT
from llm.models.checkpoint import CONFIG, read_json
from llm.models.gpt import GPT
from llm.models.heads import SequenceClassifier, SpanExtractor, TokenClassifier
from llm.models.huggingface.files import locate
from llm.models.recurrent import Recurrent
from llm.models.reward import RewardModel
from llm.models.t5 import T5
from llm.models.transformer import Transformer
from llm.models.xlnet import XLNet

# By "model" in what we write.
OURS: Mapping[str, type[nn.Module]] = {
    "gpt": GPT,
    "bert": BERT,
    "t5": T5,
    "transformer": Transformer,
    "xlnet": XLNet,
    "recurrent": Recurrent,
    "sequence-classifier": SequenceClassifier,
    "token-classifier": TokenClassifier,
    "span-extractor": SpanExtractor,
    "reward-model": RewardModel,
}
# By "model_type" in what transformers writes, and by the end of its class's name.
THEIRS: Mapping[str, type[nn.Module]] = {
    "gpt2": GPT,
    "llama": GPT,
    "bert": BERT,
    "roberta": BERT,
    "t5": T5,
    "xlnet": XLNet,
}
HEADS: Mapping[str, type[nn.Module]] = {
    "ForSequenceClassification": SequenceClassifier,
    "ForTokenClassification": TokenClassifier,
    "ForQuestionAnswering": SpanExtractor,
}


def load(directory: str | Path) -> Any:
    """Read a model of any family that `save` wrote.

    Raises:
        FileNotFoundError: the directory or one of the files is missing.
        ValueError: a file is damaged, or of a family that we do not have.
    """
    path = Path(directory) / CONFIG
    family: Any = chosen(read_json(path), "model", OURS, source=path)
    return family.load(directory)


def from_hf(source: str | Path) -> Any:
    """Read a checkpoint of any family, with its head, in the layout of Hugging Face.

    Raises:
        FileNotFoundError: the directory or one of the files is missing.
        ValueError: a file is damaged, or of a family that we do not have.
    """
    directory = locate(source)
    path = directory / CONFIG
    values = read_json(path)
    family: Any = chosen(values, "model_type", THEIRS, source=path)
    for end, head in HEADS.items():
        if any(str(name).endswith(end) for name in values.get("architectures") or ()):
            family = head
    return family.from_hf(directory)


def chosen(
    values: Mapping[str, Any],
    key: str,
    classes: Mapping[str, type[nn.Module]],
    *,
    source: Path,
) -> type[nn.Module]:
    """The class that a configuration, read from `source`, names under `key`."""
    if values.get(key) not in classes:
        known = ", ".join(classes)
        raise ValueError(f"{source}: {key} {values.get(key)!r} is none of {known}")
    return classes[values[key]]
