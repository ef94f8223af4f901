"""What every reader of task files promises: encodings, line ends, one clear line."""

import json

import pytest

from llm import tasks

ALPACA = '{"instruction": "翻译", "input": "Hello", "output": "你好"}'
PREFERENCE = '{"prompt": "你好吗?", "chosen": "很好", "rejected": "坏"}'
SQUAD = json.dumps(
    {
        "data": [
            {
                "paragraphs": [
                    {
                        "context": "北京是首都。",
                        "qas": [
                            {
                                "id": "q1",
                                "question": "首都?",
                                "answers": [{"text": "北京", "answer_start": 0}],
                            }
                        ],
                    }
                ]
            }
        ]
    },
    ensure_ascii=False,
)
CASES = {
    "instructions.jsonl": (tasks.read_instructions, [ALPACA, ALPACA]),
    "preferences.jsonl": (tasks.read_preferences, [PREFERENCE, PREFERENCE]),
    "labels.jsonl": (tasks.read_labelled, ['{"text": "好", "label": 1}'] * 2),
    "labels.tsv": (tasks.read_labelled, ["text\tlabel", "好\t1"]),
    "tags.txt": (tasks.read_conll, ["北 B-LOC", "京 I-LOC"]),
    "pairs.tsv": (tasks.read_parallel, ["Hello\t你好", "Bye\t再见"]),
    "squad.json": (tasks.read_squad, [SQUAD]),
}
JSON_LINES = ["instructions.jsonl", "preferences.jsonl", "labels.jsonl"]


@pytest.mark.parametrize("name", CASES)
def test_marks_line_ends_and_empty_lines_change_nothing(name, tmp_path):
    read, lines = CASES[name]
    path = tmp_path / name
    path.write_bytes("\n".join(lines).encode())
    expected = read(path)
    assert expected
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, "", "  ", ""]).encode())
    assert read(path) == expected
    path.write_bytes("\n".join(["", *lines]).encode())
    assert read(path) == expected


@pytest.mark.parametrize("name", CASES)
def test_files_that_cannot_be_read_are_named(name, tmp_path):
    read, lines = CASES[name]
    path = tmp_path / name
    with pytest.raises(FileNotFoundError, match=f"no file .*{name}"):
        read(path)
    path.write_bytes("\n".join(lines).encode("gb18030"))
    with pytest.raises(ValueError, match=f"{name} is not UTF-8 text"):
        read(path)
    path.write_bytes(b"\n \r\n")
    with pytest.raises(ValueError, match=f"{name} is empty"):
        read(path)


@pytest.mark.parametrize("name", JSON_LINES)
@pytest.mark.parametrize(
    "line", ["[", "[1]", "{", '"text"', "{'a': 1}", "null", "9" * 5000, "[" * 99999]
)
def test_a_line_that_is_no_json_object_is_named(name, line, tmp_path):
    read, lines = CASES[name]
    path = tmp_path / name
    path.write_text("\n".join([*lines, "", line]), "utf-8")
    message = f"{name}, line 4: expected a JSON object on one line, found ['\"]"
    with pytest.raises(ValueError, match=message) as error:
        read(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 150


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("instructions.jsonl", "output"),
        ("preferences.jsonl", "prompt"),
        ("preferences.jsonl", "chosen"),
        ("preferences.jsonl", "rejected"),
        ("labels.jsonl", "text"),
        ("labels.jsonl", "label"),
    ],
)
def test_a_missing_or_empty_text_is_named(name, key, tmp_path):
    read, lines = CASES[name]
    path = tmp_path / name
    for value in (None, "", " ", ["a"], 1.5, True):
        line = json.dumps({**json.loads(lines[0]), key: value})
        path.write_text(f"{lines[0]}\n{line}\n", "utf-8")
        with pytest.raises(
            ValueError, match=f"line 2: expected a text under '{key}', "
        ):
            read(path)
    rest = {other: "x" for other in json.loads(lines[0]) if other != key}
    path.write_text(json.dumps(rest), "utf-8")
    with pytest.raises(ValueError, match=f"line 1: expected the key '{key}', found "):
        read(path)


def test_a_separator_inside_json_ends_no_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "a\u2028b\x85c", "label": "好"}\n', "utf-8")
    assert tasks.read_labelled(path) == [tasks.Labelled("a\u2028b\x85c", "好")]
