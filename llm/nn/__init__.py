"""The parts from which every model is built. What `torch.nn` has is used from there."""

from llm.nn.attention import KVCache, MultiHeadAttention
from llm.nn.block import Block
from llm.nn.feedforward import MLP, GatedMLP
from llm.nn.masks import (
    causal_mask,
    padding_mask,
    permutation_mask,
    prefix_mask,
    segment_mask,
    segment_positions,
)
from llm.nn.position import (
    RelativeBias,
    RopeScaling,
    Rotary,
    Rotation,
    alibi,
    rotate,
    sinusoids,
)

__all__ = [
    "MLP",
    "Block",
    "GatedMLP",
    "KVCache",
    "MultiHeadAttention",
    "RelativeBias",
    "RopeScaling",
    "Rotary",
    "Rotation",
    "alibi",
    "causal_mask",
    "padding_mask",
    "permutation_mask",
    "prefix_mask",
    "rotate",
    "segment_mask",
    "segment_positions",
    "sinusoids",
]
