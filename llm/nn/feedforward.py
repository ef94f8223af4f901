"""Feed-forward networks: what each position does on its own, after attention.

`MLP` is that of Vaswani et al. 2017 (arXiv:1706.03762), equation 2. `GatedMLP` is the
family of Shazeer 2020 (arXiv:2002.05202), equation 6: SwiGLU with SiLU, GEGLU with
GELU. GELU: Hendrycks and Gimpel 2016 (arXiv:1606.08415).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

# "gelu" is the tanh approximation that GPT-2 uses; it differs from the exact GELU by
# less than 0.0005 anywhere.
Activation = Literal["relu", "silu", "gelu", "gelu_exact"]
ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "silu": F.silu,
    "gelu": partial(F.gelu, approximate="tanh"),
    "gelu_exact": F.gelu,
}


class MLP(nn.Module):
    """down(activation(up(x))).

    Args:
        width: C, width of the input and of the output.
        hidden: width between the two layers.
        activation: see `ACTIVATIONS`.
        bias: whether the layers add a bias.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: Activation = "gelu",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias=bias)
        self.activation = ACTIVATIONS[activation]
        self.down = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        x = self.down(self.activation(self.up(x)))
        return x


class GatedMLP(nn.Module):
    """down(activation(gate(x)) · up(x)): one projection decides how much passes.

    Args:
        width: C, width of the input and of the output.
        hidden: width in between. Three matrices instead of two: two thirds of an MLP's
            hidden width cost the same.
        activation: "silu" makes it SwiGLU, "gelu" GEGLU.
        bias: whether the layers add a bias.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: Activation = "silu",
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=bias)
        self.up = nn.Linear(width, hidden, bias=bias)
        self.activation = ACTIVATIONS[activation]
        self.down = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        x = self.down(self.activation(self.gate(x)) * self.up(x))
        return x
