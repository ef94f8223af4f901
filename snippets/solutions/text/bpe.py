"""Solutions to the exercises of the note "Byte-pair encoding from scratch"."""

from itertools import pairwise
from random import Random


def first_tokens() -> list[bytes]:
    """The first four tokens that "banana band" teaches, in their order."""
    # "an" occurs three times, then b+an twice. Then all pairs of "ban an a" and
    # "· ban d" occur once: the space, id 220, comes before the merged tokens; next,
    # of ban+an, an+a and ·ban+d, the pair that begins with "an", id 256.
    return [b"an", b"ban", b" ban", b"ana"]


def encode_word(word: bytes, ranks: dict[bytes, int]) -> list[int]:
    """Ids of a word: join the two neighbours that make the lowest rank.

    Repeat until no two make a token. `ranks` has every single byte.
    """
    tokens = [bytes([byte]) for byte in word]
    while True:
        joined = [first + second for first, second in pairwise(tokens)]
        found = [(ranks[t], i) for i, t in enumerate(joined) if t in ranks]
        if not found:
            return [ranks[token] for token in tokens]
        _, place = min(found)
        tokens[place : place + 2] = [joined[place]]


def drop_merges(
    word: bytes, ranks: dict[bytes, int], *, dropout: float, random: Random
) -> list[int]:
    """As `encode_word`, but each step leaves out every candidate by chance.

    `dropout` is the probability; without a candidate the word is done.
    """
    tokens = [bytes([byte]) for byte in word]
    while True:
        joined = [first + second for first, second in pairwise(tokens)]
        found = [(ranks[t], i) for i, t in enumerate(joined) if t in ranks]
        found = [pair for pair in found if random.random() >= dropout]
        if not found:
            return [ranks[token] for token in tokens]
        _, place = min(found)
        tokens[place : place + 2] = [joined[place]]
