"""Feed-forward networks and the block, against their formulae."""

import math

import torch
from torch import nn

from llm.nn import MLP, Block, GatedMLP, MultiHeadAttention

B, T, C, HIDDEN = 2, 5, 8, 20


def test_mlp_is_two_layers_around_the_exact_gelu() -> None:
    mlp, x = MLP(C, HIDDEN, activation="gelu_exact"), torch.randn(B, T, C)
    z = x @ mlp.up.weight.T + mlp.up.bias
    z = z * (1 + torch.erf(z / math.sqrt(2))) / 2
    expected = z @ mlp.down.weight.T + mlp.down.bias
    torch.testing.assert_close(mlp(x), expected)


def test_gelu_of_gpt2_is_the_tanh_formula_and_close_to_exact() -> None:
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    inner = math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)
    ours = MLP(C, HIDDEN).activation(z)
    torch.testing.assert_close(ours, z * (1 + inner.tanh()) / 2)
    difference = (
        (ours - MLP(C, HIDDEN, activation="gelu_exact").activation(z)).abs().max()
    )
    assert 0.0004 < difference < 0.0005


def test_swiglu_is_a_gate_times_a_value() -> None:
    swiglu, x = GatedMLP(C, HIDDEN), torch.randn(B, T, C)
    gate, up = x @ swiglu.gate.weight.T, x @ swiglu.up.weight.T
    expected = (gate / (1 + torch.exp(-gate)) * up) @ swiglu.down.weight.T
    torch.testing.assert_close(swiglu(x), expected)
    assert swiglu.up.bias is None
    assert GatedMLP(C, HIDDEN, bias=True).down.bias is not None


def make_block(dropout: float = 0.0) -> Block:
    """A block of tiny parts."""
    return Block(
        MultiHeadAttention(C, 2),
        MLP(C, HIDDEN),
        norms=(nn.LayerNorm(C), nn.LayerNorm(C)),
        dropout=dropout,
    )


def test_block_adds_attention_then_feedforward_to_the_stream() -> None:
    block, x = make_block(), torch.randn(B, T, C)
    middle = x + block.attention(block.attention_norm(x), causal=True)
    expected = middle + block.feedforward(block.feedforward_norm(middle))
    torch.testing.assert_close(block(x, causal=True), expected)


def test_block_with_silent_parts_is_the_identity() -> None:
    block, x = make_block(), torch.randn(B, T, C)
    for out in (block.attention.out, block.feedforward.down):
        nn.init.zeros_(out.weight)
        nn.init.zeros_(out.bias)
    assert block(x).equal(x)


def test_dropout_leaves_the_stream_itself_alone() -> None:
    block, x = make_block(dropout=0.9), torch.randn(B, T, C)
    kept = (block(x) - x) == 0
    assert 0.5 < kept.float().mean() < 1  # both sums of a feature are dropped: 0.81
    block.eval()
    assert block(x).equal(block(x))
