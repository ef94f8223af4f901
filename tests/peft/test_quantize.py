"""NF4: the published code, the nearest of its values, and gradients through it."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm import GPT
from llm.peft import LoRA, inject, merge, quantize, trainable
from llm.peft.quantize import NF4Linear, dequantize_nf4, nf4_values, quantize_nf4

# Dettmers et al. 2023, appendix E, as far as they are printed there in float32.
PRINTED = [
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
]


def test_values_are_the_published_ones() -> None:
    torch.testing.assert_close(nf4_values(), torch.tensor(PRINTED), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 64), (5, 7), (130,)])
def test_every_weight_becomes_the_nearest_of_sixteen(shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape)
    flat = dequantize_nf4(*quantize_nf4(weight))[: weight.numel()]
    for i, block in enumerate(weight.flatten().split(64)):
        candidates = block.abs().max() * nf4_values()  # (16,)
        nearest = (block[:, None] - candidates).abs().min(1)
        found = flat[64 * i : 64 * i + len(block)]
        torch.testing.assert_close((block - found).abs(), nearest.values)
        assert torch.equal(found, candidates[nearest.indices])


def test_four_bits_and_a_scale_a_block() -> None:
    codes, scales = quantize_nf4(torch.randn(64, 64))
    assert codes.dtype == torch.uint8 and codes.numel() == 64 * 64 / 2
    assert scales.shape == (64, 1)
    assert not dequantize_nf4(*quantize_nf4(torch.zeros(64))).any()


def test_a_layer_computes_with_the_weight_that_it_stands_for() -> None:
    plain = nn.Linear(10, 6)
    layer = NF4Linear(plain)
    x = torch.randn(3, 10, requires_grad=True)
    y = layer(x)
    assert torch.equal(y, F.linear(x, layer.weight, plain.bias))
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, layer.weight.sum(0).expand(3, -1))


def test_no_float_weight_is_kept_for_the_gradient() -> None:
    layer = NF4Linear(nn.Linear(64, 64).requires_grad_(False))
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(torch.randn(1, 64, requires_grad=True))
    assert sum(kept) < 64 * 64


def test_lora_trains_on_a_base_of_four_bits(model: GPT, ids: Tensor) -> None:
    base = quantize(model)
    before = base(ids)
    buffers = {k: v.clone() for k, v in base.named_buffers()}
    count = trainable(base).split()[2]
    tuned = inject(base, LoRA(rank=2, dora=True))
    assert torch.equal(tuned(ids), before)
    assert int(trainable(tuned).split()[2].replace(",", "")) > int(
        count.replace(",", "")
    )
    own = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(own, lr=0.05)
    for _ in range(3):
        tuned(ids).logsumexp(-1).sum().backward()
        optimizer.step()
    for name, buffer in tuned.named_buffers():
        assert torch.equal(buffer, buffers[name.replace(".base", "")])
    expected = tuned(ids)
    merge(tuned)
    torch.testing.assert_close(tuned(ids), expected, rtol=0, atol=1e-5)


def test_targets_that_match_nothing_are_refused(model: GPT) -> None:
    with pytest.raises(ValueError, match="no linear layer matches"):
        quantize(model, ("*q_proj",))
