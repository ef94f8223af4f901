"""Span F1 of tagged words, equal to seqeval, which follows conlleval of CoNLL-2000.

A tag says where a word stands in a span, and of what type: B-PER begins a person,
I-PER goes on with it, E-PER ends it, S-PER is a whole person, O is outside. A span
counts when its type, its beginning and its end are all right; there is nothing for
half of one. Models also write rows of tags that break their scheme, and the two ways
to read those differ:

- lenient, the way of conlleval: every run of words in a type is a span, whatever it
  begins with; I-PER after O begins one.
- strict, by a scheme: only B-PER I-PER* (IOB2), or S-PER and B-PER I-PER* E-PER
  (BIOES), are spans; anything else is none.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from llm.metrics.score import Score, same_length, score

# Places that a scheme knows; a lenient reader takes them all.
SCHEMES = {"lenient": "BIES", "IOB2": "BI", "BIOES": "BIES"}


class Span(NamedTuple):
    """Words `start` to `end` (excluded) are of a type."""

    type: str
    start: int
    end: int


def find_spans(tags: Sequence[str], *, scheme: str = "lenient") -> list[Span]:
    """The spans of one sentence; `scheme` is lenient, IOB2 or BIOES.

    Raises ValueError for another scheme, and for a tag that is not of the scheme.
    """
    parts = [split(tag, scheme=scheme) for tag in tags]
    ends = [*joints(parts), len(parts)]
    found = []
    for start, end in pairwise(ends):
        places = "".join(place for place, _ in parts[start:end])
        if obeys(places, scheme=scheme):
            found.append(Span(parts[start][1], start, end))
    return found


def joints(parts: list[tuple[str, str]]) -> list[int]:
    """The places where a word does not go on with what the word before it began."""
    before = [("O", ""), *parts]
    return [
        i
        for i, (last, part) in enumerate(zip(before, parts, strict=False))
        if not (last[0] in "BI" and part[0] in "IE" and last[1] == part[1])
    ]


def obeys(places: str, *, scheme: str) -> bool:
    """Whether the places of a run of words, such as "BIE", make up a span."""
    if scheme == "IOB2":
        return places[0] == "B"
    if scheme == "BIOES":
        return places == "S" or (places[0] == "B" and places[-1] == "E")
    return places != "O"


def split(tag: str, *, scheme: str = "lenient") -> tuple[str, str]:
    """The place and the type in a tag: "B-PER" is ("B", "PER"), "O" is ("O", "").

    Raises ValueError for an unknown scheme, or a tag that it does not know.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"no scheme {scheme!r}: there are {', '.join(SCHEMES)}")
    place, dash, type_ = tag.partition("-")
    known = len(place) == 1 and place in SCHEMES[scheme] and dash and type_
    if tag != "O" and not known:
        places = ", ".join(f"{letter}-TYPE" for letter in SCHEMES[scheme])
        raise ValueError(f"tag {tag!r} is none of {places} or O ({scheme})")
    return place, type_


def span_f1(
    truth: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    scheme: str = "lenient",
) -> Score:
    """Precision, recall and F1 over the spans of all sentences (micro average).

    `truth` and `predicted` are rows of tags, one row a sentence, one tag a word.
    Raises ValueError for rows of unequal lengths, and as `find_spans` does.
    """
    true, said = both(truth, predicted, scheme)
    return score(len(true & said), said=len(said), wanted=len(true))


def span_f1_by_type(
    truth: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    scheme: str = "lenient",
) -> dict[str, Score]:
    """`span_f1` of each type that there is, in the order of the alphabet."""
    true, said = both(truth, predicted, scheme)
    scores = {}
    for type_ in sorted({span.type for _, span in true | said}):
        wanted, given = of_type(true, type_), of_type(said, type_)
        scores[type_] = score(len(wanted & given), said=len(given), wanted=len(wanted))
    return scores


Found = set[tuple[int, Span]]  # spans with the numbers of their sentences


def both(
    truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], scheme: str
) -> tuple[Found, Found]:
    """All true and all predicted spans."""
    same_length(len(truth), len(predicted))
    for i, (row, other) in enumerate(zip(truth, predicted, strict=True)):
        if len(row) != len(other):
            raise ValueError(
                f"sentence {i} has {len(row)} words, but {len(other)} predicted tags"
            )
    return collect(truth, scheme), collect(predicted, scheme)


def collect(rows: Iterable[Sequence[str]], scheme: str) -> Found:
    """The spans of all sentences, each with the number of its sentence."""
    return {
        (i, span)
        for i, row in enumerate(rows)
        for span in find_spans(row, scheme=scheme)
    }


def of_type(found: Found, type_: str) -> Found:
    """The spans of one type."""
    return {(i, span) for i, span in found if span.type == type_}
