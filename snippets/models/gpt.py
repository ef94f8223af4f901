"""GPT from scratch: count, look inside, train, and take parts out."""

# %% corpus
import time
from textwrap import fill

import torch

from llm import Tokenizer
from llm.text.corpus import Stories

torch.set_num_threads(1)  # small shapes gain nothing from more
_begin = time.process_time()

stories = Stories("en")
learn = stories.texts(4000, seed=0)
held_out = stories.texts(100, seed=1)
tokenizer = Tokenizer.train(learn[:500], vocab_size=512)
end = tokenizer.special["<|endoftext|>"]


def to_rows(texts):
    """Each story between two end-of-text tokens."""
    return [[end, *tokenizer.encode(text), end] for text in texts]


rows, held_rows = to_rows(learn), to_rows(held_out)
tokens = sum(len(row) - 1 for row in held_rows)
floor = -sum(map(stories.log_prob, held_out)) / tokens
once, again = (held_out[0].find(" red cup", start) for start in (0, 100))
lookback = len(tokenizer.encode(held_out[0][once:again]))
print(fill(held_out[0], 76))
print(f"best possible loss: {floor:.3f} nats a token")

# %% count
import math
from collections import Counter, defaultdict


def count_followers(order):
    """How often each token follows each context of `order` tokens."""
    followers = defaultdict(Counter)
    for row in rows:
        for i in range(1, len(row)):
            followers[tuple(row[max(0, i - order) : i])][row[i]] += 1
    return followers


def count_loss(order):
    """Held-out loss of counting; every token gets 0.01 counts for free."""
    followers, total = count_followers(order), 0.0
    for row in held_rows:
        for i in range(1, len(row)):
            seen = followers.get(tuple(row[max(0, i - order) : i]), Counter())
            p = (seen[row[i]] + 0.01) / (seen.total() + 0.01 * tokenizer.vocab_size)
            total -= math.log(p)
    return total / tokens


count_losses = {order: count_loss(order) for order in range(1, 9)}
for order, loss in count_losses.items():
    print(f"tokens of context: {order}   loss: {loss:.3f} nats")
best_order = min(count_losses, key=count_losses.get)
count_best = count_losses[best_order]
count_first, count_last = count_losses[1], count_losses[8]

# %% by-hand
from llm import GPT, GPTConfig

torch.manual_seed(0)
words = "The cat sat on the mat".split()
ids = torch.tensor([[0, 1, 2, 3, 4, 5]])  # (B, T): one row, a word an id
tiny = GPT(GPTConfig(vocab_size=6, context=6, layers=2, heads=2, width=8)).eval()

x = tiny.embedding.weight[ids] + tiny.position.weight[:6]  # (B, T, C)
print("embedded", tuple(x.shape), f"length {x.norm(dim=-1).mean():.3f}")
for block in tiny.blocks:
    x = x + block.attention(block.attention_norm(x), causal=True)
    x = x + block.feedforward(block.feedforward_norm(x))
    print("block   ", tuple(x.shape), f"length {x.norm(dim=-1).mean():.3f}")
logits = tiny.norm(x) @ tiny.embedding.weight.T  # (B, T, V)
p = logits.softmax(-1)
print("logits  ", tuple(logits.shape))
for t in range(5):
    print(f"p({words[t + 1]:>3} | … {words[t]:>3}) = {p[0, t, t + 1]:.3f}")
hand_error = (logits - tiny(ids)).abs().max().item()
print(f"largest difference from tiny(ids): {hand_error}")

# %% same
from functools import partial

from torch import nn

torch.manual_seed(0)
small = GPT(GPTConfig(vocab_size=512, context=64, layers=2, heads=4, width=64)).eval()


def parameters_of(block):
    """Our block's weights under the names that torch.nn uses."""
    a, f = block.attention, block.feedforward
    joint = (a.query, a.key, a.value)  # torch keeps these three in one matrix
    return {
        "self_attn.in_proj_weight": torch.cat([m.weight for m in joint]),
        "self_attn.in_proj_bias": torch.cat([m.bias for m in joint]),
        "self_attn.out_proj.weight": a.out.weight,
        "self_attn.out_proj.bias": a.out.bias,
        "linear1.weight": f.up.weight,
        "linear1.bias": f.up.bias,
        "linear2.weight": f.down.weight,
        "linear2.bias": f.down.bias,
        "norm1.weight": block.attention_norm.weight,
        "norm1.bias": block.attention_norm.bias,
        "norm2.weight": block.feedforward_norm.weight,
        "norm2.bias": block.feedforward_norm.bias,
    }


