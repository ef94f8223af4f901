"""Tokenizers of Hugging Face checkpoints, in the form in which ours are saved.

tokenizer.json           byte-level BPE is read by ourselves, the rest by `tokenizers`
vocab.json, merges.txt   byte-level BPE as GPT-2 and RoBERTa came
vocab.txt                WordPiece, as BERT came
spiece.model             SentencePiece, as T5 and XLNet came
"""

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm.text.bpe import BYTES, SHOWN, Pair, show_merges
from llm.text.sentencepiece import added_token, read_unigram

if TYPE_CHECKING:
    import tokenizers

Saved = dict[str, Any]
SHOW = dict(zip(BYTES, SHOWN, strict=True))  # byte to character

# How GPT-2 cuts a text into words (Radford et al. 2019, section 2.2).
GPT2_PATTERN = (
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
SENTENCEPIECE = ("spiece.model", "tokenizer.model", "sentencepiece.model")
# What checkpoints without tokenizer_config.json call the end of a text.
ENDS = ("<|endoftext|>", "</s>", "<|end_of_text|>", "<sep>", "[SEP]")


def read_saved(directory: Path) -> Saved:
    """What `Tokenizer.save` would write for the tokenizer in `directory`.

    Raises:
        FileNotFoundError: it holds none of the files that we know.
        ValueError: one is damaged; names it.
        ImportError: it takes the library `tokenizers`, which is not installed.
    """
    config = directory / "tokenizer_config.json"
    about = read(config) if config.is_file() else {}
    path = directory / "tokenizer.json"
    try:
        if path.is_file():
            spec = read(path)
            saved = byte_level(spec) or {"kind": "tokenizers", "spec": spec}
            special = added(spec)
        elif (directory / "merges.txt").is_file():
            path = directory / "vocab.json"
            vocabulary = read(path)
            path = directory / "merges.txt"
            merges = path.read_text("utf-8").splitlines()
            merges = [line for line in merges if line and not line.startswith("#")]
            special = outside(vocabulary, merges)
            saved = ranked(GPT2_PATTERN, vocabulary, merges, special)
        elif (directory / "vocab.txt").is_file():
            path = directory / "vocab.txt"
            tokens = path.read_text("utf-8").splitlines()
            lower = about.get("do_lower_case", True)
            saved = {"kind": "tokenizers", "spec": wordpiece(tokens, lower=lower)}
            special = added(saved["spec"])
        else:
            found = [n for n in SENTENCEPIECE if (directory / n).is_file()]
            if not found:
                raise FileNotFoundError(
                    f"{directory} holds no tokenizer: neither tokenizer.json, nor "
                    "merges.txt, vocab.txt or spiece.model"
                )
            path = directory / found[0]
            saved = {"kind": "tokenizers", "spec": read_unigram(path)}
            special = added(saved["spec"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no tokenizer that we can read: {error}") from None
    end = about.get("eos_token") or about.get("sep_token")
    end = end.get("content") if isinstance(end, dict) else end
    ends = [text for text in (end, *ENDS) if text in special]
    return {**saved, "special": special, **({"end": ends[0]} if ends else {})}


def read(path: Path) -> dict[str, Any]:
    """One JSON object."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path.parent} has no {path.name}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object but a {type(value).__name__}")
    return value


def added(spec: Mapping[str, Any]) -> dict[str, int]:
    """The special tokens of a tokenizer.json: text to id."""
    tokens = spec.get("added_tokens") or []
    return {token["content"]: token["id"] for token in tokens if token["special"]}


def outside(vocabulary: Mapping[str, int], merges: Iterable[str]) -> dict[str, int]:
    """Tokens of a vocabulary that are neither bytes nor merged: the special ones."""
    made = {first + second for first, second in map(str.split, merges)}
    known = made | set(SHOWN)
    return {token: i for token, i in vocabulary.items() if token not in known}


def byte_level(spec: Mapping[str, Any]) -> Saved | None:
    """A tokenizer.json as byte-level BPE; None where it is another scheme."""
    model, cut = spec["model"], pattern_of(spec.get("pre_tokenizer"))
    if model.get("type", "BPE") != "BPE" or spec.get("normalizer") or cut is None:
        return None
    special = {token["content"]: token["id"] for token in spec["added_tokens"]}
    vocabulary = {t: i for t, i in model["vocab"].items() if t not in special}
    if model.get(
        "ignore_merges"
    ):  # as tiktoken itself: what has the lower id goes first
        tokens = sorted(vocabulary, key=vocabulary.__getitem__)
        return rows(cut, tokens, vocabulary)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return ranked(cut, vocabulary, merges, {})


def ranked(
    pattern: str,
    vocabulary: Mapping[str, int],
    merges: Iterable[str],
    special: Mapping[str, int],
) -> Saved:
    """Byte-level BPE whose tokens come in the order of their merges."""
    made = dict.fromkeys(first + second for first, second in map(str.split, merges))
    tokens = [*SHOWN, *made]
    if absent := [token for token in tokens if token not in vocabulary]:
        raise ValueError(f"the vocabulary has no {absent[0]!r}, which a merge makes")
    if more := set(vocabulary) - set(tokens) - set(special):
        raise ValueError(f"no merge makes {min(more)!r} of the vocabulary")
    return rows(pattern, tokens, vocabulary)


def rows(pattern: str, tokens: list[str], vocabulary: Mapping[str, int]) -> Saved:
    """Tokens in the order of their ranks, and their ids."""
    if absent := set(SHOWN) - set(tokens):
        raise ValueError(f"the vocabulary has no token for the byte {min(absent)!r}")
    ids = [vocabulary[token] for token in tokens]
    return {"kind": "ranks", "pattern": pattern, "tokens": tokens, "ids": ids}


def pattern_of(cut: Mapping[str, Any] | None) -> str | None:
    """The regular expression that finds words, if the words become bytes."""
    match cut and {"use_regex": True, **cut}:
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}:
            return GPT2_PATTERN
        case {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": str(pattern)},
                    "behavior": "Isolated",
                    "invert": False,
                },
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        }:
            return pattern
    return None


def wordpiece(tokens: list[str], *, lower: bool) -> dict[str, Any]:
    """The tokenizer.json of a vocab.txt, one token a line: BERT's WordPiece."""
    special = [
        t for t in tokens if t.startswith("[") and t.endswith("]") and t.isupper()
    ]
    special = [token for token in special if not token.startswith("[unused")]
    return {
        "version": "1.0",
        "added_tokens": [added_token(tokens.index(token), token) for token in special],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": lower,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: index for index, token in enumerate(tokens)},
        },
    }


def spec_of(
    saved: Saved,
    tokens: Mapping[int, bytes],
    *,
    special: Mapping[str, int],
    merges: list[Pair],
) -> dict[str, Any]:
    """What tokenizer.json of a checkpoint holds for one of our tokenizers.

    Args:
        saved: what is saved of it.
        tokens: its vocabulary, special tokens included.
        special: id of each special token.
        merges: what BPE merged, if it was trained here.

    Raises:
        ValueError: it is one of characters, which has no such form.
    """
    if saved["kind"] == "tokenizers":
        spec: dict[str, Any] = saved["spec"]
        return spec
    if saved["kind"] == "chars":
        raise ValueError("a tokenizer of characters has no form at Hugging Face")
    ids = saved.get("ids") or [i for i in tokens if i not in special.values()]
    shown = {i: "".join(map(SHOW.__getitem__, tokens[i])) for i in ids}
    made = [line.split() for line in show_merges(merges)]
    made = made or recovered([shown[i] for i in ids])
    words = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    pattern = {"Regex": saved.get("pattern", r"[\s\S]")}
    split = {"type": "Split", "pattern": pattern, "behavior": "Isolated"}
    cuts = [{**split, "invert": False}, {**words, "use_regex": False}]
    return {
        "version": "1.0",
        "added_tokens": [added_token(i, text) for text, i in sorted(special.items())],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": cuts},
        "post_processor": None,
        "decoder": {**words, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            # Special tokens too, or the library gives them new ids.
            "vocab": {text: i for i, text in shown.items()} | dict(special),
            "merges": made,
        },
    }


def recovered(tokens: list[str]) -> list[list[str]]:
    """The merges that make `tokens`, which stand in the order of their ranks.

    The last merge of a token joins the two parts that the earlier ranks leave of it.
    """
    ranks = {token: rank for rank, token in enumerate(tokens)}
    merges = []
    for token in tokens:
        parts = list(token)
        while len(parts) > 2:
            made = [ranks.get(a + b, len(ranks)) for a, b in pairwise(parts)]
            at = made.index(min(made))
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            merges.append(parts)
    return merges


def library(spec: Mapping[str, Any]) -> "tokenizers.Tokenizer":
    """The tokenizer of the library `tokenizers` that a tokenizer.json describes.

    Raises:
        ImportError: the library is not installed.
        ValueError: the description is wrong.
    """
    try:
        import tokenizers
    except ImportError:
        raise ImportError(
            "this tokenizer is no byte-level BPE: pip install tokenizers to use it"
        ) from None
    try:
        theirs = tokenizers.Tokenizer.from_str(json.dumps(spec))
    except Exception as error:  # the library raises no narrower kind
        raise ValueError(f"tokenizers refuses it: {error}") from None
    theirs.no_truncation()
    theirs.no_padding()
    # In a user's text "[SEP]" is text like any other.
    theirs.encode_special_tokens = True
    return theirs
