"""Find the fenced blocks of a page, and hand those that are ours to their makers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from markdown import Markdown
from markdown.preprocessors import Preprocessor

from page import Context, PageError

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,}) *(?P<info>[^`]*)$")
OPTION = re.compile(r'\s*\b([a-z]+)="([^"]*)"')


@dataclass(frozen=True)
class Fence:
    """A fenced block: first word, rest of that line, lines without their indent."""

    language: str
    info: str
    body: list[str]
    indent: str
    raw: list[str]

    def options(self, *known: str) -> dict[str, str]:
        """``key="value"`` pairs of its first line; PageError for one not ``known``."""
        given = dict(OPTION.findall(self.info))
        rest = OPTION.sub("", self.info).strip()
        unknown = [*given.keys() - set(known), *([rest] if rest else [])]
        if unknown:
            raise PageError(
                f"```{self.language} does not know {', '.join(sorted(unknown))};"
                f" it knows {', '.join(known) or 'no option'}"
            )
        return given


Maker = Callable[[Fence, Context], list[str]]


def split(lines: list[str]) -> Iterator[Fence | str]:
    """The page in order: fenced blocks, and the lines outside them."""
    at = 0
    while at < len(lines):
        match = FENCE.match(lines[at])
        end = _closing(lines, at, match["ticks"]) if match else None
        if match is None or end is None:
            yield lines[at]
            at += 1
            continue
        indent = match["indent"]
        language, _, info = match["info"].strip().partition(" ")
        body = [line.removeprefix(indent) for line in lines[at + 1 : end]]
        yield Fence(language, info, body, indent, lines[at : end + 1])
        at = end + 1


def _closing(lines: list[str], start: int, ticks: str) -> int | None:
    for n in range(start + 1, len(lines)):
        text = lines[n].strip()
        if text.startswith(ticks) and not text.strip(ticks[0]):
            return n
    return None


class Fences(Preprocessor):  # type: ignore[misc]
    """Replace each block whose language has a maker by the Markdown that it makes.

    ``quote`` names the maker for blocks that hold a ``--8<--`` line, whatever their
    language.
    """

    def __init__(
        self, md: Markdown, makers: Mapping[str, Maker], quote: Maker, context: Context
    ) -> None:
        super().__init__(md)
        self.makers, self.quote, self.context = makers, quote, context

    def run(self, lines: list[str]) -> list[str]:
        out: list[str] = []
        for part in split(lines):
            if isinstance(part, str):
                if part.lstrip().startswith("--8<--"):
                    raise PageError(
                        f"a quote stands in a fence of its own: {part.strip()}"
                    )
                out.append(part)
                continue
            quoted = any(line.lstrip().startswith("--8<--") for line in part.body)
            nested = any(line.lstrip().startswith("```") for line in part.body)
            maker = (
                self.quote if quoted and not nested else self.makers.get(part.language)
            )
            if maker is None:
                out += part.raw
                continue
            made = maker(part, self.context)
            out += ["", *(part.indent + line if line else "" for line in made), ""]
        return out
