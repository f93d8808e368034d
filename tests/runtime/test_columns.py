"""Columns with a count: they stand for the same columns, and for no others."""

from __future__ import annotations

from typing import Any

import pytest
from edgepde_runtime import columns
from edgepde_runtime.errors import BundleError
from edgepde_runtime.fields import Fields
from hypothesis import given
from hypothesis import strategies as st

MANY = columns.FEWEST

RUNS = st.tuples(
    st.sampled_from(["f", "x", "", "f1", "a.b-", "f0", "\u0663"]),
    st.sampled_from([0, 1, 8, 95, 99, 999_999_990]),
    st.integers(1, 2 * MANY),
    st.sampled_from([(0.0, 1.0, "m"), (0.0, 2.0, "m"), (-1.0, 1.0, "m"), (0.0, 1.0, "")]),
)


def entry(name: str, low: float = 0.0, high: float = 1.0, unit: str = "m") -> dict[str, Any]:
    return {"name": name, "low": low, "high": high, "unit": unit}


def read(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a file with these entries says."""

    def one(fields: Fields) -> list[dict[str, Any]]:
        rest = {key: fields.raw(key) for key in ("low", "high", "unit") if fields.has(key)}
        return [{"name": name, **rest} for name in columns.names(fields, "name")]

    return list(columns.gathered((Fields(value, "columns") for value in held), one))


@given(st.lists(RUNS, max_size=5), st.lists(st.sampled_from(["t", "f01", "f007", "f1000000000", "0"]), max_size=3))
def test_what_is_written_short_is_read_as_it_was(runs: list[Any], others: list[str]) -> None:
    whole = [entry(f"{stem}{first + i}", *ends) for stem, first, count, ends in runs for i in range(count)]
    whole += [entry(name) for name in others]
    assert read(columns.compact(whole, "name")) == whole


def test_only_what_differs_in_its_number_alone_is_counted() -> None:
    alike = [entry(f"f{i}") for i in range(MANY)]
    assert columns.compact(alike, "name") == [{**alike[0], "count": MANY}]
    assert columns.compact(alike[1:], "name") == alike[1:]
    for key, value in (("low", -1.0), ("high", 2.0), ("unit", "s"), ("name", "f99"), ("name", "g5")):
        other = [dict(one) for one in alike]
        other[5][key] = value
        assert columns.compact(other, "name") == other


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"name": "f", "count": 5}, "a name that ends in a number"),
        ({"name": "f01", "count": 1}, "a number of columns from 2"),
        ({"name": "f0", "count": 0}, "a number of columns from 2"),
        ({"name": "f0", "count": -3}, "count"),
        ({"name": "f0", "count": 2.5}, "count"),
        ({"name": "f0", "count": True}, "count"),
        ({"name": "f0", "count": columns.MOST + 1}, "a number of columns from 2"),
        ({"name": "f0", "count": 1 << 60}, "count"),
    ],
)
def test_counts_that_say_nothing(held: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        read([held])


def test_columns_in_all_are_limited() -> None:
    with pytest.raises(BundleError, match=r"at most 1048576 columns in all"):
        read([{"name": "f0", "count": columns.MOST}, {"name": "t"}])
