"""Axes of maps: which elements pads, windows and stretched axes are made of."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.ops._windows import windows
from edgepde_runtime.ops.pad.places import MODES, places
from edgepde_runtime.ops.resize.positions import COORDINATES, ROUNDINGS, linear, nearest
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.integers(1, 40)


@given(SIZES, st.integers(0, 39), st.integers(0, 39), st.sampled_from(MODES[1:]))
def test_places_are_those_of_numpy(size: int, before: int, after: int, mode: str) -> None:
    most = {"edge": 40, "reflect": size - 1, "wrap": size}[mode]
    if max(before, after) > most:
        with pytest.raises(ValueError, match="expected pads of 0 to"):
            places(size, before, after, mode)
        return
    assert np.array_equal(places(size, before, after, mode), np.pad(np.arange(size), (before, after), mode))


@given(SIZES, st.integers(-50, 20), st.integers(-50, 20))
def test_a_constant_stands_where_nothing_else_does(size: int, before: int, after: int) -> None:
    found = places(size, before, after, "constant")
    wide = np.pad(np.arange(size), (50, 50), constant_values=-1)
    assert np.array_equal(found, wide[50 - before : 50 + size + after])


@given(SIZES, SIZES, st.sampled_from(COORDINATES))
def test_a_line_stays_one_and_weights_sum_to_one(size: int, made: int, mode: str) -> None:
    two = linear(size, made, np.float32(made) / np.float32(size), mode)
    total = two.low_weight.astype(np.float64) + two.high_weight
    assert np.abs(total - 1).max() < 1e-7
    assert two.low_weight.min() >= 0
    assert two.high_weight.min() >= 0
    assert two.low.min() >= 0
    assert np.array_equal(two.high, np.minimum(two.low + 1, size - 1))
    assert (np.diff(two.low_weight * two.low + two.high_weight * two.high) >= -1e-5).all()


@given(SIZES, SIZES, st.sampled_from(COORDINATES), st.sampled_from(ROUNDINGS))
def test_nearest_elements_are_in_order_and_there(size: int, made: int, mode: str, rounding: str) -> None:
    how = {"coordinate_transformation_mode": mode, "nearest_mode": rounding}
    found = nearest(size, made, np.float32(made) / np.float32(size), how)
    assert len(found) == made
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() < size


@given(
    SIZES,
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 3),
    st.tuples(*[st.integers(0, 4)] * 2),
    st.booleans(),
    st.booleans(),
)
def test_cells_are_counted(
    size: int, kernel: int, stride: int, apart: int, pads: tuple[int, int], ceil: bool, padded: bool
) -> None:
    how = {"kernel_shape": [kernel], "strides": [stride], "dilations": [apart], "pads": list(pads), "ceil_mode": ceil}
    fits = size + sum(pads) >= apart * (kernel - 1) + 1
    if max(pads) >= kernel or not fits:
        with pytest.raises(ValueError, match=r"expected (pads of 0|windows within)"):
            _ = windows([size], how).outputs
        return
    found = windows([size], how)
    low, high = (-pads[0], size + pads[1]) if padded else (0, size)
    starts = range(-pads[0], -pads[0] + found.outputs[0] * stride, stride)
    counted = [sum(low <= start + k * apart < high for k in range(kernel)) for start in starts]
    assert found.cells(0, padded=padded).tolist() == counted
    assert starts[-1] < size or not ceil
    cells = found.gathered(np.ones((1, 1, size)), 0.0).sum(0)[0, 0]
    assert cells.tolist() == found.cells(0, padded=False).tolist()
