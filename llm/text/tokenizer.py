"""Text to ids and back, whatever the scheme: one class for all kinds of tokenizer.

`bpe` is trained here (`llm.text.bpe`) and encodes through `tiktoken`; `bytes` and
`chars` need nothing but the text; `tiktoken` is any encoding that OpenAI published.
Those of Hugging Face checkpoints are `ranks`, byte-level BPE with ids of its own, or
`tokenizers`, anything that the library of that name encodes.
Special tokens come after the others and are never made from a user's text: to put
one into a sequence, add its id.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from llm.text.bpe import (
    PATTERN,
    Pair,
    compile_pattern,
    learn_merges,
    read_merges,
    show_merges,
    unshown,
    vocabulary,
)

if TYPE_CHECKING:
    import tiktoken  # at run time only where needed: it costs a program 20 ms

END = "<|endoftext|>"
Data = bytes  # inside the class the name `bytes` is the constructor
Encode = Callable[[bytes], list[int]]
Decode = Callable[[list[int]], bytes]  # where tokens are not just joined

# How `surrogateescape` marks the bytes that are not UTF-8.
STRAY = re.compile("([\udc80-\udcff]+)")


class Tokenizer:
    """A vocabulary, and the way to split a text into it.

    Made by `train`, `bytes`, `chars`, `named`, `from_hf` or `load`.

    kind        "bpe", "bytes", "chars", "tiktoken", "ranks" or "tokenizers"
    vocab_size  number of ids, special tokens included
    special     id of each special token
    end         id of the token that ends a text, None when there is none
    merges      the pairs of ids that BPE merged, in order; other kinds have none
    """

    def __init__(
        self,
        tokens: dict[int, bytes],
        encode: Encode,
        *,
        special: dict[str, int],
        saved: dict[str, Any],
        merges: Sequence[Pair] = (),
        decode: Decode | None = None,
    ) -> None:
        self._tokens = tokens | {i: text.encode() for text, i in special.items()}
        self._encode = encode
        self._decode = decode
        self.kind: str = saved["kind"]
        self.vocab_size = max(self._tokens) + 1
        self.special = special
        self.end = special.get(saved.get("end", END))
        self.merges = list(merges)
        self._saved = saved | {"vocab_size": self.vocab_size}

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        vocab_size: int,
        *,
        special: Sequence[str] = (END,),
        pattern: str = PATTERN,
    ) -> Self:
        """Learn a byte-level BPE vocabulary (Sennrich et al., 2016) from `texts`.

        `pattern` finds the words that merges stay within. A text that runs out of
        pairs gives a smaller vocabulary than asked: see `vocab_size`.

        Raises ValueError when `vocab_size` cannot hold the bytes and special tokens.
        """
        least = 256 + len(special)
        if vocab_size < least:
            raise ValueError(
                f"vocab_size {vocab_size} is too small: 256 bytes and "
                f"{len(special)} special tokens need {least}"
            )
        size = vocab_size - len(special)
        merges = learn_merges(one_or_many(texts), size, pattern=pattern)
        return cls._bpe(pattern, merges, special)

    @classmethod
    def bytes(cls, *, special: Sequence[str] = (END,)) -> Self:
        """The 256 bytes: the id is the byte."""
        return cls(
            {byte: bytes([byte]) for byte in range(256)},
            list,
            special=number(special, 256),
            saved={"kind": "bytes", "special": list(special)},
        )

    @classmethod
    def chars(
        cls, texts: str | Iterable[str], *, special: Sequence[str] = (END,)
    ) -> Self:
        """One id for each character of `texts`, in the order of Unicode.

        Raises ValueError, here when `texts` has no character, and from `encode` for
        a character that `texts` did not have.
        """
        known = "".join(sorted(set().union(*one_or_many(texts))))
        if not known:
            raise ValueError("no characters: the texts are empty")
        ids = {char: index for index, char in enumerate(known)}

        def encode(data: Data) -> list[int]:
            try:
                return [ids[char] for char in data.decode("utf-8", "surrogatepass")]
            except KeyError as error:
                raise ValueError(
                    f"character {error} is not among the {len(known)} that this "
                    "tokenizer knows; kinds bpe and bytes encode any text"
                ) from None

        return cls(
            {i: char.encode("utf-8", "surrogatepass") for char, i in ids.items()},
            encode,
            special=number(special, len(known)),
            saved={"kind": "chars", "chars": known, "special": list(special)},
        )

    @classmethod
    def named(cls, name: str) -> Self:
        """A published encoding by tiktoken's name for it, such as "gpt2".

        tiktoken downloads it once. Raises ValueError for a name it does not know,
        ConnectionError when there is neither a network nor a copy from before.
        """
        import tiktoken

        names = tiktoken.list_encoding_names()
        if name not in names:
            raise ValueError(f"no encoding {name!r}: there are {', '.join(names)}")
        try:
            encoding = tiktoken.get_encoding(name)
        except OSError as error:
            raise ConnectionError(
                f"cannot download the encoding {name!r} ({type(error).__name__}); "
                "connect once, or set TIKTOKEN_CACHE_DIR to a folder that has it"
            ) from None
        ranks = encoding._mergeable_ranks
        return cls(
            {rank: token for token, rank in ranks.items()},
            through_tiktoken(encoding, ranks),
            special=dict(encoding._special_tokens),
            saved={"kind": "tiktoken", "name": name, "pattern": encoding._pat_str},
        )

    @classmethod
    def _bpe(cls, pattern: str, merges: list[Pair], special: Sequence[str]) -> Self:
        import tiktoken

        compile_pattern(pattern)
        ranks = vocabulary(merges)
        # tiktoken drops what no word matches: let any pattern match every character.
        encoding = tiktoken.Encoding(
            "llm",
            pat_str=rf"{pattern}|[\s\S]",
            mergeable_ranks=ranks,
            special_tokens={},
        )
        return cls(
            {rank: token for token, rank in ranks.items()},
            through_tiktoken(encoding, ranks),
            special=number(special, len(ranks)),
            saved={
                "kind": "bpe",
                "pattern": pattern,
                "merges": show_merges(merges),
                "special": list(special),
            },
            merges=merges,
        )

    @classmethod
    def from_hf(cls, directory: str | Path) -> Self:
        """The tokenizer of a Hugging Face checkpoint.

        Byte-level BPE (GPT-2, RoBERTa, Llama 3) needs nothing but `tiktoken`; WordPiece
        (BERT) and SentencePiece (T5, XLNet, Llama 2) need the library `tokenizers`.

        Raises FileNotFoundError when the directory holds no tokenizer, ValueError for a
        damaged file, ImportError when the library is needed and not there.
        """
        from llm.text.huggingface import read_saved

        saved = read_saved(Path(directory))
        try:
            return cls._from(saved)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{directory} has no tokenizer that we can read: {error}"
            ) from None

    @classmethod
    def _ranked(
        cls, pattern: str, tokens: list[Data], ids: list[int], saved: dict[str, Any]
    ) -> Self:
        """Byte-level BPE: `tokens` in the order in which they are made, and their ids.

        A checkpoint may give a token any id, and RoBERTa's do not follow the merges.
        """
        import tiktoken

        compile_pattern(pattern)
        ranks = {token: rank for rank, token in enumerate(tokens)}
        encoding = tiktoken.Encoding(
            "llm",
            pat_str=rf"{pattern}|[\s\S]",
            mergeable_ranks=ranks,
            special_tokens={},
        )
        by_rank = through_tiktoken(encoding, ranks)
        return cls(
            dict(zip(ids, tokens, strict=True)),
            lambda data: [ids[rank] for rank in by_rank(data)],
            special=dict(saved["special"]),
            saved=saved,
        )

    @classmethod
    def _library(cls, saved: dict[str, Any]) -> Self:
        """Through the library `tokenizers`, from what its tokenizer.json holds."""
        from llm.text.huggingface import library

        theirs = library(saved["spec"])
        return cls(
            {i: token.encode() for token, i in theirs.get_vocab().items()},
            lambda data: (
                theirs.encode(
                    data.decode("utf-8", "replace"), add_special_tokens=False
                ).ids
            ),
            special=dict(saved["special"]),
            saved=saved,
            decode=lambda ids: theirs.decode(ids, skip_special_tokens=False).encode(),
        )

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, where even "<|endoftext|>" is text like any other."""
        return self._encode(text.encode("utf-8", "surrogatepass"))

    def encode_bytes(self, data: Data) -> list[int]:
        """Ids of any bytes: of the text where they are UTF-8, else byte by byte."""
        return self._encode(data)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`, with "\N{REPLACEMENT CHARACTER}" where they spell no UTF-8."""
        data = self.decode_bytes(ids)
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> Data:
        """Bytes of `ids`; a special token gives its text. ValueError for no such id."""
        ids = list(ids)
        try:
            pieces = [self._tokens[i] for i in ids]
            return b"".join(pieces) if self._decode is None else self._decode(ids)
        except KeyError as error:
            raise ValueError(
                f"no token has the id {error}: the vocabulary has {self.vocab_size}"
            ) from None

    def token_bytes(self, index: int) -> Data:
        """Bytes of one token. ValueError for no such id."""
        return self.decode_bytes([index])

    def to_hf(self) -> dict[str, Any]:
        """What tokenizer.json of a Hugging Face checkpoint holds for this one.

        Raises ValueError for characters, which have no such form.
        """
        from llm.text.huggingface import spec_of

        return spec_of(
            self._saved, self._tokens, special=self.special, merges=self.merges
        )

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, whole or not at all."""
        path = Path(path)
        part = path.with_name(path.name + ".part")
        with open(part, "w", encoding="utf-8", errors="surrogatepass") as file:
            json.dump(self._saved, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote. FileNotFoundError or ValueError name the file."""
        try:
            text = Path(path).read_text("utf-8", errors="surrogatepass")
            saved: dict[str, Any] = json.loads(text)
            tokenizer = cls._from(saved)
            if tokenizer.vocab_size != saved["vocab_size"]:
                raise ValueError(
                    f"it holds {tokenizer.vocab_size} tokens, "
                    f"and says {saved['vocab_size']}"
                )
        except FileNotFoundError:
            raise FileNotFoundError(f"no tokenizer at {path}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is not a tokenizer as save() writes it: {error}"
            ) from None
        return tokenizer

    @classmethod
    def _from(cls, saved: dict[str, Any]) -> Self:
        match saved:
            case {
                "kind": "bpe",
                "pattern": str(pattern),
                "merges": [*shown],
                "special": [*special],
            }:
                return cls._bpe(pattern, read_merges(shown), special)
            case {"kind": "bytes", "special": [*special]}:
                return cls.bytes(special=special)
            case {"kind": "chars", "chars": str(known), "special": [*special]}:
                return cls.chars(known, special=special)
            case {"kind": "tiktoken", "name": str(name)}:
                return cls.named(name)
            case {
                "kind": "ranks",
                "pattern": str(pattern),
                "tokens": [*shown],
                "ids": [*ids],
                "special": {},
            }:
                return cls._ranked(pattern, [unshown(t) for t in shown], ids, saved)
            case {"kind": "tokenizers", "spec": dict(), "special": {}}:
                return cls._library(saved)
        raise ValueError("a field is missing or of the wrong type")


def through_tiktoken(encoding: "tiktoken.Encoding", ranks: dict[bytes, int]) -> Encode:
    """An encoder of any bytes, where `tiktoken` takes text only."""

    def encode(data: bytes) -> list[int]:
        try:
            return encoding.encode_ordinary(data.decode())
        except UnicodeDecodeError:
            pieces = STRAY.split(data.decode("utf-8", "surrogateescape"))
        ids: list[int] = []
        for index, piece in enumerate(pieces):
            if index % 2 == 0:
                ids += encoding.encode_ordinary(piece)
            else:
                stray = piece.encode("utf-8", "surrogateescape")
                ids += [ranks[bytes([byte])] for byte in stray]
        return ids

    return encode


def number(special: Sequence[str], start: int) -> dict[str, int]:
    """Give special tokens the ids from `start` on."""
    texts = [text for text in special if isinstance(text, str) and text]
    if len(set(texts)) < len(special):
        raise ValueError(f"special tokens must be distinct texts, not {special}")
    return {text: start + index for index, text in enumerate(special)}


def one_or_many(texts: str | Iterable[str]) -> Iterable[str]:
    """Take one text as a list of it: a loop would see its characters."""
    return [texts] if isinstance(texts, str) else texts
