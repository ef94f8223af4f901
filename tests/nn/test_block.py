"""Feed-forward networks and the block, against their formulae."""

import math

import pytest
import torch
from torch import Tensor, nn

from llm.nn import MLP, Block, GatedMLP, MultiHeadAttention, causal_mask, padding_mask

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


Theirs = nn.TransformerEncoderLayer | nn.TransformerDecoderLayer


def copy_(theirs: Theirs, block: Block) -> None:
    """Give PyTorch's layer the weights of `block`, all drawn."""
    norms = [block.attention_norm, block.feedforward_norm]
    attentions = [(theirs.self_attn, block.attention)]
    if block.has_cross:
        norms.insert(1, block.cross_norm)
        attentions.append((theirs.multihead_attn, block.cross_attention))
    with torch.no_grad():
        for norm in norms:
            norm.weight.normal_(1, 0.1)
            norm.bias.normal_(0, 0.1)
        for to, of in attentions:
            parts = (of.query, of.key, of.value)
            to.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
            to.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
            to.out_proj.load_state_dict(of.out.state_dict())
    for i, norm in enumerate(norms, start=1):
        getattr(theirs, f"norm{i}").load_state_dict(norm.state_dict())
    theirs.linear1.load_state_dict(block.feedforward.up.state_dict())
    theirs.linear2.load_state_dict(block.feedforward.down.state_dict())


@pytest.mark.parametrize("post_norm", [True, False])
def test_block_equals_torch_with_norms_before_and_after(post_norm: bool) -> None:
    block = Block(
        MultiHeadAttention(C, 2),
        MLP(C, HIDDEN, activation="relu"),
        norms=(nn.LayerNorm(C), nn.LayerNorm(C)),
        post_norm=post_norm,
    )
    shape = {"batch_first": True, "norm_first": not post_norm, "dropout": 0.0}
    theirs = nn.TransformerEncoderLayer(C, 2, HIDDEN, **shape)
    copy_(theirs, block)
    x, real = (
        torch.randn(B, T, C),
        torch.tensor([[True] * T, [True, True] + [False] * 3]),
    )
    torch.testing.assert_close(block(x), theirs(x))
    torch.testing.assert_close(
        block(x, mask=padding_mask(real)), theirs(x, src_key_padding_mask=~real)
    )


@pytest.mark.parametrize("post_norm", [True, False])
def test_block_that_reads_another_sequence_equals_torch(post_norm: bool) -> None:
    block = Block(
        MultiHeadAttention(C, 2),
        MLP(C, HIDDEN, activation="relu"),
        norms=(nn.LayerNorm(C), nn.LayerNorm(C)),
        cross=(MultiHeadAttention(C, 2), nn.LayerNorm(C)),
        post_norm=post_norm,
    )
    shape = {"batch_first": True, "norm_first": not post_norm, "dropout": 0.0}
    theirs = nn.TransformerDecoderLayer(C, 2, HIDDEN, **shape)
    copy_(theirs, block)
    x, other = torch.randn(B, T, C), torch.randn(B, 3, C)
    real = torch.tensor([[True, True, True], [True, False, False]])
    ours = block(
        x,
        causal=True,
        memory=block.cross_attention.keys_values(other),
        memory_mask=padding_mask(real),
    )
    expected: Tensor = theirs(
        x, other, tgt_mask=~causal_mask(T), memory_key_padding_mask=~real
    )
    torch.testing.assert_close(ours, expected)
