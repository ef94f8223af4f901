"""BERT and RoBERTa checkpoints.

Both name their encoder alike, and their heads differently. Old files say gamma and beta
for the weight and bias of a norm; some hold position ids, or the tied matrix and bias
of the masked head a second time. The files tell by their tensors which heads they have.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from llm.models.bert_config import BERTConfig
from llm.models.checkpoint import CONFIG
from llm.models.huggingface.files import read_checkpoint
from llm.models.huggingface.layout import (
    Entry,
    Layout,
    entries,
    expect,
    one_of,
    reading,
)

# Ours and theirs, of the encoder and of one block; the names of the family go before.
ENCODER = {
    "embedding": "embeddings.word_embeddings",
    "position": "embeddings.position_embeddings",
    "segment": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
}
BLOCK = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feedforward.up": "intermediate.dense",
    "feedforward.down": "output.dense",
    "feedforward_norm": "output.LayerNorm",
}
# The masked head: where its tensors stand, and ours and theirs of its transform.
HEAD = {"bert": "cls.predictions", "roberta": "lm_head"}
TRANSFORM = {
    "bert": {"transform": "transform.dense", "transform_norm": "transform.LayerNorm"},
    "roberta": {"transform": "dense", "transform_norm": "layer_norm"},
}
NEXT_SENTENCE = "cls.seq_relationship"
# The only answers that we have. Position embeddings were once an option.
FIXED = {
    "hidden_act": "gelu",
    "is_decoder": False,
    "add_cross_attention": False,
    "position_embedding_type": "absolute",
}
COMPUTED = (".position_ids", ".token_type_ids")
RENAMED = {".gamma": ".weight", ".beta": ".bias"}


def read(source: str | Path) -> tuple[BERTConfig, dict[str, Tensor], Path]:
    """Configuration and tensors of a checkpoint, named alike, and its directory.

    Raises:
        FileNotFoundError: the directory, one of its files, or the repository is
            missing.
        ValueError: a file is damaged, or asks for what we do not have.
    """
    values, tensors, directory = read_checkpoint(source)
    with reading(directory / CONFIG):
        one_of("model_type", values["model_type"], HEAD)
        tensors = cleaned(tensors, values)
        config = config_from_hf(values, tensors)
    return config, tensors, directory


def config_from_hf(hf: Mapping[str, Any], names: Collection[str]) -> BERTConfig:
    """Our configuration for config.json of a checkpoint that has tensors of `names`.

    They have three dropout rates; ours is that of the residual stream.

    Raises:
        KeyError: it lacks a number that we need.
        ValueError: it is of another family, or asks for what we do not have.
    """
    style = one_of("model_type", hf["model_type"], {name: name for name in HEAD})
    expect(hf, FIXED)
    padding = hf.get("pad_token_id", {"bert": 0, "roberta": 1}[style])
    before = 0 if style == "bert" or padding is None else padding + 1
    return BERTConfig(
        hf["vocab_size"],
        hf["max_position_embeddings"] - before,
        hf["num_hidden_layers"],
        hf["num_attention_heads"],
        hf["hidden_size"],
        types=hf.get("type_vocab_size", 2),
        style=style,
        padding=padding,
        hidden=hf["intermediate_size"],
        dropout=hf.get("hidden_dropout_prob", 0.1),
        norm_eps=hf.get("layer_norm_eps", 1e-12),
        init_std=hf.get("initializer_range", 0.02),
        masked_head=any(name.startswith(HEAD[style] + ".") for name in names),
        next_sentence=f"{NEXT_SENTENCE}.weight" in names,
        pooler=f"{style}.pooler.dense.weight" in names,
        tied=hf.get("tie_word_embeddings", True),
    )


def config_to_hf(config: BERTConfig) -> dict[str, Any]:
    """What config.json of a checkpoint holds for our configuration.

    Raises:
        ValueError: a RoBERTa has a next-sentence head, which theirs has not.
    """
    if config.style == "roberta" and config.has_next_sentence:
        raise ValueError("checkpoints of RoBERTa have no next-sentence head")
    family = {"bert": "Bert", "roberta": "Roberta"}[config.style]
    kind = "ForMaskedLM" if config.masked_head else "Model"
    kind = "ForPreTraining" if config.has_next_sentence else kind
    return {
        "architectures": [family + kind],
        "model_type": config.style,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.first_position + config.context,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "hidden_size": config.width,
        "intermediate_size": config.hidden_width,
        "type_vocab_size": config.type_count,
        "pad_token_id": config.padding,
        "hidden_act": "gelu",
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "layer_norm_eps": config.norm_eps,
        "initializer_range": config.init_std,
        "tie_word_embeddings": config.tied,
        # Which ids begin and end a text is known to the tokenizer, not to the model.
        "bos_token_id": None,
        "eos_token_id": None,
    }


def layout(config: BERTConfig) -> Layout:
    """Where every tensor of a checkpoint stands."""
    pooler = entries({"pooler": f"{config.style}.pooler.dense"})
    next_sentence = entries({"next_sentence": NEXT_SENTENCE})
    return [*encoder(config), *pooler, *masked_head(config), *next_sentence]


def encoder(config: BERTConfig, *, within: str = "") -> Iterator[Entry]:
    """The embeddings and blocks of a model that we call `within`, if it is a part."""
    names = {ours: f"{config.style}.{theirs}" for ours, theirs in ENCODER.items()}
    for layer in range(config.layers):
        block = f"{config.style}.encoder.layer.{layer}"
        for ours, theirs in BLOCK.items():
            names[f"blocks.{layer}.{ours}"] = f"{block}.{theirs}"
    for entry in entries(names):
        yield replace(entry, ours=(within + entry.ours[0],))


def masked_head(config: BERTConfig) -> Layout:
    """The head that names masked tokens: a tied bias stands beside the decoder."""
    where = HEAD[config.style]
    ours = TRANSFORM[config.style]
    names = {name: f"{where}.{theirs}" for name, theirs in ours.items()}
    bias = f"{where}.bias" if config.tied else f"{where}.decoder.bias"
    return [
        *entries(names),
        Entry(f"{where}.decoder.weight", ("head.weight",)),
        Entry(bias, ("head.bias",)),
    ]


def cleaned(tensors: Mapping[str, Tensor], hf: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors of a checkpoint, named alike however it was saved, each once."""
    style, kept = hf["model_type"], {}
    for name, tensor in tensors.items():
        if name.endswith(COMPUTED):
            continue
        for old, new in RENAMED.items():
            if name.endswith(old):
                name = name.removesuffix(old) + new
        if name.startswith(("embeddings.", "encoder.", "pooler.")):  # the encoder alone
            name = f"{style}.{name}"
        kept[name] = tensor
    # The bias has two names. Theirs reads the decoder's, which is the other if tied.
    own, decoder = f"{HEAD[style]}.bias", f"{HEAD[style]}.decoder.bias"
    tied = hf.get("tie_word_embeddings", True)
    wanted, other = (own, decoder) if tied else (decoder, own)
    if other in kept:
        kept.setdefault(wanted, kept.pop(other))
    if tied:
        kept.pop(f"{HEAD[style]}.decoder.weight", None)
    return kept
