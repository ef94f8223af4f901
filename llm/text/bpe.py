"""Byte-pair encoding: learn tokens by merging the commonest pair, again and again.

Gage (1994) compressed files this way, Sennrich et al. (2016, arXiv:1508.07909) made
subwords with it, and GPT-2 (Radford et al., 2019) started it from the 256 bytes, so
that no text is ever out of vocabulary.

What differs from the textbook: a word is stored once with its number of occurrences,
and a merge recounts only the pairs that it touched, so the work per merge does not
grow with the text. Ties go to the pair with the smaller ids; with the bytes in
GPT-2's order, the merges are those of the `tokenizers` library.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import regex

Pair = tuple[int, int]
Word = list[int]

# No merge crosses the border between two words. A word is a run of one kind of
# character, and takes the space before it along, as in GPT-2. Han has a rule of its
# own, so that Latin letters never stick to Chinese ones. Runs end at 24 characters,
# more than nearly any word needs, so that no input makes a merge slow. The kinds
# cover all of Unicode: every character is in some word.
PATTERN = "|".join(
    [
        r"'(?:[dmst]|ll|re|ve)",  # the end of I'd, I'm, it's, don't, we'll ...
        r" ?(?:[^\W\d_\p{Han}]{1,24}"  # letters with their accents
        r"|\p{N}{1,3}"  # long numbers in groups of three digits
        r"|[^\s\p{L}\p{M}\p{N}]{1,24})",  # punctuation, symbols, control characters
        r"\p{Han}{1,24}",
        r"\s{1,24}",
    ]
)

# GPT-2 numbers the bytes that print as a Latin-1 character first, then the others.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = bytes(PRINTABLE + [byte for byte in range(256) if byte not in PRINTABLE])
BYTE_TO_ID = bytes.maketrans(BYTES, bytes(range(256)))
# A saved merge shows each byte as one character: those of Latin-1 that print as
# themselves, the others from 256 on ("Ġ" is the space). GPT-2's files do the same.
SHOWN = [chr(byte) for byte in BYTES[:188]] + [chr(256 + i) for i in range(68)]

BYTE_OF = dict(zip(SHOWN, BYTES, strict=True))


def learn_merges(texts: Iterable[str], size: int, *, pattern: str) -> list[Pair]:
    """Learn the merges that grow a vocabulary from the 256 bytes to `size` tokens.

    Ids 0 to 255 are the bytes in the order of `BYTES`; merge number i makes the id
    256 + i. Fewer merges come back when the text has no pair left.
    """
    occurrences = count_words(texts, pattern)
    numbers = list(occurrences.values())
    words = [list(word.translate(BYTE_TO_ID)) for word in occurrences]
    counts, places = count_pairs(words, numbers)
    queue = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(queue)

    merges: list[Pair] = []
    while 256 + len(merges) < size and queue:
        bound, pair = heapq.heappop(queue)
        if -bound > counts[pair]:
            # Other merges took some of its places: back with what is left. A count
            # never grows later, so what comes out first unchanged is the commonest.
            if counts[pair]:
                heapq.heappush(queue, (-counts[pair], pair))
            continue
        merged = 256 + len(merges)
        merges.append(pair)

        made: set[Pair] = set()
        for place in places.pop(pair):
            words[place], lost, gained = merge_pair(words[place], pair, merged)
            for old in lost:
                counts[old] -= numbers[place]
            for new in gained:
                counts[new] += numbers[place]
                places[new].append(place)
            made.update(gained)
        for new in made:
            if counts[new]:
                heapq.heappush(queue, (-counts[new], new))
    return merges


def vocabulary(merges: Iterable[Pair]) -> dict[bytes, int]:
    """Spell the token that each merge makes: bytes to id, as `tiktoken` wants it.

    Learned merges never spell a token twice: wherever its bytes stand by themselves,
    the same merges have been at work on them, so there is one pair left to merge.

    >>> vocabulary([(71, 72)])[b"hi"]
    256
    """
    tokens = [bytes([byte]) for byte in BYTES]
    for first, second in merges:
        tokens.append(tokens[first] + tokens[second])
    return {token: index for index, token in enumerate(tokens)}


def count_words(texts: Iterable[str], pattern: str) -> dict[bytes, int]:
    """Count each distinct word, as UTF-8."""
    split = compile_pattern(pattern).findall
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(split(text))
    return {word.encode("utf-8", "surrogatepass"): n for word, n in counts.items()}


def count_pairs(
    words: list[Word], numbers: list[int]
) -> tuple[dict[Pair, int], dict[Pair, list[int]]]:
    """Count neighbouring ids over all words, and note in which words each pair is.

    A place may be noted twice: to merge a word again changes nothing.
    """
    counts: dict[Pair, int] = defaultdict(int)
    places: dict[Pair, list[int]] = defaultdict(list)
    for place, (word, number) in enumerate(zip(words, numbers, strict=True)):
        for pair in pairwise(word):
            counts[pair] += number
            places[pair].append(place)
    return counts, places


def merge_pair(
    word: Word, pair: Pair, merged: int
) -> tuple[Word, list[Pair], list[Pair]]:
    """Replace each `pair` in `word`, from the left, by the id `merged`.

    Returns the new word, the neighbouring pairs that it lost and those it gained:

    >>> merge_pair([5, 1, 2, 7], (1, 2), 300)
    ([5, 300, 7], [(5, 1), (2, 7)], [(5, 300), (300, 7)])
    """
    first, second = pair
    out: Word = []
    lost: list[Pair] = []
    gained: list[Pair] = []
    rest = 0  # where the part not yet in `out` begins
    for at, neighbours in enumerate(pairwise(word)):
        if neighbours == pair and at >= rest:
            out += word[rest:at]
            if out:
                lost.append((out[-1], first))
                gained.append((out[-1], merged))
            out.append(merged)
            rest = at + 2
            if rest < len(word):
                lost.append((second, word[rest]))
                gained.append((merged, word[rest]))
    out += word[rest:]
    return out, lost, gained


def compile_pattern(pattern: str) -> "regex.Pattern[str]":
    """Compile; ValueError for what is no regular expression or finds empty words."""
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"the pattern {pattern!r} is wrong: {error}") from None
    if "" in compiled.findall("x 1.\n中"):
        raise ValueError(f"the pattern {pattern!r} matches the empty string")
    return compiled


def show_merges(merges: Iterable[Pair]) -> list[str]:
    """Write each merge as its two tokens: (220, 83) is "Ġ t"."""
    shown = list(SHOWN)
    lines = []
    for first, second in merges:
        lines.append(f"{shown[first]} {shown[second]}")
        shown.append(shown[first] + shown[second])
    return lines


def unshown(token: str) -> bytes:
    """The bytes of a token that is written in the characters of `SHOWN`.

    Raises ValueError for a character that is none of them.
    """
    try:
        return bytes(BYTE_OF[character] for character in token)
    except KeyError as error:
        raise ValueError(f"{token!r} has {error}, which shows no byte") from None


def read_merges(lines: Iterable[object]) -> list[Pair]:
    """Undo `show_merges`. ValueError for a merge that cannot have been learned."""
    ids = {token: index for index, token in enumerate(SHOWN)}
    merges = []
    for line in lines:
        first, _, second = str(line).partition(" ")
        if first not in ids or second not in ids:
            raise ValueError(f"the merge {line!r} uses a token not made before it")
        if first + second in ids:
            raise ValueError(f"the merge {line!r} makes a token for the second time")
        merges.append((ids[first], ids[second]))
        ids[first + second] = len(ids)
    return merges
