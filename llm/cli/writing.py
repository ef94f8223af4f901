"""Tasks that are answered by writing: instructions, preferences, translations.

Each class says how a file is read, how an example becomes ids, and how well a model
does: see `llm.cli.tasks.Task`.
"""

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import torch
from torch import nn

from llm.cli.labelling import COLUMNS, HAN, MEASURED, Columns, Figures
from llm.generate import generate
from llm.metrics import corpus_bleu, corpus_chrf
from llm.models.gpt import GPT
from llm.models.t5 import T5
from llm.models.transformer import Transformer
from llm.tasks import (
    Conversation,
    Message,
    Preference,
    Translation,
    read_instructions,
    read_parallel,
    read_preferences,
)
from llm.tasks.chat import answer_ids, chat_pairs, chat_prompt
from llm.text.batches import Batch
from llm.text.packing import Pair, Triple, answer_batch, preference_batch, shorten
from llm.text.pairs import to_batch
from llm.text.tokenizer import Tokenizer
from llm.train.instruct import frozen
from llm.train.objectives import Objective, next_token, text_to_text
from llm.train.preference import dpo, pair_log_probs
from llm.train.trainer import evaluate, to_device


class Instruct:
    """Answers to instructions, from JSON Lines; measured by the loss on answers."""

    models: tuple[type[nn.Module], ...] = (GPT,)

    def __init__(self, model: Any, tok: Tokenizer, labels: Sequence[str]) -> None:
        self.model = model
        self.tok = tok

    @staticmethod
    def read(
        path: str, labels: Sequence[str] | None = None, columns: Columns = COLUMNS
    ) -> list[Conversation]:
        """The conversations of a file."""
        return read_instructions(path)

    @staticmethod
    def labels_of(examples: Sequence[Conversation]) -> list[str]:
        """None."""
        return []

    @staticmethod
    def head(model: nn.Module, labels: Sequence[str]) -> nn.Module:
        """The model itself."""
        return model

    @staticmethod
    def objective(model: nn.Module) -> Objective:
        """Cross-entropy of the answers' tokens."""
        return next_token

    def encode(self, examples: Sequence[Conversation]) -> tuple[list[Pair], int]:
        """Prompts and answers; how many lost something."""
        pairs = [pair for example in examples for pair in chat_pairs(self.tok, example)]
        # One less: the last token of an answer is seen as well.
        return shorten(pairs, context=self.model.config.context - 1)

    def batch(self, items: Sequence[Pair]) -> Batch:
        """See `answer_batch`."""
        return answer_batch(items)

    def measure(self, items: Sequence[Pair]) -> Figures:
        """Mean loss of the answers' tokens in nats, and its perplexity."""
        batches = [self.batch(part) for part in parts(items)]
        found = evaluate(self.model, batches, next_token)
        return {"answer_loss": found["loss"], "answer_perplexity": found["perplexity"]}


class Prefer:
    """Preferences by DPO, from JSON Lines; measured by the share that is preferred.

    A pair counts as preferred when the chosen answer is the likelier one; "margin" is
    by how many nats, on average.
    """

    models: tuple[type[nn.Module], ...] = (GPT,)

    def __init__(self, model: Any, tok: Tokenizer, labels: Sequence[str]) -> None:
        self.model = model
        self.tok = tok

    @staticmethod
    def read(
        path: str, labels: Sequence[str] | None = None, columns: Columns = COLUMNS
    ) -> list[Preference]:
        """The pairs of a file."""
        return read_preferences(path)

    @staticmethod
    def labels_of(examples: Sequence[Preference]) -> list[str]:
        """None."""
        return []

    @staticmethod
    def head(model: nn.Module, labels: Sequence[str]) -> nn.Module:
        """The model itself."""
        return model

    @staticmethod
    def objective(model: nn.Module) -> Objective:
        """DPO, with `model` as it is now for reference."""
        return dpo(frozen(model))

    def encode(self, examples: Sequence[Preference]) -> tuple[list[Triple], int]:
        """Prompts and two answers; how many lost something.

        The prompt loses its first tokens, and both answers keep the same prompt.
        """
        context = self.model.config.context
        items: list[Triple] = []
        cut = 0
        for example in examples:
            prompt = self.tok.encode(chat_prompt([Message("user", example.prompt)]))
            answers = [
                answer_ids(self.tok, answer)
                for answer in (example.chosen, example.rejected)
            ]
            chosen, rejected = (answer[: context - 1] for answer in answers)
            room = context - max(len(chosen), len(rejected))
            cut += len(prompt) + max(map(len, answers)) > context
            items.append((prompt[-room:], chosen, rejected))
        return items, cut

    def batch(self, items: Sequence[Triple]) -> Batch:
        """See `preference_batch`."""
        return preference_batch(items)

    @torch.no_grad()
    def measure(self, items: Sequence[Triple]) -> Figures:
        """Share of the pairs whose chosen answer is the likelier, and the margin."""
        model = self.model.eval()
        device = next(model.parameters()).device
        margins = []
        for part in parts(items):
            found = pair_log_probs(model, to_device(self.batch(part), device))  # (B, 2)
            margins += (found[:, 0] - found[:, 1]).tolist()
        share = sum(margin > 0 for margin in margins) / len(margins)
        return {"preferred": share, "margin": sum(margins) / len(margins)}


