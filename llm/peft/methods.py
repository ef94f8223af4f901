"""What to train instead of all weights: one frozen dataclass for each method.

Targets are patterns of names as in a shell, `*` standing for anything. Our models name
their layers alike: attention.query, .key, .value and .out; feedforward.up, .gate and
.down; so the same patterns serve GPT, BERT and T5.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf, sqrt

Patterns = tuple[str, ...]


@dataclass(frozen=True)
class LoRA:
    """Add a product of two thin matrices to a weight: W + scale · B A.

    Hu et al. 2021 (arXiv:2106.09685), section 4.1: A is (rank, in), B (out, rank).

    Args:
        targets: linear layers; by default queries and values, as in section 4.2.
        rank: rank of the product.
        alpha: the scale is alpha / rank.
        dropout: probability with which the product does not see an input feature.
        rslora: the scale is alpha / √rank, under which the change keeps its size as
            the rank grows (Kalajdzievski 2023, arXiv:2312.03732).
        dora: learn each row's norm apart from its direction (Liu et al. 2024,
            arXiv:2402.09353, equation 5).

    Raises:
        ValueError: a value is out of range.
    """

    targets: Patterns = ("*attention.query", "*attention.value")
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    rslora: bool = False
    dora: bool = False

    def __post_init__(self) -> None:
        positive("rank", self.rank)
        if not 0 < self.alpha < inf:
            raise ValueError(f"alpha {self.alpha} is not positive")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")

    @property
    def scale(self) -> float:
        """What the product is multiplied by."""
        return self.alpha / (sqrt(self.rank) if self.rslora else self.rank)


@dataclass(frozen=True)
class IA3:
    """Multiply features by learned gains, which begin at 1.

    Liu et al. 2022 (arXiv:2205.05638), section 3.3: keys, values, and what is inside
    the feed-forward network.

    Args:
        outputs: linear layers whose output is multiplied.
        inputs: linear layers whose input is multiplied.
    """

    outputs: Patterns = ("*attention.key", "*attention.value")
    inputs: Patterns = ("*feedforward.down",)


@dataclass(frozen=True)
class BitFit:
    """Train the biases alone: Ben Zaken et al. 2021 (arXiv:2106.10199).

    Args:
        targets: parameters.
    """

    targets: Patterns = ("*bias",)


@dataclass(frozen=True)
class Adapters:
    """Let a small network correct what a layer gives: y + up(gelu(down(y))).

    Houlsby et al. 2019 (arXiv:1902.00751), section 2.1. What differs: `up` begins at
    zero, not near it, so that the model begins unchanged.

    Args:
        targets: linear layers; by default the last of attention and of the feed-forward
            network. The latter alone is the variant of Pfeiffer et al. 2020
            (arXiv:2005.00247).
        width: width of the bottleneck.

    Raises:
        ValueError: the width is not positive.
    """

    targets: Patterns = ("*attention.out", "*feedforward.down")
    width: int = 16

    def __post_init__(self) -> None:
        positive("width", self.width)


@dataclass(frozen=True)
class PromptTuning:
    """Learn vectors that stand before the text, in place of a written prompt.

    Lester et al. 2021 (arXiv:2104.08691). They begin as vectors of random tokens
    (section 3.2 there: better than noise).

    Args:
        tokens: P, number of vectors.

    Raises:
        ValueError: there are none.
    """

    tokens: int = 16

    def __post_init__(self) -> None:
        positive("tokens", self.tokens)


@dataclass(frozen=True)
class PTuning:
    """Prompt tuning whose vectors come out of a small network that is trained.

    Liu et al. 2021 (arXiv:2103.10385), equations 5 and 6: a bidirectional LSTM and two
    layers make neighbouring vectors depend on each other. Here the vectors always stand
    before the text.

    Args:
        tokens: P, number of vectors.
        hidden: width of the LSTM in each direction.

    Raises:
        ValueError: a value is not positive.
    """

    tokens: int = 16
    hidden: int = 64

    def __post_init__(self) -> None:
        positive("tokens", self.tokens)
        positive("hidden", self.hidden)


@dataclass(frozen=True)
class PrefixTuning:
    """Learn keys and values that every layer can attend to, before those of the text.

    Li and Liang 2021 (arXiv:2101.00190). They begin as those of random tokens
    (section 7.4 there: words do better than noise). What differs: no network produces
    them in training, so the numbers themselves are learned.

    Args:
        tokens: P, number of positions.

    Raises:
        ValueError: there are none.
    """

    tokens: int = 16

    def __post_init__(self) -> None:
        positive("tokens", self.tokens)


Method = LoRA | IA3 | BitFit | Adapters | PromptTuning | PTuning | PrefixTuning


def matches(name: str, patterns: Patterns) -> bool:
    """Whether `name` is what any of `patterns` stands for."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def positive(name: str, value: int) -> None:
    """Refuse what is no positive whole number."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} {value!r} is not a positive whole number")
