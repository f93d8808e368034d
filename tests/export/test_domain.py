"""Boxes as text."""

from __future__ import annotations

import pytest
from edgepde_export.domain import parse_domain
from edgepde_runtime.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

bounds = st.lists(
    st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)).map(lambda p: (p[0], p[0] + p[1])), min_size=1, max_size=6
)


@given(bounds)
def test_a_box_survives_being_written_down(pairs: list[tuple[float, float]]) -> None:
    box = parse_domain(",".join(f"{a!r}:{b!r}" for a, b in pairs))
    assert list(zip(box.low, box.high, strict=True)) == pairs


def test_names_are_optional_per_column() -> None:
    box = parse_domain("x=-1:1, 0:2 ,t=0:1e-3")
    assert tuple(box.names) == ("x", "x1", "t")
    assert tuple(box.high) == (1.0, 2.0, 1e-3)


def test_a_count_stands_for_that_many_columns() -> None:
    box = parse_domain("t=0:1,f=-1:1*3,0:2*2")
    assert tuple(box.names) == ("t", "f0", "f1", "f2", "x4", "x5")
    assert tuple(box.low) == (0.0, -1.0, -1.0, -1.0, 0.0, 0.0)
    assert tuple(box.high) == (1.0, 1.0, 1.0, 1.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "column 0"),
        ("0:1,", "column 1"),
        ("0", "column 0"),
        ("0:1,a:b", "column 1 expected numbers"),
        ("=0:1", "column 0"),
        ("0:1:2", "column 0 expected numbers"),
        ("0:1,0:1*0", "column 1 expected low:high"),
        ("0:1*x", "count of 1 to"),
        ("0:1*-2", "count of 1 to"),
        ("0:1*99999999999999", "count of 1 to"),
        ("1:0", "low < high"),
        ("0:inf", "finite"),
        ("0:nan", "finite"),
        ("x=0:1,x=0:1", "distinct"),
    ],
)
def test_a_bad_box_names_the_column(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_domain(text)