def torch_logits(gelu):
    """What the same weights give in the parts that PyTorch ships."""
    shape = {"d_model": 64, "nhead": 4, "dim_feedforward": 256, "dropout": 0.0}
    order = {"norm_first": True, "batch_first": True, "activation": gelu}
    layer = nn.TransformerEncoderLayer(**shape, **order)
    norm = nn.LayerNorm(64)
    encoder = nn.TransformerEncoder(layer, 2, norm, enable_nested_tensor=False).eval()
    for theirs, ours in zip(encoder.layers, small.blocks):
        theirs.load_state_dict(parameters_of(ours))
    x = small.embedding(ids) + small.position.weight  # (B, T, C)
    mask = nn.Transformer.generate_square_subsequent_mask(64)
    return encoder(x, mask=mask, is_causal=True) @ small.embedding.weight.T


ids = torch.randint(512, (3, 64))
errors = {}
with torch.no_grad():
    for gelu in (partial(nn.functional.gelu, approximate="tanh"), nn.GELU("tanh")):
        error = (small(ids) - torch_logits(gelu)).abs().max().item()
        errors["module" if isinstance(gelu, nn.Module) else "function"] = error
for kind, error in errors.items():
    print(f"largest difference, GELU given as a {kind}: {error:.1e}")

# %% leak
with torch.no_grad():
    before = small(ids)
    changed = ids.clone()
    changed[:, 40] = (ids[:, 40] + 1) % 512
    moved = (small(changed) - before).abs().amax(dim=(0, 2))  # (T,)
leak = moved[:40].max().item()
print(f"positions 0 to 39 move by {leak}, position 40 by {moved[40]:.3f}")

# %% data
from llm.text.batches import IGNORE


def to_batch(rows):
    """Ids and the ids that follow them; rows are filled up to the longest."""
    longest = max(map(len, rows)) - 1
    ids = torch.full((len(rows), longest), end)  # (B, T)
    targets = torch.full((len(rows), longest), IGNORE)
    for i, row in enumerate(rows):
        ids[i, : len(row) - 1] = torch.tensor(row[:-1])
        targets[i, : len(row) - 1] = torch.tensor(row[1:])
    return {"ids": ids, "targets": targets}


def batches_of(size):
    """A function from the number of a step to a batch of `size` stories."""
    return lambda step: to_batch([rows[(step * size + i) % 4000] for i in range(size)])


validation = [to_batch(held_rows)]

# %% train tolerance=0.2
from llm import TrainConfig, Trainer
from llm.train import evaluate, next_token

context = max(map(len, rows + held_rows))


def make(layers, seed, position="rotary"):
    """GPT-2, with three later changes that make a short training enough."""
    torch.manual_seed(seed)
    shape = {"layers": layers, "heads": 4, "width": 96}
    later = {"position": position, "qk_norm": True, "zero_init": True}
    return GPT(GPTConfig(tokenizer.vocab_size, context, **shape, **later))


def train(model, steps, batch_size):
    """Train on the stories; return the loss of every tenth step."""
    rates = {"optimizer": "muon", "lr": 0.03, "embedding_lr": 0.02}
    config = TrainConfig(steps=steps, schedule="linear", warmup=5, **rates)
    records = Trainer(model, batches_of(batch_size), config=config).fit()
    return [record["loss"] for record in records]


steps = 300
_start = time.process_time()
gpt = make(layers=2, seed=0)
losses = train(gpt, steps, batch_size=16)
_train_seconds = time.process_time() - _start
gpt_loss = evaluate(gpt, validation, next_token)["loss"]
gpt_parameters = sum(gpt.parameter_count().values())
uniform_loss = math.log(tokenizer.vocab_size)
gap = gpt_loss - floor
print(f"{gpt_parameters:,} parameters, {steps} steps")
print(f"held-out loss {gpt_loss:.3f}, counting {count_best:.3f}, floor {floor:.3f}")

# %% curve tolerance=0.1
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(5, 3))
ax.plot(range(10, steps + 1, 10), losses, label="GPT, training")
ax.axhline(count_best, color="C1", linestyle="--", label="counting, held out")
ax.axhline(floor, color="C2", linestyle=":", label="best possible")
ax.set(xlabel="step", ylabel="nats a token", ylim=(0, 3))
ax.legend(frameon=False)
fig.tight_layout()

# %% sample tolerance=any
from bisect import bisect_left

from llm import generate
from llm.text.stories_en import NUMBERS, PEOPLE

written = generate(gpt, [[end]] * 50, max_tokens=context, stop=[end], seed=0)
texts = [tokenizer.decode(row[1:-1]) for row in written]


