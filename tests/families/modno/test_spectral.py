"""Fields as coefficients: exact where they must be, calm where times are even, refused where a grid cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

from edgepde.modno.spectral import Spectral, fitting_terms, most_terms, narrowed

X = np.linspace(0.0, 2.0, 16, endpoint=False) + 0.07
TIMES = 0.25 * (1.0 - np.cos(np.linspace(0.0, np.pi, 9)))


@given(
    st.integers(0, 5), st.integers(0, 4), st.floats(-0.2, 0.7), st.floats(-3.0, 3.0), st.floats(0.1, 9.0), st.integers()
)
def test_values_are_those_of_the_trigonometric_polynomial(
    modes: int, degree: int, t: float, x: float, period: float, seed: int
) -> None:
    form = Spectral(period, modes, 0.5, degree)
    c = np.random.default_rng(abs(seed)).uniform(-1.0, 1.0, (degree + 1, 2 * modes + 1))
    tau, angle = 4.0 * t - 1.0, 2.0 * np.pi * x / period
    wanted = 0.0
    for d in range(degree + 1):
        polynomial = np.polynomial.chebyshev.Chebyshev.basis(d)(tau)
        wanted += polynomial * c[d, 0]
        for k in range(1, modes + 1):
            wanted += polynomial * (c[d, k] * np.cos(k * angle) + c[d, modes + k] * np.sin(k * angle))
    assert form.values(c, [t], [x]) == pytest.approx(wanted, abs=1e-9 * 4.0**degree)


@given(st.integers(0, 7), st.integers(0, 8), st.integers(0, 10**6))
def test_coefficients_come_back_from_any_grid_that_tells_them(modes: int, degree: int, seed: int) -> None:
    form = Spectral(2.0, modes, 0.5, degree)
    c = np.random.default_rng(seed).uniform(-1.0, 1.0, (3, degree + 1, 2 * modes + 1))
    assert form.coefficients(form.values(c, TIMES, X), TIMES, X) == pytest.approx(c, abs=1e-11)


def test_the_last_axis_is_mean_cosines_sines() -> None:
    found = Spectral(2.0, 2, 1.0, 0).space_matrix([0.0, 0.5])
    assert found == pytest.approx(np.array([[1, 1], [1, 0], [1, -1], [0, 1], [0, 0]]), abs=1e-15)


def test_a_nyquist_mode_is_refused() -> None:
    even = np.arange(8) / 4
    Spectral(2.0, 3, 1.0, 0).coefficients(np.ones((1, 8)), [0.0], even)
    with pytest.raises(InputError, match="x: 8 points do not determine 9 coefficients"):
        Spectral(2.0, 4, 1.0, 0).coefficients(np.ones((1, 8)), [0.0], even)


def test_points_that_repeat_determine_nothing() -> None:
    with pytest.raises(InputError, match="x: 8 points do not determine 7"):
        Spectral(2.0, 3, 1.0, 0).coefficients(np.ones((1, 8)), [0.0], np.arange(8) / 2)


@pytest.mark.parametrize(("field", "value"), [("period", 0.0), ("horizon", np.nan), ("modes", -1), ("degree", -1)])
def test_sizes_that_are_no_basis_are_named(field: str, value: float) -> None:
    with pytest.raises(InputError, match=f"spectral: {field}: expected"):
        Spectral(**{"period": 2.0, "modes": 1, "horizon": 1.0, "degree": 1, field: value})  # type: ignore[arg-type]


def test_a_place_that_is_no_number_is_named() -> None:
    with pytest.raises(InputError, match=r"times\[1\]: expected a finite number"):
        Spectral(2.0, 1, 1.0, 1).time_matrix([0.0, np.inf])


class TestDegrees:
    """How many of them times tell."""

    def test_all_at_chebyshev_nodes_and_few_at_even_times(self) -> None:
        assert most_terms(TIMES, 0.5) == len(TIMES)
        assert 9 <= most_terms(np.linspace(0.0, 0.5, 24), 0.5) <= 17

    @pytest.mark.parametrize("count", [12, 24, 40])
    def test_polynomials_stay_calm_between_even_times(self, count: int) -> None:
        times, fine = np.linspace(0.0, 1.0, count), np.linspace(0.0, 1.0, 500)
        form = Spectral(2.0, 0, 1.0, most_terms(times, 1.0) - 1)
        largest = np.abs(form.time_matrix(fine) @ np.linalg.pinv(form.time_matrix(times))).sum(1).max()
        assert largest < 20.0  # of any samples of at most 1
        whole = Spectral(2.0, 0, 1.0, count - 1)
        worst = np.abs(whole.time_matrix(fine) @ np.linalg.pinv(whole.time_matrix(times))).sum(1).max()
        assert worst > largest

    @pytest.mark.parametrize("even", [False, True])
    def test_a_cubic_needs_four(self, even: bool) -> None:
        times = np.linspace(0.0, 0.5, 9) if even else TIMES
        field = (1.0 + times - 3.0 * times**3)[None, :, None] * np.ones((2, 1, 3))
        assert fitting_terms(field, times, 0.5) == 4

    def test_noise_is_not_followed(self) -> None:
        rng = np.random.default_rng(0)
        field = TIMES[None, :, None] + 0.1 * rng.standard_normal((40, len(TIMES), 5))
        assert fitting_terms(field, TIMES, 0.5) <= 3

    def test_a_degree_that_is_faint_but_there_is_followed(self) -> None:
        tau = 4.0 * TIMES - 1.0
        field = np.ones((1, len(TIMES), 1)) * (tau + 2e-3 * tau**5)[:, None]
        noise = 1e-4 * np.random.default_rng(0).standard_normal((40, len(TIMES), 5))
        assert fitting_terms(field + noise, TIMES, 0.5) == 6

    def test_few_times_are_taken_as_they_are(self) -> None:
        assert fitting_terms(np.ones((1, 2, 1)), [0.0, 1.0], 1.0) == 2


def test_narrowing_keeps_the_lowest_modes() -> None:
    assert narrowed(np.arange(7.0), 1).tolist() == [0.0, 1.0, 4.0]
    assert narrowed(np.arange(7.0), 9).tolist() == list(range(7))
