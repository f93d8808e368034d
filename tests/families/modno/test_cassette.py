"""Cassettes: sizes, slots with zeros where a model has more room, float16, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from families.modno.periodic_fields import cassette
from hypothesis import given
from hypothesis import strategies as st

from edgepde.modno.cassette import SLOTS, Sizes

ROOM = Sizes(inputs=11, features=17, rank=5, terms=4, modes=6, delta=2, linear_terms=7)


def with_delta(rank: int = 1) -> dict[str, np.ndarray]:
    return {"left": np.ones((11, rank)), "right": np.ones((rank, 11))}


def test_a_model_gets_all_slots_in_its_own_sizes_and_type() -> None:
    found = replace(cassette(), **with_delta()).arrays(ROOM)
    assert tuple(found) == SLOTS
    assert {name: values.shape for name, values in found.items()} == {
        "frame": (1,),
        "reads": (11,),
        "multiplier": (2, 7, 6),
        "mixing": (17, 5),
        "basis": (5, 4 * 13),
        "scale": (1,),
        "left": (11, 2),
        "right": (2, 11),
    }
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    assert found["frame"] == 1.0
    assert found["scale"] == 1.5


def test_numbers_stay_where_their_mode_and_degree_are() -> None:
    own = cassette()
    found = own.arrays(ROOM, np.float64)
    basis = found["basis"].reshape(5, 4, 13)
    kept = np.r_[0:5, 7:11]  # mean, cosines 1..4 of 6, sines 1..4 of 6
    assert (basis[:3, :2][..., kept] == own.basis).all()
    assert np.abs(basis).sum() == pytest.approx(np.abs(own.basis).sum())
    assert (found["multiplier"][:, :2, :5] == own.multiplier).all()
    assert np.abs(found["multiplier"]).sum() == pytest.approx(np.abs(own.multiplier).sum())
    assert (found["mixing"][:, :3] == own.mixing).all()


@pytest.mark.parametrize("delta", [0, 2])
def test_a_cassette_without_delta_changes_no_branch(delta: int) -> None:
    found = cassette().arrays(ROOM._replace(delta=delta))
    assert ("left" in found) == bool(delta)
    assert not np.any(found.get("left", 0.0))


@pytest.mark.parametrize(
    ("room", "said"),
    [
        ({"rank": 2}, r"a: basis: expected at most \[2, 4, 1\], got \[3, 2, 1\]"),
        ({"terms": 1}, r"a: basis: expected at most \[5, 1, 1\]"),
        ({"modes": 3}, r"a: basis: expected at most \[5, 4, 3\], got \[3, 2, 4\]"),
        ({"linear_terms": 1}, r"a: multiplier: expected at most \[2, 1, 6\]"),
        ({"features": 16}, r"a: mixing: expected at most \[16, 5\], got \[17, 3\]"),
        ({"delta": 0}, r"a: left: expected at most rank 0, got 1"),
    ],
)
def test_what_is_too_large_is_named(room: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(cassette(), **with_delta()).arrays(ROOM._replace(**room))


@pytest.mark.parametrize(
    ("field", "shape", "said"),
    [
        ("multiplier", (3, 2, 5), r"multiplier: expected \[2, q, l\+1\], got \[3, 2, 5\]"),
        ("multiplier", (2, 5), r"multiplier: expected \[2, q, l\+1\]"),
        ("mixing", (17,), r"mixing: expected \[K', R\]"),
        ("mixing", (17, 4), r"basis: expected \[4, q, 2m\+1\], got \[3, 2, 9\]"),
        ("basis", (3, 2, 8), r"basis: expected \[3, q, 2m\+1\], got \[3, 2, 8\]"),
        ("basis", (3, 17), r"basis: expected \[3, q, 2m\+1\], got \[3, 17\]"),
        ("right", (2, 11), r"right: expected \[1, 11\], got \[2, 11\]"),
    ],
)
def test_shapes_that_disagree_are_named(field: str, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(InputError, match=f"cassette a: {said}"):
        replace(cassette(), **{**with_delta(), field: np.ones(shape)})


def test_half_a_delta_is_refused() -> None:
    with pytest.raises(InputError, match="cassette a: expected left and right, or neither"):
        replace(cassette(), left=np.ones((11, 1)))


def test_a_flat_basis_is_taken_apart() -> None:
    own = cassette()
    assert (replace(own, basis=own.basis.reshape(3, -1)).basis == own.basis).all()


def test_every_stored_number_counts() -> None:
    own = cassette()
    stored = 2 * 2 * 5 + 17 * 3 + 3 * 2 * 9 + 1
    assert (own.numbers, replace(own, **with_delta(2)).numbers) == (stored, stored + 4 * 11)
    assert own.halved().numbers == stored
    assert own.halved().bytes == own.bytes - 3 * 2 * 9 * 6
    assert replace(own, basis=np.zeros((3, 2, 5)), multiplier=np.zeros((2, 1, 6))).modes == 5


@given(st.integers(0, 10**6), st.floats(1e-30, 1e30))
def test_halving_loses_what_it_says(seed: int, size: float) -> None:
    own = replace(cassette(seed), basis=cassette(seed).basis * size)
    half = own.halved()
    assert half.basis.dtype == np.float16
    power = half.mixing[:, :, None, None] / own.mixing[:, :, None, None]
    back = (half.basis.astype(np.float64) * power[0]).astype(np.float64)
    assert (np.abs(back - own.basis) <= np.maximum(2.0**-11 * np.abs(own.basis), 2.0**-25 * power[0])).all()


def test_rows_of_zeros_are_halved_too() -> None:
    half = replace(cassette(), basis=np.zeros((3, 2, 9))).halved()
    assert (half.basis == 0).all()
    assert np.isfinite(half.mixing).all()
    assert replace(cassette(), basis=np.zeros((0, 2, 9)), mixing=np.zeros((17, 0))).halved().rank == 0


def test_modes_that_features_shall_not_see_are_zeros_of_a_slot() -> None:
    own = replace(cassette(), reads=np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0]))
    assert own.numbers == cassette().numbers + 6
    found = own.arrays(ROOM)["reads"]
    assert found.tolist() == [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
    assert cassette().arrays(ROOM)["reads"].tolist() == [1.0] * 11
    with pytest.raises(InputError, match=r"reads: expected \[6\], got \[5\]"):
        replace(own, reads=np.ones(5)).arrays(ROOM)
