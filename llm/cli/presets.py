"""Named configurations for `pretrain --preset`: a shape, a recipe, a batch."""

from dataclasses import dataclass

from llm.models.gpt import GPTConfig
from llm.train import TrainConfig


@dataclass(frozen=True)
class Preset:
    """What `pretrain` uses where no option says otherwise.

    `model.vocab_size` is what a BPE vocabulary may grow to on a text that is long
    enough for it.
    """

    about: str
    model: GPTConfig
    train: TrainConfig
    batch: int


DEFAULT = "tiny"
# Where an option asks for another optimiser than the preset's: good for small models.
RATES = {"muon": 0.025, "adamw": 3e-3}

PRESETS = {
    "tiny": Preset(
        about="1 M parameters, a minute or two on one CPU core",
        model=GPTConfig(
            vocab_size=2048,
            context=64,
            layers=4,
            heads=4,
            width=128,
            style="llama",
            qk_norm=True,
            zero_init=True,
        ),
        train=TrainConfig(
            steps=500,
            optimizer="muon",
            # On a megabyte of Shakespeare: 2.21 bits per byte, against 2.25 with 0.04
            # (best for runs half as long) and 2.23 with 0.015.
            lr=0.025,
            schedule="wsd",
            warmup=3,
            decay=0.6,
            eval_every=100,
            save_every=100,
        ),
        batch=16,
    ),
    "small": Preset(
        about="14 M parameters, for a GPU or for patience",
        model=GPTConfig(
            vocab_size=4096,
            context=256,
            layers=6,
            heads=6,
            width=384,
            style="llama",
            qk_norm=True,
            zero_init=True,
        ),
        train=TrainConfig(
            steps=1500,
            optimizer="muon",
            lr=0.02,
            embedding_lr=0.02,
            other_lr=0.005,
            schedule="wsd",
            warmup=20,
            decay=0.6,
            eval_every=250,
            save_every=250,
        ),
        batch=32,
    ),
    "gpt2": Preset(
        about="GPT-2 of 124 M parameters with the optimiser of its day, for a GPU and "
        "some 100 MB of text or more",
        model=GPTConfig(
            vocab_size=50_257, context=1024, layers=12, heads=12, width=768
        ),
        train=TrainConfig(
            steps=20_000,
            lr=6e-4,
            weight_decay=0.1,
            schedule="cosine",
            warmup=500,
            floor=0.1,
            accumulate=8,
            eval_every=500,
            save_every=500,
        ),
        batch=16,
    ),
}
