"""pass@k against all subsets."""

from itertools import combinations

import pytest

from llm.metrics import mean_pass_at_k, pass_at_k


@pytest.mark.parametrize("samples", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_program_that_passed(samples):
    for passed in range(samples + 1):
        results = [True] * passed + [False] * (samples - passed)
        for k in range(1, samples + 1):
            hits = [any(subset) for subset in combinations(results, k)]
            expected = sum(hits) / len(hits)
            assert pass_at_k(samples, passed, k=k) == pytest.approx(expected)


def test_many_samples_lose_no_precision():
    product = 1.0
    for i in range(100):
        product *= (19_000 - i) / (20_000 - i)
    assert pass_at_k(20_000, 1_000, k=100) == pytest.approx(1 - product, rel=1e-9)


def test_problems_count_alike_however_many_samples_they_have():
    results = [[True, False], [False] * 5, [True] * 3]
    assert mean_pass_at_k(results, k=1) == pytest.approx((1 / 2 + 0 + 1) / 3)


@pytest.mark.parametrize(
    ("samples", "passed", "k", "message"),
    [
        (3, 4, 1, "4 of 3 samples cannot have passed"),
        (3, -1, 1, "-1 of 3"),
        (3, 1, 4, "pass@4 takes 4 samples or more: there are 3"),
        (3, 1, 0, "k must be at least 1, found 0"),
    ],
)
def test_impossible_counts_are_named(samples, passed, k, message):
    with pytest.raises(ValueError, match=message):
        pass_at_k(samples, passed, k=k)


def test_no_problems_have_no_mean():
    with pytest.raises(ValueError, match="there are no problems"):
        mean_pass_at_k([], k=1)
