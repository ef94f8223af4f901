"""Tokenizers: exact round trips, ids against oracles, files, and bad input."""

import json
import random
from itertools import pairwise

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from llm.text.bpe import PATTERN, compile_pattern, vocabulary
from llm.text.corpus import Stories
from llm.text.tokenizer import Tokenizer

TEXTS = Stories("en").texts(60) + Stories("zh").texts(60)
BPE = Tokenizer.train(TEXTS, 700)
BYTES = Tokenizer.bytes()
ALL_KINDS = [BPE, BYTES, Tokenizer.chars(TEXTS)]

HARD = [
    "",
    "\ufeffwith a byte-order mark",
    "NUL\x00NUL",
    "\ud800 lone \udfff surrogates \udc80\ud83d",
    "👩‍👩‍👧‍👦 e\u0301 \u202eright to left",
    "<|endoftext|> as text <|endoftext|>",
    "".join(chr(plane * 0x10000 + 0x0105) for plane in range(17)),
    "\r\n \t\x85\u2028",
]


def brute_force(tokenizer, text):
    """Ids by the definition: in each word, merge the pair of lowest rank first."""
    ranks = vocabulary(tokenizer.merges)
    ids = []
    for word in compile_pattern(PATTERN).findall(text):
        parts = [bytes([byte]) for byte in word.encode()]
        while True:
            pairs = [first + second for first, second in pairwise(parts)]
            known = [(ranks[pair], i) for i, pair in enumerate(pairs) if pair in ranks]
            if not known:
                break
            _, i = min(known)
            parts[i : i + 2] = [pairs[i]]
        ids += [ranks[part] for part in parts]
    return ids


@pytest.mark.parametrize("text", TEXTS[::10] + HARD[4:])
def test_ids_equal_brute_force(text):
    assert BPE.encode(text) == brute_force(BPE, text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"])))
def test_ids_of_any_text_equal_brute_force(text):
    assert BPE.encode(text) == brute_force(BPE, text)


def test_ids_equal_tiktokens_own_on_the_same_ranks():
    theirs = tiktoken.Encoding(
        "theirs",
        pat_str=PATTERN,
        mergeable_ranks=vocabulary(BPE.merges),
        special_tokens={"<|endoftext|>": BPE.end},
    )
    for text in TEXTS + [text for text in HARD if "\ud800" not in text]:
        assert BPE.encode(text) == theirs.encode_ordinary(text)


@pytest.mark.parametrize("tokenizer", [BPE, BYTES], ids=["bpe", "bytes"])
@pytest.mark.parametrize("text", HARD)
def test_hard_texts_come_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.text(st.characters()))
def test_any_text_comes_back(text):
    for tokenizer in (BPE, BYTES, Tokenizer.chars(text + "x")):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.binary())
def test_any_bytes_come_back(data):
    for tokenizer in (BPE, BYTES):
        assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


def test_a_hundred_thousand_texts_and_byte_strings_come_back():
    chance = random.Random(0)
    pieces = [*HARD, *"ab 中é\x00\ud800\udc00😀", *(t[:20] for t in TEXTS[:20])]
    for _ in range(50_000):
        data = chance.randbytes(chance.randrange(12))
        assert BPE.decode_bytes(BPE.encode_bytes(data)) == data
        text = "".join(chance.choices(pieces, k=3)) + chr(chance.randrange(0x110000))
        assert BPE.decode(BPE.encode(text)) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_bytes_that_are_utf8_get_the_ids_of_their_text(text):
    assert BPE.encode_bytes(text.encode()) == BPE.encode(text)


def test_bytes_that_are_not_utf8_decode_to_replacement_characters():
    ids = BPE.encode("词")
    assert BPE.decode(BPE.encode_bytes("词".encode()[:2])) == "\ufffd"
    assert BPE.decode(ids) == "词"


@pytest.mark.parametrize("tokenizer", ALL_KINDS, ids=lambda tokenizer: tokenizer.kind)
def test_special_tokens_are_never_made_from_text(tokenizer):
    ids = BPE.encode("<|endoftext|>")
    assert BPE.end not in ids
    assert BPE.decode(ids) == "<|endoftext|>"
    assert tokenizer.end == tokenizer.vocab_size - 1
    assert tokenizer.decode([tokenizer.end]) == "<|endoftext|>"
    assert tokenizer.special == {"<|endoftext|>": tokenizer.end}


def test_special_tokens_come_last_in_order():
    tokenizer = Tokenizer.train("aa aa", 300, special=["<a>", "<b>"])
    size = tokenizer.vocab_size
    assert tokenizer.special == {"<a>": size - 2, "<b>": size - 1}
    assert tokenizer.end is None


def test_a_vocabulary_is_as_large_as_asked_or_as_the_text_allows():
    assert BPE.vocab_size == 700
    assert Tokenizer.train("ab ab", 4096).vocab_size == 256 + 2 + 1
    assert Tokenizer.train(["ab ab"], 257).merges == []


def test_one_text_is_not_taken_for_a_list_of_characters():
    assert (
        Tokenizer.train("ab ab", 300).merges == Tokenizer.train(["ab ab"], 300).merges
    )
    assert Tokenizer.chars("ba").encode("ab") == Tokenizer.chars(["b", "a"]).encode(
        "ab"
    )


def test_a_pattern_that_skips_characters_loses_none():
    tokenizer = Tokenizer.train("ab AB ab", 300, pattern="[a-z]+")
    assert tokenizer.decode(tokenizer.encode("ab AB 中")) == "ab AB 中"


