"""The formulae and exercises of the note "GPT from scratch"."""

import itertools
import math
from types import ModuleType

import numpy as np
import pytest
import torch

from llm import GPT, GPTConfig, generate
from llm.nn import MLP


def make_model(**parts: object) -> GPT:
    """A small model, its weights large enough that nothing hides near zero."""
    shape = {"vocab_size": 11, "context": 8, "layers": 2, "heads": 2, "width": 8}
    model = GPT(GPTConfig(**shape, **parts)).eval()  # type: ignore[arg-type]
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


# --- formulae ---------------------------------------------------------------------


def test_chain_rule() -> None:
    """Products of next-token probabilities add up to 1 over all continuations."""
    model = GPT(GPTConfig(vocab_size=4, context=4, layers=1, heads=1, width=4))
    total = 0.0
    with torch.no_grad():
        for rest in itertools.product(range(4), repeat=3):
            ids = [0, *rest]
            p = model(torch.tensor([ids])).softmax(-1)[0]
            total += math.prod(p[t, ids[t + 1]].item() for t in range(3))
    assert total == pytest.approx(1.0, abs=1e-5)


def test_loss() -> None:
    """The loss is the mean of -log p of each next token."""
    model = make_model()
    ids = torch.tensor([[3, 1, 4, 1, 5, 9]])
    with torch.no_grad():
        logits = model(ids[:, :-1])[0]
    e = np.exp(logits.double().numpy())
    p = e / e.sum(axis=1, keepdims=True)
    by_hand = -np.mean([math.log(p[t, ids[0, t + 1]]) for t in range(5)])
    loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:])
    assert loss.item() == pytest.approx(by_hand, abs=1e-6)


def layer_norm(x: np.ndarray, norm: torch.nn.LayerNorm) -> np.ndarray:
    """LayerNorm with the biased variance, as Ba et al. (2016) define it."""
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + norm.eps)
    return scaled * array(norm.weight) + array(norm.bias)


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def linear(x: np.ndarray, layer: torch.nn.Linear) -> np.ndarray:
    return x @ array(layer.weight).T + array(layer.bias)


def test_block_and_head() -> None:
    """The whole forward pass, written again in NumPy from the formulae of the page."""
    model = make_model()
    ids = [3, 1, 4, 1, 5, 9]
    x = array(model.embedding.weight)[ids]
    assert model.position is not None
    x = x + array(model.position.weight)[: len(ids)]
    future = np.triu(np.full((len(ids), len(ids)), -np.inf), k=1)
    for block in model.blocks:
        a = block.attention
        h = layer_norm(x, block.attention_norm)
        q, k, v = (linear(h, layer) for layer in (a.query, a.key, a.value))
        heads = []
        for part in np.split(np.arange(8), 2):
            scores = q[:, part] @ k[:, part].T / math.sqrt(4) + future
            weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            heads.append(weights @ v[:, part])
        x = x + linear(np.concatenate(heads, axis=1), a.out)
        assert isinstance(block.feedforward, MLP)
        u = linear(layer_norm(x, block.feedforward_norm), block.feedforward.up)
        gelu = u / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))
        x = x + linear(gelu, block.feedforward.down)
    logits = layer_norm(x, model.norm) @ array(model.embedding.weight).T
    np.testing.assert_allclose(array(model(torch.tensor([ids]))[0]), logits, atol=1e-4)


def test_parameter_count() -> None:
    """VC + TC + L(12C² + 13C) + 2C counts every parameter, GPT-2's own included."""
    for V, T, L, C in ((11, 8, 2, 8), (512, 136, 4, 64), (50257, 1024, 12, 768)):
        with torch.device("meta"):
            model = GPT(GPTConfig(V, T, L, heads=C // 4, width=C))
        formula = V * C + T * C + L * (12 * C * C + 13 * C) + 2 * C
        assert sum(p.numel() for p in model.parameters()) == formula
    assert formula == 124_439_808  # the smallest GPT-2, as its checkpoint has it


# --- exercises ----------------------------------------------------------------------


def test_attention_share(answer: ModuleType) -> None:
    assert answer.attention_share(64, 256) == pytest.approx(1 / 3)
    block = make_model(hidden=20).blocks[0]
    attention = sum(p.numel() for p in block.attention.parameters() if p.ndim == 2)
    feedforward = sum(p.numel() for p in block.feedforward.parameters() if p.ndim == 2)
    share = attention / (attention + feedforward)
    assert answer.attention_share(8, 20) == pytest.approx(share)


def test_gpt2_parameters(answer: ModuleType) -> None:
    published = {  # of the four checkpoints
        (12, 768): 124_439_808,
        (24, 1024): 354_823_168,
        (36, 1280): 774_030_080,
        (48, 1600): 1_557_611_200,
    }
    for (layers, width), count in published.items():
        shape = {"vocab_size": 50257, "context": 1024}
        assert answer.gpt2_parameters(**shape, layers=layers, width=width) == count


@pytest.mark.parametrize("position", ["learned", "rotary"])
def test_first_leak_finds_nothing_in_a_causal_model(
    answer: ModuleType, position: str
) -> None:
    model = make_model(position=position)
    assert answer.first_leak(model, torch.tensor([3, 0, 4, 1, 5])) is None


@pytest.mark.parametrize("leak", [0, 2, 3])
def test_first_leak_finds_a_planted_one(answer: ModuleType, leak: int) -> None:
    class Leaky(torch.nn.Module):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            logits = torch.nn.functional.one_hot(ids, 11).float()
            logits[:, leak] += logits[:, leak + 1]
            return logits

    assert answer.first_leak(Leaky(), torch.tensor([3, 0, 4, 1, 5])) == leak


def test_greedy(answer: ModuleType) -> None:
    model = make_model()
    prompt = [3, 1]
    ours = generate(model, prompt, max_tokens=5, temperature=0)
    assert answer.greedy(model, prompt, max_tokens=5) == ours
    assert prompt == [3, 1], "the prompt given is not to be changed"
