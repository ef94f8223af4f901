"""Spans against seqeval, whatever tags a model writes."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, IOBES, Entities

from llm.metrics import Span, find_spans, span_f1, span_f1_by_type

REFERENCES = {"IOB2": IOB2, "BIOES": IOBES}


def rows(places):
    tags = ["O", *(f"{place}-{type_}" for place in places for type_ in ("PER", "地点"))]
    return st.lists(st.sampled_from(tags), max_size=9)


def corpora(places):
    """Pairs of a true and a predicted row of the same length."""
    pair = rows(places).flatmap(
        lambda row: st.tuples(
            st.just(row),
            st.one_of(
                st.just(row),
                st.lists(
                    st.sampled_from(["O", *(f"{p}-PER" for p in places)]),
                    min_size=len(row),
                    max_size=len(row),
                ),
            ),
        )
    )
    return st.lists(pair, min_size=1, max_size=4)


@settings(max_examples=500)
@given(rows("BIES"))
def test_lenient_spans_of_any_tags_equal_seqeval(tags):
    theirs = [(type_, start, last + 1) for type_, start, last in get_entities(tags)]
    assert find_spans(tags) == theirs


@pytest.mark.parametrize("scheme", ["IOB2", "BIOES"])
def test_strict_spans_of_any_tags_equal_seqeval(scheme):
    @settings(max_examples=500)
    @given(rows({"IOB2": "BI", "BIOES": "BIES"}[scheme]))
    def check(tags):
        (theirs,) = Entities([tags], REFERENCES[scheme]).entities
        expected = [(one.tag, one.start, one.end) for one in theirs]
        assert find_spans(tags, scheme=scheme) == expected

    check()


@pytest.mark.parametrize("scheme", ["lenient", "IOB2", "BIOES"])
def test_scores_equal_seqeval(scheme):
    mode = {}
    if scheme != "lenient":
        mode = {"mode": "strict", "scheme": REFERENCES[scheme]}

    @settings(max_examples=200, deadline=None)
    @given(corpora("BI" if scheme == "IOB2" else "BIES"))
    def check(pairs):
        truth, predicted = map(list, zip(*pairs, strict=True))
        spans = [find_spans(row, scheme=scheme) for row in truth + predicted]
        if not any(spans):  # seqeval divides by the number of types
            assert span_f1(truth, predicted, scheme=scheme) == (0, 0, 0)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = [
                measure(truth, predicted, **mode)
                for measure in (precision_score, recall_score, f1_score)
            ]
            types = f1_score(truth, predicted, average=None, **mode)
        assert span_f1(truth, predicted, scheme=scheme) == pytest.approx(theirs)
        ours = span_f1_by_type(truth, predicted, scheme=scheme)
        assert [one.f1 for one in ours.values()] == pytest.approx(list(types))

    check()


def test_the_two_readings_differ_where_a_span_does_not_begin():
    tags = ["O", "I-PER", "I-PER", "B-LOC"]
    assert find_spans(tags) == [Span("PER", 1, 3), Span("LOC", 3, 4)]
    assert find_spans(tags, scheme="IOB2") == [Span("LOC", 3, 4)]


def test_the_type_may_have_a_dash_in_it():
    assert find_spans(["B-WORK-OF-ART"]) == [Span("WORK-OF-ART", 0, 1)]


@pytest.mark.parametrize("tag", ["PER", "B", "B-", "X-PER", "", "b-PER", "BI-PER"])
def test_what_is_no_tag_is_named(tag):
    with pytest.raises(ValueError, match=f"tag '{tag}' is none of B-TYPE, I-TYPE"):
        find_spans(["O", tag])


def test_a_tag_of_another_scheme_is_named():
    with pytest.raises(ValueError, match=r"'S-PER' is none of .* \(IOB2\)"):
        find_spans(["S-PER"], scheme="IOB2")
    with pytest.raises(ValueError, match="no scheme 'BILOU': there are lenient, IOB2"):
        find_spans(["O"], scheme="BILOU")


def test_rows_of_other_lengths_are_counted():
    with pytest.raises(
        ValueError, match="sentence 1 has 2 words, but 1 predicted tags"
    ):
        span_f1([["O"], ["O", "O"]], [["O"], ["O"]])
    with pytest.raises(ValueError, match="1 predictions for 2 examples"):
        span_f1([["O"], ["O"]], [["O"]])
    with pytest.raises(ValueError, match="there are no examples"):
        span_f1([], [])
