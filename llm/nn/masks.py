"""Who may attend to whom: one vocabulary of masks for every model.

Masks are boolean, True where a target position may attend to a source position. They
have shape (..., T, S), broadcast to (B, H, T, S), and combine with `&`. The last target
stands on the last source: the S - T sources before the targets are their past.
"""

import torch
from torch import Tensor


def causal_mask(
    target: int,
    source: int | None = None,
    *,
    window: int | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Each position may attend to itself and to what came before: (T, S) boolean.

    Args:
        target: T, number of positions that attend.
        source: S, number of positions attended to; T when not given.
        window: how many of the latest positions are seen, itself included; all when
            not given. This is sliding-window attention (Beltagy et al. 2020,
            arXiv:2004.05150, section 3.1).
        device: where the mask is made.
    """
    source = target if source is None else source
    full = torch.ones(target, source, dtype=torch.bool, device=device)  # (T, S)
    causal = full.tril(source - target)
    return causal if window is None else causal.triu(source - target - window + 1)


def prefix_mask(
    length: int, prefix: int, *, device: torch.device | None = None
) -> Tensor:
    """A prefix that all may attend to, and a causal rest: (T, T) boolean.

    Raffel et al. 2020 (arXiv:1910.10683), section 3.2.1, "causal with prefix".

    Args:
        length: T, number of positions.
        prefix: how many of the first positions see each other in both directions.
        device: where the mask is made.
    """
    mask = causal_mask(length, device=device)  # (T, T)
    mask[:, :prefix] = True
    return mask


def padding_mask(real: Tensor) -> Tensor:
    """Nobody may attend to padding: (B, S), True at real tokens, to (B, 1, 1, S)."""
    return real[:, None, None, :]


def permutation_mask(order: Tensor, *, itself: bool) -> Tensor:
    """Each position may attend to those that come before it in `order`: (..., T, T).

    Yang et al. 2019 (arXiv:1906.08237), section 2.3. With `itself`, as the content
    stream sees; without, as the query stream does, which must not see what it predicts.

    Args:
        order: positions in the order in which they are predicted, (..., T).
        itself: whether a position may attend to itself.
    """
    rank = order.argsort(-1)  # (..., T): when each position has its turn
    earlier, later = rank[..., None, :], rank[..., :, None]
    return earlier <= later if itself else earlier < later


def segment_mask(segments: Tensor) -> Tensor:
    """Each position sees its own segment only: (B, T) to (B, 1, T, T).

    Args:
        segments: the number of the text that each position belongs to, where several
            stand in one row.
    """
    return segments[:, None, :, None] == segments[:, None, None, :]


def segment_positions(segments: Tensor) -> Tensor:
    """Positions that begin at 0 with every segment: (B, T) to (B, T).

    Args:
        segments: as for `segment_mask`; positions of one segment stand side by side.
    """
    places = torch.arange(segments.size(1), device=segments.device)  # (T,)
    first = torch.ones_like(segments, dtype=torch.bool)
    first[:, 1:] = segments[:, 1:] != segments[:, :-1]
    starts = (places * first).cummax(1).values  # (B, T)
    return places - starts
