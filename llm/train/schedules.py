"""Learning-rate schedules: the share of the peak rate that a step uses.

Every schedule starts with a linear warm-up (Goyal et al. 2017) and then follows one
shape. A shape is a pure function of progress, which runs from 0 at the end of the
warm-up to just below 1 at the last step: the last step still moves the weights.

    cosine    half a cosine from 1 to 0                    Loshchilov and Hutter 2017
    wsd       1, then straight to 0 at the end             Hu et al. 2024
    linear    straight from 1 to 0
    constant  1
"""

import math

SCHEDULES = ("cosine", "wsd", "linear", "constant")


def cosine(progress: float) -> float:
    """Half a cosine: slow at both ends, steepest in the middle."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def wsd(progress: float, *, decay: float) -> float:
    """Warm-up, stable, decay: 1 until the last share `decay`, then straight to 0.

    The stable part does not know how long training will be, so a run may be prolonged
    from any state that was saved in it.
    """
    return min(1.0, (1 - progress) / decay)


def linear(progress: float) -> float:
    """Straight from 1 to 0."""
    return 1 - progress


def constant(progress: float) -> float:
    """1, whatever the progress."""
    return 1.0


def rate(
    step: int, *, schedule: str, steps: int, warmup: int, decay: float, floor: float
) -> float:
    """Share of the peak learning rate at `step`, counted from 0 to `steps` - 1.

    The warm-up climbs in `warmup` equal parts and the shape fills the rest; `floor` is
    the share at which it would end. `decay` matters to "wsd" alone.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / (steps - warmup)
    if schedule == "wsd":
        shape = wsd(progress, decay=decay)
    else:
        shape = {"cosine": cosine, "linear": linear, "constant": constant}[schedule](
            progress
        )
    return floor + (1 - floor) * shape