def test_a_byte_is_its_own_id():
    assert BYTES.encode("é\x00") == [0xC3, 0xA9, 0]
    assert (BYTES.vocab_size, BYTES.end) == (257, 256)


def test_characters_are_numbered_in_the_order_of_unicode():
    tokenizer = Tokenizer.chars(["banana", "中"], special=[])
    assert tokenizer.encode("ban中") == [1, 0, 2, 3]
    assert tokenizer.vocab_size == 4


def test_an_unknown_character_is_named():
    with pytest.raises(ValueError, match="character 'x' is not among the 3"):
        Tokenizer.chars("abc").encode("axe")


def test_no_characters_are_no_vocabulary():
    with pytest.raises(ValueError, match="no characters"):
        Tokenizer.chars([])


def test_token_bytes_spell_the_text():
    ids = BPE.encode("met 小红")
    assert b"".join(map(BPE.token_bytes, ids)) == "met 小红".encode()


@pytest.mark.parametrize("index", [700, -1])
def test_an_id_outside_the_vocabulary_is_named(index):
    with pytest.raises(ValueError, match=f"no token has the id {index}: .* 700"):
        BPE.decode([0, index])


@pytest.mark.parametrize("size", [-5, 0, 256])
def test_a_vocabulary_too_small_for_the_bytes_is_refused(size):
    with pytest.raises(ValueError, match=f"vocab_size {size} is too small.* need 257"):
        Tokenizer.train("text", size)


@pytest.mark.parametrize("special", [["<a>", "<a>"], [""], [["<a>"]]])
def test_useless_special_tokens_are_refused(special):
    with pytest.raises(ValueError, match="must be distinct texts"):
        Tokenizer.bytes(special=special)


@pytest.mark.parametrize(
    "tokenizer",
    [*ALL_KINDS, Tokenizer.chars("\ud800\u2028中"), Tokenizer.train("", 300)],
    ids=["bpe", "bytes", "chars", "surrogates", "empty"],
)
def test_a_saved_tokenizer_loads_the_same(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    loaded = Tokenizer.load(path)
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]
    assert loaded.kind == tokenizer.kind == json.loads(saved(path))["kind"]
    assert loaded.vocab_size == tokenizer.vocab_size
    assert loaded.special == tokenizer.special
    assert loaded.merges == tokenizer.merges
    every = range(tokenizer.vocab_size)
    assert loaded.decode_bytes(every) == tokenizer.decode_bytes(every)
    known = tokenizer.decode(range(tokenizer.end))
    assert loaded.encode(known) == tokenizer.encode(known)


def saved(path):
    return path.read_text("utf-8", errors="surrogatepass")


def edit(change):
    """A file with one thing changed."""

    def edited(path):
        fields = json.loads(saved(path))
        change(fields)
        path.write_text(json.dumps(fields))

    return edited


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text(saved(path)[:500], "utf-8"),
        lambda path: path.write_text(""),
        lambda path: path.write_bytes(b"\xff\xfe\x00"),
        lambda path: path.write_text("[]"),
        edit(lambda fields: fields.pop("kind")),
        edit(lambda fields: fields.pop("pattern")),
        edit(lambda fields: fields.pop("vocab_size")),
        edit(lambda fields: fields.update(kind="wordpiece")),
        edit(lambda fields: fields.update(pattern="(")),
        edit(lambda fields: fields.update(pattern="x*")),
        edit(lambda fields: fields.update(special=[1])),
        edit(lambda fields: fields.update(vocab_size=701)),
        edit(lambda fields: fields["merges"].pop()),
        edit(lambda fields: fields["merges"].pop(0)),
        edit(lambda fields: fields["merges"].append(None)),
    ],
)
def test_a_damaged_file_is_named(damage, tmp_path):
    path = tmp_path / "tokenizer.json"
    BPE.save(path)
    damage(path)
    with pytest.raises(ValueError, match=r"^\S*tokenizer.json is not a tokenizer as"):
        Tokenizer.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no tokenizer at .*none.json"):
        Tokenizer.load(tmp_path / "none.json")


@pytest.fixture
def published(monkeypatch):
    """tiktoken as it is with a network: an encoding with special tokens and a gap."""
    encoding = tiktoken.Encoding(
        "gpt2",
        pat_str=PATTERN,
        mergeable_ranks=vocabulary(BPE.merges),
        special_tokens={"<|endoftext|>": 1000},
    )
    monkeypatch.setattr(tiktoken, "get_encoding", {"gpt2": encoding}.__getitem__)
    return encoding


def test_a_published_encoding_gives_tiktokens_ids(published, tmp_path):
    tokenizer = Tokenizer.named("gpt2")
    text = TEXTS[0] + "<|endoftext|>\ud800"
    assert tokenizer.encode(TEXTS[0]) == published.encode_ordinary(TEXTS[0])
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert (tokenizer.vocab_size, tokenizer.end) == (published.n_vocab, 1000)
    assert tokenizer.merges == []
    with pytest.raises(ValueError, match="no token has the id 999"):
        tokenizer.decode([999])
    tokenizer.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path / "tokenizer.json").special == tokenizer.special


def test_an_unknown_name_lists_the_known(published):
    with pytest.raises(ValueError, match="no encoding 'gpt3': there are gpt2, "):
        Tokenizer.named("gpt3")


def test_no_network_is_said_in_one_line(monkeypatch):
    def unreachable(name):
        raise OSError("no route to host\n" * 3)

    monkeypatch.setattr(tiktoken, "get_encoding", unreachable)
    with pytest.raises(
        ConnectionError, match=r"^cannot download .*'gpt2'.*folder"
    ) as it:
        Tokenizer.named("gpt2")
    assert "\n" not in str(it.value)
