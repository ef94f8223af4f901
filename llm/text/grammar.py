"""A grammar as a program: one definition writes texts, checks them and scores them.

A story is a generator. Whenever something may be written in more than one way, it
yields the options, a mapping from what is written to what it means; it is told the
meaning of the one taken, and goes on from there. All that is true in the story, who
owns what and how many are left, is in its local variables, so a fact decides what may
be written later. To write a text is to take options by lot, each equally likely; to
read one is to take the options that the text shows. No option begins with another
one, hence a text can be read in one way only, and its log-probability is

    log p(text) = - sum over the choices of log(number of options)
"""

import math
import re
from collections.abc import Generator, Iterable, Mapping
from itertools import takewhile
from random import Random
from typing import Any, NamedTuple

Options = Mapping[str, Any]  # what may be written next: what it means
Story = Generator[Options, Any, None]
Part = Generator[Options, Any, list[Any]]


def say(*parts: str | Options) -> Part:
    """Write fixed texts and choices in turn; return what the choices came to mean."""
    meanings = []
    for part in parts:
        if isinstance(part, str):
            yield {part: None}
        else:
            meanings.append((yield part))
    return meanings


def one_of(texts: Iterable[str]) -> Options:
    """Options that mean what they say."""
    return {text: text for text in texts}


def write(story: Story, random: Random) -> str:
    """Take every option by lot."""
    text = ""
    options = next(story)
    while options:
        taken = random.choice(list(options))
        text += taken
        options = go_on(story, options[taken])
    return text


class Reading(NamedTuple):
    """How far a text follows a story, and what the story could write from there."""

    end: int  # characters read
    options: Options  # none when the story is at its end
    log_prob: float  # of the part read, in nats


def read(story: Story, text: str) -> Reading:
    """Take the options that `text` shows, as far as it shows any."""
    end, log_prob = 0, 0.0
    options = next(story)
    while options:
        taken = next((option for option in options if text.startswith(option, end)), "")
        if not taken:
            break
        end += len(taken)
        log_prob -= math.log(len(options))
        options = go_on(story, options[taken])
    return Reading(end, options, log_prob)


def go_on(story: Story, meaning: object) -> Options:
    """Tell the story what was taken; its next options, none at its end."""
    try:
        return story.send(meaning)
    except StopIteration:
        return {}


def find_fault(reading: Reading, text: str, *, unfinished: bool) -> str | None:
    """Say in words where `text` left the story; None when it did not.

    With `unfinished`, a text may stop anywhere, even in the middle of a word.
    """
    end, options, _ = reading
    rest = text[end:]
    stops_early = any(option.startswith(rest) for option in options)
    if (not rest and not options) or (stops_early and unfinished):
        return None
    # Of all options, the one most like the text says best what is wrong with it;
    # the fault begins with the word in which the two part, or where the text stops.
    likeliest = max(options, key=lambda option: shared(option, rest), default="")
    alike = rest[: shared(likeliest, rest)]
    if not stops_early:
        alike = re.sub(r"\w+$", "", alike)
    before = text[: end + len(alike)][-40:]
    others = f" or another of {len(options)}" if len(options) > 1 else ""
    return (
        f"after {before!r}: expected {quote(likeliest[len(alike) :])}{others}, "
        f"found {quote(rest[len(alike) :])}"
    )


def quote(text: str) -> str:
    """The beginning of a text, for a message."""
    return repr(text[:40]) if text else "the end of the text"


def shared(one: str, other: str) -> int:
    """Number of characters with which both begin."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)
