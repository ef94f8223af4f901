"""SentencePiece model files, read without the library that wrote them.

Kudo and Richardson 2018 (arXiv:1808.06226). The file is a protocol buffer: fields, each
a key of number and kind, then a whole number, or bytes with their length before them.
We read the pieces of a unigram model (Kudo 2018, arXiv:1804.10959) and how text is
normalised, and describe both as `tokenizers` wants it.
"""

import base64
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Field = tuple[int, int | bytes]  # its number in the message, and what it holds

# Numbers of fields and values in sentencepiece_model.proto.
PIECES, TRAINER, NORMALIZER = 1, 2, 3
TEXT, SCORE, KIND = 1, 2, 3
NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
MODEL, BYTE_FALLBACK, UNIGRAM = 3, 35, 1
CHARSMAP, DUMMY_PREFIX, SQUEEZE = 2, 3, 4


def read_unigram(path: Path) -> dict[str, Any]:
    """What tokenizer.json would hold for a SentencePiece file of the unigram kind.

    Raises:
        ValueError: it is cut short, no such file, or of another kind; names it.
    """
    try:
        fields = list(parse(path.read_bytes()))
        pieces = [dict(parse(as_bytes(held))) for n, held in fields if n == PIECES]
        trainer = dict(parse(b"".join(as_bytes(v) for n, v in fields if n == TRAINER)))
        rules = dict(parse(b"".join(as_bytes(v) for n, v in fields if n == NORMALIZER)))
        texts = [as_bytes(piece[TEXT]).decode() for piece in pieces]
    except (IndexError, KeyError, TypeError, ValueError, struct.error):
        raise ValueError(f"{path} is damaged or no SentencePiece model") from None
    if trainer.get(MODEL, UNIGRAM) != UNIGRAM:
        raise ValueError(f"{path} is no unigram model; save a tokenizer.json instead")
    kinds = [piece.get(KIND, NORMAL) for piece in pieces]
    if UNKNOWN not in kinds:
        raise ValueError(f"{path} has no piece for what is unknown")
    scores = [as_score(piece.get(SCORE, b"\0\0\0\0")) for piece in pieces]
    return {
        "version": "1.0",
        "added_tokens": [
            added_token(index, text, special=kind != USER)
            for index, (text, kind) in enumerate(zip(texts, kinds, strict=True))
            if kind in (UNKNOWN, CONTROL, USER)
        ],
        "normalizer": normalizer(rules),
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always" if rules.get(DUMMY_PREFIX, 1) else "never",
            "split": True,
        },
        "post_processor": None,
        "decoder": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always" if rules.get(DUMMY_PREFIX, 1) else "never",
            "split": True,
        },
        "model": {
            "type": "Unigram",
            "unk_id": kinds.index(UNKNOWN),
            "vocab": [list(pair) for pair in zip(texts, scores, strict=True)],
            "byte_fallback": bool(trainer.get(BYTE_FALLBACK, 0)),
        },
    }


def added_token(index: int, text: str, *, special: bool = True) -> dict[str, Any]:
    """How tokenizer.json describes a token that text is never cut into."""
    return {
        "id": index,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }


def normalizer(rules: dict[int, int | bytes]) -> dict[str, Any] | None:
    """How text is changed before it is cut: characters replaced, spaces squeezed."""
    steps: list[dict[str, Any]] = []
    if charsmap := as_bytes(rules.get(CHARSMAP, b"")):
        encoded = base64.b64encode(charsmap).decode()
        steps.append({"type": "Precompiled", "precompiled_charsmap": encoded})
    if rules.get(SQUEEZE, 1):
        steps.append({"type": "Strip", "strip_left": True, "strip_right": True})
        several = {"Regex": " {2,}"}
        steps.append({"type": "Replace", "pattern": several, "content": " "})
    return {"type": "Sequence", "normalizers": steps} if steps else None


def parse(data: bytes) -> Iterator[Field]:
    """The fields of a message, in order."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, at = varint(data, at)
        if size is None or at + size > len(data):
            raise ValueError(f"field {number} of kind {kind} is cut short or unknown")
        yield number, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A whole number, seven bits a byte and the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def as_bytes(value: int | bytes) -> bytes:
    """`value`, which must be bytes."""
    if isinstance(value, int):
        raise TypeError("a number where bytes belong")
    return value


def as_score(value: int | bytes) -> float:
    """A float of four bytes."""
    score: float = struct.unpack("<f", as_bytes(value))[0]
    return score
