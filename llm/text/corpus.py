"""Texts to learn from: generated stories, the Python manual, and your own files."""

import math
from collections.abc import Iterable
from pathlib import Path
from random import Random

from llm.text import grammar, stories_en, stories_zh

STORIES = {"en": stories_en.story, "zh": stories_zh.story}


class Stories:
    """Stories in English ("en") or Chinese ("zh"), from a grammar that keeps facts.

    People keep what they own until they swap it, sums are right, comparisons are
    drawn to their conclusion, words agree. The grammar (`llm.text.grammar`) knows the
    probability of every story, so the loss of a model can be compared with the best
    that any model could reach: the mean of `-log_prob`.

    Raises ValueError for any other language.
    """

    def __init__(self, language: str) -> None:
        if language not in STORIES:
            raise ValueError(f"no stories in {language!r}: there are en and zh")
        self.story = STORIES[language]

    def texts(self, count: int, seed: int = 0) -> list[str]:
        """The first `count` stories of `seed`."""
        random = Random(seed)
        return [grammar.write(self.story(), random) for _ in range(count)]

    def log_prob(self, text: str) -> float:
        """Natural logarithm of the probability of `text`; -inf for any other text."""
        reading = grammar.read(self.story(), text)
        whole = reading.end == len(text) and not reading.options
        return reading.log_prob if whole else -math.inf

    def check(self, text: str, *, unfinished: bool = False) -> str | None:
        """The first fault of `text` in words; None for a text that is a story.

        With `unfinished`, the beginning of a story will do, cut off anywhere.
        """
        reading = grammar.read(self.story(), text)
        return grammar.find_fault(reading, text, unfinished=unfinished)


def manual() -> str:
    """The language reference that comes with Python: half a megabyte of real English.

    The text is that of the running Python, and differs a little between versions.
    """
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name].strip() for name in sorted(topics))


def read_texts(paths: str | Path | Iterable[str | Path]) -> list[str]:
    """Read UTF-8 text files, without their byte-order marks.

    Raises FileNotFoundError or ValueError with the name of the file that is missing,
    a folder, empty, or not UTF-8.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    return [read_text(Path(path)) for path in paths]


def read_text(path: Path) -> str:
    """Read one text file: see `read_texts`."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name the text files in it")
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text: byte {error.object[error.start]:#04x} at "
            f"{error.start}; save it as UTF-8"
        ) from None
    if not text.strip():
        raise ValueError(f"{path} is empty")
    return text
