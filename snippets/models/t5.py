"""T5: everything is text to text. Cut spans out; then three tasks in one model."""

# %% spans
import random
import time

import numpy as np
import torch

from llm.text.spans import corrupt, restore

torch.set_num_threads(1)  # small shapes gain nothing from more
_begin = time.process_time()

words = "Thank you for inviting me to your party last week".split()
table = [*words, "⟨X⟩", "⟨Y⟩", "⟨Z⟩"]
sentinels = [10, 11, 12]
drawn = np.random.default_rng(0)
source, target = corrupt(
    range(10), sentinels=sentinels, random=drawn, rate=0.3, length=1.5
)
print("source ", *(table[i] for i in source))
print("target ", *(table[i] for i in target))
back = restore(source, target, sentinels=sentinels)
print("back   ", *(table[i] for i in back))

# %% figure
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(7.5, 1.7))
rows = {"text": list(range(10)), "source": source, "target": target}
cut = [token for token in target if token < 10]
for y, (name, row) in enumerate(rows.items()):
    ax.text(0, -y, name, ha="right", va="center")
    x = 0.3
    for token in row:
        word = table[token]
        wide = 0.24 + 0.17 * len(word)
        colour = "C1" if token >= 10 else "C0" if token in cut else "0.6"
        place = (x, -y - 0.35)
        ax.add_patch(plt.Rectangle(place, wide, 0.7, color=colour, alpha=0.3, lw=0))
        ax.text(x + wide / 2, -y, word, ha="center", va="center")
        x += wide + 0.08
ax.set(xlim=(-1, 12), ylim=(-2.5, 0.5))
ax.axis("off")
fig.tight_layout()

# %% cut
from collections import Counter
from itertools import pairwise

long = range(1000)
many = range(1000, 1200)
cuts = [corrupt(long, sentinels=many, random=drawn) for _ in range(200)]
lengths = Counter()
for _, target in cuts:
    places = [i for i, token in enumerate(target) if token >= 1000]
    lengths.update(b - a - 1 for a, b in pairwise(places))
spans = lengths.total()
cut_share = sum(length * count for length, count in lengths.items()) / (200 * 1000)
mean_length = sum(length * count for length, count in lengths.items()) / spans
target_share = sum(len(target) for _, target in cuts) / (200 * 1000)
print(f"{cut_share:.3f} of the tokens are cut out, in spans of {mean_length:.2f}")
print(f"the decoder writes {target_share:.2f} tokens for each of the text")

# %% tasks
UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = ". . twenty thirty forty fifty sixty seventy eighty ninety".split()


