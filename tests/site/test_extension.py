"""What a note may write becomes what its reader sees; the rest stops the build."""

import re
from collections.abc import Callable
from pathlib import Path

import markdown
import pytest
import yaml

import curriculum
import mathml
from extension import Notes
from page import Page, PageError, labels_of

from .conftest import mkdocs, plant

EXTENSIONS = ["attr_list", "md_in_html", "tables", "pymdownx.superfences"]
EXTENSIONS += ["pymdownx.highlight", "pymdownx.details"]
SOURCE = "https://github.com/llm-notes/llm-notes/blob/main/"

Convert = Callable[..., str]


@pytest.fixture
def convert(demo: Path) -> Convert:
    def to_html(text: str, language: str = "en", **labels: str) -> str:
        page = Page("attention/idea", language, "attention/idea/", labels)
        notes = Notes(root=demo, source_url=SOURCE, page=page)
        return markdown.markdown(text, extensions=[*EXTENSIONS, notes])

    return to_html


def fence(quote: str, options: str = "") -> str:
    return f'```python {options}\n--8<-- "{quote}"\n```'


CELL = "snippets/attention/idea.py:"
SYMBOL = "llm/attention.py:"


def words(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def test_a_symbol_is_quoted_with_a_link_to_its_lines(convert: Convert) -> None:
    html = convert(fence(SYMBOL + "Attention.weights"))
    assert f'href="{SOURCE}llm/attention.py#L12-L16"' in html
    assert words(html).split("\n")[3:5] == [
        "def weights(q: Tensor, k: Tensor) -&gt; Tensor:",
        '    """Softmax of the scaled scores."""',
    ]
    assert "EPSILON: float = 1e-6" in words(convert(fence(SYMBOL + "EPSILON")))


def test_a_cell_is_followed_by_what_it_printed_and_by_its_run(convert: Convert) -> None:
    html = convert(fence(CELL + "weights"))
    code, _, output = html.partition('<div class="output">')
    assert "torch.manual_seed(0)" in words(code)
    assert output.startswith('<pre tabindex="0">tensor([[')
    assert "'the largest is 0." in output
    assert "ran in under 0.1 s" in output and "torch 2." in output
    assert 'href="../../notebooks/attention/idea/#weights"' in output


def test_output_can_be_shown_alone_or_left_out(convert: Convert) -> None:
    assert "manual_seed" not in convert(fence(CELL + "weights", 'output="only"'))
    assert "tensor([[" not in convert(fence(CELL + "weights", 'output="none"'))


def test_highlighted_lines_are_chosen_by_their_text(convert: Convert) -> None:
    html = convert(fence(SYMBOL + "attend", 'hl="matmul"'))
    (line,) = re.findall(r'<span class="hll">(.*?)\n', html)
    assert words(line).strip().startswith("return torch.matmul")


def test_figures_are_described_and_speak_the_language_of_the_page(
    convert: Convert,
) -> None:
    quote = fence(CELL + "plot", 'alt="A & B"')
    html = convert(quote, "zh", loss="损失", step="步")
    assert 'role="img" aria-label="A &amp; B"' in html
    assert ">损失</text>" in html and ">loss<" not in html
    assert "#000000" not in html and "font-family" not in html
    assert "运行" in html


def test_two_figures_of_one_page_share_no_id(convert: Convert) -> None:
    html = convert(
        fence(CELL + "plot", 'alt="a"') + "\n\n" + fence(CELL + "plot", 'alt="b"')
    )
    ids = re.findall(r' id="([^"]+)"', html)
    assert ids and len(ids) == len(set(ids))
    assert {f"#{i}" for i in ids} >= set(re.findall(r'href="(#[^"]+)"', html))


def test_a_quote_works_in_a_folded_block(convert: Convert) -> None:
    quote = fence(SYMBOL + "attend").replace("\n", "\n    ")
    html = convert(
        f'??? example "Solution"\n\n    {quote}\n\n    {{{{ largest:.2f }}}}'
    )
    inside = html[html.index("<details") : html.index("</details>")]
    assert "def attend" in words(inside) and "0.74" in inside


def test_results_are_quoted_in_prose_and_not_in_code(convert: Convert) -> None:
    html = convert("{{ largest:.2f }} {{ sizes.rows.count }} {{ history.0:.1f }}")
    assert html == "<p>0.74 4 3.0</p>"
    assert convert("`{{ largest }}`") == "<p><code>{{ largest }}</code></p>"
    assert "{{ largest }}" in words(convert("```text\n{{ largest }}\n```"))
    assert convert("{{ attention/idea:largest:.1%}}") == "<p>74.1%</p>"


def test_formulae_are_mathml_and_link_their_test(convert: Convert) -> None:
    assert "<mi>Q</mi></math>" in convert("$Q$")
    assert convert("costs $5 or $6") == "<p>costs $5 or $6</p>"
    body = r"A = \operatorname{softmax}\!\left(\frac{QK^\top}{\sqrt{D}}\right)"
    test = "tests/test_attention.py::test_softmax"
    html = convert(f'```math test="{test}"\n{body}\n```')
    assert 'display="block"' in html
    assert f"{SOURCE}tests/test_attention.py#L4-L5" in html


def test_every_formula_of_a_page_is_found() -> None:
    text = "$a$ `$b$` $5\n\n```math\nc\n```\n\n```quiz\n$d$\n```\n\n```python\n$e$\n```"
    assert mathml.formulae(text) == {("a", False), ("c", True), ("d", False)}


def test_a_quiz_is_readable_without_scripts(convert: Convert) -> None:
    html = convert("```quiz\nWhy `x`?\n\n- [x] So | Because.\n- [ ] No | *Never*.\n```")
    assert html.count("<details") == 2
    assert "<summary>So</summary>\n<p><strong>Right.</strong> Because.</p>" in html
    assert "<em>Never</em>" in html and "<code>x</code>" in html


def test_the_map_links_what_exists_and_greys_the_rest(convert: Convert) -> None:
    html = convert("```map\n```")
    assert '<a href="../../text/bpe/">' in html
    assert html.count("<li") == sum(len(part.notes) for part in curriculum.parts())
    assert html.count("map-later") == html.count("<li") - 4


def test_a_note_is_named_by_its_slug(convert: Convert) -> None:
    assert 'href="../text/bpe.md">Byte-pair' in convert("[[text/bpe]]")
    assert convert("[[models/gpt]]") == (
        '<p><span class="note-later">GPT from scratch</span></p>'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (fence("llm/gone.py:x"), "no file llm/gone.py"),
        (fence(SYMBOL + "Attention.gone"), "no 'Attention.gone'"),
        (fence(CELL + "gone"), "no 'gone'"),
        (fence(SYMBOL + "attend", 'hl="gone"'), "no line with 'gone'"),
        (fence(SYMBOL + "attend", 'alt="x"'), "draws nothing"),
        (fence(SYMBOL + "attend", 'output="only"'), "puts out nothing"),
        (fence(SYMBOL + "attend", 'note="x"'), "does not know note"),
        (fence(CELL + "plot"), "describe it"),
        (fence(CELL + "plot", 'alt="a | b"'), "fewer figures"),
        ('--8<-- "llm/attention.py:attend"', "fence of its own"),
        ('```python\nx\n--8<-- "llm/attention.py:attend"\n```', "alone in its fence"),
        ("{{ gone:.2f }}", "no result 'gone' in snippets/attention/idea.py"),
        ("{{ sizes.gone }}", "'sizes.gone' has no 'gone'"),
        ("{{ history:.2f }}", "cannot write"),
        ("$z$", "unknown formula: run make math"),
        ("```math\nA\n```", "needs test="),
        ('```math test="tests/gone.py::test"\nA\n```', "does not exist"),
        ("```quiz\n- [x] a | b\n- [ ] c | d\n```", "begins with its question"),
        ("```quiz\nWhy?\n\n- [x] a | b\n```", "two answers or more"),
        ("```quiz\nWhy?\n\n- [x] a | b\n- [ ] c\n```", "the reason why"),
        ("[[models/gone]]", "no note 'models/gone'"),
    ],
)
def test_a_page_that_asks_for_what_is_not_there_stops(
    convert: Convert, text: str, message: str
) -> None:
    with pytest.raises(PageError, match=re.escape(message)):
        convert(text)


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("labels: {on: 开}", "a.md: YAML reads a label as True, in True: 开; put it"),
        ("labels: {step: 1}", "a.md: YAML reads a label as 1, in step: 1; put it"),
        ("labels: loss", "a.md: labels are words with translations, not 'loss'"),
    ],
)
def test_a_label_that_yaml_does_not_read_as_text_is_named(
    front: str, message: str
) -> None:
    with pytest.raises(PageError, match=re.escape(message)):
        labels_of(yaml.safe_load(front), "a.md")
    assert labels_of({"labels": {"on": "开"}}, "a.md") == {"on": "开"}
    assert labels_of({}, "a.md") == {}


def test_the_build_stops_and_names_the_page(tmp_path: Path) -> None:
    project = plant(tmp_path / "project")
    page = project / "docs/en/text/bpe.md"
    page.write_text(page.read_text("utf-8") + "\n{{ text/gone:loss:.2f }}\n", "utf-8")
    done = mkdocs(project)
    assert done.returncode != 0
    assert "text/bpe.md" in done.stderr and "no result 'loss'" in done.stderr


def test_an_error_in_a_snippet_stops_the_build_with_its_traceback(
    tmp_path: Path,
) -> None:
    project = plant(tmp_path / "project")
    script = project / "snippets/attention/idea.py"
    script.write_text(script.read_text("utf-8") + "\n# %% slip\n1 / 0\n", "utf-8")
    done = mkdocs(project)
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr and 'idea.py", line' in done.stderr
    assert not (project / "snippets/attention/idea.ipynb").exists()
