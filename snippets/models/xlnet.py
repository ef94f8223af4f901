"""XLNet: two streams, any order, one probability of the sentence."""

# %% clock
import time

import torch

torch.set_num_threads(1)  # small shapes gain nothing from more
_begin = time.process_time()

# %% masks
from llm.nn import permutation_mask

words = ["the", "dog", "near", "the", "cats", "sees", "itself"]
order = torch.tensor([3, 1, 5, 0, 6, 2, 4])
content = permutation_mask(order, itself=True)  # (T, T)
query = permutation_mask(order, itself=False)
for place in order.tolist():
    known = " ".join(w if s else "_" for w, s in zip(words, query[place]))
    print(f"{words[place]:>6}  from  {known}")

# %% streams
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.4), sharey=True)
for ax, mask, name in zip(axes, (content, query), ("content", "query")):
    ax.imshow(mask, cmap="Blues", vmin=0, vmax=1.6)
    ax.set_xticks(range(7), words, rotation=90)
    ax.set_yticks(range(7), words)
    ax.set_title(f"{name} stream")
    for t in range(7):
        turn = order.tolist().index(t) + 1
        ax.text(t, t, str(turn), ha="center", va="center")
axes[0].set(ylabel="reads")
fig.tight_layout()

# %% leak
from llm.models.xlnet import XLNet, XLNetConfig

torch.manual_seed(0)
small = XLNet(XLNetConfig(vocab_size=20, layers=2, heads=2, width=16)).eval()
for parameter in small.parameters():  # larger than they begin, so that much moves
    torch.nn.init.normal_(parameter, std=0.5)
ids = torch.randint(20, (1, 7))
leak, moved = 0.0, []
with torch.no_grad():
    before = small(ids, visible=query, targets=order[None])  # in the order drawn
    for turn, place in enumerate(order):
        changed = ids.clone()
        changed[0, place] = (ids[0, place] + 1) % 20
        after = small(changed, visible=query, targets=order[None])
        change = (after - before).abs().amax(dim=(0, 2))  # (T,)
        leak = max(leak, change[: turn + 1].max().item())
        moved += change[turn + 1 :].tolist()
least_moved = min(moved)
print(f"itself and those before it move by {leak}")
print(f"those after it move by {least_moved:.3f} or more")

# %% memory
with torch.no_grad():
    causal = torch.ones(7, 7, dtype=torch.bool).tril()
    whole = small(ids, visible=causal)
    memory = small.new_memory()
    first = small(ids[:, :4], visible=causal[:4, :4], memory=memory)
    second = small(ids[:, 4:], visible=causal[:3, :3], memory=memory)
    forgot = small(ids[:, 4:], visible=causal[:3, :3])
    memory_error = (torch.cat((first, second), 1) - whole).abs().max().item()
    memory_worth = (forgot - whole[:, 4:]).abs().max().item()
print(f"in two segments: {memory_error:.1e} from the whole")
print(f"without the memory: {memory_worth:.2f}")

# %% sentences
import math

import numpy as np

NOUNS = ["dog", "cat", "bird", "horse"]
VERBS = ["see", "hear", "like"]
vocabulary = ["<s>", "<t>", "the", "near", "itself", "themselves"]
vocabulary += NOUNS + [f"{noun}s" for noun in NOUNS] + VERBS + [f"{v}s" for v in VERBS]
index = {word: i for i, word in enumerate(vocabulary)}


def sentence(random):
    """Two nouns, of one or many; verb and object agree with the first.

    Distances show in weights alone, and a single source has all the weight. Two marks
    that begin the sentence, and that all see, tell each word its place.
    """
    many, others = random.integers(2, size=2)
    subject = random.choice(NOUNS) + "s" * many
    other = random.choice(NOUNS) + "s" * others
    verb = random.choice(VERBS) + "s" * (1 - many)
    reflexive = ("itself", "themselves")[many]
    return ["<s>", "<t>", "the", subject, "near", "the", other, verb, reflexive]


def sentences(rows, seed):
    """Ids of some sentences, (B, T)."""
    random = np.random.default_rng(seed)
    drawn = [sentence(random) for _ in range(rows)]
    return torch.tensor([[index[word] for word in words] for words in drawn])


# Two numbers, two nouns, one verb: all else follows.
entropy = 2 * math.log(2) + 2 * math.log(4) + math.log(3)
for row in sentences(3, seed=0):
    print(" ".join(vocabulary[i] for i in row))
