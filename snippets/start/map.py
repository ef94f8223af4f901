"""How to use these notes: check the machine, and run one thing end to end."""

# %% environment tolerance=any
import llm

for name, value in llm.check_env().items():
    print(f"{name:<12} {value}")

# %% first-run
import torch

from llm import GPT, GPTConfig

torch.manual_seed(0)
model = GPT(GPTConfig(vocab_size=65, context=32, layers=2, heads=4, width=32))
ids = torch.randint(65, (4, 32))  # (B, T): four texts of 32 tokens
logits = model(ids)  # (B, T, V)
print(tuple(ids.shape), "->", tuple(logits.shape))
