"""Tokenizers of checkpoints give the ids that their own libraries give."""

import json
import random
import sys
from pathlib import Path

import pytest
import sentencepiece
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer, PreTrainedTokenizerFast

from llm.text.bpe import BYTES, PATTERN, SHOWN
from llm.text.corpus import Stories
from llm.text.tokenizer import Tokenizer

TEXTS = Stories("en").texts(40) + Stories("zh").texts(40)
HARD = [
    "",
    " two  spaces,\ttabs\nand lines \n\n",
    "I'll don't we've 12345 ½ naïve façade — 猫坐在垫子上。",
    "emoji 👩‍👩‍👧‍👦 and <|endoftext|> </s> [SEP] <s> as text",
    "ÀÉ İstanbul ﬁne ＡＢＣ",
]


def byte_level(**options: object) -> tokenizers.Tokenizer:
    """A byte-level BPE tokenizer trained by the library."""
    theirs = tokenizers.Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if options.get("split"):
        theirs.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    theirs.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=options.get("special", ["<|endoftext|>"]),
    )
    theirs.train_from_iterator(TEXTS, trainer)
    return theirs


def plain(theirs: tokenizers.Tokenizer, text: str) -> list[int]:
    """Ids by the library, special tokens being text like any other."""
    theirs.encode_special_tokens = True
    return theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("split", [False, True])
def test_byte_level_tokenizer_json_without_the_library(
    split: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = byte_level(split=split)
    theirs.save(str(tmp_path / "tokenizer.json"))
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    ours = Tokenizer.from_hf(tmp_path)
    for text in TEXTS + HARD:
        assert ours.encode(text) == plain(theirs, text)
        assert ours.decode(ours.encode(text)) == text
    assert ours.vocab_size == theirs.get_vocab_size()
    assert ours.end == theirs.token_to_id("<|endoftext|>")
    assert ours.special == {"<|endoftext|>": ours.end}


def test_ids_that_do_not_follow_the_merges(tmp_path: Path) -> None:
    """RoBERTa's special tokens come first, and its ids go by frequency."""
    theirs = byte_level(special=["<s>", "<pad>", "</s>", "<unk>"])
    spec = json.loads(theirs.to_str())
    vocabulary = spec["model"]["vocab"]
    names = list(vocabulary)
    random.Random(0).shuffle(names)
    vocabulary = {name: index for index, name in enumerate(names)}
    merges = [" ".join(pair) for pair in spec["model"]["merges"]]
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    lines = "\n".join(["#version: 0.2", *merges]) + "\n"
    (tmp_path / "merges.txt").write_text(lines, "utf-8")
    reference = tokenizers.Tokenizer(
        models.BPE.from_file(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    )
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ours = Tokenizer.from_hf(tmp_path)
    for text in TEXTS + HARD:
        assert ours.encode(text) == reference.encode(text).ids
        assert ours.decode(ours.encode(text)) == text
    assert set(ours.special) == {"<s>", "<pad>", "</s>", "<unk>"}
    assert ours.end == vocabulary["</s>"]


def test_ranks_instead_of_merges_as_in_llama_3(tmp_path: Path) -> None:
    own = Tokenizer.train(TEXTS, 600, special=())
    spec = json.loads(byte_level(split=True).to_str())
    spec["added_tokens"] = []
    shown = dict(zip(BYTES, SHOWN, strict=True))
    vocabulary = {
        "".join(shown[byte] for byte in own.token_bytes(index)): index
        for index in range(own.vocab_size)
    }
    spec["model"] |= {"vocab": vocabulary, "merges": [], "ignore_merges": True}
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec), "utf-8")
    ours = Tokenizer.from_hf(tmp_path)
    for text in TEXTS + HARD:
        assert ours.encode(text) == own.encode(text)


@pytest.fixture
def wordpiece(tmp_path: Path) -> Path:
    """A directory with vocab.txt, as BERT came."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]"]
    words += [*"abcdefghijklmnopqrstuvwxyz,.猫坐在", "the", "cat", "sat", "##s", "mat"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    (tmp_path / "vocab.txt").write_text("\n".join(dict.fromkeys(words)), "utf-8")
    return tmp_path


@pytest.mark.parametrize("lower", [True, False])
def test_wordpiece_is_berts(wordpiece: Path, lower: bool) -> None:
    config = wordpiece / "tokenizer_config.json"
    config.write_text(json.dumps({"do_lower_case": lower, "sep_token": "[SEP]"}))
    ours = Tokenizer.from_hf(wordpiece)
    tokens = (wordpiece / "vocab.txt").read_text("utf-8").splitlines()
    vocabulary = {token: index for index, token in enumerate(tokens)}
    theirs = BertTokenizer(vocab=vocabulary, do_lower_case=lower)
    for text in ["The cats sat, naïve.", "猫坐在 mats", "THE ſ Été", *HARD[:3]]:
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False)
    assert ours.decode(ours.encode("the cats sat.")) == "the cats sat."
    assert ours.special["[MASK]"] == 4
    assert ours.end == 3
    assert 3 not in ours.encode("[SEP]")


@pytest.fixture(scope="module")
def spiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with spiece.model, as T5 came."""
    directory = tmp_path_factory.mktemp("spiece")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_prefix=str(directory / "spiece"),
        vocab_size=300,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        user_defined_symbols=["<extra>"],
        minloglevel=2,
    )
    return directory


