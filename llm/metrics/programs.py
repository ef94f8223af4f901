"""pass@k: does one of k programs pass its tests? (Chen et al. 2021, equation 1)"""

from collections.abc import Iterable, Sequence
from math import comb


def pass_at_k(samples: int, passed: int, *, k: int) -> float:
    """Probability that k of the samples, drawn without return, hold one that passed.

        pass@k = 1 - C(n - c, k) / C(n, k)        n samples, of which c passed

    Its mean over many draws of n samples is the chance that k new samples hold one
    that passes. To put c/n for the chance of one sample, 1 - (1 - c/n)^k, would be
    too low on average. Raises ValueError unless 0 <= passed <= samples and
    1 <= k <= samples.
    """
    if not 0 <= passed <= samples:
        raise ValueError(f"{passed} of {samples} samples cannot have passed")
    if k < 1:
        raise ValueError(f"k must be at least 1, found {k}")
    if k > samples:
        raise ValueError(f"pass@{k} takes {k} samples or more: there are {samples}")
    # Integers of any length: no product of many small quotients is needed.
    return 1 - comb(samples - passed, k) / comb(samples, k)


def mean_pass_at_k(results: Iterable[Sequence[bool]], *, k: int) -> float:
    """pass@k over problems: `results` says of each problem which samples passed.

    Raises ValueError when there are no problems, or one has fewer than k samples.
    """
    values = [pass_at_k(len(row), sum(row), k=k) for row in results]
    if not values:
        raise ValueError("there are no problems to measure")
    return sum(values) / len(values)
