"""Texts from elsewhere: the manual, and files good and bad."""

import pytest

from llm.text.corpus import manual, read_texts


def test_the_manual_is_long_english():
    text = manual()
    assert len(text) > 200_000
    assert "generator" in text and "lambda" in text


def test_files_are_read_in_order_without_their_byte_order_marks(tmp_path):
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_bytes(b"\xef\xbb\xbfone\r\n")
    second.write_text("二", "utf-8")
    assert read_texts([first, str(second)]) == ["one\n", "二"]
    assert read_texts(second) == read_texts(str(second)) == ["二"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda path: None, FileNotFoundError, "no file .*bad.txt"),
        (lambda path: path.mkdir(), ValueError, "bad.txt is a folder"),
        (lambda path: path.write_text(" \n"), ValueError, "bad.txt is empty"),
        (
            lambda path: path.write_bytes(b"abc\xff"),
            ValueError,
            "bad.txt is not UTF-8 text: byte 0xff at 3",
        ),
    ],
    ids=["missing", "folder", "empty", "not UTF-8"],
)
def test_a_bad_file_is_named_in_one_line(make, error, message, tmp_path):
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("good")
    make(bad)
    with pytest.raises(error, match=message) as caught:
        read_texts([good, bad])
    assert "\n" not in str(caught.value)
