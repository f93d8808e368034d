"""Where each element of a padded axis comes from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MODES = ("constant", "edge", "reflect", "wrap")


def places(size: int, before: int, after: int, mode: str) -> NDArray[np.int64]:
    """Indices [before + size + after] into an axis, -1 where the constant stands; negative widths cut the axis.

    Raises ValueError where a mode other than constant would cut, or needs more elements than the axis has.
    """
    at = np.arange(-before, size + after)
    if mode == "constant":
        return np.where((at >= 0) & (at < size), at, -1)
    most = {"edge": np.inf if size else 0, "reflect": size - 1, "wrap": size}[mode]
    if min(before, after) < 0 or max(before, after) > max(most, 0):
        wanted = f"pads of 0 to {most:.0f} with mode {mode!r}" if mode != "edge" else f"pads >= 0 with mode {mode!r}"
        raise ValueError(f"expected {wanted} on an axis of {size}, got {before} and {after}")
    if mode == "edge":
        return at.clip(0, size - 1)
    if mode == "wrap":
        return at % max(size, 1)
    turned = np.abs(at)
    return np.where(turned > size - 1, 2 * (size - 1) - turned, turned)