print(f"{entropy:.3f} nats a sentence, in whatever order it is told")

# %% train tolerance=0.1
from llm import TrainConfig, Trainer
from llm.text.permutation import draw_orders
from llm.train.objectives import permuted_token

held_out = sentences(256, seed=10**6)
STEPS = 500


def make():
    """A small XLNet."""
    torch.manual_seed(0)
    return XLNet(XLNetConfig(len(vocabulary), layers=2, heads=2, width=32))


def train(data):
    """Train one on batches of ids, orders, places and targets."""
    config = TrainConfig(
        steps=STEPS,
        optimizer="muon",
        lr=0.02,
        embedding_lr=0.01,
        schedule="linear",
        warmup=20,
    )
    model = make()
    Trainer(model, data, config=config, objective=permuted_token).fit()
    return model.eval()


def batches(step):
    """64 sentences."""
    return {"ids": sentences(64, seed=step)}


def left_to_right(step):
    """The same, and always in the order of reading."""
    ids = batches(step)["ids"]
    order = torch.arange(9).expand(64, 9)
    places, targets = order[:, 2:], ids[:, 2:]  # all but the marks
    return {"ids": ids, "order": order, "places": places, "targets": targets}


@torch.no_grad()
def losses_by_turn(model, order):
    """Mean loss of the token at each turn of an order, after the marks: (7,)."""
    visible = permutation_mask(order, itself=False)
    places = order[2:].expand(len(held_out), 7)
    logits = model(held_out, visible=visible, targets=places)
    targets = held_out.gather(1, places)
    losses = torch.nn.functional.cross_entropy(
        logits.mT, targets, reduction="none"
    )  # (B, T)
    return losses.mean(0)


reading = torch.arange(9)
backwards = torch.tensor([0, 1, 8, 7, 6, 5, 4, 3, 2])
orders = draw_orders(batches, share=1, start=2, seed=10**6)(0)["order"][:20]
any_order, one_order = (
    train(draw_orders(batches, share=1, start=2)),
    train(left_to_right),
)
nats = {}
for name, model in [("any order", any_order), ("reading order", one_order)]:
    drawn = [losses_by_turn(model, order).sum().item() for order in orders]
    nats[name] = {
        "reading": losses_by_turn(model, reading).sum().item(),
        "backwards": losses_by_turn(model, backwards).sum().item(),
        "drawn": sum(drawn) / len(drawn),
        "worst": max(drawn),
    }
    print(f"trained in {name}:")
    for told, loss in nats[name].items():
        print(f"  {told:>9} {loss:6.3f} nats a sentence")
print(f"least possible {entropy:.3f}")


# %% agreement tolerance=0.05
many = {*VERBS, *(f"{noun}s" for noun in NOUNS), "themselves"}


@torch.no_grad()
def agreement(model, place, order):
    """How often the likeliest word at a place is of the number that the rest asks."""
    visible = permutation_mask(order, itself=False)
    places = torch.full((len(held_out), 1), place)
    guess = model(held_out, visible=visible, targets=places).argmax(-1)[:, 0]
    plural = torch.tensor([w in many for w in vocabulary])
    return (plural[guess] == plural[held_out[:, place]]).float().mean().item()


agree = {
    "verb, from the left": agreement(any_order, 7, reading),
    "subject, from the left": agreement(any_order, 3, reading),
    "subject, from the right": agreement(any_order, 3, backwards),
    "the same, trained left to right": agreement(one_order, 3, backwards),
}
for case, share in agree.items():
    print(f"{case:<32}{share:6.1%}")

# %% partial tolerance=0.1
last_only = train(draw_orders(batches, share=3, start=2))
turns = {
    name: torch.stack([losses_by_turn(model, order) for order in orders])
    .mean(0)
    .tolist()
    for name, model in [("all", any_order), ("last third", last_only)]
}
fig, ax = plt.subplots(figsize=(6, 3))
for name, found in turns.items():
    ax.plot(range(1, 8), found, "o-", label=f"predicted in training: {name}")
ax.set(xlabel="turn in the order", ylabel="nats a token", ylim=(0, None))
ax.legend(frameon=False)
fig.tight_layout()
last_two = {name: sum(found[-2:]) / 2 for name, found in turns.items()}
for name, loss in last_two.items():
    print(f"predicted in training: {name:<10}  last two turns {loss:.3f} nats a token")

# %% cost tolerance=any
seconds = time.process_time() - _begin
print(f"{seconds:.0f} seconds")
