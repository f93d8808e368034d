"""From prepared data to what a training sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..prepared import Prepared
from ..spectral import Spectral
from .task import Part, Task


def spectral_task(train: Prepared, held: Prepared, dtype: torch.dtype = torch.float64) -> Task:
    """What the linear part leaves, as flat coefficients: for spectral trunks."""
    return Task(train.name, _part(train, train.rest, dtype), _part(held, held.rest, dtype))


def gridded_task(
    train: Prepared, held: Prepared, period: float, times: ArrayLike, x: ArrayLike, dtype: torch.dtype = torch.float64
) -> Task:
    """The same as values at times [T] (parts of the horizon) and places [n], for trunks of points (t, x).

    Points are (t, cos, sin of x), so that a trunk is periodic; columns are divided by the root of their number.
    """
    norm = train.norm
    form = Spectral(period, norm.modes, 1.0, norm.terms - 1)
    t, places = np.asarray(times, np.float64), np.asarray(x, np.float64)
    root = np.sqrt(len(t) * len(places))

    def values(data: Prepared) -> NDArray[np.float64]:
        return form.values(norm.back(data.rest), t, places).reshape(len(data.inputs), -1) / root

    angle = 2.0 * np.pi / period * places
    across = np.stack([np.cos(angle), np.sin(angle)], 1)
    points = np.concatenate([np.repeat(t, len(places))[:, None], np.tile(across, (len(t), 1))], 1)
    parts = [_part(p, values(p), dtype) for p in (train, held)]
    return Task(train.name, parts[0], parts[1], tensor(points, dtype))


def distinct_inputs(tasks: Sequence[Task]) -> torch.Tensor:
    """All different canonical inputs [n, I] of the training cases."""
    return torch.cat([task.train.inputs for task in tasks]).unique(dim=0)


def tensor(values: NDArray[Any], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """The same numbers."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(dtype)


def _part(data: Prepared, targets: NDArray[np.float64], dtype: torch.dtype) -> Part:
    return Part(*(tensor(values, dtype) for values in (data.inputs, targets, data.norms)))
