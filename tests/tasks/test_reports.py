"""Key facts found by another reading, summaries made wrong, and what ROUGE misses."""

import re
from dataclasses import replace

import pytest

from llm.metrics import rouge_scores
from llm.tasks import KeyFact, Reports

WAYS = {
    "en": [
        (1, r"(\w+) (?:rose by|went up by|are) (\d+)\b(?! below)"),
        (1, r"(\w+) grew, and the difference of (\d+)"),
        (-1, r"(\w+) (?:fell by|went down by) (\d+)"),
        (-1, r"(\w+) are (\d+) below"),
        (-1, r"(\w+) shrank, and the difference of (\d+)"),
    ],
    "zh": [
        (1, r"(\w+)(?:上升了|增加了|比去年高出)(\d+)"),
        (1, r"(\w+)有所增长，多出的(\d+)"),
        (-1, r"(\w+)(?:下降了|减少了|比去年低了)(\d+)"),
        (-1, r"(\w+)有所回落，少掉的(\d+)"),
    ],
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_key_facts_are_what_the_document_says(language):
    reports = Reports(language)
    ways = set()
    for report in reports.examples(200):
        found = [
            KeyFact(match[1], sign * int(match[2]))
            for sign, way in WAYS[language]
            for match in re.finditer(way, report.document)
        ]
        assert set(found) == set(report.facts) and len(found) == len(report.facts) == 3
        places = [report.document.index(fact.thing) for fact in report.facts]
        assert places == sorted(places)
        assert reports.find(report.summary) == report.facts
        assert reports.check(report, report.summary) is None
        assert reports.check(report, report.document) is None
        assert reports.score(report, report.document) == (1, 1, 1)
        ways |= {
            way
            for fact in report.facts
            for way in range(4)
            if reports.tell(fact, way) in report.document
        }
    assert ways == {0, 1, 2, 3}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_facts_may_be_told_in_any_order_and_way(language):
    reports = Reports(language)
    for report in reports.examples(20):
        for way in range(4):
            told = [reports.tell(fact, way) for fact in report.facts[::-1]]
            assert reports.check(report, " ".join(told)) is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_change_of_a_fact_is_told(language):
    reports = Reports(language)
    for report in reports.examples(60):
        for i, fact in enumerate(report.facts):
            others = [*report.facts[:i], *report.facts[i + 1 :]]
            thing = next(
                thing
                for thing in reports.language.things
                if thing not in {one.thing for one in report.facts}
            )
            for wrong in (
                replace(fact, change=-fact.change),
                replace(fact, change=fact.change + 1),
                replace(fact, change=fact.change * 10),
                replace(fact, thing=thing),
            ):
                text = "".join(reports.tell(one, 0) for one in [*others, wrong])
                assert "expected" in reports.check(report, text)
                found = reports.score(report, text)
                assert found.recall == found.precision == pytest.approx(2 / 3)
                more = report.summary + reports.tell(wrong, 0)
                assert "does not say" in reports.check(report, more)
                assert reports.score(report, more) == (
                    pytest.approx(3 / 4),
                    1,
                    pytest.approx(6 / 7),
                )
            short = "".join(reports.tell(one, 0) for one in others)
            assert reports.check(report, short) is not None
            assert reports.score(report, short)[:2] == (1, pytest.approx(2 / 3))
        assert reports.score(report, "") == (0, 0, 0)


def test_a_wrong_number_costs_rouge_little_and_the_fact_all():
    reports = Reports("en")
    report = reports.examples(1)[0]
    wrong = re.sub(r"\d+", "7", report.summary)
    assert reports.score(report, wrong).f1 == 0
    assert rouge_scores(wrong, report.summary)["rouge1"].f1 > 0.7


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_lead_of_a_document_is_no_summary(language):
    """Facts stand anywhere: the first three sentences tell one of three or so."""
    reports = Reports(language)
    recall = [
        reports.score(
            report, "".join(re.findall(r"[^.。]+[.。]", report.document)[:3])
        ).recall
        for report in reports.examples(300)
    ]
    assert 0.15 < sum(recall) / 300 < 0.4


def test_numbers_that_are_no_facts_stand_in_documents():
    planned = 0
    for report in Reports("en").examples(100):
        numbers = re.findall(r"\d+", report.document)
        assert len(numbers) == len(set(numbers))
        planned += "planned" in report.document or "Experts" in report.document
    assert planned > 70


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_seed_gives_one_set(language):
    reports = Reports(language)
    assert reports.examples(20, seed=3) == reports.examples(30, seed=3)[:20]
    assert reports.examples(20, seed=3) != reports.examples(20, seed=4)


def test_other_languages_are_told():
    with pytest.raises(ValueError, match="no reports in 'fr': there are en and zh"):
        Reports("fr")
