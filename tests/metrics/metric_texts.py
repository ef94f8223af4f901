"""Texts that metrics disagree about: marks, numbers, entities, white space, Chinese."""

from hypothesis import strategies as st

PIECES = [
    "the", "cat", "sat", "on", "mats", "The", "a", "1,000.5", "3-year", "U.S.", "don't",
    "state-of-the-art", "&quot;", "&amp;lt;", "...", ".", ",", "-", "!", "(hi)", "$5",
    "<skipped>", "猫", "坐在", "垫子", "上", "。", ",", "“", "”", "——", "2024年", "5%",
    "İ", "\U00020000", "ﬁ", "\u3000", "\u2028", "\n", "-\n", "\t", "😀", "ab", "é",
]  # fmt: skip
TEXTS = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from([" ", " ", "", "  "])),
    max_size=14,
).map(lambda pairs: "".join(piece + space for piece, space in pairs))
ANY = st.one_of(TEXTS, TEXTS, st.text(st.characters(exclude_categories=["Cs"])))
HARD = [
    ("The cat sat on the mat.", "The cat sat on a mat."),
    ("It cost 1,000.50 dollars, or 3-4% more.", "It cost 1,000.5 dollars, or 3 - 4 %."),
    ("他今年25岁，喜欢“GPT-4”。", "他25岁了，喜欢GPT-4。"),
    ("我们在2024年5月1日见面……", "我们于2024年5月1日见面。"),
    ("", "nothing said"),
    ("short", "short"),
    ("no match", "at all"),
]
