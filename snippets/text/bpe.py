"""Byte-pair encoding: learn a vocabulary, cut text with it, and see what it costs.

The English to learn from is torch's own documentation, a megabyte that everyone who
runs this has installed. The stories in English and Chinese are generated.
"""

# %% docs tolerance=0.05
import inspect
import random
import time
import torch
from torch import nn

_began = time.process_time()

found = set()
for place in (torch, torch.Tensor, nn, nn.functional):
    for item in vars(place).values():
        ours = str(getattr(item, "__module__", "")).startswith("torch")
        if ours and callable(item) and isinstance(item.__doc__, str):
            found.add(inspect.cleandoc(item.__doc__))
docs = random.Random(0).sample(sorted(found), len(found))
cut = len(docs) * 9 // 10
train, held_out = docs[:cut], docs[cut:]

megabytes = sum(len(text.encode()) for text in docs) / 1e6
pages, unseen_pages = len(docs), len(held_out)
print(f"{pages} docstrings, {megabytes:.2f} MB; {unseen_pages} of them held out")

# %% failure tolerance=0.05
from llm.text.bpe import PATTERN, count_words

seen = count_words(train, PATTERN)  # each word, with how often it occurs
asked = count_words(held_out, PATTERN)


def unknown(vocabulary) -> float:
    """Percentage of the held-out words that a vocabulary of words lacks."""
    missing = sum(n for word, n in asked.items() if word not in vocabulary)
    return 100 * missing / sum(asked.values())


word_entries = len(seen)
unknown_all = unknown(seen)
unknown_top = unknown(sorted(seen, key=seen.get, reverse=True)[:1024])
holed = [text for text in held_out if count_words([text], PATTERN).keys() - seen.keys()]
spoilt = 100 * len(holed) / len(held_out)
strange = {word.decode().strip() for word in asked.keys() - seen.keys()}
lacking = sorted(filter(str.isalpha, strange), key=lambda word: (len(word), word))
lacking = lacking[-2:]  # the longest
bytes_per_word = sum(len(word) * n for word, n in asked.items()) / sum(asked.values())
pairs_per_word = bytes_per_word**2  # pairs of positions, which attention compares
print("held-out words that are unknown")
print(f"  to all {word_entries:,} words seen  {unknown_all:5.1f} %")
print(f"  to the 1,024 commonest   {unknown_top:5.1f} %")
print(f"docstrings with any        {spoilt:5.0f} %")
print(f"bytes in a word            {bytes_per_word:5.1f}")

# %% words
from llm.text.bpe import BYTES


def split(texts) -> dict[tuple[bytes, ...], int]:
    """Each distinct word of the texts, as single bytes, with its occurrences."""
    counted = count_words(texts, PATTERN)
    return {tuple(bytes([b]) for b in word): n for word, n in counted.items()}


def show(tokens) -> str:
    """The tokens in one line, a space as "·"."""
    return " ".join(b.decode("utf-8", "replace").replace(" ", "·") for b in tokens)


# %% by-hand
from collections import Counter
from itertools import pairwise


def count(words) -> Counter:
    """How often each pair of neighbours occurs in {word: occurrences}."""
    counts = Counter()
    for word, occurrences in words.items():
        for pair in pairwise(word):
            counts[pair] += occurrences
    return counts


def merge(word, pair) -> tuple[bytes, ...]:
    """`word` with each `pair` in it, from the left, made one token."""
    out = []
    for token in word:
        if out and (out[-1], token) == pair:
            out[-1] += token
        else:
            out.append(token)
    return tuple(out)


def commonest(counts, ids):
    """The pair of largest count; in a tie, the one of the smallest ids."""
    return min(counts, key=lambda p: (-counts[p], ids[p[0]], ids[p[1]]))


def rescan(words, size, choose=commonest):
    """Count all pairs and merge one, until there are `size` tokens."""
    ids = {bytes([byte]): index for index, byte in enumerate(BYTES)}
    while len(ids) < size:
        counts = count(words)
        pair = choose(counts, ids)
        yield pair, counts, words
        ids[pair[0] + pair[1]] = len(ids)
        words = {merge(word, pair): n for word, n in words.items()}


