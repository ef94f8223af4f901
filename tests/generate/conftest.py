"""Models of the reference library and ours, with the same weights."""

from collections.abc import Callable

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from llm.models import GPT, T5

V = 23
T5_SHAPE = {"vocab_size": V, "num_heads": 2, "decoder_start_token_id": 3}
REFERENCES: dict[str, Callable[[], PreTrainedModel]] = {
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=V, n_positions=64, n_embd=16, n_layer=2, n_head=4)
    ),
    "gpt2 of three layers": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=V, n_positions=48, n_embd=12, n_layer=3, n_head=3)
    ),
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(
            vocab_size=V,
            max_position_embeddings=64,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    ),
    "t5": lambda: T5ForConditionalGeneration(
        T5Config(**T5_SHAPE, d_model=16, d_kv=5, d_ff=20, num_layers=2)
    ),
    "t5 of uneven depth": lambda: T5ForConditionalGeneration(
        T5Config(
            **T5_SHAPE,
            d_model=10,
            d_kv=4,
            d_ff=12,
            num_layers=3,
            num_decoder_layers=1,
        )
    ),
    "t5 1.1": lambda: T5ForConditionalGeneration(
        T5Config(
            **T5_SHAPE,
            d_model=12,
            d_kv=6,
            d_ff=16,
            num_layers=2,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
        )
    ),
}
DECODERS = [name for name in REFERENCES if not name.startswith("t5")]


@pytest.fixture(params=REFERENCES, scope="session")
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PreTrainedModel, GPT | T5]:
    """A model of the reference library that has strong opinions, and ours."""
    torch.manual_seed(0)
    reference = REFERENCES[request.param]().eval()
    with torch.no_grad():
        for name, parameter in reference.named_parameters():
            gain = "norm" in name or "ln_" in name
            parameter.normal_(1.0 if gain and name.endswith("weight") else 0.0, 0.4)
            if isinstance(reference, T5ForConditionalGeneration) and gain:
                parameter.mul_(2)
    path = tmp_path_factory.mktemp("theirs")
    reference.save_pretrained(path)
    kind = GPT if request.param in DECODERS else T5
    return reference, kind.from_hf(path)
