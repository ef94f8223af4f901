"""Optimisers: AdamW for everything, or Muon for the matrices and AdamW for the rest.

AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019) is torch's own, fused.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) takes the momentum
of a weight matrix and replaces it by the nearest matrix with orthonormal rows or
columns, so that every direction is learned at the same pace, not only the few that
dominate the gradient. Embeddings, head, norms and biases are no maps between hidden
spaces, and stay with AdamW.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

OPTIMIZERS = ("adamw", "muon")

# Coefficients of the odd quintic a x + b x^3 + c x^5 (Jordan et al. 2024): steep at 0,
# so that small singular values grow fast, at the price of ending near 1 and not at 1.
QUINTIC = (3.4445, -4.7750, 2.0315)

# GPT-3 (Brown et al. 2020): a shorter memory of squared gradients than Adam's 0.999.
BETAS = (0.9, 0.95)


def orthogonalize(matrix: Tensor, *, steps: int) -> Tensor:
    """Push all singular values of `matrix` (..., R, C) towards 1, directions unchanged.

    For a matrix U S V^T the limit is U V^T. A Newton-Schulz iteration gets there with
    matrix products alone: an odd polynomial of X acts on its singular values only.
    """
    a, b, c = QUINTIC
    wide = matrix.size(-2) <= matrix.size(-1)
    x: Tensor = (
        matrix if wide else matrix.mT
    )  # the Gram matrix below on the smaller side
    size = torch.linalg.matrix_norm(x, keepdim=True)  # Frobenius
    x = x / (size + 1e-7)  # singular values at most 1
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised (Jordan et al. 2024).

    An update has singular values of about `lr`, times sqrt(R / C) for a matrix (R, C)
    with more rows than columns. Decay is decoupled, as in AdamW.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        lr: float = 0.04,
        momentum: float = 0.9,
        steps: int = 3,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "steps": steps,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            for matrices in same_shape(group["params"]):
                rows, columns = matrices[0].shape
                lr = group["lr"] * max(1.0, rows / columns) ** 0.5
                directions = torch.stack([self.direction(p, group) for p in matrices])
                updates = orthogonalize(directions, steps=group["steps"])
                for p, update in zip(matrices, updates, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.sub_(update, alpha=lr)

    def direction(self, p: Tensor, group: dict[str, float]) -> Tensor:
        """Add the gradient to the momentum of `p`; return Nesterov's look ahead."""
        assert p.grad is not None
        if p not in self.state:
            self.state[p]["momentum"] = torch.zeros_like(p)
        momentum: Tensor = self.state[p]["momentum"]
        momentum.mul_(group["momentum"]).add_(p.grad)
        return p.grad + group["momentum"] * momentum


def same_shape(params: list[Tensor]) -> Iterator[list[Tensor]]:
    """Parameters that have a gradient, by shape: one batched product serves each."""
    shapes: dict[torch.Size, list[Tensor]] = {}
    for p in params:
        if p.grad is not None:
            shapes.setdefault(p.shape, []).append(p)
    yield from shapes.values()


def make_optimizers(
    model: nn.Module,
    *,
    optimizer: str,
    lr: float,
    embedding_lr: float,
    other_lr: float,
    weight_decay: float,
) -> list[torch.optim.Optimizer]:
    """The optimisers that together train every parameter of `model` once.

    "adamw": one rate; decay for all that has two dimensions or more, since pulling a
    gain or a bias towards 0 simplifies nothing. "muon": `lr` and decay for the hidden
    matrices; AdamW with `embedding_lr` for embeddings (and a head tied to them) and
    with `other_lr` for an untied head, norms and biases.
    """
    params = [p for p in model.parameters() if p.requires_grad]
    if optimizer == "adamw":
        matrices = [p for p in params if p.ndim >= 2]
        rest = [p for p in params if p.ndim < 2]
        groups = [
            {"params": matrices, "lr": lr, "weight_decay": weight_decay},
            {"params": rest, "lr": lr},
        ]
        return with_peaks([adamw(groups)])
    embeddings, head = embedding_and_head(model)
    matrices = [p for p in params if p.ndim == 2 and p not in embeddings | head]
    groups = [
        {"params": [p for p in params if p in embeddings], "lr": embedding_lr},
        {
            "params": [p for p in params if p not in {*embeddings, *matrices}],
            "lr": other_lr,
        },
    ]
    muon = [Muon(matrices, lr=lr, weight_decay=weight_decay)] if matrices else []
    return with_peaks([*muon, adamw(groups)])


def adamw(groups: list[dict[str, Any]]) -> torch.optim.AdamW:
    """torch's AdamW in one fused kernel; no decay but where a group asks for it."""
    return torch.optim.AdamW(groups, betas=BETAS, weight_decay=0.0, fused=True)


def embedding_and_head(model: nn.Module) -> tuple[set[Tensor], set[Tensor]]:
    """Weights of all embeddings, and of the linear map called "head"."""
    embeddings: set[Tensor] = set()
    head: set[Tensor] = set()
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding):
            embeddings.add(module.weight)
        elif isinstance(module, nn.Linear) and name.split(".")[-1] == "head":
            head.add(module.weight)
    return embeddings, head - embeddings


def with_peaks(
    optimizers: list[torch.optim.Optimizer],
) -> list[torch.optim.Optimizer]:
    """Note each group's rate as its peak, for `set_rate` to scale."""
    for group in groups_of(optimizers):
        group["peak"] = group["lr"]
    return optimizers


def set_rate(optimizers: list[torch.optim.Optimizer], share: float) -> None:
    """Set every learning rate to `share` of its peak."""
    for group in groups_of(optimizers):
        group["lr"] = share * group["peak"]


def groups_of(optimizers: list[torch.optim.Optimizer]) -> list[dict[str, Any]]:
    """All parameter groups of all optimisers."""
    return [group for optimizer in optimizers for group in optimizer.param_groups]


def state_tensors(
    model: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """What the optimisers remember, as "parameter/quantity" -> tensor."""
    return {
        f"{name}/{key}": value
        for name, p in model.named_parameters()
        for optimizer in optimizers
        for key, value in optimizer.state.get(p, {}).items()
    }


def load_state_tensors(
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    tensors: dict[str, Tensor],
) -> None:
    """Give the optimisers back what `state_tensors` took from them."""
    params = dict(model.named_parameters())
    for optimizer in optimizers:
        owned = {p for group in optimizer.param_groups for p in group["params"]}
        optimizer.state.clear()
        for path, value in tensors.items():
            name, key = path.rsplit("/", 1)
            if params[name] in owned:
                p = params[name]
                optimizer.state[p][key] = value.to(p.device)
