"""The box of inputs: which rows lie in it, and the first that does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.sampled_from([-1.0, np.nextafter(-1.0, -2), 0.0, 0.5, 2.0, np.nextafter(2.0, 3), np.nan, np.inf, -np.inf])
ROWS = st.integers(1, 3).flatmap(lambda d: st.lists(st.lists(VALUES, min_size=d, max_size=d), min_size=1, max_size=5))


@given(ROWS)
def test_the_first_outside_is_the_first_in_reading_order(rows: list[list[float]]) -> None:
    box = Box([-1.0] * len(rows[0]), [2.0] * len(rows[0]))
    misses = [(i, j) for i, row in enumerate(rows) for j, v in enumerate(row) if not -1.0 <= v <= 2.0]
    expected = (*misses[0], len({i for i, _ in misses})) if misses else None
    assert box.first_outside(rows) == expected
    assert box.contains(rows).tolist() == [i not in {row for row, _ in misses} for i in range(len(rows))]


@given(st.integers(0, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_sample_lies_in_the_box(n: int, d: int, seed: int) -> None:
    box = Box(np.linspace(-3.0, 1.0, d), np.linspace(1.5, 2.0, d))
    assert box.first_outside(box.sample(n, np.random.default_rng(seed))) is None


@pytest.mark.parametrize("text", ["a\nb", "\x1b[1m", "\x00", 3])
def test_names_and_units_are_printable_texts(text: Any) -> None:
    with pytest.raises(InputError, match="box: names expected texts of printable characters"):
        Box([0.0], [1.0], [text])
    with pytest.raises(InputError, match="box: units expected texts of printable characters"):
        Box([0.0], [1.0], ["x"], [text])


def test_rows_of_another_width() -> None:
    for x in (np.zeros(2), np.zeros((1, 3)), np.zeros((1, 1, 2))):
        with pytest.raises(InputError, match="expected rows of 2 columns"):
            Box([0, 0], [1, 1]).first_outside(x)
