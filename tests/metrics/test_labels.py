"""Labels against brute force and hand values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.metrics import accuracy, calibration_error, label_scores, macro_f1

PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["好", "坏", "so-so"]), st.sampled_from(["好", "坏", "?"])
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=1000)
@given(PAIRS)
def test_macro_f1_is_the_mean_over_labels_by_definition(pairs):
    truth, predicted = zip(*pairs, strict=True)
    f1s = []
    for label in {*truth, *predicted}:
        right = pairs.count((label, label))
        # F1 without precision and recall: 2 TP / (2 TP + FP + FN).
        f1s.append(2 * right / (predicted.count(label) + truth.count(label)))
    assert macro_f1(truth, predicted) == pytest.approx(sum(f1s) / len(f1s))
    hits = [one for one in pairs if one[0] == one[1]]
    assert accuracy(truth, predicted) == len(hits) / len(pairs)


def test_scores_of_each_label_by_hand():
    scores = label_scores(["a", "a", "b", "c"], ["a", "b", "b", "b"])
    assert scores["a"] == pytest.approx((1, 1 / 2, 2 / 3))
    assert scores["b"] == pytest.approx((1 / 3, 1, 1 / 2))
    assert scores["c"] == (0, 0, 0)


@settings(max_examples=1000)
@given(
    st.lists(
        st.tuples(st.sampled_from([i / 40 for i in range(41)]), st.booleans()),
        min_size=1,
    ),
    st.sampled_from([1, 4, 5, 10]),
)
def test_calibration_error_is_its_equation(pairs, bins):
    error = 0.0
    for m in range(1, bins + 1):
        low, high = (m - 1) / bins, m / bins
        inside = [(p, y) for p, y in pairs if low < p <= high or (m == 1 and p == 0)]
        if inside:
            mean_p = sum(p for p, _ in inside) / len(inside)
            share = sum(y for _, y in inside) / len(inside)
            error += len(inside) / len(pairs) * abs(share - mean_p)
    confidences, correct = zip(*pairs, strict=True)
    ours = calibration_error(confidences, correct, bins=bins)
    assert ours == pytest.approx(error, abs=1e-12)


def test_calibration_by_hand():
    assert calibration_error([1.0, 1.0], [True, True]) == 0
    assert calibration_error([0.9, 0.9], [True, False]) == pytest.approx(0.4)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="1 predictions for 2 examples"):
        accuracy(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="there are no examples"):
        macro_f1([], [])
    with pytest.raises(ValueError, match=r"probability from 0 to 1, found 1\.5"):
        calibration_error([0.5, 1.5], [True, True])
    with pytest.raises(ValueError, match="bins is 0"):
        calibration_error([0.5], [True], bins=0)
