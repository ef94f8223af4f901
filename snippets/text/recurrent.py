"""Recurrence: a state, its gates, its gradients, and what does not fit into it."""

# %% clock
import time

import torch

torch.set_num_threads(1)  # small shapes gain nothing from more
_begin = time.process_time()

# %% by-hand
from llm.models.recurrent import Recurrent, RecurrentConfig, State

torch.manual_seed(0)
tiny = Recurrent(RecurrentConfig(vocab_size=6, layers=1, width=4, cell="lstm"))
words = "The cat sat on the mat".split()
ids = torch.arange(6)[None]  # (B, T): one row, a word an id

W, U = tiny.cells.weight_ih_l0, tiny.cells.weight_hh_l0  # (4·C, C) each
b, d = tiny.cells.bias_ih_l0, tiny.cells.bias_hh_l0
h = c = torch.zeros(4)
for t in range(6):
    x = tiny.embedding.weight[ids[0, t]]
    i, f, g, o = (W @ x + b + U @ h + d).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    kept = f.sigmoid().mean().item()
    state = " ".join(f"{v:+.2f}" for v in h)
    print(f"{words[t]:>4}  keeps {kept:.2f} of what it had, state {state}")
hand_error = (tiny.embedding.weight @ h - tiny(ids)[0, -1]).abs().max().item()
print(f"largest difference from tiny(ids): {hand_error:.1e}")

# %% carry
state = State()
with torch.no_grad():
    parts = [tiny(piece, state=state) for piece in ids.split(2, dim=1)]
    carry_error = (torch.cat(parts, dim=1) - tiny(ids)).abs().max().item()
state_numbers = sum(tensor.numel() for tensor in state.tensors)
print(f"in three pieces, state carried: largest difference {carry_error:.1e}")
print(f"the state after 6 words, as after 6 million: {state_numbers} numbers")

# %% gradients
from llm import GPT, GPTConfig

LENGTH = 50


def make(kind, length=LENGTH):
    """About 50,000 parameters of one of three kinds, newly drawn."""
    torch.manual_seed(0)
    if kind == "attention":
        return GPT(GPTConfig(9, 2 * length, layers=1, heads=4, width=64))
    width = {"RNN": 152, "LSTM": 76}[kind]
    return Recurrent(RecurrentConfig(9, 1, width, cell=kind.lower(), tied=False))


def gradient_norms(model):
    """How much a last logit changes with each token's vector, the last one first."""
    vectors = []
    keep = model.embedding.register_forward_hook(lambda _, ids, x: vectors.append(x))
    ids = torch.randint(9, (32, LENGTH))
    logit = model(ids)[:, -1, 0].sum()
    [gradient] = torch.autograd.grad(logit, vectors)
    keep.remove()
    return gradient.norm(dim=-1).mean(0).flip(0).tolist()  # (T,)


kinds = ["RNN", "LSTM", "attention"]
norms = {kind: gradient_norms(make(kind)) for kind in kinds}
left = {kind: found[40] / found[1] for kind, found in norms.items()}
for kind, share in left.items():
    print(f"{kind:>9}: {share:8.1e} of the gradient at distance 1 is left at 40")

# %% distance
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3.2))
for kind, found in norms.items():
    ax.semilogy(range(LENGTH), [norm / found[1] for norm in found], label=kind)
ax.set(xlabel="distance in tokens", ylabel="gradient norm, 1 at distance 1")
ax.legend(frameon=False)
fig.tight_layout()

# %% bound
rnn = make("RNN")
U = rnn.cells.weight_hh_l0.detach()  # (C, C)
largest = torch.linalg.matrix_norm(U, ord=2).item()
product, measured = torch.eye(len(U)), []
h = torch.zeros(len(U))
for t in range(20):
    x = rnn.embedding.weight[t % 9]
    h = torch.tanh(rnn.cells.weight_ih_l0 @ x + U @ h).detach()
    product = torch.diag(1 - h**2) @ U @ product  # of Jacobians, step after step
    measured.append(torch.linalg.matrix_norm(product, ord=2).item())
bounds = [largest**t for t in range(1, 21)]
print(f"largest singular value of U: {largest:.3f}")
for t in (1, 5, 20):
    print(f"{t:>2} steps: norm {measured[t - 1]:.1e}, bound {bounds[t - 1]:.1e}")
within = all(norm <= bound for norm, bound in zip(measured, bounds))

# %% task
from llm.text.batches import IGNORE

GO = 8  # the symbols are 0 to 7


def copy_batch(length, rows, seed):
    """Symbols, then GO, then the same symbols again: only these are targets."""
    random = torch.Generator().manual_seed(seed)
    symbols = torch.randint(8, (rows, length), generator=random)
    go = torch.full((rows, 1), GO)
    nothing = torch.full((rows, length), IGNORE)
    return {
        "ids": torch.cat((symbols, go, symbols[:, :-1]), dim=1),
        "targets": torch.cat((nothing, symbols), dim=1),
    }


example = copy_batch(5, 1, seed=0)
print("ids    ", example["ids"][0].tolist())
print("targets", example["targets"][0].tolist())

# %% copy tolerance=0.3
from llm import TrainConfig, Trainer

STEPS = 250
LENGTHS = [5, 10, 20, 40]
RATE = {"RNN": 0.02, "LSTM": 0.02, "attention": 0.03}


@torch.no_grad()
def share_copied(model, length):
    """How many symbols of unseen rows are right, the ones before them given."""
    batch = copy_batch(length, 64, seed=10**6)
    guess = model.eval()(batch["ids"])[:, length:].argmax(-1)
    return (guess == batch["targets"][:, length:]).float().mean().item()


def learn(kind, length):
    """Train on rows of one length; return what is copied."""
    model = make(kind, length)
    config = TrainConfig(
        steps=STEPS,
        optimizer="muon",
        lr=RATE[kind],
        embedding_lr=0.02,
        schedule="linear",
        warmup=20,
    )
    Trainer(model, lambda step: copy_batch(length, 32, step), config=config).fit()
    return share_copied(model, length)


copied = {kind: [learn(kind, length) for length in LENGTHS] for kind in kinds}
parameters = {kind: sum(p.numel() for p in make(kind).parameters()) for kind in kinds}
print("length    ", *(f"{length:>6}" for length in LENGTHS))
for kind, shares in copied.items():
    print(f"{kind:<10}", *(f"{share:6.1%}" for share in shares))

# %% bottleneck
fig, ax = plt.subplots(figsize=(6, 3.2))
for kind, shares in copied.items():
    ax.plot(LENGTHS, shares, "o-", label=kind)
ax.axhline(1 / 8, color="C7", linestyle=":", label="guessing")
ax.set(xlabel="symbols to copy", ylabel="share copied", ylim=(0, 1.05))
ax.legend(frameon=False, loc="center right")
fig.tight_layout()

# %% cost tolerance=any
seconds = time.process_time() - _begin
print(f"{seconds:.0f} seconds")
