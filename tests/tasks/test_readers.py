"""Each reader on small files in the real format, and on what may be wrong with one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.scheme import IOB1, Entities

from llm.metrics import find_spans
from llm.tasks import (
    Answer,
    Conversation,
    Labelled,
    Message,
    Preference,
    Tagged,
    Translation,
    labels_of,
    read_conll,
    read_instructions,
    read_labelled,
    read_parallel,
    read_preferences,
    read_squad,
    to_iob2,
)


@pytest.fixture
def write(tmp_path):
    def put(text, name="file.jsonl"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return put


def chat(*roles):
    messages = [{"role": role, "content": role.upper()} for role in roles]
    return json.dumps({"messages": messages})


def test_instructions_of_both_kinds_may_be_mixed(write):
    path = write(
        '{"instruction": "Translate.", "input": "Hello", "output": "你好"}\n'
        '{"instruction": "Sing.", "input": "", "output": "La"}\n'
        '{"instruction": "Sing.", "output": "La", "more": 1}\n'
        + chat("system", "user", "assistant", "user", "assistant")
    )
    sing = Conversation((Message("user", "Sing."), Message("assistant", "La")))
    first, *rest, last = read_instructions(path)
    assert first.messages[0] == Message("user", "Translate.\n\nHello")
    assert first.messages[1] == Message("assistant", "你好")
    assert rest == [sing, sing]
    assert last.messages[0] == Message("system", "SYSTEM")
    assert [message.role for message in last.messages[1:]] == ["user", "assistant"] * 2


@pytest.mark.parametrize(
    "roles",
    [
        [],
        ["system"],
        ["user"],
        ["assistant", "user"],
        ["user", "user", "assistant"],
        ["user", "system", "assistant"],
        ["human", "gpt"],
    ],
)
def test_roles_out_of_turn_are_named(write, roles):
    with pytest.raises(ValueError, match="line 1: expected roles user and assistant "):
        read_instructions(write(chat(*roles)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"question": "a", "output": "b"}', "the key 'messages', or 'instruction'"),
        ('{"instruction": "a", "input": 3, "output": "b"}', "a text under 'input'"),
        ('{"messages": "Hi"}', "a list of objects under 'messages', found 'Hi'"),
        ('{"messages": ["Hi"]}', "a list of objects under 'messages'"),
        ('{"messages": [{"role": "user"}]}', "the key 'content', found .'role'."),
        ('{"messages": [{"role": "user", "content": ""}]}', "a text under 'content'"),
    ],
)
def test_bad_instructions_are_named(write, line, message):
    path = write(f"{chat('user', 'assistant')}\n\n{line}\n")
    with pytest.raises(ValueError, match=f"file.jsonl, line 3: expected {message}"):
        read_instructions(path)


def test_preferences_are_read_and_equal_answers_named(write):
    line = '{"prompt": "2+2?", "chosen": "4", "rejected": "五"}'
    assert read_preferences(write(line)) == [Preference("2+2?", "4", "五")]
    same = '{"prompt": "2+2?", "chosen": "4", "rejected": "4"}'
    with pytest.raises(
        ValueError, match="line 2: expected two answers that differ, fo"
    ):
        read_preferences(write(f"{line}\n{same}"))


def test_labelled_texts_from_tables_and_objects_are_the_same(write):
    table = write('qid\tsentence\tlabel\n0\t"Good, 好\t1\n\n1\tbad\t0\n', "a.tsv")
    lines = write(
        '{"sentence": "\\"Good, 好", "label": 1}\n{"sentence": "bad", "label": "0"}'
    )
    expected = [Labelled('"Good, 好', "1"), Labelled("bad", "0")]
    assert read_labelled(table, text="sentence") == expected
    assert read_labelled(lines, ["0", "1"], text="sentence") == expected
    assert labels_of(expected) == ["0", "1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "good\t1\n",
            "line 1: expected one column 'text' among the names in the first",
        ),
        ("text\ttext\tlabel\n", "line 1: expected one column 'text'"),
        (
            "text\tlabel\ngood\n",
            "line 2: expected 2 fields with tabs between, found 'g",
        ),
        ("text\tlabel\ngood\t1\t2\n", "line 2: expected 2 fields"),
        ("text\tlabel\n\t1\n", "line 2: expected a text under 'text', found ''"),
        (
            "text\tlabel\na\tyes\nb\tno\n",
            "line 3: expected one of the labels yes, found",
        ),
        ("text\tlabel\n", ": expected examples below the first line, found none"),
    ],
)
def test_bad_tables_are_named(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_labelled(write(text, "a.tsv"), ["yes"])


def test_other_kinds_of_files_are_named(write):
    with pytest.raises(ValueError, match=r"in \.tsv or \.jsonl, found '\.csv'"):
        read_labelled(write("text,label", "a.csv"))


CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O
German JJ B-NP I-MISC
Paris NNP I-NP I-LOC
London NNP I-NP B-LOC

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER
"""


def test_the_first_release_of_conll_2003_becomes_iob2(write):
    assert read_conll(write(CONLL, "train.txt")) == [
        Tagged(
            ("EU", "rejects", "German", "Paris", "London"),
            ("B-ORG", "O", "B-MISC", "B-LOC", "B-LOC"),
        ),
        Tagged(("Peter", "Blackburn"), ("B-PER", "I-PER")),
    ]


