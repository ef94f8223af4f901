"""ROUGE (Lin 2004): how much of a summary is in its reference, as rouge-score has it.

ROUGE-1 and ROUGE-2 count shared words and pairs of words. ROUGE-L takes the longest row
of words that both have in the same order, with gaps (the longest common subsequence,
LCS). ROUGE-Lsum takes that of every sentence of the reference with every sentence of
the summary, and the words that any of these found; a line is a sentence.

A figure depends on what counts as a word: words as they stand, or their stems (as in
most papers), or the characters of Chinese, of which rouge-score sees none.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from llm.metrics.bleu import ngrams
from llm.metrics.score import Score, score
from llm.metrics.stemmer import stem


def latin_words(text: str) -> list[str]:
    """Runs of a-z and 0-9 in lower case: what rouge-score sees. Chinese has none."""
    return re.findall("[a-z0-9]+", text.lower())


def words_and_characters(text: str) -> list[str]:
    """Runs of a-z and 0-9, and every Chinese character alone: for Chinese summaries."""
    return re.findall(
        "[a-z0-9]+|[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]", text.lower()
    )


def latin_stems(text: str) -> list[str]:
    """`latin_words`, those of over three letters without their endings."""
    return [stem(word) if len(word) > 3 else word for word in latin_words(text)]


Tokenize = Callable[[str], list[str]]


def rouge_scores(
    reference: str, summary: str, *, tokenize: Tokenize = latin_words
) -> dict[str, Score]:
    """ROUGE-1, -2, -L and -Lsum under the names rouge1, rouge2, rougeL and rougeLsum.

    Precision is the share of the summary that is in the reference, recall that of the
    reference that is in the summary. `tokenize` is `latin_words`, `latin_stems`
    (rouge-score's `use_stemmer=True`) or `words_and_characters`.
    """
    wanted, said = tokenize(reference), tokenize(summary)
    return {
        "rouge1": rouge_n(wanted, said, n=1),
        "rouge2": rouge_n(wanted, said, n=2),
        "rougeL": score(len(common(wanted, said)), said=len(said), wanted=len(wanted)),
        "rougeLsum": rouge_lsum(
            [tokenize(line) for line in reference.split("\n")],
            [tokenize(line) for line in summary.split("\n")],
        ),
    }


def rouge_n(wanted: list[str], said: list[str], *, n: int) -> Score:
    """The overlap of n-grams, each as often as both have it."""
    theirs, ours = ngrams(wanted, n), ngrams(said, n)
    return score((theirs & ours).total(), said=ours.total(), wanted=theirs.total())


def rouge_lsum(wanted: list[list[str]], said: list[list[str]]) -> Score:
    """The union of the common words of each reference sentence with all of the summary.

    No word counts more often than it is in the summary, as in ROUGE-1.5.5: the paper
    (section 3.2) would count one word of the summary for several of the reference.
    """
    left = Counter(word for sentence in said for word in sentence)
    shared = 0
    for sentence in wanted:
        found = {i for other in said for i in common(sentence, other)}
        for i in sorted(found):
            if left[sentence[i]]:
                left[sentence[i]] -= 1
                shared += 1
    return score(
        shared,
        said=sum(len(sentence) for sentence in said),
        wanted=sum(len(sentence) for sentence in wanted),
    )


def common(first: Sequence[str], second: Sequence[str]) -> list[int]:
    """The places in `first` of a longest row of words that `second` has in that order.

    Of several as long, the one found from the end, dropping words of `first` before
    those of `second`: ROUGE-Lsum depends on the choice.
    """
    # longest[i][j]: of the first i words of one and the first j words of the other.
    longest = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, word in enumerate(first):
        for j, other in enumerate(second):
            longest[i + 1][j + 1] = (
                longest[i][j] + 1
                if word == other
                else max(longest[i][j + 1], longest[i + 1][j])
            )
    places = []
    i, j = len(first), len(second)
    while i and j:
        if first[i - 1] == second[j - 1]:
            i, j = i - 1, j - 1
            places.append(i)
        elif longest[i][j - 1] > longest[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return places[::-1]
