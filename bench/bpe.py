"""Byte-pair encoding in Python against the Rust of `tokenizers` and `tiktoken`."""

import sysconfig
from pathlib import Path

import tiktoken
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from bench import Comparison
from llm.text.bpe import PATTERN, vocabulary
from llm.text.corpus import manual
from llm.text.tokenizer import Tokenizer

SIZE = 4096
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def megabyte() -> str:
    """A million characters that every Python has: its manual, then its own library."""
    library = Path(sysconfig.get_path("stdlib"))
    sources = [path.read_text("utf-8") for path in sorted(library.glob("*.py"))]
    return "\n".join([manual(), *sources])[:1_000_000]


def library_train(text: str, split: pre_tokenizers.PreTokenizer) -> None:
    """Train with `tokenizers`, which uses all processors."""
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = split
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator([text], trainer)


def comparisons() -> list[Comparison]:
    """Training with either split; encoding; one character a million times."""
    text = megabyte()
    our_split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    gpt2_split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = Tokenizer.train(text, SIZE, special=[])
    encoding = tiktoken.Encoding(
        "direct",
        pat_str=PATTERN,
        mergeable_ranks=vocabulary(tokenizer.merges),
        special_tokens={},
    )
    return [
        Comparison(
            "train 4,096 on 1 MB, over tokenizers, our split",
            lambda: Tokenizer.train(text, SIZE, special=[]),
            lambda: library_train(text, our_split),
            1.0,
        ),
        Comparison(
            "train 4,096 on 1 MB, over tokenizers, GPT-2's split",
            lambda: Tokenizer.train(text, SIZE, special=[], pattern=GPT2),
            lambda: library_train(text, gpt2_split),
            1.0,
        ),
        Comparison(
            "encode 1 MB, over tiktoken called directly",
            lambda: tokenizer.encode(text),
            lambda: encoding.encode_ordinary(text),
            1.1,
        ),
        Comparison(
            "encode one character 1,000,000 times, over 500,000 times",
            lambda: tokenizer.encode("a" * 1_000_000),
            lambda: tokenizer.encode("a" * 500_000),
            2.5,
        ),
        Comparison(
            "train on one character 1,000,000 times, over 500,000 times",
            lambda: Tokenizer.train("a" * 1_000_000, SIZE),
            lambda: Tokenizer.train("a" * 500_000, SIZE),
            2.5,
        ),
    ]
