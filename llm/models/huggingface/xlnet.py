"""XLNet checkpoints.

The projections of attention are kept as (C, H, D): inputs first, but for the last one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from llm.models.huggingface.layout import Entry, Layout, entries, expect, one_of
from llm.models.xlnet_config import XLNetConfig
from llm.nn.feedforward import Activation

# What a configuration may ask for without our noticing, and the only answer we have.
FIXED: dict[str, Any] = {
    "attn_type": "bi",  # "uni" is Transformer-XL
    "bi_data": False,  # half of a batch read backwards
    "same_length": False,  # attention that drops the oldest sources
    "untie_r": True,  # u, v and w of each layer
}
ACTIVATION: dict[str, Activation] = {
    "gelu": "gelu_exact",
    "gelu_new": "gelu",
    "relu": "relu",
    "silu": "silu",
}
PROJECTIONS = {"query": "q", "key": "k", "value": "v", "distance": "r"}
BIASES = {"content": "r_w_bias", "distance": "r_r_bias", "segment": "r_s_bias"}


def config_from_hf(hf: Mapping[str, Any]) -> XLNetConfig:
    """Our configuration for what config.json of a checkpoint holds.

    Raises:
        KeyError: it lacks a number that we need.
        ValueError: it is of another family, or asks for what we do not have.
    """
    one_of("model_type", hf["model_type"], {"xlnet": None})
    width, heads = hf["d_model"], hf["n_head"]
    expect(hf, FIXED)
    if (hf.get("d_head") or width / heads) * heads != width:
        raise ValueError(f"d_head {hf['d_head']} times {heads} heads is not {width}")
    name, clamp = "ff_activation", hf.get("clamp_len", -1)
    return XLNetConfig(
        hf["vocab_size"],
        hf["n_layer"],
        heads,
        width,
        hidden=hf["d_inner"],
        activation=one_of(name, hf.get(name, "gelu"), ACTIVATION),
        dropout=hf.get("dropout", 0.1),
        norm_eps=hf.get("layer_norm_eps", 1e-12),
        memory=hf.get("mem_len", 512) or None,  # 0 keeps all there, too
        reuse=hf.get("reuse_len") or None,
        farthest=clamp if clamp > 0 else None,
        tied=hf.get("tie_word_embeddings", True),
    )


def config_to_hf(config: XLNetConfig) -> dict[str, Any]:
    """What config.json of a checkpoint holds for our configuration."""
    theirs = {ours: name for name, ours in ACTIVATION.items()}
    return {
        "architectures": ["XLNetLMHeadModel"],
        "model_type": "xlnet",
        "vocab_size": config.vocab_size,
        "d_model": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
        "d_head": config.width // config.heads,
        "d_inner": config.hidden_width,
        "ff_activation": theirs[config.activation],
        "dropout": config.dropout,
        "layer_norm_eps": config.norm_eps,
        "mem_len": config.memory,
        "reuse_len": config.reuse,
        "clamp_len": config.farthest or -1,
        "tie_word_embeddings": config.tied,
        **FIXED,
        # Which ids begin, end and fill a text is known to the tokenizer.
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }


def layout(config: XLNetConfig) -> Layout:
    """Where every tensor of a checkpoint stands."""
    C, H = config.width, config.heads
    D = C // H
    whole = [
        Entry("transformer.word_embedding.weight", ("embedding.weight",)),
        Entry("transformer.mask_emb", ("start",), shape=(1, 1, C)),
        *entries({"head": "lm_loss"}),
    ]
    for layer in range(config.layers):
        theirs, ours = f"transformer.layer.{layer}", f"blocks.{layer}"
        attention, own = f"{theirs}.rel_attn", f"{ours}.attention"
        for name, short in PROJECTIONS.items():
            turned = Entry(f"{attention}.{short}", (f"{own}.{name}.weight",), True)
            whole.append(replace(turned, shape=(C, H, D)))
        out = Entry(f"{attention}.o", (f"{own}.out.weight",), shape=(C, H, D))
        whole += [out, Entry(f"{attention}.seg_embed", (f"{own}.segments",))]
        for name, long in BIASES.items():
            bias = Entry(f"{attention}.{long}", (f"{own}.{name}_bias",), shape=(H, D))
            whole.append(bias)
        names = {
            f"{ours}.attention_norm": f"{attention}.layer_norm",
            f"{ours}.feedforward.up": f"{theirs}.ff.layer_1",
            f"{ours}.feedforward.down": f"{theirs}.ff.layer_2",
            f"{ours}.feedforward_norm": f"{theirs}.ff.layer_norm",
        }
        whole += entries(names)
    return whole


def cleaned(tensors: Mapping[str, Tensor], config: XLNetConfig) -> dict[str, Tensor]:
    """Tensors of a checkpoint, a tied head left out."""
    kept = dict(tensors)
    if config.tied:
        kept.pop("lm_loss.weight", None)
    return kept
