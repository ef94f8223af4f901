"""The Transformer of 2017: English number words become Chinese numerals."""

# %% numbers
import math
import random
import time

import torch

torch.set_num_threads(1)  # small shapes gain nothing from more
_begin = time.process_time()

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = ". . twenty thirty forty fifty sixty seventy eighty ninety".split()


def english(n):
    """Words for 0 to 9999, as in "two thousand and six"."""
    if n < 20:
        return [UNITS[n]]
    if n < 100:
        return [TENS[n // 10], *(english(n % 10) if n % 10 else [])]
    size, word = (1000, "thousand") if n >= 1000 else (100, "hundred")
    rest = n % size
    joint = ["and"] if 0 < rest < 100 else []
    return [*english(n // size), word, *joint, *(english(rest) if rest else [])]


def chinese(n):
    """Numerals for 0 to 9999, as in 二千零六: one 零 for any run of zeros inside."""
    digits = "零一二三四五六七八九"
    text = ""
    for power, unit in zip((1000, 100, 10, 1), ("千", "百", "十", "")):
        digit = n // power % 10
        if digit:
            text += digits[digit] + unit
        elif text and text[-1] != "零" and n % power:
            text += "零"
    text = text or "零"
    return list(text.removeprefix("一") if 10 <= n < 20 else text)


shuffled = random.Random(0).sample(range(10_000), 10_000)
held_out, learn = shuffled[:500], shuffled[500:]
for n in (12, 2006, 4750):
    print(" ".join(english(n)), "→", "".join(chinese(n)))

# %% batch
from llm.text.pairs import to_batch

words = sorted({word for n in range(10_000) for word in english(n)})
signs = sorted({sign for n in range(10_000) for sign in chinese(n)})
names = ["⟨start⟩", "⟨end⟩", *words, *signs]  # one vocabulary for both languages
START, END = 0, 1
ids = {name: i for i, name in enumerate(names)}


def pair_of(n):
    """Source and target of a number, each with its end."""
    source = [ids[word] for word in english(n)] + [END]
    return source, [ids[sign] for sign in chinese(n)] + [END]


batch = to_batch([pair_of(12), pair_of(2006)], start=START)
for name in ("source", "ids", "targets"):
    row = batch[name][1].tolist()
    print(f"{name:>8}", *(names[i] for i in row))

# %% model
from llm.models import Transformer, TransformerConfig

torch.manual_seed(0)
config = TransformerConfig(len(names), context=16, layers=2, heads=4, width=64)
model = Transformer(config)
counts = model.parameter_count()
parameters = sum(counts.values())
logits = model(batch["source"], batch["ids"], mask=batch["mask"])
print("logits", tuple(logits.shape), f"{parameters:,} parameters", counts)

# %% parallel
with torch.no_grad():
    model.eval()
    one_pass = model(batch["source"][1:], batch["ids"][1:])[0]  # (T, V)
    T = len(one_pass)
    steps = [model(batch["source"][1:], batch["ids"][1:, : t + 1]) for t in range(T)]
    apart = torch.stack([step[0, -1] for step in steps])  # (T, V)
parallel_error = (one_pass - apart).abs().max().item()
print(f"one pass over {T} places or {T} passes: they differ by {parallel_error:.0e}")


# %% warm-up
def rate_2017(step, width, warmup):
    """Vaswani et al. 2017, equation 3."""
    return width**-0.5 * min(step**-0.5, step * warmup**-1.5)


peak_2017 = rate_2017(4000, width=512, warmup=4000)
print(f"peak of the base model: {peak_2017:.1e} after 4000 steps")

# %% train tolerance=0.3
from torch.nn import functional as F

from llm import TrainConfig, Trainer
from llm.text.batches import IGNORE
from llm.train.objectives import Loss


def smoothed(model, batch):
    """Cross-entropy with 0.1 of each target spread over the whole vocabulary."""
    logits = model(batch["source"], batch["ids"], mask=batch["mask"])  # (B, T, V)
    total = F.cross_entropy(
        logits.flatten(0, 1),
        batch["targets"].flatten(),
        ignore_index=IGNORE,
        reduction="sum",
        label_smoothing=0.1,
    )
    return Loss(total, (batch["targets"] != IGNORE).sum())


def data(step):
    """128 numbers, drawn anew at each step."""
    chosen = random.Random(step).choices(learn, k=128)
    return to_batch([pair_of(n) for n in chosen], start=START)


def train(steps, *, lr, warmup, seed=0, **changes):
    """A fresh model after some steps, and the loss of every tenth."""
    torch.manual_seed(seed)
    model = Transformer(TransformerConfig(**{**vars(config), **changes}))
    rates = TrainConfig(steps=steps, lr=lr, schedule="linear", warmup=warmup)
    records = Trainer(model, data, config=rates, objective=smoothed).fit()
    return model.eval(), [record["loss"] for record in records]


steps = 300
_start = time.process_time()
model, losses = train(steps, lr=3e-3, warmup=60)
_train_seconds = time.process_time() - _start
V = len(names)
sure, spread = 0.9 + 0.1 / V, 0.1 / V  # what the best model says of each target
best_loss = -sure * math.log(sure) - (V - 1) * spread * math.log(spread)
print(f"loss {losses[0]:.2f} at step 10, {losses[-1]:.2f} at step {steps}")
print(f"best possible with smoothed targets: {best_loss:.2f}")

# %% exact tolerance=0.1
from llm.generate import beam_search, generate


def exact(model, numbers, write):
    """Share of numbers whose numeral is right in every sign."""
    pairs = [pair_of(n) for n in numbers]
    found = write(model, [source for source, _ in pairs])
    return sum(text == target for text, (_, target) in zip(found, pairs)) / len(pairs)


def greedy(model, sources):
    """The most likely sign, again and again."""
    return generate(model, sources, max_tokens=12, temperature=0, stop=[END])


def beam(model, sources):
    """The best of four texts that grow together."""
    return beam_search(model, sources, beams=4, max_tokens=12, stop=[END])


exact_greedy = exact(model, held_out, greedy)
exact_beam = exact(model, held_out[:100], beam)
print(f"numbers never seen: {exact_greedy:.3f} right; with a beam {exact_beam:.3f}")

# %% align tolerance=any
import matplotlib.pyplot as plt


def alignment(model, n):
    """What the last cross-attention looks at: (T, S), the mean of its heads."""
    source, target = (torch.tensor([row]) for row in pair_of(n))
    shown = torch.cat((torch.tensor([[START]]), target[:, :-1]), dim=1)
    attention = model.decoder.blocks[-1].cross_attention
    asked = []
    hook = attention.register_forward_pre_hook(lambda _, args: asked.append(args[0]))
    with torch.no_grad():
        memory = model.decoder.memorise(model.encode(source))
        model.decode(shown, memory)
        hook.remove()
        q = attention.query(asked[0]).view(target.size(1), 4, 16).transpose(0, 1)
        k, _ = memory[-1]  # (1, H, S, D)
        weights = (q @ k[0].mT / 16**0.5).softmax(-1)  # (H, T, S)
    return weights.mean(0)


n = 2006
weights = alignment(model, n)
fig, ax = plt.subplots(figsize=(4.4, 3.4))
ax.imshow(weights, cmap="Blues", vmin=0, vmax=1)
ax.set_xticks(range(weights.size(1)), [*english(n), "⟨end⟩"], rotation=45, ha="right")
ax.set_yticks(range(weights.size(0)), [*chinese(n), "⟨end⟩"])
fig.tight_layout()

# %% zeros tolerance=0.5
zeros = [n for n in held_out if "零" in chinese(n)]
share_zeros = len(zeros) / len(held_out)
exact_zeros = exact(model, zeros, greedy)
print(
    f"{share_zeros:.0%} of the numbers have a 零; {exact_zeros:.3f} of them are right"
)

# %% norms tolerance=any
variants = {
    "norms after, no warm-up": {"warmup": 0},
    "norms after, warm-up": {"warmup": 30},
    "norms before, no warm-up": {"warmup": 0, "post_norm": False},
}
curves, shares = {}, {}
for name, changes in variants.items():
    runs = [train(150, lr=1e-2, seed=seed, **changes) for seed in range(2)]
    curves[name] = [losses for _, losses in runs]
    shares[name] = [exact(trained, held_out[:200], greedy) for trained, _ in runs]
    print(f"{name:<25}", *(f"{share:.3f}" for share in shares[name]))
share_cold = max(shares["norms after, no warm-up"])
share_warm = min(shares["norms after, warm-up"])
share_before = min(shares["norms before, no warm-up"])

# %% norms-curve tolerance=any
fig, ax = plt.subplots(figsize=(6, 3.2))
for i, (name, runs) in enumerate(curves.items()):
    for j, run in enumerate(runs):
        label = name if j == 0 else None
        ax.plot(range(10, 151, 10), run, color=f"C{i}", label=label)
ax.axhline(best_loss, color="C7", linestyle=":", label="best possible")
ax.set(xlabel="step", ylabel="nats a token")
ax.legend(frameon=False)
fig.tight_layout()

# %% seconds tolerance=any
_seconds = time.process_time() - _begin
print(f"{_train_seconds:.0f} s of training, {_seconds:.0f} s in all")
