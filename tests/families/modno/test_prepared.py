"""What every scheme starts from: data in a frame with a linear part, norms, affine maps, cassettes."""

from __future__ import annotations

import numpy as np
import pytest
from families.modno.periodic_fields import PERIOD, SENSORS, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.modno.encoding import Encoding
from edgepde.modno.prepared import ROOM, Norm, affine, cassette, held, prepare
from edgepde.modno.spectral import Spectral, fourier
from edgepde.problems.operator_data import OperatorData

ENCODING = Encoding(SENSORS, PERIOD, 5)
TIMES = 0.25 * (1.0 - np.cos(np.linspace(0.0, np.pi, 9)))
X = np.arange(32) * PERIOD / 32


def data(shifts: bool, count: int = 40, seed: int = 0) -> OperatorData:
    """(1 + t c(x)) s(x - t), c constant where the operator commutes with shifts."""
    s = inputs(count, 3, seed)
    moved = np.stack([s @ fourier(X - t, PERIOD, 3) for t in TIMES], axis=1)
    factor = 1.0 + TIMES[:, None] * (0.5 if shifts else np.cos(np.pi * X))
    return OperatorData("a", s @ fourier(SENSORS, PERIOD, 3), SENSORS, X, TIMES, factor * moved, PERIOD)


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 10**6))
def test_the_norm_is_the_root_mean_square_of_the_field(terms: int, modes: int, seed: int) -> None:
    c = np.random.default_rng(seed).standard_normal((terms, 2 * modes + 1))
    norm = Norm(terms, modes)
    nodes, weights = np.polynomial.legendre.leggauss(terms)
    x = np.arange(2 * modes + 1) * PERIOD / (2 * modes + 1)
    u = Spectral(PERIOD, modes, 1.0, terms - 1).values(c, 0.5 * (nodes + 1.0), x)
    assert np.linalg.norm(norm.flat(c)) == pytest.approx(np.sqrt(0.5 * weights @ (u**2).mean(1)), rel=1e-9)
    assert norm.back(norm.flat(c)) == pytest.approx(c, abs=1e-9)


def test_sensors_may_leave_their_range_by_a_fifth_of_it() -> None:
    found, given = prepare(data(True), ENCODING, 8, 3, True, 0.5), data(True).sensors
    low, high = given.min(0), given.max(0)
    made = cassette(found, given, *affine(found, 2))
    room = 0.2 * (high - low).max()
    assert made.low == pytest.approx(low - room, rel=1e-6)
    assert made.high == pytest.approx(high + room, rel=1e-6)


def test_shifts_leave_nothing_of_a_linear_operator() -> None:
    found = prepare(data(True), ENCODING, 8, 3, True, 0.5)
    assert np.abs(found.rest).max() < 1e-6
    fresh = held(data(True, seed=1), ENCODING, found)
    assert np.abs(fresh.rest).max() < 1e-6
    assert fresh.norms == pytest.approx(np.sqrt((data(True, seed=1).field ** 2).mean((1, 2))) / found.scale, rel=0.2)


def test_modes_of_inputs_that_outputs_have_no_room_for_keep_their_factors() -> None:
    found = prepare(data(True), ENCODING, 8, 1, True, 0.5)
    assert found.outputs.shape[-1] == 3
    assert np.abs(found.multiplier[:, :, 2:4]).max() > 0.1


def test_without_shifts_no_law_is_asked_and_an_affine_map_does_the_rest() -> None:
    found = prepare(data(False), ENCODING, 9, 5, False, 0.5)
    assert (found.multiplier[:, :, 4:] == 0).all()
    assert np.linalg.norm(found.rest) > 0.05 * np.linalg.norm(found.norms)
    mixing, basis = affine(found, 12)
    x = np.c_[found.inputs, np.ones(len(found.inputs))]
    left = found.rest - found.norm.flat(np.einsum("nr,rqk->nqk", x @ mixing, basis))
    assert np.abs(left).max() < 1e-4
    assert len(basis) <= 6  # as many as the inputs have numbers
    assert len(affine(found, 2)[1]) == 2


def test_a_cassette_is_in_single_precision_with_room_beside_its_sensors() -> None:
    found = prepare(data(True), ENCODING, 8, 3, True, 0.5)
    sensors = data(True).sensors
    made = cassette(found, sensors, np.zeros((17, 2)), np.zeros((2, 8 * 7)))
    assert (made.basis.shape, made.basis.dtype, made.multiplier.dtype) == ((2, 8, 7), np.float32, np.float32)
    room = ROOM * (sensors.max(0) - sensors.min(0)).max()
    assert made.low == pytest.approx(sensors.min(0) - room)
    assert made.high == pytest.approx(sensors.max(0) + room)
