"""What a loss means in the units that people compare.

A loss in nats per token depends on the tokenizer: longer tokens are harder to guess and
there are fewer of them. Bits per byte divide by the bytes of the text, so models with
different tokenizers can be compared.
"""

import math


def perplexity(loss: float) -> float:
    """exp(loss) of a mean loss in nats: as unsure as a fair choice among so many.

    Infinite where the exponential does not fit a float.
    """
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def bits_per_byte(total: float, *, byte_count: int) -> float:
    """Bits that the model needs for one byte of UTF-8 text.

    `total` is the loss in nats summed over all tokens of a text of `byte_count` bytes.
    """
    return total / math.log(2) / byte_count