def right_words(text):
    """How many words a text has before the first that breaks a rule."""
    words = text.split()

    def broken(i):
        return stories.check(" ".join(words[: i + 1]), unfinished=True) is not None

    return bisect_left(range(len(words)), True, key=broken)


right, kinds = 0, {"name": 0, "number": 0, "other": 0}
for text in texts:
    words, first = text.split(), right_words(text)
    right += " ".join(words[:first]).count(".") / len(texts)
    if first < len(words):
        word = words[first].strip(".,")
        kind = "name" if word in PEOPLE else "number" if word in NUMBERS else "other"
        kinds[kind] += 1
length = sum(text.count(".") for text in texts) / len(texts)
flawless = sum(stories.check(text) is None for text in texts)
story_tokens = tokens / len(held_rows)
story_gap = gap * story_tokens
print(fill(texts[0], 76), end="\n\n")
print(fill(stories.check(texts[0]), 76), end="\n\n")
print(f"{right:.1f} of {length:.1f} sentences are right before the first fault")
print("the first wrong word:", ", ".join(f"{k} {n}" for k, n in kinds.items()))


# %% without tolerance=0.1
class Nothing(nn.Module):
    """Stands where a part was, and adds nothing to the stream."""

    def forward(self, x, **_):
        return torch.zeros_like(x)


def without(part, seed):
    """A one-block GPT that lacks a part, after 100 steps."""
    position = "none" if part == "position" else "rotary"
    model = make(layers=1, seed=seed, position=position)
    if part in ("attention", "feedforward"):
        setattr(model.blocks[0], part, Nothing())
    train(model, steps=100, batch_size=8)
    return model


def losses_of(models):
    """Held-out loss of each."""
    return [evaluate(model, validation, next_token)["loss"] for model in models]


parts = ["nothing", "feedforward", "position", "attention"]
lame = {part: [without(part, seed) for seed in range(3)] for part in parts}
lacking = {part: losses_of(models) for part, models in lame.items()}
lacking_mean = {part: sum(found) / 3 for part, found in lacking.items()}
position_cost = lacking_mean["position"] - lacking_mean["nothing"]
feedforward_cost = lacking_mean["feedforward"] - lacking_mean["nothing"]
for part, found in lacking.items():
    print(f"without {part:<12}" + "  ".join(f"{loss:.3f}" for loss in found))
print(f"counting, 1 token  {count_first:.3f}")

# %% parts
fig, ax = plt.subplots(figsize=(5, 2.4))
for y, found in enumerate(lacking.values()):
    ax.plot(found, [y] * 3, "o", color="C0")
ax.axvline(count_first, color="C1", linestyle="--")
ax.axvline(floor, color="C2", linestyle=":")
ax.text(count_first - 0.05, 2.5, "counting, 1 token", ha="right", color="C1")
ax.text(floor + 0.05, 0.42, "best possible", color="C2")
names = ["feed-forward", "positions", "attention"]
ax.set_yticks(range(4), ["whole block", *(f"without {name}" for name in names)])
ax.set(xlabel="nats a token", xlim=(0, 2), ylim=(-0.5, 3.5))
fig.tight_layout()


# %% order tolerance=any
def moves(model):
    """How far the last logits move when two earlier tokens change places."""
    row = torch.tensor([held_rows[0][:40]])  # (1, T)
    other = row.clone()
    other[0, [10, 20]] = row[0, [20, 10]]
    with torch.no_grad():
        return (model(other) - model(row))[0, -1].abs().max().item()


moves_with, moves_without = moves(lame["nothing"][0]), moves(lame["position"][0])
print(f"with positions     {moves_with:.3f}")
print(f"without positions  {moves_without:.0e}")

# %% why tolerance=0.05
first_losses, growth = [], {}
ids = torch.randint(512, (4, 64))
for std in (0.02, 0.2, 1.0):
    model = GPT(GPTConfig(512, 64, layers=2, heads=4, width=64))
    for parameter in model.parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=std)
    logits = model(ids).flatten(0, 1).detach()
    loss = nn.functional.cross_entropy(logits, torch.randint(512, (256,))).item()
    first_losses.append(loss)
    print(f"weights of {std}: first loss {loss:.2f}; ln 512 = {math.log(512):.2f}")
