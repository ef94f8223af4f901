"""GPT-2 and Llama checkpoints.

GPT-2 keeps query, key and value in one matrix, and all matrices of its blocks
transposed: its layers compute x W.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from torch import Tensor

from llm.models.config import STYLES, GPTConfig
from llm.models.huggingface.layout import Layout, entries, expect, one_of
from llm.nn import RopeScaling

Format = Literal["gpt2", "llama"]

# Ours and theirs, of the whole model and of one block.
NAMES = {
    "gpt2": {
        "embedding": "transformer.wte",
        "position": "transformer.wpe",
        "norm": "transformer.ln_f",
        "head": "lm_head",
    },
    "llama": {
        "embedding": "model.embed_tokens",
        "norm": "model.norm",
        "head": "lm_head",
    },
}
BLOCK = {"gpt2": "transformer.h", "llama": "model.layers"}
BLOCK_NAMES = {
    "gpt2": {
        "attention_norm": "ln_1",
        "attention.query+attention.key+attention.value": "attn.c_attn",
        "attention.out": "attn.c_proj",
        "feedforward_norm": "ln_2",
        "feedforward.up": "mlp.c_fc",
        "feedforward.down": "mlp.c_proj",
    },
    "llama": {
        "attention_norm": "input_layernorm",
        "attention.query": "self_attn.q_proj",
        "attention.key": "self_attn.k_proj",
        "attention.value": "self_attn.v_proj",
        "attention.out": "self_attn.o_proj",
        "feedforward_norm": "post_attention_layernorm",
        "feedforward.gate": "mlp.gate_proj",
        "feedforward.up": "mlp.up_proj",
        "feedforward.down": "mlp.down_proj",
    },
}

# What a configuration may ask for without our noticing, and the only answer we have.
FIXED: dict[str, dict[str, Any]] = {
    "gpt2": {
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    },
    "llama": {"hidden_act": "silu"},
}
# Ours and theirs, of how Llama 3 stretches its angles.
SCALING = {
    "factor": "factor",
    "low": "low_freq_factor",
    "high": "high_freq_factor",
    "context": "original_max_position_embeddings",
}
GELU: dict[str, Literal["gelu", "gelu_exact"]] = {
    "gelu_new": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "gelu": "gelu_exact",
}
# What old checkpoints hold beside weights: masks and angles that are computed anyway.
COMPUTED = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")


def config_from_hf(hf: Mapping[str, Any]) -> GPTConfig:
    """Our configuration for what config.json of a checkpoint holds.

    Raises:
        KeyError: it lacks a number that we need.
        ValueError: it is of another family, or asks for what we do not have.
    """
    family = one_of("model_type", hf["model_type"], FIXED)
    expect(hf, family)
    return from_gpt2(hf) if hf["model_type"] == "gpt2" else from_llama(hf)


def from_gpt2(hf: Mapping[str, Any]) -> GPTConfig:
    """A GPT-2 configuration. It has three dropout rates; ours is the residual one."""
    name = "activation_function"
    return GPTConfig(
        hf["vocab_size"],
        hf["n_positions"],
        hf["n_layer"],
        hf["n_head"],
        hf["n_embd"],
        style="gpt2",
        dropout=hf.get("resid_pdrop", 0.1),
        feedforward=one_of(name, hf.get(name, "gelu_new"), GELU),
        hidden=hf.get("n_inner"),
        norm_eps=hf.get("layer_norm_epsilon", 1e-5),
        tied=hf.get("tie_word_embeddings", True),
    )


def from_llama(hf: Mapping[str, Any]) -> GPTConfig:
    """A Llama configuration, of any of the three."""
    width, heads = hf["hidden_size"], hf["num_attention_heads"]
    if (hf.get("head_dim") or width // heads) * heads != width:
        raise ValueError(
            f"head_dim {hf['head_dim']} times {heads} heads is not {width}"
        )
    rope = hf.get("rope_parameters") or hf.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    scaling = one_of("rope_type", kind, {"default": None, "llama3": SCALING})
    bias = hf.get("attention_bias", False)
    if bias != hf.get("mlp_bias", False):
        raise ValueError("attention_bias and mlp_bias differ")
    return GPTConfig(
        hf["vocab_size"],
        hf["max_position_embeddings"],
        hf["num_hidden_layers"],
        heads,
        width,
        hf.get("num_key_value_heads"),
        style="llama",
        dropout=hf.get("attention_dropout", 0.0),
        bias=bias,
        hidden=hf["intermediate_size"],
        norm_eps=hf.get("rms_norm_eps", 1e-6),
        rope_base=rope.get("rope_theta", hf.get("rope_theta", 10_000.0)),
        rope_scaling=scaling
        and RopeScaling(**{ours: rope[theirs] for ours, theirs in scaling.items()}),
        tied=hf.get("tie_word_embeddings", False),
    )


def format_of(config: GPTConfig) -> Format:
    """The family of checkpoint that a configuration can be written as.

    Raises:
        ValueError: neither has the parts it names.
    """
    parts, plain = config.parts, not (config.qk_norm or config.window)
    gelu = replace(STYLES["gpt2"], tied=parts.tied, feedforward=parts.feedforward)
    if plain and parts == gelu and parts.feedforward != "swiglu":
        if config.kv_heads in (None, config.heads):
            return "gpt2"
    elif plain and parts == replace(STYLES["llama"], tied=parts.tied, bias=parts.bias):
        return "llama"
    raise ValueError(
        f"neither GPT-2 nor Llama has these parts: {parts}, "
        f"kv_heads={config.kv_heads}, qk_norm={config.qk_norm}, window={config.window}"
    )


def config_to_hf(config: GPTConfig) -> dict[str, Any]:
    """What config.json of a checkpoint holds for our configuration.

    Raises:
        ValueError: neither GPT-2 nor Llama has the parts it names.
    """
    # Which ids begin and end a text is known to the tokenizer, not to the model.
    ends = {"bos_token_id": None, "eos_token_id": None}
    if format_of(config) == "gpt2":
        exact = config.parts.feedforward == "gelu_exact"
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "vocab_size": config.vocab_size,
            "n_positions": config.context,
            "n_layer": config.layers,
            "n_head": config.heads,
            "n_embd": config.width,
            "n_inner": config.hidden_width,
            "activation_function": "gelu" if exact else "gelu_new",
            "layer_norm_epsilon": config.norm_eps,
            "resid_pdrop": config.dropout,
            "embd_pdrop": config.dropout,
            "attn_pdrop": config.dropout,
            "tie_word_embeddings": config.parts.tied,
            **ends,
        }
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads or config.heads,
        "hidden_size": config.width,
        "intermediate_size": config.hidden_width,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_base,
        "rope_scaling": config.rope_scaling and scaling_to_hf(config.rope_scaling),
        "attention_dropout": config.dropout,
        "attention_bias": config.parts.bias,
        "mlp_bias": config.parts.bias,
        "tie_word_embeddings": config.parts.tied,
        **ends,
    }


def scaling_to_hf(scaling: RopeScaling) -> dict[str, Any]:
    """How Llama 3 writes down the stretch of its angles."""
    values = {theirs: getattr(scaling, ours) for ours, theirs in SCALING.items()}
    return {"rope_type": "llama3", **values}


def layout(config: GPTConfig) -> Layout:
    """Where every tensor of a checkpoint stands.

    Raises:
        ValueError: neither GPT-2 nor Llama has the parts that `config` names.
    """
    format = format_of(config)
    whole = list(entries(NAMES[format]))
    for layer in range(config.layers):
        names = {
            "+".join(
                f"blocks.{layer}.{our}" for our in ours.split("+")
            ): f"{BLOCK[format]}.{layer}.{theirs}"
            for ours, theirs in BLOCK_NAMES[format].items()
        }
        for entry in entries(names):
            matrix = "norm" not in entry.ours[0] and entry.theirs.endswith("weight")
            whole.append(replace(entry, turned=matrix and format == "gpt2"))
    return whole


def cleaned(tensors: Mapping[str, Tensor], config: GPTConfig) -> dict[str, Tensor]:
    """Tensors of a checkpoint, named alike however it was saved, each once."""
    kept = {k: v for k, v in tensors.items() if not k.endswith(COMPUTED)}
    if "wte.weight" in kept:  # saved without a head, as OpenAI's own are
        kept = {f"transformer.{name}": tensor for name, tensor in kept.items()}
    if config.parts.tied:
        kept.pop("lm_head.weight", None)
    return kept
