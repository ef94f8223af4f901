"""What this machine runs on: the figures to give when a result differs."""

import platform
import time
from importlib.metadata import version

import torch

LIBRARIES = ("torch", "numpy", "safetensors", "tiktoken")


def check_env(*, size: int = 1024) -> dict[str, str | int | float]:
    """Versions, threads, devices, and the speed of a matrix product.

    `gflops` counts 2·size³ operations of a float32 product of two (size, size)
    matrices, in billions a second: the best of five, on the CPU.
    """
    a, b = torch.randn(2, size, size)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: version(name) for name in LIBRARIES},
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "gflops": round(2 * size**3 / min(seconds) / 1e9, 1),
    }