def test_chinese_characters_with_tags_are_read(write):
    path = write("海\tO\n\u3000\tO\n钓\tO\n厦\tB-LOC\n门\tI-LOC\n", "msra.txt")
    [sentence] = read_conll(path)
    assert sentence.words == ("海", "\u3000", "钓", "厦", "门")
    assert sentence.tags[3:] == ("B-LOC", "I-LOC")


@given(st.lists(st.sampled_from(["O", "I-A", "B-A", "I-B", "B-B"])))
def test_iob1_becomes_iob2_with_the_spans_that_seqeval_sees(tags):
    # In IOB1, B- is allowed only for a span that touches another of its type.
    before = ["O", *tags]
    tags = [
        "I" + tag[1:] if tag[0] == "B" and last[1:] != tag[1:] else tag
        for tag, last in zip(tags, before, strict=False)
    ]
    (theirs,) = Entities([tags], IOB1).entities
    found = find_spans(to_iob2(tags), scheme="IOB2")
    assert found == [(one.tag, one.start, one.end) for one in theirs]
    assert to_iob2(to_iob2(tags)) == to_iob2(tags)


def test_bioes_becomes_iob2():
    tags = ["S-A", "B-B", "I-B", "E-B", "O"]
    assert to_iob2(tags) == ("B-A", "B-B", "I-B", "I-B", "O")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a O\nb\n", "line 2: expected 2 columns, a tag last, found 'b'"),
        ("a x O\n\nb O\n", "line 3: expected 3 columns, a tag last, found 'b O'"),
        ("word\n", "line 1: expected 2 columns or more, a tag last, found 'word'"),
        ("a O\nb PER\n", "line 2: expected a tag such as O, B-PER .* found 'PER'"),
        ("-DOCSTART- O\n", ": expected sentences, found none"),
    ],
)
def test_bad_columns_are_named(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_conll(write(text, "a.txt"))


def test_translations_from_one_file_and_from_two_are_the_same(write):
    table = write("Hello.\t你好。\n\nBye.\t再见。\n", "a.tsv")
    english = write("Hello.\n\nBye.\n", "a.en")
    chinese = write("你好。\n\n再见。\n\n", "a.zh")
    pairs = [Translation("Hello.", "你好。"), Translation("Bye.", "再见。")]
    assert read_parallel(table) == read_parallel(english, chinese) == pairs


def test_sentences_without_translations_are_named(write):
    english = write("Hello.\n\nBye.", "a.en")
    short, gap = write("你好。\n\n", "b.zh"), write("你好。\n早。\n再见。", "c.zh")
    with pytest.raises(ValueError, match="as many lines in both, found 3 and 1"):
        read_parallel(english, short)
    with pytest.raises(ValueError, match=r"a\.en, line 2: .*translation of '早。', fo"):
        read_parallel(english, gap)
    with pytest.raises(ValueError, match=r"a\.en, line 2: .*translation of '早。', fo"):
        read_parallel(gap, english)
    for line in ("Hello.", "Hello.\t", "Hello.\t你好。\t再见。"):
        with pytest.raises(ValueError, match=r"line 2: expected a sentence, a tab and"):
            read_parallel(write(f"a\tb\n{line}\n", "d.tsv"))


PASSAGE = "Norman 诺曼人 lived in Normandy."


def squad(**changes):
    item = {
        "id": "q1",
        "question": "Where?",
        "answers": [{"text": "Normandy", "answer_start": 20}],
    } | changes
    paragraph = {"context": PASSAGE, "qas": [item]}
    return json.dumps({"version": "v2.0", "data": [{"paragraphs": [paragraph]}]})


def test_squad_questions_are_read(write):
    [one] = read_squad(write(squad(), "dev-v1.1.json"))
    assert (one.id, one.question, one.passage) == ("q1", "Where?", PASSAGE)
    assert one.answers == (Answer("Normandy", 20),)
    [none] = read_squad(write(squad(answers=[], is_impossible=True), "dev-v2.0.json"))
    assert none.answers == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"data": [\n{', "line 2: expected JSON, found .* at column 2"),
        ("[]", "expected a list under 'data', found"),
        ('{"data": []}', "expected questions, found none"),
        ('{"data": [{}]}', r"data\[0\]: expected a list under 'paragraphs'"),
        (
            squad(id=3),
            r"data\[0\].paragraphs\[0\].qas\[0\]: expected a text under 'id'",
        ),
        (
            squad(question=None),
            r"\(id q1\): expected a text under 'question', found No",
        ),
        (squad(answers="x"), r"\(id q1\): expected a list under 'answers'"),
        (squad(answers=[]), r"\(id q1\): expected an answer, found 0"),
        (squad(is_impossible=True), "expected no answers where is_impossible, found 1"),
        (
            squad(answers=[{"text": "Normandy", "answer_start": 19}]),
            "expected the answer 'Normandy' at character 19 of the passage, found ' N",
        ),
        (squad(answers=[{"text": "", "answer_start": 0}]), "expected the answer ''"),
        (squad(answers=[{"text": ".", "answer_start": -1}]), "'.' at character -1"),
        (squad(answers=[{"text": "Norman"}]), "a whole number under 'answer_start'"),
    ],
)
def test_bad_squad_files_are_named(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_squad(write(text, "a.json"))


def test_an_id_that_occurs_twice_is_named(write):
    tree = json.loads(squad())
    tree["data"] *= 2
    with pytest.raises(ValueError, match=r"data\[1\].*a new id, found 'q1' again"):
        read_squad(write(json.dumps(tree), "a.json"))
