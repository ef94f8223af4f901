"""T5 checkpoints, original and 1.1 style.

The embedding has up to three names in them, and in some the head is a copy of it, too.
"""

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from llm.models.huggingface.layout import Layout, entries, expect, one_of
from llm.models.t5_config import T5Config

# Ours and theirs, of the whole model, of a stack, and of the parts of a block.
NAMES = {
    "embedding": "shared",
    "head": "lm_head",
    "encoder.norm": "encoder.final_layer_norm",
    "decoder.norm": "decoder.final_layer_norm",
}
RELATIVE = "block.0.layer.0.SelfAttention.relative_attention_bias"
PROJECTIONS = {"query": "q", "key": "k", "value": "v", "out": "o"}
FEEDFORWARD: dict[Literal["relu", "geglu"], dict[str, str]] = {
    "relu": {"up": "wi", "down": "wo"},
    "geglu": {"gate": "wi_0", "up": "wi_1", "down": "wo"},
}
# What stands for the embedding beside "shared".
ALIASES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
# Old checkpoints hold this bias, which no version of the model has ever used.
UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"

STYLES: dict[str, Literal["relu", "geglu"]] = {"relu": "relu", "gated-gelu": "geglu"}


def config_from_hf(hf: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> T5Config:
    """Our configuration for what config.json and the weights of a checkpoint hold.

    `transformers` 5 writes that every head is tied; where one is not, the weights tell.

    Raises:
        KeyError: it lacks a number that we need.
        ValueError: it is of another family, or asks for what we do not have.
    """
    one_of("model_type", hf["model_type"], {"t5": None})
    expect(hf, {"is_encoder_decoder": True})
    name, tied = "feed_forward_proj", hf.get("tie_word_embeddings", True)
    return T5Config(
        hf["vocab_size"],
        hf["num_layers"],
        hf["num_heads"],
        hf["d_model"],
        decoder_layers=hf.get("num_decoder_layers"),
        head_width=hf["d_kv"],
        hidden=hf["d_ff"],
        feedforward=one_of(name, hf.get(name, "relu"), STYLES),
        tied=tied and not has_own_head(tensors),
        scaled=hf.get("scale_decoder_outputs", tied),
        buckets=hf.get("relative_attention_num_buckets", 32),
        farthest=hf.get("relative_attention_max_distance", 128),
        dropout=hf.get("dropout_rate", 0.1),
        norm_eps=hf.get("layer_norm_epsilon", 1e-6),
        start=hf.get("decoder_start_token_id") or 0,
    )


def has_own_head(tensors: Mapping[str, Tensor]) -> bool:
    """Whether there is a head that is not the embedding again."""
    head, embedding = tensors.get("lm_head.weight"), tensors.get("shared.weight")
    if head is None or embedding is None:
        return False
    return head.shape != embedding.shape or not head.equal(embedding)


def config_to_hf(config: T5Config) -> dict[str, Any]:
    """What config.json of a checkpoint holds for our configuration."""
    layers, decoder_layers = config.depth
    style = next(k for k, ours in STYLES.items() if ours == config.feedforward)
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "is_encoder_decoder": True,
        "vocab_size": config.vocab_size,
        "num_layers": layers,
        "num_decoder_layers": decoder_layers,
        "num_heads": config.heads,
        "d_model": config.width,
        "d_kv": config.head_width or config.width // config.heads,
        "d_ff": config.hidden or 4 * config.width,
        "feed_forward_proj": style,
        "relative_attention_num_buckets": config.buckets,
        "relative_attention_max_distance": config.farthest,
        "dropout_rate": config.dropout,
        "layer_norm_epsilon": config.norm_eps,
        "tie_word_embeddings": config.tied,
        "scale_decoder_outputs": config.scaled,
        "decoder_start_token_id": config.start,
        # The start is padding in T5. What ends a text is known to the tokenizer alone.
        "pad_token_id": config.start,
        "eos_token_id": None,
    }


def layout(config: T5Config) -> Layout:
    """Where every tensor of a checkpoint stands."""
    names = dict(NAMES)
    for stack, layers in zip(("encoder", "decoder"), config.depth, strict=True):
        names[f"{stack}.relative.table"] = f"{stack}.{RELATIVE}"
        for i in range(layers):
            ours, theirs = f"{stack}.blocks.{i}", f"{stack}.block.{i}.layer"
            parts = [("attention", "SelfAttention"), ("feedforward", "DenseReluDense")]
            if stack == "decoder":
                parts.insert(1, ("cross_attention", "EncDecAttention"))
            for j, (part, their_part) in enumerate(parts):
                norm = part.removesuffix("_attention") + "_norm"
                names[f"{ours}.{norm}"] = f"{theirs}.{j}.layer_norm"
                attends = part.endswith("attention")
                layers_of = PROJECTIONS if attends else FEEDFORWARD[config.feedforward]
                names |= {
                    f"{ours}.{part}.{own}": f"{theirs}.{j}.{their_part}.{their}"
                    for own, their in layers_of.items()
                }
    return list(entries(names, kinds=("weight",)))


def cleaned(tensors: Mapping[str, Tensor], config: T5Config) -> dict[str, Tensor]:
    """Tensors of a checkpoint, each once and under its first name."""
    kept = {name: tensor for name, tensor in tensors.items() if name != UNUSED}
    for alias in ALIASES:
        if alias in kept:
            kept.setdefault("shared.weight", kept.pop(alias))
    if config.tied:
        kept.pop("lm_head.weight", None)
    return kept
