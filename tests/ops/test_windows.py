"""Windows of convolutions: how often they fit, what padding by name means, what is refused before anything is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import ModelFileError
from edgepde_runtime.rooms import Room
from edgepde_runtime.windows import Window, padded, same, window
from hypothesis import assume, given
from hypothesis import strategies as st

SIZES = st.tuples(*(st.integers(a, b) for a, b in ((1, 40), (1, 7), (1, 4), (1, 4), (0, 5), (0, 5))))


@given(sizes=SIZES)
def test_the_last_place_is_within_and_one_more_is_not(sizes: tuple[int, ...]) -> None:
    n, k, stride, dilation, before, after = sizes
    made = Window((k,), (stride,), (before,), (after,), (dilation,))
    wide, reach = n + before + after, made.reaches[0]
    assume(reach <= wide)
    (places,) = made.places("op", [n])
    assert stride * (places - 1) + reach <= wide < stride * places + reach


@given(sizes=SIZES, upper=st.booleans())
def test_same_padding_fits_once_per_stride_and_is_even_but_for_one(sizes: tuple[int, ...], upper: bool) -> None:
    n, k, stride, dilation, _, _ = sizes
    made = same(Window((k,), (stride,), (0,), (0,), (dilation,)), [n], upper)
    assert made.places("op", [n]) == (-(-n // stride),)
    assert made.after[0] - made.before[0] in ((0, 1) if upper else (0, -1))


def test_lifting_keeps_the_window() -> None:
    made = Window((3,), (2,), (1,), (0,), (4,)).lifted()
    assert made == Window((1, 1, 3), (1, 1, 2), (0, 0, 1), (0, 0, 0), (1, 1, 4))
    assert made.reaches == (1, 1, 9)
    assert made.points == 3


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"kernel_shape": [3]}, "kernel_shape: expected 2 numbers"),
        ({"kernel_shape": [0, 3]}, "kernel_shape: expected 2 numbers from 1"),
        ({"kernel_shape": [3, 3], "strides": [1, 0]}, "strides"),
        ({"kernel_shape": [3, 3], "dilations": [2**29, 1]}, "dilations"),
        ({"kernel_shape": [3, 3], "pads": [1, 1]}, "pads: expected 4 numbers"),
        ({"kernel_shape": [3, 3], "pads": [1, -1, 0, 0]}, "pads: expected 4 numbers from 0"),
        ({"kernel_shape": [2**20, 2**20]}, "at most"),
        ({"kernel_shape": [2**15, 3], "dilations": [2**15, 1]}, "at most"),
    ],
)
def test_attributes_that_make_no_window_are_named(attributes: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelFileError, match=f"op: .*{said}"):
        window("op", 2, attributes)


@pytest.mark.parametrize("axes", [0, 4])
def test_other_numbers_of_axes_are_refused(axes: int) -> None:
    with pytest.raises(ModelFileError, match="expected 1 to 3 axes"):
        window("op", axes, {})


def test_pads_and_a_name_for_them_contradict_each_other() -> None:
    made = Window((3,), (1,), (1,), (1,), (1,))
    with pytest.raises(ModelFileError, match="expected none with auto_pad SAME_UPPER"):
        padded("op", made, [5], "SAME_UPPER", [1, 1])
    with pytest.raises(ModelFileError, match="expected one of"):
        padded("op", made, [5], "REFLECT", None)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


REFUSED = {
    "groups": ("conv", [zeros(1, 4, 5), zeros(3, 2, 3)], {"group": 2}, "expected 2 groups"),
    "channels": ("conv", [zeros(1, 4, 5), zeros(3, 3, 3)], {}, "expected 1 groups of 4 channels"),
    "kernel": ("conv", [zeros(1, 2, 5), zeros(3, 2, 3)], {"kernel_shape": [2]}, "kernel_shape"),
    "small": ("conv", [zeros(1, 2, 2), zeros(3, 2, 3)], {}, "axis 2: expected 3"),
    "ranks": ("conv", [zeros(1, 2, 5), zeros(3, 2, 3, 1)], {}, "W: expected 3 sizes"),
    "nothing": ("conv", [zeros(1, 2, 5), zeros(0, 2, 3)], {}, "sizes above 0"),
    "bias": ("conv", [zeros(1, 2, 5), zeros(3, 2, 3), zeros(2)], {}, r"B: expected shape \[3\]"),
    "axes": ("conv", [zeros(1, 2, 1, 1, 1, 1), zeros(3, 2, 1, 1, 1, 1)], {}, "1 to 3 axes"),
    "huge": ("conv", [zeros(1, 1, 1, 1), zeros(1, 1, 1, 1)], {"pads": [0, 0, 2**27, 2**27]}, "elements"),
    "spread-shape": ("conv_transpose", [zeros(1, 2, 5), zeros(2, 3, 3)], {"output_shape": [9]}, "output_shape"),
    "spread-more": ("conv_transpose", [zeros(1, 2, 5), zeros(2, 3, 3)], {"output_padding": [1]}, "output_padding"),
    "spread-cut": ("conv_transpose", [zeros(1, 2, 2), zeros(2, 3, 2)], {"pads": [2, 2]}, "axis 2"),
    "spread-channels": ("conv_transpose", [zeros(1, 2, 5), zeros(3, 3, 3)], {}, "expected 2 channels"),
    "spread-empty": ("conv_transpose", [zeros(1, 2, 0), zeros(2, 3, 3)], {}, "sizes above 0"),
    "spread-huge": ("conv_transpose", [zeros(1, 1, 2, 2), zeros(1, 1, 1, 1)], {"strides": [2**27, 2**27]}, "elements"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_convolutions_that_do_not_fit_are_refused_before_memory_is_taken(what: str) -> None:
    room, inputs, attributes, said = REFUSED[what]
    with pytest.raises((ModelFileError, ValueError), match=said):
        Room(room).run(inputs, attributes)
