"""Exercises of the note "Byte-pair encoding from scratch". Complete each function, then

ANSWER=this_file.py python -m pytest tests/notes/text/test_bpe.py
"""

from random import Random


def first_tokens() -> list[bytes]:
    """The first four tokens that "banana band" teaches, in their order."""
    raise NotImplementedError


def encode_word(word: bytes, ranks: dict[bytes, int]) -> list[int]:
    """Ids of a word: join the two neighbours that make the lowest rank.

    Repeat until no two make a token. `ranks` has every single byte.
    """
    raise NotImplementedError


def drop_merges(
    word: bytes, ranks: dict[bytes, int], *, dropout: float, random: Random
) -> list[int]:
    """As `encode_word`, but each step leaves out every candidate by chance.

    `dropout` is the probability; without a candidate the word is done.
    """
    raise NotImplementedError