def english(n):
    """Words for 0 to 99."""
    if n < 20:
        return [UNITS[n]]
    return [TENS[n // 10], *(english(n % 10) if n % 10 else [])]


def chinese(n):
    """Numerals for 0 to 99."""
    tens, unit = divmod(n, 10)
    digits = "零一二三四五六七八九"
    if not tens:
        return [digits[unit]]
    return [*(digits[tens] if tens > 1 else ""), "十", *(digits[unit] if unit else "")]


def listed(numbers, spell):
    """Numbers in words, with commas between them."""
    return [word for n in numbers for word in [",", *spell(n)]][1:]


def translate(numbers, draw):
    return ["translate", ":"], listed(numbers, chinese)


def summarise(numbers, draw):
    smallest, greatest = english(min(numbers)), english(max(numbers))
    return ["summarise", ":"], ["from", *smallest, "to", *greatest]


def answer(numbers, draw):
    place = draw.randrange(len(numbers) - 1)
    question = ["answer", ":", "after", *english(numbers[place]), "?"]
    return question, english(numbers[place + 1])


TASKS = {"translate": translate, "summarise": summarise, "answer": answer}


def example(task, draw):
    """Source and target, in words, of a list of two to five numbers."""
    numbers = draw.sample(range(100), draw.randint(2, 5))
    prefix, target = TASKS[task](numbers, draw)
    return [*prefix, *listed(numbers, english)], target


draw = random.Random(3)
shown = [example(task, draw) for task in TASKS]
for source, target in shown:
    print(" ".join(source), "→", " ".join(target))

# %% vocabulary
from llm.text.pairs import to_batch

START, END = 0, 1
signs = [*UNITS, *TENS[2:], *"零一二三四五六七八九十", *", : ? from to after".split()]
names = ["⟨start⟩", "⟨end⟩", *TASKS, *signs]
ids = {name: i for i, name in enumerate(names)}


def pair_of(task, draw):
    """An example as ids, source and target with their ends."""
    return tuple([*(ids[word] for word in text), END] for text in example(task, draw))


def mixture(*tasks):
    """A function from the number of a step to 64 examples, of all tasks alike."""

    def data(step):
        draw = random.Random(step)
        pairs = [pair_of(tasks[i % len(tasks)], draw) for i in range(64)]
        return to_batch(pairs, start=START)

    return data


# %% train tolerance=0.5
from llm import TrainConfig, Trainer
from llm.models import T5, T5Config
from llm.train.objectives import text_to_text


def train(data, steps):
    """A fresh model after some steps, and the loss of every tenth."""
    torch.manual_seed(0)
    shape = {"layers": 2, "heads": 4, "width": 64, "feedforward": "geglu"}
    model = T5(T5Config(len(names), **shape, hidden=176, farthest=32))
    rates = {"optimizer": "muon", "lr": 0.02, "embedding_lr": 0.02}
    config = TrainConfig(steps=steps, schedule="linear", warmup=20, **rates)
    records = Trainer(model, data, config=config, objective=text_to_text).fit()
    return model.eval(), [record["loss"] for record in records]


steps = 570
_start = time.process_time()
model, losses = train(mixture(*TASKS), steps)
_train_seconds = time.process_time() - _start
parameters = sum(model.parameter_count().values())
print(f"{parameters:,} parameters, loss {losses[0]:.2f} to {losses[-1]:.3f}")

# %% exact tolerance=0.3
from llm.generate import generate


def exact(model, task, count=200):
    """Share of new examples that are answered right, word for word."""
    draw = random.Random(-1)
    pairs = [pair_of(task, draw) for _ in range(count)]
    sources = [source for source, _ in pairs]
    found = generate(model, sources, max_tokens=24, temperature=0, stop=[END])
    return sum(text == target for text, (_, target) in zip(found, pairs)) / count


shares = {task: exact(model, task) for task in TASKS}
for task, share in shares.items():
    print(f"{task:<10} {share:.3f}")

# %% prefix tolerance=any
numbers = [42, 7, 90]
spelt = listed(numbers, english)
asked = {
    "translate": ["translate", ":"],
    "summarise": ["summarise", ":"],
    "answer": ["answer", ":", "after", "seven", "?"],
}
sources = [
    [*(ids[word] for word in [*prefix, *spelt]), END] for prefix in asked.values()
]
written = generate(model, sources, max_tokens=24, temperature=0, stop=[END])
print("       list", *spelt)
for task, text in zip(asked, written):
    print(f"{task:>11}", *(names[i] for i in text[:-1]))

# %% alone tolerance=0.5
alone = {}
for task in TASKS:
    expert, _ = train(mixture(task), steps // len(TASKS))
    alone[task] = exact(expert, task)
    print(f"{task:<10} together {shares[task]:.3f}, alone {alone[task]:.3f}")

# %% bias tolerance=any
distance = torch.arange(-20, 21)
fig, axes = plt.subplots(1, 2, figsize=(7, 2.6), sharey=True)
for ax, (name, stack) in zip(
    axes, {"encoder": model.encoder, "decoder": model.decoder}.items()
):
    relative = stack.relative
    seen = distance if name == "encoder" else distance[distance <= 0]
    bias = relative.table.weight[relative.bucket(seen)].detach()  # (distances, H)
    ax.plot(seen, bias)
    ax.set(title=name, xlabel="distance")
axes[0].set_ylabel("bias")
fig.tight_layout()

# %% seconds tolerance=any
_seconds = time.process_time() - _begin
print(f"{_train_seconds:.0f} s of training, {_seconds:.0f} s in all")
