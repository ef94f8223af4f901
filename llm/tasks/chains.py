"""Chains of thought: steps before the answer, and several chains that vote.

An example that shows its steps makes a large model write steps too (Wei et al. 2022,
arXiv:2201.11903). Each chain ends by saying what the answer is, where it can be found;
several chains, drawn at a temperature, may differ in their steps and agree on the
answer (self-consistency, Wang et al. 2022, arXiv:2203.11171).
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from llm.generate.decoding import generate
from llm.models.gpt import GPT
from llm.text.tokenizer import Tokenizer

# Put behind a question, it makes a large model write steps without any example
# (Kojima et al. 2022, arXiv:2205.11916).
STEP_BY_STEP = {"en": " Let's think step by step.", "zh": "让我们一步一步地想。"}
ANSWER_IS = {"en": "The answer is {}.", "zh": "答案是{}。"}
SAID = re.compile(r"(?:\bthe answer is|答案是)\s*[:：]?", re.IGNORECASE)
# A Latin mark ends a sentence only before a space or the end: 3.5 goes on.
ENDED = re.compile(r"[\n。！？；]|[.!?;](?=\s|$)")


def explained(steps: str, answer: str, *, language: str = "en") -> str:
    """The text of a chain of thought: the steps, then the answer."""
    joint = " " if language == "en" else ""
    return steps + joint + ANSWER_IS[language].format(answer)


def extract_answer(text: str) -> str | None:
    """What stands behind the last "the answer is" or "答案是"; None if nothing does.

    >>> extract_answer("3 + 4 = 7. The answer is 7.")
    '7'

    An answer ends with its sentence or line. Points and commas inside numbers stay.
    """
    _, *said = SAID.split(text)
    if not said:
        return None
    return ENDED.split(said[-1])[0].strip(" \t\"'“”‘’") or None


class Vote(NamedTuple):
    """What the answers agree on.

    Attributes:
        answer: the one with most votes, the earliest of equals; None without any.
        share: its part of all votes, those of None included.
        votes: of each answer, in order of appearance.
    """

    answer: str | None
    share: float
    votes: dict[str, float]


def vote(answers: Sequence[str | None], weights: Sequence[float] | None = None) -> Vote:
    """The answer that most chains end with (Wang et al. 2022, section 2).

    `weights`, one for each answer and not negative, may be probabilities of the chains;
    without them each has one vote, which the paper found as good. A chain without an
    answer, None, votes for nothing and lowers the share.

    Raises:
        ValueError: there are no answers, another number of weights, or these have a
            value below 0 or a sum of 0.
    """
    weights = [1.0] * len(answers) if weights is None else weights
    if not answers or len(weights) != len(answers):
        raise ValueError(f"{len(answers)} answers with {len(weights)} weights")
    if min(weights) < 0 or sum(weights) == 0:
        raise ValueError(f"weights must be positive in sum, none below 0: {weights}")
    votes: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            votes[answer] = votes.get(answer, 0.0) + weight
    best = max(votes, key=lambda answer: votes[answer], default=None)
    share = votes[best] / sum(weights) if best is not None else 0.0
    return Vote(best, share, votes)


def self_consistency(
    model: GPT,
    tokenizer: Tokenizer,
    *,
    prompt: str,
    chains: int,
    max_tokens: int,
    temperature: float = 0.7,
    stop: Collection[int] = (),
    separator: str = "\n\n",
    seed: int = 0,
) -> Vote:
    """Draw several chains of thought after one prompt, and let their answers vote.

    Args:
        model: a GPT.
        tokenizer: its tokenizer.
        prompt: with examples that end in "The answer is ..." or "答案是……".
        chains: how many to draw; chain i is drawn with `seed` + i.
        max_tokens: most tokens of a chain.
        temperature: 0.7 is the paper's for GPT-3; at 0 all chains are one.
        stop: a chain ends after any of these tokens.
        separator: where the next example would begin, a chain ends too.
        seed: of the first chain.

    Raises:
        ValueError: `chains` is below 1, or as `llm.generate` does.
    """
    if chains < 1:
        raise ValueError(f"{chains} chains cannot vote")
    ids = tokenizer.encode(prompt)
    rows = generate(
        model,
        [ids] * chains,
        max_tokens=max_tokens,
        temperature=temperature,
        stop=stop,
        seed=seed,
    )
    answers = []
    for row in rows:
        text = tokenizer.decode(
            [token for token in row[len(ids) :] if token not in stop]
        )
        answers.append(extract_answer(text.split(separator)[0]))
    return vote(answers)
