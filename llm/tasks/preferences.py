"""Preference pairs from JSON Lines, for reward models and DPO.

{"prompt": "What is 2 + 2?", "chosen": "4", "rejected": "5"}
"""

from dataclasses import dataclass
from pathlib import Path

from llm.tasks.files import fault, read_objects, text_of


@dataclass(frozen=True)
class Preference:
    """Of two answers to a prompt, the better and the worse one."""

    prompt: str
    chosen: str
    rejected: str


def read_preferences(path: str | Path) -> list[Preference]:
    """The pairs of a file.

    Raises ValueError, with the file and the line, for a line that is no JSON object, a
    missing key, an empty text, or two equal answers, which prefer nothing; and as
    `llm.tasks.files.read_lines` does.
    """
    pairs = []
    for number, item in read_objects(path):
        prompt, chosen, rejected = (
            text_of(path, number, item, key=key)
            for key in ("prompt", "chosen", "rejected")
        )
        if chosen == rejected:
            expected = "two answers that differ"
            raise fault(path, number, expected=expected, found=chosen)
        pairs.append(Preference(prompt, chosen, rejected))
    return pairs
