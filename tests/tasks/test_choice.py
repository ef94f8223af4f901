"""Likelihoods of options against one token at a time, and calibration by hand."""

import math

import pytest
import torch

from llm.models import GPT, GPTConfig
from llm.tasks import calibrate, choose, option_log_probs
from llm.text.tokenizer import Tokenizer

BYTES = Tokenizer.bytes()
OPTIONS = [" no", " yes, 是的", " perhaps"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    shape = {"layers": 2, "heads": 2, "width": 16, "dropout": 0.1}
    model = GPT(GPTConfig(vocab_size=BYTES.vocab_size, context=24, **shape))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return model


def by_hand(model, prompt, option):
    """The sum of log p, from one forward pass for every token."""
    total = 0.0
    model.eval()
    for i, token in enumerate(option):
        logits = model(torch.tensor([[*prompt, *option[:i]]]))[0, -1]
        total += logits.double().log_softmax(-1)[token].item()
    return total


def test_options_equal_one_pass_for_every_token(model):
    prompt = BYTES.encode("Q: go?\nA:")
    rows = [BYTES.encode(option) for option in OPTIONS]
    model.train()
    together = option_log_probs(model, prompt, options=rows)
    assert model.training
    for found, row in zip(together.tolist(), rows, strict=True):
        assert found == pytest.approx(by_hand(model, prompt, row), abs=1e-5)


@pytest.mark.parametrize("by", ["sum", "token", "byte", "pmi"])
def test_each_norm_is_what_its_definition_says(model, by):
    tokenizer = Tokenizer.train("no no yes yes perhaps perhaps", 262)
    prompt, neutral = "Q: go?\nA:", "A:"

    def log_p(prompt, option):
        return by_hand(model, tokenizer.encode(prompt), tokenizer.encode(option))

    # The merged tokenizer has other ids than bytes: a model of its size.
    shape = {"layers": 1, "heads": 2, "width": 16}
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, context=32, **shape))
    expected = []
    for option in OPTIONS:
        score = log_p(prompt, option)
        if by == "token":
            score /= len(tokenizer.encode(option))
        elif by == "byte":
            score /= len(option.encode())
        elif by == "pmi":
            score -= log_p(neutral, option)
        expected.append(score)
    found = choose(
        model,
        tokenizer,
        prompt=prompt,
        options=OPTIONS,
        by=by,
        neutral=neutral if by == "pmi" else None,
    )
    assert found.scores == pytest.approx(expected, abs=1e-5)
    assert found.best == max(range(3), key=lambda i: expected[i])
    total = sum(map(math.exp, expected))
    assert found.probabilities == pytest.approx(
        [math.exp(score) / total for score in expected], abs=1e-5
    )


def test_all_texts_of_a_length_sum_to_one(model):
    """Every pair of bytes as an option: their probabilities are all there is."""
    prompt = [1, 2, 3]
    pairs = [[7, second] for second in range(BYTES.vocab_size)]
    first = option_log_probs(model, prompt, options=[[7]])
    assert option_log_probs(model, prompt, options=pairs).logsumexp(
        0
    ).item() == pytest.approx(first.item(), abs=1e-5)


def test_the_first_of_equal_options_is_chosen(model):
    found = choose(model, BYTES, prompt="A:", options=[" a", " b", " a", " b"])
    assert found.scores[:2] == found.scores[2:] and found.best in (0, 1)


def test_an_option_may_end_where_the_context_does(model):
    prompt, option = [1] * 20, [2] * 5  # the last token is predicted, never read
    found = option_log_probs(model, prompt, options=[option])
    assert found.item() == pytest.approx(by_hand(model, prompt, option), abs=1e-5)
    with pytest.raises(ValueError, match="20 tokens and option 1 has 6, together more"):
        option_log_probs(model, prompt, options=[option, [2] * 6])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": []}, "there are no options"),
        ({"options": [" a", ""]}, "option 1 is empty"),
        ({"prompt": ""}, "the prompt is empty"),
        ({"by": "words"}, "no scores by 'words': there are sum, token, byte, pmi"),
        ({"by": "pmi"}, "pmi takes one"),
        ({"neutral": "A:"}, "only pmi"),
    ],
)
def test_what_cannot_be_compared_is_told(model, change, message):
    arguments = {"prompt": "A:", "options": OPTIONS} | change
    with pytest.raises(ValueError, match=message):
        choose(model, BYTES, **arguments)


def test_calibration_makes_content_free_inputs_uniform():
    free = torch.tensor([[0.6, 0.3, 0.1]], dtype=torch.float64)
    uniform = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    torch.testing.assert_close(calibrate(free, free), uniform)


def test_calibration_equals_the_equation():
    free = torch.tensor([[3.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    # The means of (3/4, 1/4) and (1/2, 1/2) are 5/8 and 3/8.
    p = torch.tensor([[0.6, 0.4], [0.7, 0.3]], dtype=torch.float64)
    scaled = [[0.6 / (5 / 8), 0.4 / (3 / 8)], [0.7 / (5 / 8), 0.3 / (3 / 8)]]
    expected = torch.tensor(
        [[value / sum(row) for value in row] for row in scaled], dtype=torch.float64
    )
    torch.testing.assert_close(calibrate(p, free), expected)
    # The first was likelier before, and is less likely than the inputs' bias allows.
    assert p[0].argmax() == 0 and calibrate(p, free)[0].argmax() == 1


@pytest.mark.parametrize(
    ("p", "free", "message"),
    [
        ([0.5, 0.5], [0.5, 0.5], "take content_free"),
        ([0.5, 0.5], [[0.5, 0.3, 0.2]], "the same N, found"),
        ([0.5, 0.5], [[1.0, 0.0]], "nor content-free ones 0"),
        ([-0.5, 1.5], [[0.5, 0.5]], "must not be negative"),
    ],
)
def test_what_cannot_be_calibrated_is_told(p, free, message):
    with pytest.raises(ValueError, match=message):
        calibrate(torch.tensor(p), torch.tensor(free))
