"""The parts from which every model is built. What `torch.nn` has is used from there."""

from llm.nn.attention import KVCache, MultiHeadAttention, causal_mask, padding_mask
from llm.nn.block import Block
from llm.nn.feedforward import MLP, SwiGLU
from llm.nn.position import Rotary, Rotation, rotate

__all__ = [
    "MLP",
    "Block",
    "KVCache",
    "MultiHeadAttention",
    "Rotary",
    "Rotation",
    "SwiGLU",
    "causal_mask",
    "padding_mask",
    "rotate",
]
