"""Metrics from scratch, each equal to the library that papers quote.

What a loss means (`loss`), labels and their calibration (`labels`), tagged spans as
seqeval (`spans`), answers by SQuAD's rules (`answers`), translations as sacrebleu
(`bleu`, `chrf`), summaries as rouge-score (`rouge`), programs by pass@k (`programs`),
and how sure any of these figures is (`bootstrap`).

A metric is loaded when it is first asked for: the trainer needs a perplexity and does
not run BLEU's file, so the record of a run stays true when that changes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm.metrics.answers import AnswerScores, answer_f1, exact_match, squad
    from llm.metrics.bleu import BLEU, corpus_bleu, sentence_bleu
    from llm.metrics.bootstrap import Interval, bootstrap_interval
    from llm.metrics.chrf import corpus_chrf, sentence_chrf
    from llm.metrics.labels import accuracy, calibration_error, label_scores, macro_f1
    from llm.metrics.loss import bits_per_byte, perplexity
    from llm.metrics.programs import mean_pass_at_k, pass_at_k
    from llm.metrics.rouge import (
        latin_stems,
        latin_words,
        rouge_scores,
        words_and_characters,
    )
    from llm.metrics.score import Score
    from llm.metrics.spans import Span, find_spans, span_f1, span_f1_by_type

__all__ = [
    "BLEU",
    "AnswerScores",
    "Interval",
    "Score",
    "Span",
    "accuracy",
    "answer_f1",
    "bits_per_byte",
    "bootstrap_interval",
    "calibration_error",
    "corpus_bleu",
    "corpus_chrf",
    "exact_match",
    "find_spans",
    "label_scores",
    "latin_stems",
    "latin_words",
    "macro_f1",
    "mean_pass_at_k",
    "pass_at_k",
    "perplexity",
    "rouge_scores",
    "sentence_bleu",
    "sentence_chrf",
    "span_f1",
    "span_f1_by_type",
    "squad",
    "words_and_characters",
]

MODULES = {
    "answers": ("AnswerScores", "answer_f1", "exact_match", "squad"),
    "bleu": ("BLEU", "corpus_bleu", "sentence_bleu"),
    "bootstrap": ("Interval", "bootstrap_interval"),
    "chrf": ("corpus_chrf", "sentence_chrf"),
    "labels": ("accuracy", "calibration_error", "label_scores", "macro_f1"),
    "loss": ("bits_per_byte", "perplexity"),
    "programs": ("mean_pass_at_k", "pass_at_k"),
    "rouge": ("latin_stems", "latin_words", "rouge_scores", "words_and_characters"),
    "score": ("Score",),
    "spans": ("Span", "find_spans", "span_f1", "span_f1_by_type"),
}


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