def test_sentencepiece_is_its_own_librarys(spiece: Path) -> None:
    ours = Tokenizer.from_hf(spiece)
    theirs = sentencepiece.SentencePieceProcessor(str(spiece / "spiece.model"))
    for text in TEXTS + HARD[:3] + HARD[4:]:
        assert ours.encode(text) == theirs.encode(text), text
    assert ours.vocab_size == theirs.vocab_size()
    assert ours.end == 1
    story = TEXTS[0]
    assert ours.decode(ours.encode(story)) == theirs.decode(theirs.encode(story))


def test_a_normaliser_that_we_cannot_follow_goes_through_the_library(
    tmp_path: Path,
) -> None:
    theirs = byte_level()
    theirs.normalizer = normalizers.NFKC()
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer.from_hf(tmp_path)
    assert ours.kind == "tokenizers"
    for text in HARD:
        assert ours.encode(text) == plain(theirs, text)
    whole = PreTrainedTokenizerFast(tokenizer_object=theirs)
    ids = ours.encode(TEXTS[0])
    assert ours.decode(ids) == whole.decode(ids)


@pytest.mark.parametrize("kind", ["ranks", "tokenizers"])
def test_saved_and_loaded_it_is_the_same(kind: str, tmp_path: Path) -> None:
    theirs = byte_level()
    if kind == "tokenizers":
        theirs.normalizer = normalizers.NFKC()
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer.from_hf(tmp_path)
    ours.save(tmp_path / "ours.json")
    back = Tokenizer.load(tmp_path / "ours.json")
    assert back.kind == kind
    for text in TEXTS + HARD:
        assert back.encode(text) == ours.encode(text)
    assert (back.end, back.special) == (ours.end, ours.special)
    assert back.token_bytes(300) == ours.token_bytes(300)


def test_without_the_library_the_way_out_is_named(
    wordpiece: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match="pip install tokenizers"):
        Tokenizer.from_hf(wordpiece)


def test_a_directory_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither tokenizer"):
        Tokenizer.from_hf(tmp_path)
    (tmp_path / "merges.txt").write_text("a b\n")
    with pytest.raises(FileNotFoundError, match=r"has no vocab.json"):
        Tokenizer.from_hf(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: "{", "tokenizer.json is not valid JSON"),
        (lambda s: "[]", "tokenizer.json holds no JSON object but a list"),
        (lambda s: {"model": {}}, "tokenizer that we can read: .*ModelUntagged"),
        (lambda s: s["model"]["vocab"].pop("he") and s, "no 'he', which a merge makes"),
        (
            lambda s: s["model"]["vocab"].update(zzz=999) or s,
            "no merge makes 'zzz' of the vocabulary",
        ),
        (
            lambda s: s["model"].update(type="Unigram", vocab=3) or s,
            "tokenizers refuses it",
        ),
    ],
)
def test_a_damaged_tokenizer_json_is_named(change, message, tmp_path: Path) -> None:
    spec = change(json.loads(byte_level().to_str()))
    text = spec if isinstance(spec, str) else json.dumps(spec)
    (tmp_path / "tokenizer.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message) as error:
        Tokenizer.from_hf(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_every_cut_of_a_sentencepiece_file_is_refused_or_read(
    spiece: Path, tmp_path: Path
) -> None:
    data = (spiece / "spiece.model").read_bytes()
    for size in [*range(0, 60), *range(60, len(data), 97)]:
        (tmp_path / "spiece.model").write_bytes(data[:size])
        try:
            Tokenizer.from_hf(tmp_path)
        except ValueError as error:
            assert "spiece.model" in str(error)


@pytest.mark.parametrize("kind", ["bpe", "bytes", "ranks", "tokenizers"])
def test_what_we_write_gives_the_library_our_ids(kind: str, tmp_path: Path) -> None:
    if kind == "bpe":
        ours = Tokenizer.train(TEXTS, 500, special=("<|endoftext|>", "<|user|>"))
    elif kind == "bytes":
        ours = Tokenizer.bytes()
    else:
        theirs = byte_level(split=kind == "ranks")
        theirs.normalizer = normalizers.NFKC() if kind == "tokenizers" else None
        theirs.save(str(tmp_path / "tokenizer.json"))
        ours = Tokenizer.from_hf(tmp_path)
    assert ours.kind == kind
    library = tokenizers.Tokenizer.from_str(json.dumps(ours.to_hf()))
    assert library.get_vocab_size() == ours.vocab_size
    for text in TEXTS + HARD:
        ids = ours.encode(text)
        assert plain(library, text) == ids
        assert library.decode(ids) == ours.decode(ids)
    for text, index in ours.special.items():
        assert library.token_to_id(text) == index


def test_a_tokenizer_of_characters_has_no_form_there() -> None:
    with pytest.raises(ValueError, match="characters"):
        Tokenizer.chars("abc").to_hf()
