"""Masks and heads: who may look where, and how many places one layer can look at."""

# %% clock
import time

_began = time.process_time()

# %% reader
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llm.nn import MLP, MultiHeadAttention, causal_mask

torch.set_num_threads(1)  # on tensors this small, threads wait for each other


class Reader(nn.Module):
    """Tokens and positions, one attention, one readout: nothing else can help."""

    def __init__(
        self, vocab: int, readout: nn.Module, *, context: int, width: int, heads: int
    ) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab, width)
        self.position = nn.Embedding(context, width)
        self.attention = MultiHeadAttention(width, heads)
        self.readout = readout

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.token(ids) + self.position.weight[: ids.size(1)]  # (B, T, C)
        return self.readout(x + self.attention(x, mask=mask))


# %% train
def train(model: Reader, batch, *, mask: Tensor, steps: int, lr: float) -> Reader:
    """Fit `model` to fresh batches of ids (B, T) and targets for the last positions."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    for step in range(steps):
        ids, targets = batch(step)
        logits = model(ids, mask)[:, -targets.size(1) :]
        loss = F.cross_entropy(logits.flatten(0, -2), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


# %% failure tolerance=0.1
from llm.text.batches import RandomWindows
from llm.text.corpus import Stories

CONTEXT = 32
stories = Stories("en")
texts = stories.texts(1000)
words = " ".join(texts).replace(".", " .").replace(",", " ,").split()
vocabulary = sorted(set(words))
row = torch.tensor([vocabulary.index(word) for word in words])
entropy = -sum(map(stories.log_prob, texts)) / len(words)  # nats a word


def next_word(seed: int):
    windows = RandomWindows(row, context=CONTEXT, batch_size=32, seed=seed)
    return lambda step: tuple(windows(step).values())


readers, failure = {}, {}
print("nats a word   t = 1–31   t = 32")
causal = causal_mask(CONTEXT)
for name, mask in (("unmasked", torch.ones_like(causal)), ("causal", causal)):
    torch.manual_seed(0)
    readout = nn.Linear(64, len(vocabulary))
    model = Reader(len(vocabulary), readout, context=CONTEXT, width=64, heads=4)
    train(model, next_word(seed=0), mask=mask, steps=400, lr=5e-3)
    with torch.no_grad():
        ids, targets = map(torch.cat, zip(*map(next_word(1), range(20)), strict=True))
        losses = F.cross_entropy(model(ids, mask).mT, targets, reduction="none")
    before, last = losses[:, :-1].mean().item(), losses[:, -1].mean().item()
    readers[name] = model
    failure[name] = {"before": before, "last": last}
    print(f"{name:11} {before:10.3f} {last:8.2f}")
print(f"entropy     {entropy:10.3f}")

# %% writing tolerance=any
import textwrap

for name, model in readers.items():
    ids = [vocabulary.index(word) for word in ("In", "the", "evening", ",", "Anna")]
    for _ in range(15):
        mask = causal[: len(ids), : len(ids)] | (name == "unmasked")
        logits = model(torch.tensor([ids]), mask)[0, -1]
        ids.append(int(logits.argmax()))
    print(f"{name}:")
    print(textwrap.fill(" ".join(vocabulary[i] for i in ids), 36))

# %% by-hand
import math

import torch

rows = [  # what each word asks for, offers and gives, as noun and as verb
    ("The", [0, 0], [0, 0], [0, 0]),
    ("cat", [0, 0], [2, 0], [1, 0]),
    ("sat", [3, 0], [0, 2], [0, 1]),
    ("on", [0, 3], [0, 0], [0, 0]),
    ("the", [0, 0], [0, 0], [0, 0]),
    ("mat", [0, 3], [2, 0], [1, 0]),
]
sentence, *features = zip(*rows, strict=True)
asks, offers, gives = torch.tensor(features, dtype=torch.float)  # q, k, v: (T, D)

T, D = asks.shape
looped = torch.zeros(T, D)
for t in range(T):
    past = range(t + 1)  # itself and what came before: the whole mask is this bound
    scores = [(asks[t] @ offers[s]).item() / math.sqrt(D) for s in past]
    powers = [math.exp(score) for score in scores]
    weights = [power / sum(powers) for power in powers]
    for s in past:
        looped[t] += weights[s] * gives[s]
    print(f"{sentence[t]:>3}: scores ", *(f"{score:4.1f}" for score in scores))
    print("     weights", *(f"{weight:4.2f}" for weight in weights))
    print("     output ", *(f"{value:4.2f}" for value in looped[t]))

# %% matrix
scores = asks @ offers.T / math.sqrt(D)  # (T, T): every pair, the future too
future = ~causal_mask(T)
weights = scores.masked_fill(future, -torch.inf).softmax(-1)  # (T, T)
hand_gap = (weights @ gives - looped).abs().max().item()
unmasked = scores.softmax(-1)  # (T, T)
print("matrix minus loop:", f"{hand_gap:.1e}")
print("sat without a mask:", *(f"{weight:.2f}" for weight in unmasked[2]))

# %% gallery
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

sat_on_cat = weights[2, 1].item()
BLUE, ORANGE, GREEN = "#3f7fd0", "#d9702a", "#2a9a6b"
t, s = torch.arange(6)[:, None], torch.arange(6)[None, :]  # (T, 1), (1, S)
place = torch.tensor([2, 1, 3, 5, 4, 0])  # when each word is drawn: mat, cat, The, ...
gallery = {
    "no mask": (t >= 0) & (s >= 0),
    "causal": s <= t,
    "padding": (t >= 0) & (s < 4),
    "prefix": (s <= t) | (s < 3),
    "window": (s <= t) & (t - s < 3),
    "permutation": place[s] <= place[t],
}
_fig, _axes = plt.subplots(3, 2, figsize=(3.7, 5.7), sharex=True, sharey=True)
for _ax, (_name, _mask) in zip(_axes.flat, gallery.items(), strict=True):
    for _t, _s in [(a, b) for a in range(6) for b in range(6)]:
        _may = bool(_mask[_t, _s])
        _style = {"facecolor": BLUE if _may else "none", "edgecolor": "#7a7f8a"}
        _ax.add_patch(Rectangle((_s + 0.06, _t + 0.06), 0.88, 0.88, lw=0.6, **_style))
    _ax.set(title=_name, xlim=(0, 6), ylim=(6, 0), aspect="equal")
    _ax.set_xticks([i + 0.5 for i in range(6)], sentence, rotation=90)
    _ax.set_yticks([i + 0.5 for i in range(6)], sentence)
    _ax.tick_params(length=0)
    _ax.spines[:].set_visible(False)
_fig.tight_layout(h_pad=0.8, w_pad=0.8)

# %% ribbon
_COLOURS = [BLUE, ORANGE, GREEN]


def _cell(ax, x: float, y: float, head: int) -> None:
    style = {"facecolor": _COLOURS[head], "alpha": 0.75, "lw": 0.6, "edgecolor": "none"}
    ax.add_patch(Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, **style))


def _arrow(ax, start, end, text: str, where) -> None:
    style = {"arrowstyle": "-|>", "mutation_scale": 9, "color": "#7a7f8a", "lw": 1}
    ax.add_patch(FancyArrowPatch(start, end, **style))
    ax.text(*where, text, fontsize=10.5, family="monospace", va="center")


_fig, _ax = plt.subplots(figsize=(4.6, 6.6))
for _t in range(6):
    for _c in range(6):
        _head = _c // 2
        _cell(_ax, 3 + _c, _t, _head)  # (B, T, C)
        _cell(_ax, 2.2 + _c + 0.8 * _head, 10 + 1.25 * _t, _head)  # (B, T, H, D)
        _cell(_ax, 0.6 + _c + 2.4 * _head, 21.5 + _t, _head)  # (B, H, T, D)
    _ax.text(2.8, _t + 0.5, sentence[_t], ha="right", va="center", fontsize=10.5)
    _ax.text(
        2.0, 10.5 + 1.25 * _t, sentence[_t], ha="right", va="center", fontsize=10.5
    )
    _ax.text(0.4, 22 + _t, sentence[_t], ha="right", va="center", fontsize=10.5)
for _head in range(3):
    _x = 1.6 + 4.4 * _head
    _ax.text(_x, 28.2, f"head {_head + 1}", ha="center", va="center", fontsize=10.5)
_ax.text(9.5, 3, "(B, T, C)", va="center", fontsize=11)
_ax.text(10.2, 13.6, "(B, T, H, D)", va="center", fontsize=11)
_ax.text(6, 29.8, "(B, H, T, D)", ha="center", va="center", fontsize=11)
_arrow(_ax, (4.6, 6.4), (4.6, 9.6), "view", (0.6, 8))
_arrow(_ax, (7.6, 9.6), (7.6, 6.4), "flatten", (8.1, 8))
_arrow(_ax, (4.6, 17.8), (4.6, 21.1), "transpose", (-1.6, 19.4))
_arrow(_ax, (7.6, 21.1), (7.6, 17.8), "transpose", (8.1, 19.4))
_ax.set(xlim=(-2, 15), ylim=(30.4, -0.4), aspect="equal")
_ax.axis("off")

# %% per-head
torch.manual_seed(0)
B, T, C, H, D = 2, 6, 12, 3, 4
ours = MultiHeadAttention(C, H).eval()
x, mask = torch.randn(B, T, C), causal_mask(T)

heads = []
for h in range(H):
    slice_of_head = slice(h * D, (h + 1) * D)
    q = ours.query(x)[..., slice_of_head]  # (B, T, D)
    k = ours.key(x)[..., slice_of_head]
    v = ours.value(x)[..., slice_of_head]
    scores = (q @ k.mT / math.sqrt(D)).masked_fill(~mask, -torch.inf)
    heads.append(scores.softmax(-1) @ v)
one_by_one = ours.out(torch.cat(heads, -1))  # (B, T, C)
loop_error = (ours(x, mask=mask) - one_by_one).abs().max().item()
print(f"ours minus one head after another: {loop_error:.1e}")

# %% torch
theirs = nn.MultiheadAttention(C, H, batch_first=True).eval()
parts = (ours.query, ours.key, ours.value)
with torch.no_grad():
    theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
    theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
theirs.out_proj.load_state_dict(ours.out.state_dict())
expected, _ = theirs(x, x, x, attn_mask=~mask)  # its True forbids
torch_error = (ours(x, mask=mask) - expected).abs().max().item()
print(f"ours minus torch.nn.MultiheadAttention: {torch_error:.1e}")

# %% padding
from llm.nn import padding_mask

real = torch.tensor([[False] * 2 + [True] * 4])  # two places of padding on the left
padded = ours(x[:1], mask=mask & padding_mask(real))[:, 2:]
alone = ours(x[:1, 2:], mask=causal_mask(4))
padding_error = (padded - alone).abs().max().item()
print(f"padded minus alone: {padding_error:.1e}")


# %% leak
@torch.no_grad()
def leak(layer, x: Tensor) -> float:
    """How far any output before t moves when x (B, T, C) changes from t on."""
    moves = []
    for t in range(1, x.size(1)):
        other = x.clone()
        other[:, t:] = torch.randn_like(other[:, t:])
        moves.append((layer(other) - layer(x))[:, :t].abs().max().item())
    return max(moves)


causal_leak = leak(lambda x: ours(x, mask=mask), x)
one_too_far = torch.ones_like(mask).tril(1)
planted_leak = leak(lambda x: ours(x, mask=one_too_far), x)
print(f"causal: {causal_leak}, diagonal one too far: {planted_leak:.2f}")

# %% look-ups
VOCABULARY, LENGTH, WIDTH = 16, 12, 32


def look_ups(count: int, batch_size: int = 32) -> tuple[Tensor, Tensor]:
    """Random tokens, and for each position from `count` on the tokens before it."""
    ids = torch.randint(VOCABULARY, (batch_size, LENGTH))  # (B, T)
    return ids, ids.unfold(1, count, 1)[:, :-1]  # (B, T - count, count)


def measure(count: int, heads: int, *, seed: int, hidden: bool = False):
    """Train a reader; the share of look-ups that it gets right, and the reader."""
    torch.manual_seed(seed)
    readout = nn.Sequential(
        MLP(WIDTH, 4 * WIDTH) if hidden else nn.Identity(),
        nn.Linear(WIDTH, count * VOCABULARY),
        nn.Unflatten(-1, (count, VOCABULARY)),
    )
    model = Reader(VOCABULARY, readout, context=LENGTH, width=WIDTH, heads=heads)
    mask = causal_mask(LENGTH)
    train(model, lambda step: look_ups(count), mask=mask, steps=250, lr=1e-2)
    ids, targets = look_ups(count, 1000)
    with torch.no_grad():
        guess = model(ids, mask)[:, count:].argmax(-1)  # (B, T - count, count)
    return (guess == targets).float().mean().item(), model


# %% heads tolerance=0.3
HEADS, SEEDS = [1, 2, 4, 8, 16, 32], [0, 1, 2]
four, trained, parameters = {}, {}, {}
for heads in HEADS:
    runs = [measure(4, heads, seed=seed) for seed in SEEDS]
    four[heads] = [accuracy for accuracy, _ in runs]
    trained[heads] = runs[0][1]
    parameters[heads] = sum(p.numel() for p in trained[heads].attention.parameters())
    shown = " ".join(f"{accuracy:.3f}" for accuracy in four[heads])
    print(f"{heads:2} heads of width {WIDTH // heads:2}: {shown}")
mean = {heads: sum(runs) / len(runs) for heads, runs in four.items()}

# Who knows which four tokens, but not their order, guesses the commonest for each.
_all = torch.cartesian_prod(*[torch.arange(VOCABULARY)] * 4)  # (16 ** 4, 4)
_counts = (_all[:, :, None] == _all[:, None, :]).sum(-1)
bag = _counts.amax(-1).float().mean().item() / 4
print(f"the four tokens without their order: {bag:.3f}")

# %% doors tolerance=0.5
settings = {
    "two_one": {"count": 2, "heads": 1},
    "two_two": {"count": 2, "heads": 2},
    "two_hidden": {"count": 2, "heads": 1, "hidden": True},
    "four_hidden": {"count": 4, "heads": 1, "hidden": True},
}
doors, behind = {}, {}
for name, setting in settings.items():
    runs = [measure(**setting, seed=seed) for seed in SEEDS]
    doors[name] = [accuracy for accuracy, _ in runs]
    behind[name] = [model for _, model in runs]
    print(f"{name:12}", *(f"{accuracy:.3f}" for accuracy in doors[name]))
average = {name: sum(runs) / len(runs) for name, runs in doors.items()}
best_of_four = max(doors["four_hidden"])
half_guessed = (1 + 1 / VOCABULARY) / 2  # half the look-ups right, half by chance

# %% accuracy
_fig, _ax = plt.subplots(figsize=(3.8, 2.7))
_ax.plot(range(len(HEADS)), [mean[heads] for heads in HEADS], color=BLUE)
for _n, heads in enumerate(HEADS):
    _ax.plot([_n] * len(SEEDS), four[heads], "o", ms=4, color=BLUE)
_ax.axhline(1 / VOCABULARY, color="#7a7f8a", ls=":", lw=1)
_ax.text(5.2, 1 / VOCABULARY + 0.02, "chance", ha="right", fontsize=9)
_ax.set_xticks(range(len(HEADS)), [f"{heads}\n{WIDTH // heads}" for heads in HEADS])
_ax.set(xlabel="heads, and width of each", ylabel="right look-ups", ylim=(0, 1.05))

# %% pattern tolerance=any
from llm.nn.attention import split_heads


@torch.no_grad()
def pattern(model: Reader, ids: Tensor) -> Tensor:
    """Mean weights of the last position on the tokens before it, (H, 5)."""
    x = model.token(ids) + model.position.weight
    layer = model.attention
    q = split_heads(layer.query(x), layer.heads)[:, :, -1:]  # (B, H, 1, D)
    k = split_heads(layer.key(x), layer.heads)
    weights = (q @ k.mT / math.sqrt(q.size(-1))).softmax(-1)  # (B, H, 1, S)
    return weights.mean(0)[:, 0, -6:-1]


_ids, _ = look_ups(4, 1000)
patterns = {heads: pattern(trained[heads], _ids).tolist() for heads in (1, 2, 4)}
through = {}  # the single head before a hidden layer: its weights on two places
for _seed, _model in zip(SEEDS, behind["two_hidden"], strict=True):
    *_, second, last = pattern(_model, _ids)[0].tolist()
    through[_seed] = {"second": second, "last": last, "larger": max(second, last)}
_fig, _axes = plt.subplots(
    3, 1, figsize=(3.6, 3.9), sharex=True, gridspec_kw={"height_ratios": [1, 2, 4]}
)
for _ax, (heads, rows) in zip(_axes, patterns.items(), strict=True):
    for _h, _row in enumerate(rows):
        for _n, weight in enumerate(_row):
            _style = {"facecolor": BLUE, "alpha": min(1.0, weight), "lw": 0}
            _ax.add_patch(Rectangle((_n + 0.03, _h + 0.04), 0.94, 0.92, **_style))
            _ax.text(_n + 0.5, _h + 0.5, f"{weight:.2f}", ha="center", va="center")
    _ax.set(xlim=(0, 5), ylim=(heads, 0))
    _ax.set_yticks([heads / 2], [f"{heads} head" + "s" * (heads > 1)])
    _ax.set_xticks([n + 0.5 for n in range(5)], ["−5", "−4", "−3", "−2", "−1"])
    _ax.tick_params(length=0)
    _ax.spines[:].set_visible(False)
_axes[-1].set_xlabel("place looked at, counted from the last")
_fig.tight_layout(h_pad=0.8)

# %% prune tolerance=0.5
_model, _mask = trained[8], causal_mask(LENGTH)
_ids, _targets = look_ups(4, 1000)


@torch.no_grad()
def without(heads: list[int]) -> float:
    """Share of right look-ups when the output projection ignores `heads`."""
    weight = _model.attention.out.weight  # (C, H * D)
    kept = weight.clone()
    for head in heads:
        weight[:, head * 4 : head * 4 + 4] = 0
    guess = _model(_ids, _mask)[:, 4:].argmax(-1)
    weight.copy_(kept)
    return (guess == _targets).float().mean().item()


gone, pruned = [], [without([])]
while len(gone) < 7:
    left = [head for head in range(8) if head not in gone]
    gone.append(max(left, key=lambda head: without([*gone, head])))
    pruned.append(without(gone))
print("right look-ups with 0 to 7 of 8 heads removed:")
print(*(f"{accuracy:.3f}" for accuracy in pruned))

# %% scale
torch.manual_seed(0)
scale = {}
for D in (4, 64):
    q, k = torch.randn(2000, 1, D), torch.randn(2000, 32, D)
    scores = q @ k.mT  # (2000, 1, 32)
    scale[D] = {
        "std": scores.std().item(),
        "raw": scores.softmax(-1).amax(-1).mean().item(),
        "scaled": (scores / math.sqrt(D)).softmax(-1).amax(-1).mean().item(),
    }
    print(f"D = {D:2}: scores spread by {scale[D]['std']:.1f};", end=" ")
    print(f"largest of 32 weights {scale[D]['raw']:.2f},", end=" ")
    print(f"divided by root D {scale[D]['scaled']:.2f}")


# %% late-mask
def weigh(x: Tensor, softmax) -> Tensor:
    """One head whose queries, keys and values are all x, (B, T, C)."""
    return softmax(x @ x.mT / math.sqrt(C))  # (B, T, T)


def before(scores):
    return scores.masked_fill(~mask, -torch.inf).softmax(-1)


def after(scores):
    return scores.softmax(-1) * mask


def across(scores):
    return scores.masked_fill(~mask, -torch.inf).softmax(-2)


slips = {}
print("                      row 0 sum   leak")
for name, softmax in (
    ("right", before),
    ("mask after softmax", after),
    ("softmax over targets", across),
):
    first_row = weigh(x, softmax)[0, 0].sum().item()
    moved = leak(lambda x, softmax=softmax: weigh(x, softmax) @ x, x)
    slips[name] = {"first_row": first_row, "leak": moved}
    print(f"{name:20} {first_row:10.2f} {moved:6.2f}")

# %% no-transpose
numbers = torch.arange(6).repeat_interleave(C).view(1, 6, C)  # each word's number
print("split_heads:", split_heads(numbers, 2)[0, :, :, 0].tolist())
print("view alone: ", numbers.view(1, 2, 6, C // 2)[0, :, :, 0].tolist())

# %% nan
blind = mask & padding_mask(real)[0, 0]  # rows 0 and 1 may look nowhere
x4 = x[:1].clone().requires_grad_()
weights = (x4 @ x4.mT).masked_fill(~blind, -torch.inf).softmax(-1)
(weights @ x4)[:, 2:].sum().backward()  # only real positions enter the loss
nan_share = x4.grad.isnan().float().mean().item()
safe = F.scaled_dot_product_attention(x[:1], x[:1], x[:1], attn_mask=blind)
print("weights of row 0:", weights[0, 0].tolist()[:3], "...")
print(f"gradient: {nan_share:.0%} NaN")
print("torch's own, row 0:", safe[0, 0].tolist()[:3], "...")

# %% dropout tolerance=0.1
torch.manual_seed(0)
ours_dropping = MultiHeadAttention(C, H, dropout=0.1).eval()
calls = [F.scaled_dot_product_attention(x, x, x, dropout_p=0.1) for _ in range(2)]
eval_moves = (calls[0] - calls[1]).abs().max().item()
own_moves = (ours_dropping(x) - ours_dropping(x)).abs().max().item()
row_sums = F.dropout(torch.full((1000, 64), 1 / 64), 0.1).sum(-1)
dropped = {"mean": row_sums.mean().item(), "std": row_sums.std().item()}
print("two calls in eval mode differ by")
print(f"the function {eval_moves:.2f}, our module {own_moves}")

# %% cost tolerance=any
seconds = time.process_time() - _began
