"""Learning-rate schedules, by hand values and by properties."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.train.schedules import SCHEDULES, rate


def rates(schedule: str, *, steps: int, warmup: int = 0, decay=0.5, floor=0.0):
    return [
        rate(s, schedule=schedule, steps=steps, warmup=warmup, decay=decay, floor=floor)
        for s in range(steps)
    ]


def test_warm_up_climbs_in_equal_parts_and_ends_below_the_peak():
    assert rates("constant", steps=5, warmup=3) == [0.25, 0.5, 0.75, 1, 1]


def test_cosine_by_hand():
    half = math.sqrt(0.5)
    assert rates("cosine", steps=4) == pytest.approx(
        [1, 0.5 * (1 + half), 0.5, 0.5 * (1 - half)]
    )


def test_linear_by_hand():
    assert rates("linear", steps=4) == [1, 0.75, 0.5, 0.25]


def test_wsd_stays_at_the_peak_and_falls_over_the_last_share():
    assert rates("wsd", steps=8, decay=0.5) == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_wsd_after_warm_up_by_hand():
    assert rates("wsd", steps=5, warmup=1, decay=0.5) == [0.5, 1, 1, 1, 0.5]


def test_constant_is_one_after_the_warm_up():
    assert rates("constant", steps=3) == [1, 1, 1]


def test_floor_is_where_the_shape_would_end():
    assert rates("linear", steps=2, floor=0.5) == [1, 0.75]


def test_a_run_shorter_than_its_warm_up_only_climbs():
    assert rates("cosine", steps=2, warmup=3) == [0.25, 0.5]


@given(
    schedule=st.sampled_from(SCHEDULES),
    steps=st.integers(1, 200),
    warmup=st.integers(0, 50),
    decay=st.floats(0.01, 1),
    floor=st.floats(0, 1),
)
def test_every_step_moves_and_none_exceeds_the_peak(
    schedule, steps, warmup, decay, floor
):
    values = rates(schedule, steps=steps, warmup=warmup, decay=decay, floor=floor)
    assert all(0 < v <= 1 + 1e-12 for v in values)
    assert values[warmup:] == sorted(values[warmup:], reverse=True)