# %% sentence
import textwrap

SENTENCE = "The cat sat on the mat"
for pair, counts, words in rescan(split([SENTENCE]), size=256 + 3):
    print(" | ".join(map(show, words)))
    listed = [f"{show(p).replace(' ', '+')}:{n}" for p, n in counts.most_common()]
    print(textwrap.indent(textwrap.fill("  ".join(listed), 36), "  "))
    print("  merge", show(pair).replace(" ", "+"), end="\n\n")

# %% tiles tolerance=0.05
import matplotlib.pyplot as plt
from llm.text import bpe

merges = bpe.learn_merges(train, 256 + 4000, pattern=PATTERN)
spelled = list(bpe.vocabulary(merges))  # by id
pairs = [(spelled[first], spelled[second]) for first, second in merges]


def replay(word: bytes, pairs) -> tuple[bytes, ...]:
    """Cut a word by doing the merges again, in the order they were learned."""
    tokens = tuple(bytes([byte]) for byte in word)
    for pair in pairs:
        tokens = merge(tokens, pair)
    return tokens


CYCLE = ["#3f7fd0", "#d9702a", "#2a9a6b", "#c0569b", "#8a7a3d", "#7a7f8a"]
LETTER = {"ha": "center", "va": "center_baseline", "family": "DejaVu Sans Mono"}
colours = {}
figure, axes = plt.subplots(figsize=(5.2, 2.9))
sentence_words = count_words([SENTENCE], PATTERN)
stages = [0, 10, 50, 200, 1000, 4000]
tiles = {}
for row, merged in enumerate(stages):
    tokens = [t for word in sentence_words for t in replay(word, pairs[:merged])]
    tiles[merged] = len(tokens)
    left = 0
    for token in tokens:
        tint = colours.setdefault(token, CYCLE[len(colours) % len(CYCLE)])
        box = plt.Rectangle((left + 0.06, row - 0.4), len(token) - 0.12, 0.8)
        box.set(facecolor=tint, alpha=0.4)
        axes.add_patch(box)
        for place, letter in enumerate(token.decode().replace(" ", "·")):
            axes.text(left + place + 0.5, row, letter, **LETTER)
        left += len(token)
    axes.text(-0.6, row, f"{merged:,}", ha="right", va="center_baseline")
    axes.text(left + 0.6, row, f"{len(tokens)}", ha="left", va="center_baseline")
axes.text(-0.6, -1, "merges", ha="right", va="center_baseline")
axes.text(left + 0.6, -1, "tokens", ha="left", va="center_baseline")
axes.set(xlim=(-4, 26), ylim=(len(stages) - 0.5, -1.5))
axes.axis("off")

# %% work tolerance=0.05
from unittest.mock import patch

STEPS = 100
steps = list(rescan(split(train), 256 + STEPS))
in_text = sum(n * (len(word) - 1) for _, _, words in steps for word, n in words.items())
in_words = sum(len(word) - 1 for _, _, words in steps for word in words)
touched = sum(len(word) - 1 for word in steps[0][2])  # the first count
learn_from = bpe.merge_pair


def watched(*given):
    global touched
    word, lost, gained = learn_from(*given)
    touched += len(lost) + len(gained)
    return word, lost, gained


with patch.object(bpe, "merge_pair", watched):
    quick = bpe.learn_merges(train, 256 + STEPS, pattern=PATTERN)
less_work = in_text / touched
same = [(spelled[a], spelled[b]) for a, b in quick] == [pair for pair, _, _ in steps]
print(f"pairs counted in {STEPS} merges")
print(f"  all text, each time     {in_text:>10,}")
print(f"  each word, each time    {in_words:>10,}")
print(f"  words once, then changes{touched:>10,}")
print("same merges:", same)
largest = [max(counts.values()) for _, counts, _ in steps]
firsts = ", ".join(f"{count:,}" for count in largest[:3])
print(f"largest counts: {firsts} ...")
print("any larger than the one before:", largest != sorted(largest, reverse=True))

