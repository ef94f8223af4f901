"""What `import llm` costs beside the `import torch` that it needs."""

import subprocess
import sys

from bench import Comparison


def run(code: str) -> None:
    """Start a fresh Python for one line."""
    subprocess.run([sys.executable, "-c", code], check=True)


def comparisons() -> list[Comparison]:
    """The budget is 50 ms, which is 4 % of an import of torch that takes 1.25 s."""
    return [
        Comparison(
            "import torch, llm, over import torch",
            lambda: run("import torch, llm"),
            lambda: run("import torch"),
            1.04,
        )
    ]
