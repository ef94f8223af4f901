"""The units of a loss, by hand values."""

import math

import pytest

from llm.metrics import bits_per_byte, perplexity


def test_a_fair_choice_among_eight_has_perplexity_eight():
    assert perplexity(math.log(8)) == pytest.approx(8)


def test_a_loss_beyond_floats_has_infinite_perplexity():
    assert perplexity(1e6) == math.inf


def test_guessing_bytes_uniformly_costs_eight_bits_a_byte():
    assert bits_per_byte(10 * math.log(256), byte_count=10) == pytest.approx(8)
