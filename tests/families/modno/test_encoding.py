"""Sensors as Fourier coefficients, and the frame of an input: a rotation, by the input's own phase, never NaN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from families.modno.periodic_fields import PERIOD, SENSORS, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.modno.encoding import LEAST, Encoding, Frame, canonical, frame, rotate
from edgepde.modno.spectral import fourier

SEEDS = st.integers(0, 10**6)


def shifted(coefficients: np.ndarray, distance: float) -> np.ndarray:
    """Of s(x + distance), by its values."""
    m = coefficients.shape[-1] // 2
    x = np.arange(4 * m + 4) * PERIOD / (4 * m + 4)
    return (coefficients @ fourier(x + distance, PERIOD, m)) @ np.linalg.pinv(fourier(x, PERIOD, m))


class TestEncoding:
    """Least squares at the sensors."""

    @given(SEEDS, st.integers(1, 5), st.floats(0.0, 0.06))
    def test_polynomials_come_back_from_uneven_sensors(self, seed: int, modes: int, off: float) -> None:
        x = SENSORS + off * np.sin(np.arange(len(SENSORS)) ** 2)
        made = inputs(4, modes, seed, mean=True)
        encoding = Encoding(x, PERIOD, modes)
        assert encoding.coefficients(made @ fourier(x, PERIOD, modes)) == pytest.approx(made, abs=1e-10)

    def test_as_many_modes_as_sensors_tell_without_nyquist(self) -> None:
        assert Encoding(SENSORS, PERIOD, 5).width == 11
        with pytest.raises(InputError, match="modes: expected 1 to 5 for 12 sensors, got 6"):
            Encoding(SENSORS, PERIOD, 6)

    def test_sensors_at_one_place_are_refused(self) -> None:
        with pytest.raises(InputError, match="sensor_x: 12 points do not determine 11 coefficients"):
            Encoding(np.zeros(12), PERIOD, 5)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (np.ones((2, 11)), r"expected \[N, 12\], got \[2, 11\]"),
            (np.ones(12), r"expected \[N, 12\], got \[12\]"),
            (np.full((2, 12), np.nan), r"sensors\[0, 0\]: expected finite"),
        ],
    )
    def test_other_sensors_are_refused(self, given: np.ndarray, said: str) -> None:
        with pytest.raises(InputError, match=said):
            Encoding(SENSORS, PERIOD, 5).coefficients(given)


class TestFrame:
    """R s = s(x + d), mode 1 of it a positive cosine."""

    @given(SEEDS, st.integers(1, 6))
    def test_it_is_the_shift_by_the_phase_of_mode_one(self, seed: int, modes: int) -> None:
        made = inputs(1, modes, seed, mean=True)
        phase = np.arctan2(made[0, modes + 1], made[0, 1])
        assert canonical(made) == pytest.approx(shifted(made, phase * PERIOD / (2 * np.pi)), abs=1e-9)
        assert canonical(made)[0, modes + 1] == pytest.approx(0.0, abs=1e-12)
        assert canonical(made)[0, 1] > 0

    @settings(max_examples=25)
    @given(SEEDS, st.integers(1, 12))
    def test_it_is_orthogonal_and_turns_back(self, seed: int, modes: int) -> None:
        turn = frame(inputs(3, 5, seed), modes)
        rows = np.stack([rotate(np.tile(row, (3, 1)), turn) for row in np.eye(2 * modes + 1)], axis=1)
        assert np.einsum("nij,nkj->nik", rows, rows) == pytest.approx(np.tile(np.eye(2 * modes + 1), (3, 1, 1)))
        made = inputs(3, modes, seed + 1)
        assert rotate(rotate(made, turn), turn, back=True) == pytest.approx(made, abs=1e-12)

    @given(SEEDS, st.floats(0.0, 2.0))
    def test_shifted_inputs_are_the_same_in_it(self, seed: int, distance: float) -> None:
        made = inputs(3, 5, seed, mean=True)
        made[:, 1] += np.where(made[:, 1] < 0, -0.1, 0.1)
        assert canonical(shifted(made, distance)) == pytest.approx(canonical(made), abs=1e-9)

    @pytest.mark.parametrize("modes", [1, 2, 3, 7, 63])
    def test_powers_in_float32_lose_a_few_roundings_each(self, modes: int) -> None:
        made = inputs(200, 5)
        phase = np.arctan2(made[:, 6:7], made[:, 1:2]) * np.arange(1, modes + 1)
        found = frame(torch.from_numpy(made).float(), modes)
        for own, wanted in ((found.cos, np.cos(phase)), (found.sin, np.sin(phase))):
            assert np.abs(own.double().numpy() - wanted).max() < 4.0 * 2.0**-24 * modes

    def test_numpy_and_torch_agree_bit_by_bit(self) -> None:
        made = inputs(50, 5)
        there = canonical(torch.from_numpy(made)).numpy()
        assert there == pytest.approx(canonical(made), rel=1e-14, abs=1e-15)

    @pytest.mark.parametrize("scale", [0.0, 1e-30, 1e30, 1e300])
    @pytest.mark.parametrize("kind", [torch.float32, torch.float64])
    def test_no_input_makes_it_nan(self, scale: float, kind: torch.dtype) -> None:
        made = np.concatenate([np.zeros((1, 11)), np.eye(11), inputs(5, 5)])
        found = frame(torch.from_numpy(np.clip(scale * made, -1e38, 1e38)).to(kind), 20)
        sizes = found.cos.double() ** 2 + found.sin.double() ** 2
        assert sizes.numpy() == pytest.approx(np.ones((len(made), 20)), abs=1e-4)

    @pytest.mark.parametrize(("share", "turned"), [(0.0, False), (0.99, False), (1.01, True)])
    def test_where_mode_one_is_too_small_nothing_is_turned(self, share: float, turned: bool) -> None:
        rest = np.array([[0.7, 0.0, 3.0, 0.0, 4.0]])  # mean, cos 1, cos 2, sin 1, sin 2
        rest[0, 3] = share * LEAST * 5.0
        assert (np.abs(canonical(rest) - rest).max() > 1e-2) == turned

    def test_a_mean_counts_a_hundredth(self) -> None:
        for mean, turned in ((9e4, True), (1.1e5, False)):
            found = frame(np.array([[mean, 0.0, 1.0]]), 1)
            assert found.cos[0, 0] == pytest.approx(0.0 if turned else 1.0)

    def test_an_operator_without_shifts_is_not_turned(self) -> None:
        made = inputs(3, 5)
        assert (rotate(made, frame(made, 5, 0.0)) == made).all()

    def test_fields_in_time_turn_like_their_modes(self) -> None:
        turn = Frame(np.array([[0.0, -1.0]]), np.array([[1.0, 0.0]]))  # a quarter of the period
        assert rotate(np.array([[[5.0, 1.0, 2.0, 3.0, 4.0]]]), turn) == pytest.approx(
            np.array([[[5.0, 3.0, -2.0, -1.0, -4.0]]])
        )