# %% encode tolerance=0.05
from llm import Tokenizer

tokenizer = Tokenizer.train(train, 1024, special=())
ids = tokenizer.encode(" tokenizers")
print(ids, show(map(tokenizer.token_bytes, ids)))
print("in the training text:", b" tokenizers" in seen)

# %% checked tolerance=0.05
differ = 0
for word in asked:
    tokens = [tokenizer.token_bytes(i) for i in tokenizer.encode_bytes(word)]
    differ += tokens != list(replay(word, pairs[: 1024 - 256]))
print(f"words     {len(asked):>9,}, cut differently {differ}")

characters = changed = 0
for plane in range(17):
    codes = range(plane * 65536, (plane + 1) * 65536)
    text = "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
    characters += len(text)
    changed += tokenizer.decode(tokenizer.encode(text)) != text
print(f"characters {characters:>8,}, planes changed {changed} of 17")

# %% sizes tolerance=0.05
WIDTH = 768  # of the smallest GPT-2's embedding


def bytes_per_token(tokenizer, texts) -> float:
    total = sum(len(text.encode()) for text in texts)
    return total / sum(len(tokenizer.encode(text)) for text in texts)


rates = {256: [1.0, 1.0, 1.0]}
for size in (512, 1024, 2048, 4096, 8192):
    rates[size] = []
    for seed in range(3):
        mixed = random.Random(seed).sample(docs, len(docs))
        trained = Tokenizer.train(mixed[:cut], size, special=())
        rates[size].append(bytes_per_token(trained, mixed[cut:]))