for layers in (6, 24, 96):
    for scaled in (True, False):
        model = GPT(GPTConfig(512, 64, layers=layers, heads=4, width=64))
        begun = x = model.embed(ids, torch.arange(64))
        for block in model.blocks:
            if not scaled:
                block.attention.out.weight.data *= math.sqrt(2 * layers)
                block.feedforward.down.weight.data *= math.sqrt(2 * layers)
            x = block(x, causal=True)
        growth[f"{layers} {scaled}"] = (x.std() / begun.std()).item()
    with_it, without_it = growth[f"{layers} True"], growth[f"{layers} False"]
    print(f"{layers} blocks: the stream grows {with_it:.2f} times", end=", ")
    print(f"without the division {without_it:.1f} times")
grown_scaled, grown_unscaled = with_it, without_it

# %% tied
tied_share = tokenizer.vocab_size * 96 / gpt_parameters
gpt2_share = 50257 * 768 / 124_439_808  # of the smallest GPT-2

# %% slips tolerance=0.1
from llm.models.gpt import make_block


class AllSeeing(GPT):
    """A GPT that forgot the causal mask."""

    def features(self, ids, **_):
        positions = torch.arange(ids.size(1))
        x = self.embed(ids, positions)
        for block in self.blocks:
            x = block(x, rotation=self.rotary(positions))  # causal=True is missing
        return self.norm(x)


seeing = AllSeeing(make(layers=1, seed=0).config)
unmasked_loss = train(seeing, steps=100, batch_size=8)[-1]
start = tokenizer.encode("One day")
said = generate(seeing, start, max_tokens=4, temperature=0, cache=False)
unmasked_text = tokenizer.decode(said)
print(f"no mask: loss {unmasked_loss:.3f}, writes {unmasked_text!r}")

config = GPTConfig(512, 64, layers=12, heads=4, width=64)
one_block = make_block(config)
repeated = nn.ModuleList([one_block] * 12)
own = nn.ModuleList(make_block(config) for _ in range(12))
repeated_count, own_count = (
    sum(parameter.numel() for parameter in blocks.parameters())
    for blocks in (repeated, own)
)
print(f"[block] * 12 has {repeated_count:,} parameters, 12 blocks {own_count:,}")

dropping = GPT(GPTConfig(512, 64, layers=2, heads=4, width=64, dropout=0.2))
with torch.no_grad():
    first, second = dropping(ids), dropping(ids)
dropped = (first - second).abs().max().item()
print(f"train mode: the same ids twice, logits differ by {dropped:.2f}")

# %% anatomy
shape = {"layers": 2, "heads": 4, "width": 96}
count = GPT(GPTConfig(512, context, **shape)).parameter_count()
shares = {part: number / sum(count.values()) for part, number in count.items()}
fig, ax = plt.subplots(figsize=(4.6, 4))
ax.set(xlim=(0, 10), ylim=(0, 11))
ax.axis("off")
ax.annotate("", (1.5, 9.2), (1.5, 2.4), arrowprops={"arrowstyle": "->", "lw": 3})
for y, name, size, share in [
    (0.2, "ids", "(B, T)", None),
    (
        1.6,
        "embedding + position",
        "(B, T, C)",
        shares["embedding"] + shares["position"],
    ),
    (4.0, "attention", "(B, T, C)", shares["attention"]),
    (6.8, "feed-forward", "(B, T, C)", shares["feedforward"]),
    (9.2, "norm, head", "(B, T, V)", None),  # tied: the embedding once more
]:
    inside = name in ("attention", "feed-forward")  # of the block that repeats
    left = 2.6 if inside else 0.8
    ax.add_patch(plt.Rectangle((left, y), 6.1 - left, 0.9, fill=False, ec="C0", lw=1.5))
    ax.text((left + 6.1) / 2, y + 0.45, name, ha="center", va="center")
    ax.text(6.3, y + 0.45, size, va="center", family="monospace", size=9)
    if share is not None:
        ax.text(10, y + 0.45, f"{share:.1%}", ha="right", va="center")
    if inside:
        ax.annotate("", (2.6, y + 0.2), (1.5, y - 0.4), arrowprops={"arrowstyle": "->"})
        ax.text(1.75, y - 0.55, "norm", va="center", size=9)
        ax.annotate("", (1.5, y + 1.4), (2.6, y + 0.7), arrowprops={"arrowstyle": "->"})
        ax.text(1.75, y + 1.55, "add", va="center", size=9)
ax.annotate("", (1.5, 1.6), (1.5, 1.1), arrowprops={"arrowstyle": "->"})
ax.plot([0.6, 0.6], [3.2, 8.6], color="C3", lw=2)
ax.text(0.45, 5.9, "L ×", ha="right", va="center", color="C3")

# %% cost tolerance=any
train_seconds = _train_seconds
seconds = time.process_time() - _begin