class Rendered(NamedTuple):
    """Source and target as ids, and the target as it was written."""

    source: list[int]
    target: list[int]
    text: str


class Translate:
    """Text to text, from TSV; measured by BLEU and chrF of what greedy decoding writes.

    Chinese is cut into characters for BLEU, as sacrebleu's "zh" does.
    """

    models: tuple[type[nn.Module], ...] = (T5, Transformer)

    def __init__(self, model: Any, tok: Tokenizer, labels: Sequence[str]) -> None:
        if tok.end is None:
            raise ValueError("the tokenizer has no end token, so no text would end")
        self.model = model
        self.tok = tok
        self.end = tok.end

    @staticmethod
    def read(
        path: str, labels: Sequence[str] | None = None, columns: Columns = COLUMNS
    ) -> list[Translation]:
        """The pairs of a file."""
        return read_parallel(path)

    @staticmethod
    def labels_of(examples: Sequence[Translation]) -> list[str]:
        """None."""
        return []

    @staticmethod
    def head(model: nn.Module, labels: Sequence[str]) -> nn.Module:
        """The model itself."""
        return model

    @staticmethod
    def objective(model: nn.Module) -> Objective:
        """Cross-entropy of the target's tokens."""
        return text_to_text

    def encode(self, examples: Sequence[Translation]) -> tuple[list[Rendered], int]:
        """Sources and targets; how many pairs were cut, which a T5 never needs."""
        context = getattr(self.model.config, "context", inf)
        items, cut = [], 0
        for example in examples:
            source, target = (
                [*self.tok.encode(text), self.end]
                for text in (example.source, example.target)
            )
            if max(len(source), len(target)) > context:
                cut += 1
                source, target = source[: int(context)], target[: int(context)]
            items.append(Rendered(source, target, example.target))
        return items, cut

    def batch(self, items: Sequence[Rendered]) -> Batch:
        """See `llm.text.pairs.to_batch`."""
        pairs = [(item.source, item.target) for item in items]
        return to_batch(pairs, start=self.model.config.start)

    def measure(self, items: Sequence[Rendered]) -> Figures:
        """BLEU and chrF, from 0 to 100."""
        # What is twice as long as the longest reference is wrong in any case.
        longest = 2 * max(len(item.target) for item in items)
        most = min(longest, getattr(self.model.config, "context", longest))
        said = []
        for part in parts(items):
            sources: list[list[int]] = [item.source for item in part]
            rows = generate(
                self.model,
                sources,
                max_tokens=most,
                temperature=0,
                stop=[self.end],
            )
            said += [self.tok.decode(i for i in row if i != self.end) for row in rows]
        references = [[item.text] for item in items]
        chinese = any(HAN.search(item.text) for item in items)
        kind = "zh" if chinese else "13a"
        return {
            "bleu": corpus_bleu(said, references, tokenize=kind).score,
            "chrf": corpus_chrf(said, references),
        }


def parts(items: Sequence[Any]) -> list[Sequence[Any]]:
    """The items, MEASURED at a time."""
    return [items[i : i + MEASURED] for i in range(0, len(items), MEASURED)]
