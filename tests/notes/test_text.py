"""The text of every page keeps its promises; and a fault that is planted is found."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_site"))

import chinese  # noqa: E402
import citations  # noqa: E402
import parity  # noqa: E402
import prose  # noqa: E402
import sentences  # noqa: E402
import terms  # noqa: E402


@pytest.mark.parametrize("slug", parity.slugs(ROOT))
def test_text_of_a_page_keeps_its_promises(slug: str) -> None:
    found, _ = prose.faults(slug, root=ROOT)
    assert found == []


def said(faults: object) -> str:
    return " / ".join(fault for _, fault in faults)


CHINESE = (
    "用 `softmax` 把 3 个分数变成权重，$x$ 占 {{ share:.0f }}%。"
    "**词元**（token）见 [[text/bpe]]。"
)


def test_good_chinese_has_no_fault() -> None:
    table = "| 甲 | {{ x }} 秒 |\n|---|---|\n| 乙 | (B, T) |\n"
    text = f"{CHINESE}\n\n- “引号”——破折号……\n\n{table}"
    assert said(chinese.faults(sentences.read(text))) == ""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("用 `", "用`", "needs a space"),
        ("3 个", "3个", "needs a space"),
        ("，$x$ 占", "，$x$占", "needs a space"),
        ("占 {{", "占{{", "needs a space"),
        ("，$x$", "， $x$", "beside full-width"),
        ("权重，", "权重,", "half-width"),
        ("（token）", "(token)", "half-width"),
        ("**词元**", "*词元*", "italics on Han"),
        ("**词元**", '"词元"', "straight quotes"),
        ("}}%", "}} %", "before %"),
        ("3 个", "1-3 个", "a range with a hyphen"),
        ("见 ", "……，…… 见 ", "beside full-width"),
        ("用 ", "用...", "ellipsis"),
        ("用 ", "用—", "a dash"),
        ("词元", "令牌", "here it is 词元"),
        ("用", "请用", "writes 请"),
        ("用", "您用", "here it is 你"),
        ("分数", "真值", "writes 真值"),
        ("权重，", "权重，\n", "breaks a paragraph"),
    ],
)
def test_a_fault_in_chinese_is_found(old: str, new: str, fault: str) -> None:
    assert old in CHINESE
    planted = CHINESE.replace(old, new, 1)
    assert fault in said(chinese.faults(sentences.read(planted)))


@pytest.mark.parametrize("text", ["请求头", "申请内存", "Python 3.11", "`{'a':1}`"])
def test_chinese_that_only_resembles_a_fault_is_let_be(text: str) -> None:
    assert said(chinese.faults(sentences.read(text))) == ""


def test_chinese_is_read_in_questions_and_descriptions_too() -> None:
    quiz = "```quiz\n问?\n\n- [x] 对 | 因为x。\n- [ ] 错 | 不对。\n```"
    alt = '```python alt="图1"\n--8<-- "snippets/a/b.py:c"\n```'
    numbers = [n for n, _ in chinese.faults(sentences.read(f"{quiz}\n\n{alt}"))]
    assert sorted(numbers) == [1, 1, 8]


GLOSSARY = (
    "en,zh,note\nkey / value,键 / 值,\nbias (parameter),偏置,\nbias (social),偏见,\n"
)
GLOSSARY += "beam search,束搜索,\nlarge language model (LLM),大语言模型,\n"


@pytest.mark.parametrize(
    ("english", "translated", "fault"),
    [
        ("Beam searches are wide.", "束搜索很宽。", ""),
        ("Beam search is wide.", "集束很宽。", "'beam search' is 束搜索"),
        ("A bias is added.", "加上偏见。", ""),
        ("A bias is added.", "加上一项。", "'bias' is 偏置"),
        ("A large language model.", "一个 LLM。", ""),
        ("`bias` is a name, and so is bias-free.", "是名字。", ""),
    ],
)
def test_terms_stand_on_both_sides(
    tmp_path: Path, english: str, translated: str, fault: str
) -> None:
    path = tmp_path / "glossary.csv"
    path.write_text(GLOSSARY, "utf-8")
    en, zh = (sentences.read(f"## H {{ #h }}\n\n{t}") for t in (english, translated))
    assert said(terms.faults(en, zh, terms.read(path))).startswith(fault)
    assert bool(fault) == bool(said(terms.faults(en, zh, terms.read(path))))


def test_a_term_in_another_section_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "glossary.csv"
    path.write_text(GLOSSARY, "utf-8")
    en = sentences.read("## A { #a }\n\nBeam search.\n\n## B { #b }\n\nNone.")
    zh = sentences.read("## 甲 { #a }\n\n没有。\n\n## 乙 { #b }\n\n束搜索。")
    assert "section 'a'" in said(terms.faults(en, zh, terms.read(path)))


CITED = """Merging (Gage, [1994](#references); Sennrich et al., [2016](#references)).
Press and Wolf ([2017](#references)) tied them. 又见 Gage（[1994](#references)）。

## References { #references }

1. Gage, P. A New Algorithm. The C Users Journal 12(2), 1994. First.
2. Sennrich, R. Rare Words. ACL 2016. [arXiv:1508.07909](https://arxiv.org/abs/1508.07909).
3. Press, O., Wolf, L. Output. 2017. [doi](https://doi.org/10.18653/v1/e17-2025). Tied.
"""


def test_good_references_have_no_fault() -> None:
    assert said(citations.faults(sentences.read(CITED))) == ""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("abs/1508.07909", "abs/1513.07909", "'1513.07909' is no arXiv id"),
        ("abs/1508.07909", "abs/1508.079", "'1508.079' is no arXiv id"),
        ("[arXiv:1508.07909]", "[arXiv:1508.07910]", "arXiv:1508.07910 links"),
        ("10.18653/", "18653/", "is no DOI id"),
        ("Gage, [1994]", "Gage, [1995]", "no reference for Gage, 1995"),
        ("Sennrich et al.", "Kudo et al.", "no reference for Kudo, 2016"),
        ("(Gage, [1994]", "(see [1994]", "[1994] names no author"),
        ("tied them", "tied them (Xiong et al., 2020)", "'et al., 2020' is not linked"),
        ("12(2), 1994", "12(2)", "reference without a year"),
        ("First.\n", "First.\n4. x. seen in 2001.\n", "no venue, cited nowhere"),
    ],
)
def test_a_fault_in_references_is_found(old: str, new: str, fault: str) -> None:
    assert old in CITED
    planted = CITED.replace(old, new, 1)
    assert fault in said(citations.faults(sentences.read(planted)))


@pytest.mark.parametrize(
    "text",
    [
        "The loss is 2.31 nats.",
        "It saves 40 % of them.",
        "损失降了 40%。",
        "There are 12,345 tokens.",
        "| ours | 0.98 |",
        "```quiz\nWhy?\n\n- [x] So | It was 0.98.\n- [ ] No | Never.\n```",
    ],
)
def test_a_result_typed_by_hand_is_found(text: str) -> None:
    assert "is typed" in said(prose.numbers(sentences.read(text), set(), set()))


@pytest.mark.parametrize(
    "text",
    [
        "The loss is {{ loss:.2f }} nats, {{ share:.0f }} % of it.",
        "Gage ([1994](#references)) saved 40 %.",
        "With $p = 0.98$ and `lr=0.1`.",
        "Section 2.2 needs Python 3.11 and torch 2.6, 见第 3.2 节。",
        "Three of 16 tokens, in 2019.",
        "A rate of 0.3, and 124,439,808 parameters.",
        "| 4,096 | {{ curve.4096 }} |",
        "```quiz\nIs 3.1 more than 2.4?\n\n- [x] Yes | So.\n- [ ] 2.5 | No.\n```",
    ],
)
def test_quotes_citations_settings_and_facts_are_no_typed_results(text: str) -> None:
    lines = sentences.read(text)
    assert said(prose.numbers(lines, {"124,439,808"}, {"0.3"})) == ""


NOTE = "# T\n\n" + "".join(
    f"## H {{ #{name} }}\n\nText.\n\n" for name in prose.SECTIONS
)


def test_a_note_has_the_sections_of_a_note() -> None:
    assert said(prose.structure(NOTE, note=True)) == ""
    assert said(prose.structure("# T\n", note=False)) == ""
    planted = NOTE.replace(" { #why }", "").replace("#slips", "#slip")
    assert said(prose.structure(planted, note=True)) == (
        "heading without an id: ## (no id: H) / no section with the id 'why'"
        " / no section with the id 'slips'"
    )
    empty = NOTE.replace("#slips }\n\nText.", "#slips }")
    assert said(prose.structure(empty, note=True)) == "section 'slips' is empty"
    assert (
        said(prose.structure(NOTE[:-7], note=True)) == "section 'references' is empty"
    )


@pytest.mark.parametrize("word", ["simply", "Just", "powerful", "delves"])
def test_empty_words_are_found(word: str) -> None:
    lines = sentences.read(f"{word} add them.\n\n`{word}` is code; adjust is no fault.")
    assert said(prose.words(lines)) == f"says '{word}'"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("docs/en/models", "docs/zh/models", "llm", "snippets/models"):
        (tmp_path / folder).mkdir(parents=True)
    body = "".join(f"    x = {n}\n" for n in range(70))
    code = f"RATE = 0.3\n\n\ndef f():\n{body}\n\ndef _g():\n    return 2\n"
    (tmp_path / "llm/x.py").write_text(code, "utf-8")
    quoted = '```python\n--8<-- "llm/x.py:f"\n```\n\n'
    for language, word in (("en", "word "), ("zh", "字 ")):
        text = f"---\nfacts: ['7.5']\n---\n{quoted}7.5 {word * 1300}\n\n{NOTE}"
        (tmp_path / f"docs/{language}/models/gpt.md").write_text(text, "utf-8")
    return tmp_path


def plant(project: Path, old: str, new: str) -> tuple[list[str], list[str]]:
    path = project / "docs/en/models/gpt.md"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return prose.faults("models/gpt", root=project)


def test_a_good_note_has_neither_fault_nor_remark(project: Path) -> None:
    assert prose.faults("models/gpt", root=project) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("x.py:f", "x.py:_g", "quotes _g, which is not public"),
        ("x.py:f", "x.py:gone", "llm/x.py has no 'gone'"),
        ("word ", "", "words, where 1200–1800 are the standard"),
        ("x.py:f", "x.py:RATE", "1 lines of code, where 60–120 are the standard"),
        ("'7.5'", "", "7.5 is typed"),
    ],
)
def test_a_fault_in_a_note_is_found(
    project: Path, old: str, new: str, fault: str
) -> None:
    assert any(fault in line for line in plant(project, old, new)[0])


def test_a_note_a_little_too_long_gets_a_remark_only(project: Path) -> None:
    found, remarked = plant(project, "word ", "a b ")
    assert found != []  # 2,600 words
    found, remarked = plant(project, "a b " * 1300, "a " * 1900)
    assert found == [] and "words, where 1200–1800" in remarked[0]


def test_exercises_outputs_and_folded_code_are_not_counted(project: Path) -> None:
    quoted = '```python\n    --8<-- "llm/x.py:f"\n    ```\n'
    text = f'??? tip "T"\n\n    Two words.\n\n    {quoted}\nThree words `here`.\n'
    text += '```python output="only"\n--8<-- "llm/x.py:f"\n```\n'
    assert prose.counts(text, root=project) == (3, 0)


def test_the_map_is_no_note_and_the_appendix_is() -> None:
    assert prose.is_note("models/gpt") and prose.is_note("start/tensors")
    assert not any(map(prose.is_note, ("start/map", "end/library", "index")))
