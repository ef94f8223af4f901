"""Answers by likelihood: of several options, the one that the model finds likeliest.

A language model that was never trained to choose can still compare continuations
(Brown et al. 2020, arXiv:2005.14165, section 2.4). What is compared matters, since long
options and rare words are unlikely whatever was asked:

    sum    log p(option | prompt)
    token  the same, divided by the number of tokens
    byte   the same, divided by the number of UTF-8 bytes, whatever the tokenizer
    pmi    log p(option | prompt) - log p(option | neutral prompt)

The last is pointwise mutual information: how much likelier the question makes an
option than a neutral prompt such as "Answer:" does (Holtzman et al. 2021,
arXiv:2104.08315; for some sets, Brown et al. too).

A model may also favour an option whatever the input. Contextual calibration (Zhao et
al. 2021, arXiv:2102.09690) measures that with inputs that say nothing, such as "N/A",
and divides by it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from llm.generate.decoding import evaluating
from llm.models.gpt import GPT
from llm.text.tokenizer import Tokenizer

NORMS = ("sum", "token", "byte", "pmi")


class Choice(NamedTuple):
    """The option chosen, and how all compare.

    Attributes:
        best: the place of the option with the highest score; the first of equals.
        scores: of each option, in nats (per token, per byte).
        probabilities: softmax of the scores.
    """

    best: int
    scores: list[float]
    probabilities: list[float]


def choose(
    model: GPT,
    tokenizer: Tokenizer,
    *,
    prompt: str,
    options: Sequence[str],
    by: str = "sum",
    neutral: str | None = None,
) -> Choice:
    """The option that continues the prompt best.

    Args:
        model: a GPT; in `eval` mode meanwhile.
        tokenizer: its tokenizer. Prompt and options are split apart, so that all
            options continue the same tokens.
        prompt: what each option continues, as in "Q: ... A:".
        options: with the space that stands before them, as in " yes".
        by: sum, token, byte or pmi.
        neutral: for pmi, a prompt without the question, as in "A:".

    Raises:
        ValueError: there are no options, one is empty or exceeds the context with the
            prompt; or `by` is another, or pmi lacks its neutral prompt.
    """
    if by not in NORMS:
        raise ValueError(f"no scores by {by!r}: there are {', '.join(NORMS)}")
    if (by == "pmi") != (neutral is not None):
        raise ValueError(f"by={by!r} with neutral={neutral!r}: pmi takes one, only pmi")
    rows = [tokenizer.encode(option) for option in options]
    scores = option_log_probs(model, tokenizer.encode(prompt), options=rows)  # (N,)
    if by == "token":
        scores = scores / torch.tensor([len(row) for row in rows])
    elif by == "byte":
        scores = scores / torch.tensor([len(option.encode()) for option in options])
    elif neutral is not None:
        before = tokenizer.encode(neutral)
        scores = scores - option_log_probs(model, before, options=rows)
    found = scores.tolist()
    return Choice(found.index(max(found)), found, scores.softmax(0).tolist())


@torch.inference_mode()
def option_log_probs(
    model: GPT, prompt: Sequence[int], *, options: Sequence[Sequence[int]]
) -> Tensor:
    """log p(option | prompt) in nats, a sum over the tokens of each option: (N,).

    The options are read as one batch, filled up on the right, where a causal model
    never looks. The result is float64, on the CPU.

    Raises:
        ValueError: the prompt or an option is empty, there is none, or one exceeds the
            context with the prompt.
    """
    check(prompt, options, context=model.config.context)
    # The last token of an option predicts nothing that is asked for.
    rows = [[*prompt, *option[:-1]] for option in options]
    longest = max(map(len, rows))
    filled = [row + [0] * (longest - len(row)) for row in rows]
    with evaluating(model):
        ids = torch.tensor(filled, device=model.embedding.weight.device)
        # One token before the option predicts its first.
        logits = model(ids)[:, len(prompt) - 1 :]  # (N, longest option, V)
    log_p = logits.double().log_softmax(-1).cpu()
    sums = [
        log_p[i, : len(option)].gather(-1, torch.tensor(option)[:, None]).sum()
        for i, option in enumerate(options)
    ]
    return torch.stack(sums)  # (N,)


def check(
    prompt: Sequence[int], options: Sequence[Sequence[int]], *, context: int
) -> None:
    """Refuse what cannot be compared."""
    if not prompt:
        raise ValueError("the prompt is empty: give it one token at least")
    if not options:
        raise ValueError("there are no options to choose from")
    for i, option in enumerate(options):
        if not option:
            raise ValueError(f"option {i} is empty: give it one token at least")
        if len(prompt) + len(option) - 1 > context:
            raise ValueError(
                f"the prompt has {len(prompt)} tokens and option {i} has "
                f"{len(option)}, together more than the context of {context}: "
                "give fewer examples"
            )


def calibrate(probabilities: Tensor, content_free: Tensor) -> Tensor:
    """Divide by what the model says to inputs that say nothing (Zhao et al. 2021).

        q = W p,    W = diag(p_cf)^-1,    then divided by its sum

    p_cf is the mean over the content-free inputs. The paper takes the softmax of W p,
    which has the same order; a quotient makes p = p_cf exactly uniform.

    Args:
        probabilities: of the options, (..., N); each row is brought to sum to 1.
        content_free: the same after inputs such as "N/A", "[MASK]" and "", (K, N).

    Returns:
        Calibrated probabilities, (..., N).

    Raises:
        ValueError: the numbers of options differ, or a value is below 0 or is 0
            among `content_free`.
    """
    if content_free.dim() != 2 or content_free.shape[-1:] != probabilities.shape[-1:]:
        raise ValueError(
            f"probabilities {tuple(probabilities.shape)} take content_free (K, N) with "
            f"the same N, found {tuple(content_free.shape)}"
        )
    if (probabilities < 0).any() or (content_free <= 0).any():
        raise ValueError("probabilities must not be negative, nor content-free ones 0")
    each = content_free / content_free.sum(-1, keepdim=True)  # (K, N)
    q = probabilities / each.mean(0)  # (..., N)
    return q / q.sum(-1, keepdim=True)
