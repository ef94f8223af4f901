"""Bootstrap intervals: their properties, and the normal one that they come near."""

import math
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.metrics import accuracy, bootstrap_interval
from llm.metrics.bootstrap import quantile

NUMBERS = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


@settings(max_examples=50, deadline=None)
@given(NUMBERS, st.floats(-50, 50))
def test_an_interval_lies_within_the_examples_and_moves_with_them(values, shift):
    low, high = bootstrap_interval(values, fmean, resamples=50)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    moved = bootstrap_interval([v + shift for v in values], fmean, resamples=50)
    assert moved == pytest.approx((low + shift, high + shift), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_more_certainty_takes_a_wider_interval(values):
    wide = bootstrap_interval(values, fmean, level=0.99, resamples=50)
    narrow = bootstrap_interval(values, fmean, level=0.5, resamples=50)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_a_seed_gives_one_interval():
    values = [i % 7 for i in range(50)]
    one = bootstrap_interval(values, fmean, seed=1)
    assert one == bootstrap_interval(values, fmean, seed=1)
    assert one != bootstrap_interval(values, fmean, seed=2)


def test_the_interval_of_a_mean_is_near_the_normal_one():
    values = [i % 10 for i in range(400)]
    error = 1.96 * stdev(values) / math.sqrt(len(values))
    normal = (fmean(values) - error, fmean(values) + error)
    assert bootstrap_interval(values, fmean) == pytest.approx(normal, abs=error / 5)


def test_examples_may_be_pairs():
    pairs = [("好", "好"), ("坏", "好")] * 20

    def measure(drawn):
        return accuracy(*zip(*drawn, strict=True))

    low, high = bootstrap_interval(pairs, measure)
    assert 0.2 < low < 0.5 < high < 0.8


@given(NUMBERS, st.floats(0, 1))
def test_quantiles_equal_numpys(values, share):
    values = sorted(values)
    assert quantile(values, share) == pytest.approx(
        np.quantile(values, share), abs=1e-9
    )


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="there are no examples"):
        bootstrap_interval([], fmean)
    with pytest.raises(ValueError, match=r"level between 0 and 1 .* found 95 and 1000"):
        bootstrap_interval([1], fmean, level=95)
    with pytest.raises(ValueError, match=r"found 0\.95 and 0"):
        bootstrap_interval([1], fmean, resamples=0)
