"""Chinese typography and words that the Chinese pages do not use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from sentences import CODE, MATH, RESULT, Line

HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
WORD = rf"[A-Za-z0-9{CODE}{MATH}{RESULT}]"  # what a space parts from Han
WIDE = r"[，。；：？！（）、《》“”‘’…]"

# What each is not, and the word to write; where a longer word is meant, it is let be.
BANNED = {
    "变压器": "Transformer",
    "令牌(?!桶)": "词元",
    "词符": "词元",
    "真值(?!表)": "值（value），或真实标签（ground truth）",
    "有监督微调": "监督微调",
    "您": "你",
    "(?<![申聘邀])请(?![求教])": "直接说要做什么",
    "词汇表": "词表",
    "集束搜索": "束搜索",
    "贪婪": "贪心",
    "基座模型": "基础模型",
    "情境学习": "上下文学习",
    "[快捷]捷?径?连接": "残差连接",
    "激活检查点": "激活重计算",
    "层规范化": "层归一化",
    "我们展示了": "直接说结论",
}

TYPOGRAPHY = {
    rf"{HAN}{WORD}|{WORD}{HAN}": "needs a space between Han and Latin, digits or code",
    rf" {WIDE}|{WIDE} ": "has a space beside full-width punctuation",
    rf"{HAN}[,;:?!]|{HAN}\.(?!\d)|{HAN}\(|\){HAN}": "has half-width punctuation",
    r'"': "has straight quotes: “ ” in prose, a code span for strings",
    rf"[\d{RESULT}] [%°]": "has a space before % or °",
    r"(?<![\w.-])\d+-\d+(?![\w.-])": "writes a range with a hyphen: use –",
    r"\.\.\.|(?<!…)…(?!…)": "writes an ellipsis other than ……",
    r"(?<!—)—(?!—)": "writes a dash other than ——",
}

ITALIC = re.compile(
    rf"(?<!\*)\*(?![\s*])[^*]*{HAN}[^*]*\*(?!\*)|(?<!\w)_[^_]*{HAN}[^_]*_"
)


def faults(lines: list[Line]) -> Iterator[tuple[int, str]]:
    """Line number and fault, for one Chinese page."""
    for line in lines:
        shown = line.plain
        for pattern, instead in BANNED.items():
            if found := re.search(pattern, shown):
                yield line.number, f"writes {found[0]}: here it is {instead}"
        if ITALIC.search(line.text) and line.section != "references":
            yield line.number, "has italics on Han: use bold"
        for part in _parts(line):
            for pattern, what in TYPOGRAPHY.items():
                if found := re.search(pattern, part):
                    yield line.number, f"{what}: …{_around(part, found)}…"
    yield from _broken_paragraphs(lines)


def _parts(line: Line) -> list[str]:
    """Cells of a table apart, since their edges are no spaces in a sentence."""
    shown = line.plain.strip()
    return (
        [cell.strip() for cell in shown.split("|")] if line.kind == "table" else [shown]
    )


def _around(text: str, found: re.Match[str]) -> str:
    cut = text[max(0, found.start() - 6) : found.end() + 6]
    for letter, name in ((CODE, "`…`"), (MATH, "$…$"), (RESULT, "{{…}}")):
        cut = cut.replace(letter, name)
    return cut


def _broken_paragraphs(lines: list[Line]) -> Iterator[tuple[int, str]]:
    """A line that goes on the line before it; lists and definitions begin anew."""
    begins = re.compile(r"^\s*(?:- |\d+\. |: {3}|> |<)")
    for above, below in pairwise(lines):
        together = below.number == above.number + 1 and above.kind == below.kind
        if together and below.kind == "prose" and not begins.match(below.text):
            yield below.number, "breaks a paragraph: one paragraph, one line"
