"""Feed-forward networks: what each position does on its own, after attention.

`MLP` is that of Vaswani et al. 2017 (arXiv:1706.03762), equation 2, with GELU
(Hendrycks and Gimpel 2016, arXiv:1606.08415) in the place of ReLU. `SwiGLU` is the
gated network of Shazeer 2020 (arXiv:2002.05202), equation 6.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class MLP(nn.Module):
    """down(GELU(up(x))).

    Args:
        width: C, width of the input and of the output.
        hidden: width between the two layers.
        bias: whether the layers add a bias.
        exact: the exact GELU instead of the tanh approximation that GPT-2 uses; they
            differ by less than 0.0005 anywhere.
    """

    def __init__(
        self, width: int, hidden: int, *, bias: bool = True, exact: bool = False
    ) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias=bias)
        self.gelu = nn.GELU("none" if exact else "tanh")
        self.down = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        x = self.down(self.gelu(self.up(x)))
        return x


class SwiGLU(nn.Module):
    """down(SiLU(gate(x)) · up(x)): one projection decides how much of the other passes.

    Args:
        width: C, width of the input and of the output.
        hidden: width in between. Three matrices instead of two: two thirds of an MLP's
            hidden width cost the same.
        bias: whether the layers add a bias.
    """

    def __init__(self, width: int, hidden: int, *, bias: bool = False) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=bias)
        self.up = nn.Linear(width, hidden, bias=bias)
        self.down = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        x = self.down(F.silu(self.gate(x)) * self.up(x))
        return x
