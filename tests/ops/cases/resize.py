"""Cases of Resize: what torch exports for its upsamplings, and the other ways to count elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from support.op_cases import FLOATS, Case

SIZES = {1: (7,), 2: (5, 8), 3: (3, 4, 5)}
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
LINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
CORNERS = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}


def cases() -> Iterator[Case]:
    for rank in SIZES:
        for mode, attributes in (("nearest", NEAREST), ("linear", LINEAR), ("corners", CORNERS)):
            yield from _torch(f"{mode}-{rank}", rank, attributes)
    for nearest_mode in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
            way = {"coordinate_transformation_mode": coordinates, "nearest_mode": nearest_mode}
            yield f"{coordinates}-{nearest_mode}", by_sizes(2, (3, 12), np.float32), way
    yield (
        "pytorch-one",
        by_sizes(2, (1, 11), np.float32),
        {**LINEAR, "coordinate_transformation_mode": "pytorch_half_pixel"},
    )
    yield "asymmetric", by_scales(2, (2, 3), np.float32), {**LINEAR, "coordinate_transformation_mode": "asymmetric"}
    x = np.random.default_rng(2).normal(size=(1, 2, 4, 6)).astype(np.float32)
    yield "axes", [x, None, None, np.array([9, 8])], {**LINEAR, "axes": [2, 3]}
    yield "one-axis", [x, None, np.array([1, 1, 2, 1], np.float32)], LINEAR
    yield "same", [x, None, np.ones(4, np.float32)], NEAREST
    yield "from-one", [x[..., :1], None, np.array([1, 1, 3, 4], np.float32)], LINEAR


def _torch(name: str, rank: int, attributes: dict[str, Any]) -> Iterator[Case]:
    for dtype in FLOATS:
        yield f"{name}-{np.dtype(dtype)}-double", by_scales(rank, (2,) * rank, dtype), attributes
    yield f"{name}-triple", by_scales(rank, (3,) * rank, np.float32), attributes
    yield f"{name}-half", by_scales(rank, (0.5,) * rank, np.float32), attributes
    yield f"{name}-sizes", by_sizes(rank, (6, 11, 4)[:rank], np.float32), attributes


def by_scales(rank: int, scales: Sequence[float], dtype: type) -> list[Any]:
    """A map of two rows and three channels, with factors for its axes."""
    return [_map(rank, dtype), None, np.array([1, 1, *scales], np.float32)]


def by_sizes(rank: int, sizes: Sequence[int], dtype: type) -> list[Any]:
    """The same, with new sizes."""
    return [_map(rank, dtype), None, None, np.array([2, 3, *sizes])]


def _map(rank: int, dtype: type) -> Any:
    return np.random.default_rng(rank).normal(size=(2, 3, *SIZES[rank])).astype(dtype)
