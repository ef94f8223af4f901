# ruff: noqa: E402, I001
"""Attention from a dot product: four tokens look at each other."""

# %% weights
import torch

from llm.attention import Attention

torch.manual_seed(0)
q, k = torch.randn(2, 4, 8)
weights = Attention.weights(q, k)
largest = weights.max().item()
sizes = {"rows": {"count": 4, "width": 8.0}}
history = [3.0, 2.5, 2.0]
print(weights)
f"the largest is {largest:.3f}"

# %% plot
import matplotlib.pyplot as plt

fig, ax = plt.subplots()
ax.plot(history, label="loss")
ax.set(xlabel="step", ylabel="loss")
ax.legend()


# %% drawing
class Box:
    def _repr_svg_(self) -> str:
        return (
            '<svg viewBox="0 0 90 30" width="90"><rect id="r" width="90" height="30"'
            ' fill="none" stroke="currentColor"/><text x="9" y="20">loss</text></svg>'
        )


Box()

# %% chance tolerance=any
import time

now = time.time()
print(now)
