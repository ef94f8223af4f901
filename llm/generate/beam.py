"""Beam search: keep the few most likely texts, and extend them all at every step.

The most likely text is not found by taking the most likely token at each step, and to
look at all texts would take for ever. A beam keeps K of them (Sutskever et al. 2014,
arXiv:1409.3215, section 3.2). Every further token makes a text less likely, so short
ones would win: finished texts are compared by log-probability over length to a power,

    score(Y) = log P(Y | X) / |Y|^α,

where Y is what was written, the stop token included. Wu et al. 2016 (arXiv:1609.08144),
equation 14, divide by ((5 + |Y|) / 6)^α instead; |Y|^α is what `transformers` uses, and
our search returns what its search returns.
"""

import math
from collections.abc import Collection
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from llm.generate.decoding import Ids, begun, check, evaluating, from_rows, to_rows
from llm.generate.writers import writer_of

if TYPE_CHECKING:
    from llm.generate.writers import Model


class Hypothesis(NamedTuple):
    """A text that the search found, or is about to.

    Attributes:
        score: its log-probability, in nats; once it is finished, that over length to
            the power of the penalty.
        tokens: what was written, without prompt or source.
    """

    score: float
    tokens: list[int]


def beam_search(
    model: "Model",
    ids: Ids,
    *,
    beams: int,
    max_tokens: int,
    length_penalty: float = 1.0,
    stop: Collection[int] = (),
    cache: bool = True,
) -> Ids:
    """The best text that a beam finds for one prompt or source, or for several.

    Args:
        model: a GPT, or an encoder-decoder; in `eval` mode meanwhile.
        ids: as in `generate`.
        beams: K, texts kept at every step. 1 is the greedy search.
        max_tokens: most tokens to write; a text that has so many is finished.
        length_penalty: α; 0 compares log-probabilities, larger values prefer longer
            texts.
        stop: a text is finished after any of these tokens.
        cache: keep keys and values instead of computing them again for every token.

    Returns:
        As `generate`: prompt and continuation, or what an encoder-decoder writes.

    Raises:
        ValueError: as `generate`, or `beams` or `max_tokens` is below 1.
    """
    found = search(
        model,
        to_rows(ids),
        beams=beams,
        max_tokens=max_tokens,
        length_penalty=length_penalty,
        stop=stop,
        cache=cache,
    )
    texts = begun(model, to_rows(ids))
    for text, hypotheses in zip(texts, found, strict=True):
        text += hypotheses[0].tokens
    return from_rows(texts, like=ids)


@torch.inference_mode()
def search(
    model: "Model",
    rows: list[list[int]],
    *,
    beams: int,
    max_tokens: int,
    length_penalty: float = 1.0,
    stop: Collection[int] = (),
    cache: bool = True,
) -> list[list[Hypothesis]]:
    """The finished texts for each row, at most K, best first.

    Arguments and errors: see `beam_search`.
    """
    check(model, rows, max_tokens=max_tokens, stop=stop)
    for name, value in {"beams": beams, "max_tokens": max_tokens}.items():
        if value < 1:
            raise ValueError(f"{name} {value} is below 1")
    searches = [Beams(beams, length_penalty) for _ in rows]
    # Each text may be extended by every stop token, and K that go on must be left.
    candidates = (1 + max(len(stop), 1)) * beams
    with evaluating(model):
        writer = writer_of(model, rows, max_tokens=max_tokens, cache=cache)
        for written in count(1):
            running = [one for one in searches if not one.closed]
            log_p = writer.logits().float().log_softmax(-1)  # (all that grow, V)
            origins, tokens, first = [], [], 0
            for one in running:
                last = first + len(one.growing)
                taken = one.grow(
                    best(one.growing, log_p[first:last], candidates),
                    stop=stop,
                    last=written == max_tokens,
                )
                origins += [first + origin for origin in taken]
                tokens += [text.tokens[-1] for text in one.growing]
                first = last
            if not origins:
                break
            writer.keep(log_p.new_tensor(origins, dtype=torch.long))
            writer.append(log_p.new_tensor(tokens, dtype=torch.long))
    return [one.done for one in searches]


def best(
    growing: list[Hypothesis], log_p: Tensor, candidates: int
) -> list[tuple[float, int, int]]:
    """The `candidates` most likely texts of one token more, best first.

    Each is its log-probability, which of `growing` it extends, and the token; `log_p`
    is what the model gives each token after each of them, (growing, V).
    """
    before = log_p.new_tensor([text.score for text in growing])[:, None]
    total = (before + log_p).flatten()  # (growing · V,)
    top = total.topk(min(candidates, len(total)))
    V = log_p.size(1)
    return [
        (score, place // V, place % V)
        for score, place in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    ]


class Beams:
    """The search for one prompt or source: texts that grow, and texts that are done.

    Args:
        beams: K, most texts of either kind.
        length_penalty: α.
    """

    def __init__(self, beams: int, length_penalty: float) -> None:
        self.beams = beams
        self.length_penalty = length_penalty
        self.growing = [Hypothesis(0.0, [])]
        self.done: list[Hypothesis] = []
        self.closed = False

    def grow(
        self,
        candidates: list[tuple[float, int, int]],
        *,
        stop: Collection[int],
        last: bool,
    ) -> list[int]:
        """Take the next token; return which text each of the growing came from.

        Args:
            candidates: see `best`.
            stop: tokens that finish a text.
            last: whether every text is finished now.
        """
        growing: list[Hypothesis] = []
        origins: list[int] = []
        for rank, (log_p, origin, token) in enumerate(candidates):
            text = Hypothesis(log_p, [*self.growing[origin].tokens, token])
            if last or token in stop:
                if rank < self.beams:  # else it would not have been kept anyway
                    self.done.append(text._replace(score=self.divided(text)))
            elif len(growing) < self.beams:
                growing.append(text)
                origins.append(origin)
        self.done = sorted(self.done, key=lambda one: -one.score)[: self.beams]
        self.growing = growing
        self.closed = not self.can_improve()
        if self.closed:
            self.growing, origins = [], []
        return origins

    def can_improve(self) -> bool:
        """Whether the best that grows would, if it ended here, displace one done.

        A heuristic, the default of `transformers`: with α above 0, a text may yet score
        better when it is longer.
        """
        if not self.growing or len(self.done) < self.beams:
            return bool(self.growing)
        return self.divided(self.growing[0]) > self.done[-1].score

    def divided(self, text: Hypothesis) -> float:
        """Log-probability over length to the power of the penalty."""
        length = float(len(text.tokens))
        return text.score / math.pow(length, self.length_penalty)