curve = {}
for size, three in rates.items():
    mean = sum(three) / 3
    before = curve[size // 2]["mean"] if size > 256 else mean
    curve[size] = {
        "mean": mean,
        "low": min(three),
        "high": max(three),
        "fewer": 100 * (1 - before / mean),  # tokens, in %, than with half the size
        "millions": size * WIDTH / 1e6,
    }
widest = max(row["high"] - row["low"] for row in curve.values())
gpt2_millions = 50257 * WIDTH / 1e6

figure, axes = plt.subplots()
means = [row["mean"] for row in curve.values()]
below = [row["mean"] - row["low"] for row in curve.values()]
above = [row["high"] - row["mean"] for row in curve.values()]
axes.errorbar(list(curve), means, yerr=[below, above], marker="o", capsize=4)
axes.set_xscale("log", base=2)
axes.set_xticks(list(curve), [f"{size:,}" for size in curve])
axes.set(xlabel="vocabulary size", ylabel="bytes per token", ylim=(0, 4))

# %% languages tolerance=0.05
from llm.text.corpus import Stories

CAT = "猫坐在垫子上"
new = {language: Stories(language).texts(200, seed=99) for language in ("en", "zh")}
runs = {"en": [], "zh": [], "both": []}
for seed in range(3):
    texts = {language: Stories(language).texts(600, seed=seed) for language in new}
    texts["both"] = texts["en"] + texts["zh"]
    for name, rows in runs.items():
        trained = Tokenizer.train(texts[name], 512, special=())
        row = {language: bytes_per_token(trained, new[language]) for language in new}
        row["cat"] = len(trained.encode(CAT))
        rows.append(row)
by_language = {
    name: {key: sum(row[key] for row in rows) / 3 for key in rows[0]}
    for name, rows in runs.items()
}
for name, row in by_language.items():
    print(name, {key: round(value, 2) for key, value in row.items()})
long = Tokenizer.train(texts["zh"], 2048, special=())
clause = max(map(long.token_bytes, range(2048)), key=len).decode()
print("longest of 2,048 tokens:", clause)

# %% unsplit tolerance=0.05
import regex

LINE = r"[^\n]{1,200}|\n{1,200}"  # a whole line is one word
unsplit = Tokenizer.train(train, 1024, special=(), pattern=LINE)
AFTER_SPACE = regex.compile(rb"(?<=\S) [a-z]+(?!\w)")


def spellings(tokenizer) -> dict[bytes, set[tuple[bytes, ...]]]:
    """Each held-out word after a space, with all sequences of tokens that hold it."""
    found = {}
    for text in held_out:
        tokens = [tokenizer.token_bytes(i) for i in tokenizer.encode(text)]
        owner = [index for index, token in enumerate(tokens) for _ in token]
        for word in AFTER_SPACE.finditer(text.encode()):
            part = tokens[owner[word.start()] : owner[word.end() - 1] + 1]
            found.setdefault(word[0], set()).add(tuple(part))
    return found


ranking = [word for word, _ in Counter(asked).most_common()]
common_words = 50
common = [word for word in ranking if regex.fullmatch(rb" [a-z]+", word)]
common = common[:common_words]
split_rule = {}
for name, cutter in {"split": tokenizer, "unsplit": unsplit}.items():
    ways = spellings(cutter)
    learned = [
        cutter.token_bytes(i).decode("utf-8", "replace") for i in range(256, 1024)
    ]
    crossing = sum(len(count_words([token], PATTERN)) > 1 for token in learned)
    split_rule[name] = {
        "rate": bytes_per_token(cutter, held_out),
        "ways": sum(len(ways[word]) for word in common) / common_words,
        "crossing": 100 * crossing / len(learned),
        "the": len(ways[b" the"]),
    }
    print(name, {key: round(value, 2) for key, value in split_rule[name].items()})
fewer_unsplit = 100 * (1 - split_rule["split"]["rate"] / split_rule["unsplit"]["rate"])
longest = max(learned, key=len).strip()
print(f"fewer tokens without the split: {fewer_unsplit:.0f} %; longest: {longest!r}")

# %% special tolerance=0.05
import tiktoken

chat = Tokenizer.train(train, 1024)  # <|endoftext|> among them
end_id = chat.end
careless = tiktoken.Encoding(
    "careless",
    pat_str=PATTERN,
    mergeable_ranks=bpe.vocabulary(chat.merges),
    special_tokens=chat.special,
)
user = "Thanks.<|endoftext|>"
print("llm:     ", chat.encode(user))
print("careless:", careless.encode(user, allowed_special="all"))

# %% halves
ids = tokenizer.encode("猫")
print([tokenizer.decode([i]) for i in ids], tokenizer.decode(ids))

# %% pieces tolerance=0.05
whole = tokenizer.encode("the cat sat")
parts = tokenizer.encode("the cat ") + tokenizer.encode("sat")
for ids in (whole, parts):
    print(show(map(tokenizer.token_bytes, ids)))

# %% apart tolerance=0.05
apart = together = 0
for text in train:
    tokens = [tokenizer.token_bytes(i) for i in tokenizer.encode(text)]
    apart += list(pairwise(tokens)).count((b" ", b"s"))
    together += sum(token.startswith(b" s") for token in tokens)
print(f'"·" before "s": {apart} times; tokens that begin with "·s": {together:,}')


# %% ties
def first_found(counts, ids):
    return max(counts, key=counts.get)


def learn(texts, choose):
    return [first + second for (first, second), *_ in rescan(split(texts), 512, choose)]


stories = Stories("en").texts(300)
moved = {}
for choose in (first_found, commonest):
    tokens, turned = learn(stories, choose), learn(stories[::-1], choose)
    moved[choose.__name__] = sum(a != b for a, b in zip(tokens, turned, strict=True))
print("ids that change with the order of the files:")
for name, ids in moved.items():
    print(f"  {name:12} {ids:3} of 256")

tied = 0
for pair, counts, _ in rescan(split(stories), 512):
    tied += list(counts.values()).count(counts[pair]) > 1
other = len(set(learn(stories, first_found)) - set(learn(stories, commonest)))
print(f"merges with a tie: {tied}; tokens that the rule changes: {other}")

# %% cost tolerance=any
seconds = time.process_time() - _began
