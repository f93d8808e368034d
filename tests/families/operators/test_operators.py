"""Solution operators: every one solves the equation it states, converges, and keeps what its equation keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.errors import ProblemError
from edgepde.problems import etdrk4, operators
from edgepde.problems.fourier import Complex, Real, at, grid, on_grid, resized, spectrum, wavenumbers
from edgepde.problems.operator_inputs import KINDS
from edgepde.problems.operators import __main__ as table
from edgepde.problems.operators._exact import Exact
from edgepde.problems.operators._semilinear import Semilinear

SIXTEEN = {
    *("wave", "klein_gordon", "sine_gordon", "porous_medium_2", "porous_medium_3", "porous_medium_4"),
    *("parabolic", "viscous_burgers", "burgers", "kdv", "cahn_hilliard", "advection"),
    *("mix_cahn_hilliard", "mix_sine_gordon", "mix_klein_gordon", "mix_viscous_burgers"),
}
STEPPED = [name for name in operators.names() if isinstance(operators.operator(name), Semilinear)]
LINEAR = [name for name in operators.names() if operators.operator(name).is_linear]
EQUATIONS = [name for name in operators.names() if not name.startswith("mix_")]
TOLERANCE = {"porous_medium_4": 2e-5, "burgers": 1e-4, "kdv": 1e-4}
"""Of the reference: relative L2 of every case at every time, 1e-6 for the rest."""
CASES = 2


def inputs(name: str, count: int = CASES, seed: int = 0) -> Complex:
    how = operators.operator(name)
    return how.initial(KINDS[how.inputs](count, np.random.default_rng(seed), how.period))


def times(name: str, count: int = 4) -> Real:
    share = 0.4 if "porous" in name else 1.0
    return share * operators.operator(name).horizon * np.arange(count) / (count - 1)


@cache
def solved(name: str) -> Complex:
    return operators.operator(name).evolve(inputs(name), times(name))


def apart(found: Complex, wanted: Complex) -> float:
    """The largest relative L2 difference of any case at any time."""
    modes = max(found.shape[-1], wanted.shape[-1]) - 1
    gap = np.linalg.norm(resized(found, modes) - resized(wanted, modes), axis=-1)
    return float((gap / np.linalg.norm(wanted, axis=-1)).max())


def test_all_sixteen_are_there_with_their_groups() -> None:
    assert set(operators.names()) == SIXTEEN
    assert len(operators.names()) == 16
    groups = [operators.operator(name).group for name in operators.names()]
    assert groups == sorted(groups)
    assert [groups.count(g) for g in range(1, 6)] == [3, 3, 3, 3, 4]
    assert {n for n in SIXTEEN if operators.operator(n).inputs == "mixture"} == {n for n in SIXTEEN if "mix_" in n}
    assert set(LINEAR) == {"wave", "klein_gordon", "parabolic", "advection", "mix_klein_gordon"}


def test_an_unknown_operator_is_refused_with_the_nearest_and_all_names() -> None:
    with pytest.raises(ProblemError, match="did you mean viscous_burgers") as caught:
        operators.operator("viscuous_burgers")
    assert all(name in str(caught.value) for name in SIXTEEN)


Residual = Callable[[Callable[[int, int], Real]], Real]
RESIDUALS: dict[str, Residual] = {
    "wave": lambda d: d(2, 0) - 0.25 * d(0, 2),
    "klein_gordon": lambda d: d(2, 0) - d(0, 2) + 0.01 * d(0, 0),
    "sine_gordon": lambda d: d(2, 0) - d(0, 2) + np.sin(d(0, 0)),
    "porous_medium_2": lambda d: d(1, 0) - 2.0 * (d(0, 0) * d(0, 2) + d(0, 1) ** 2),
    "porous_medium_3": lambda d: d(1, 0) - 3.0 * d(0, 0) ** 2 * d(0, 2) - 6.0 * d(0, 0) * d(0, 1) ** 2,
    "porous_medium_4": lambda d: d(1, 0) - 4.0 * d(0, 0) ** 3 * d(0, 2) - 12.0 * d(0, 0) ** 2 * d(0, 1) ** 2,
    "parabolic": lambda d: d(1, 0) - 0.003 * d(0, 2),
    "viscous_burgers": lambda d: d(1, 0) + d(0, 0) * d(0, 1) - 0.01 * d(0, 2),
    "burgers": lambda d: d(1, 0) + d(0, 0) * d(0, 1) - 0.01 / np.pi * d(0, 2),
    "kdv": lambda d: d(1, 0) + d(0, 0) * d(0, 1) + 0.022**2 * d(0, 3),
    "cahn_hilliard": lambda d: (
        d(1, 0) - 0.02 * (6.0 * d(0, 0) * d(0, 1) ** 2 + (3.0 * d(0, 0) ** 2 - 1.0) * d(0, 2) - 0.005 * d(0, 4))
    ),
    "advection": lambda d: d(1, 0) + 0.5 * d(0, 1),
}
"""d(i, j): the i-th derivative in time of the j-th in x."""


@pytest.mark.parametrize("name", EQUATIONS)
def test_what_comes_out_solves_the_equation(name: str) -> None:
    how = operators.operator(name)
    start = 0.3 * KINDS["fourier"](2, np.random.default_rng(3), how.period)
    nodes = 40
    tau = np.cos(np.pi * np.arange(nodes)[::-1] / (nodes - 1))
    span = 0.1 * how.horizon if "porous" in name else how.horizon
    found = how.evolve(how.initial(start), 0.5 * span * (1.0 + tau))
    to_time = np.linalg.inv(np.polynomial.chebyshev.chebvander(tau, nodes - 1))
    k, x = wavenumbers(found.shape[-1] - 1, how.period), grid(48, how.period)

    def derivative(in_time: int, in_x: int) -> Real:
        values = at(found * (1j * k) ** in_x, x, how.period)
        series = np.polynomial.chebyshev.chebder(to_time @ values, in_time, 2.0 / span, axis=1)
        made: Real = np.polynomial.chebyshev.chebvander(tau, nodes - 1 - in_time) @ series
        return made

    residual = RESIDUALS[name](derivative)
    assert np.abs(residual).max() < 2e-4 * np.abs(derivative(how.order_in_time, 0)).max()
    if how.order_in_time == 2:
        assert np.abs(derivative(1, 0)[:, 0]).max() < 1e-6, "it starts at rest"


@pytest.mark.parametrize("name", STEPPED)
def test_steps_and_points_are_fine_enough(name: str) -> None:
    how = operators.operator(name)
    assert isinstance(how, Semilinear)
    finer = replace(how, step=0.6 * how.step, points=how.points * 5 // 4).evolve(inputs(name), times(name))
    assert apart(solved(name), finer) < TOLERANCE.get(name, 1e-6)


@pytest.mark.parametrize("name", ["viscous_burgers", "kdv", "mix_cahn_hilliard", "sine_gordon", "porous_medium_2"])
def test_errors_fall_as_the_steps_do(name: str) -> None:
    how = operators.operator(name)
    assert isinstance(how, Semilinear)
    small = replace(how, points=48, ramp=np.inf)
    start, when = inputs(name, 2), np.array([0.1 * how.horizon])
    coarse = when[0] / 16.0
    wanted = replace(small, step=coarse / 16.0).evolve(start, when)
    errors = [apart(replace(small, step=coarse / n).evolve(start, when), wanted) for n in (1, 2, 4)]
    assert errors[2] < errors[0] / 60.0 or errors[2] < 1e-12, "order 4 gives 256"


@pytest.mark.parametrize("name", STEPPED)
def test_errors_fall_with_more_points(name: str) -> None:
    how = operators.operator(name)
    assert isinstance(how, Semilinear)
    when = 0.5 * times(name)[-1:]
    errors = [
        apart(replace(how, points=points, step=4.0 * how.step).evolve(inputs(name), when), wanted)
        for wanted in [replace(how, step=4.0 * how.step).evolve(inputs(name), when)]
        for points in (how.points // 4, how.points // 2)
    ]
    assert errors[1] < 0.2 * errors[0] or errors[1] < 1e-8


@pytest.mark.parametrize("name", operators.names())
def test_the_mean_stays_where_the_equation_keeps_it(name: str) -> None:
    mean = solved(name)[..., 0].real
    start = inputs(name)[:, :1].real
    drift = float(np.abs(mean - start).max())
    if operators.operator(name).conserves_mean:
        assert drift < 1e-13
    else:
        assert name.startswith("sine") or name.startswith("klein") or drift > 1e-6


@pytest.mark.parametrize("name", operators.names())
@settings(max_examples=2, deadline=None)
@given(distance=st.floats(0.0, 2.0))
def test_it_commutes_with_shifts(name: str, distance: float) -> None:
    how = operators.operator(name)
    start, when = inputs(name, 1), times(name)[-1:] * 0.1

    def moved(c: Complex) -> Complex:
        return c * np.exp(-1j * wavenumbers(c.shape[-1] - 1, how.period) * distance)

    assert apart(how.evolve(moved(start), when), moved(how.evolve(start, when))) < 1e-9


@pytest.mark.parametrize("name", operators.names())
def test_linear_ones_and_no_others_are_linear(name: str) -> None:
    how = operators.operator(name)
    kind = KINDS[how.inputs](2, np.random.default_rng(1), how.period)
    when = 0.2 * times(name)[-1:]
    together = 0.3 * kind[:1] + 0.7 * kind[1:]
    parts = how.evolve(how.initial(kind), when)
    gap = apart(how.evolve(how.initial(together), when), 0.3 * parts[:1] + 0.7 * parts[1:])
    assert (gap < 1e-12) == how.is_linear, gap


@pytest.mark.parametrize("name", [n for n in operators.names() if operators.operator(n).order_in_time == 1])
def test_two_stretches_of_time_are_one(name: str) -> None:
    how = operators.operator(name)
    half = 0.1 * how.horizon
    once = how.evolve(inputs(name, 2), np.array([2.0 * half]))
    twice = how.evolve(how.evolve(inputs(name, 2), np.array([half]))[:, 0], np.array([half]))
    assert apart(twice, once) < 10.0 * TOLERANCE.get(name, 1e-6)


def test_the_wave_is_that_of_d_alembert() -> None:
    how = operators.operator("wave")
    start, x, t = inputs("wave"), grid(50, 2.0, 0.3), 0.7
    found = at(how.evolve(start, np.array([t])), x, 2.0)[:, 0]
    both = 0.5 * (at(start, x - 0.5 * t, 2.0) + at(start, x + 0.5 * t, 2.0))
    assert np.abs(found - both).max() < 1e-13


def values(name: str) -> Real:
    return on_grid(solved(name), 2048)


def test_kdv_keeps_momentum_and_energy() -> None:
    c = solved("kdv")
    u, slope = values("kdv"), on_grid(c * 1j * wavenumbers(c.shape[-1] - 1, 2.0), 2048)
    for kept in ((u**2).mean(-1), (u**3 / 3.0 - 0.022**2 * slope**2).mean(-1)):
        assert np.abs(kept - kept[:, :1]).max() < 1e-6


@pytest.mark.parametrize("name", ["burgers", "viscous_burgers", "parabolic", "porous_medium_2", "porous_medium_4"])
def test_no_new_extremes(name: str) -> None:
    u = values(name)
    assert (np.diff(u.max(-1), axis=1) < 1e-4).all()
    assert (np.diff(u.min(-1), axis=1) > -1e-4).all()


def test_the_porous_medium_starts_between_a_fifth_and_one() -> None:
    u = values("porous_medium_3")[:, 0]
    assert u.min() >= 0.2 - 1e-6
    assert u.max() <= 1.0 + 1e-6
    assert np.allclose(np.maximum(u.max(-1) - 0.6, 0.6 - u.min(-1)), 0.4, atol=1e-5)


@pytest.mark.parametrize("name", ["cahn_hilliard", "mix_cahn_hilliard"])
def test_cahn_hilliard_loses_energy(name: str) -> None:
    c = solved(name)
    u, slope = values(name), on_grid(c * 1j * wavenumbers(c.shape[-1] - 1, 2.0), 2048)
    energy = (0.25 * (u**2 - 1.0) ** 2 + 0.0025 * slope**2).mean(-1)
    assert (np.diff(energy, axis=1) < 0.0).all()


@pytest.mark.parametrize("name", ["porous_medium_2"])
def test_data_that_would_run_backwards_is_refused(name: str) -> None:
    how = operators.operator(name)
    for wrong in (KINDS["fourier"](1, np.random.default_rng(0), 2.0), 2.0 * inputs(name, 1)):
        with pytest.raises(ProblemError, match=r"expected within \[0.001, 1.001\]"):
            how.evolve(wrong, times(name))


def test_solve_is_evolve_on_a_grid() -> None:
    how = operators.operator("kdv")
    start = inputs("kdv", 2)
    found = how.solve(on_grid(start, 64), times("kdv"))
    assert found.shape == (2, 4, 64)
    assert np.abs(found[:, 0] - on_grid(start, 64)).max() < 1e-12
    exact = at(how.evolve(start, times("kdv")), grid(64, 2.0), 2.0)
    assert np.abs(found - exact).max() < 1e-12


@pytest.mark.parametrize(
    ("start", "when", "said"),
    [
        (np.zeros(8), [0.1], r"expected \[N, n >= 3\], got \[8\]"),
        (np.full((1, 8), np.nan), [0.1], "initial: expected finite"),
        (np.zeros((1, 8)), [0.2, 0.1], "expected increasing"),
        (np.zeros((1, 8)), [-0.1], "from 0 on"),
        (np.zeros((1, 8)), [np.inf], "times: expected finite"),
        (np.zeros((1, 8)), [], "times: expected finite"),
    ],
)
@pytest.mark.parametrize("name", ["wave", "kdv"])
def test_bad_input(name: str, start: Real, when: list[float], said: str) -> None:
    with pytest.raises(ProblemError, match=f"{name}: .*{said}"):
        operators.operator(name).solve(start, np.array(when))


def test_steps_that_are_too_long_are_told() -> None:
    how = operators.operator("kdv")
    assert isinstance(how, Semilinear)
    with pytest.raises(ProblemError, match=r"kdv: steps of 0\.5 s left the finite numbers"):
        replace(how, step=0.5).evolve(40.0 * inputs("kdv"), np.array([50.0]))


@settings(max_examples=20, deadline=None)
@given(st.complex_numbers(max_magnitude=50.0), st.floats(0.01, 1.0))
def test_one_step_is_exact_for_constant_forcing(rate: complex, h: float) -> None:
    rate = complex(-abs(rate.real), rate.imag)
    step = etdrk4.Step.of(np.array([rate]), h)
    found = step.take(np.array([1.0 + 0.5j]), lambda c: np.full_like(c, 2.0 - 1.0j))[0]
    z = rate * h
    grown = h * (1.0 + 0.5 * z + z * z / 6.0) if abs(z) < 1e-4 else np.expm1(z) / rate
    assert abs(found - (np.exp(z) * (1.0 + 0.5j) + grown * (2.0 - 1.0j))) < 1e-10


def test_without_a_linear_part_it_is_the_classical_method() -> None:
    step = etdrk4.Step.of(np.zeros(1), 0.1)
    found = step.take(np.ones(1), lambda c: -c)[0]
    z = -0.1
    assert abs(found - (1.0 + z + z**2 / 2.0 + z**3 / 6.0 + z**4 / 24.0)) < 1e-14


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 40), st.floats(0.0, 1.0), st.integers(0, 2**31))
def test_spectra_are_read_at_any_place(points: int, shift: float, seed: int) -> None:
    c = spectrum(np.random.default_rng(seed).standard_normal((2, points)))
    assert np.abs(at(c, grid(points, 2.0), 2.0) - on_grid(c, points)).max() < 1e-11
    moved = c * np.exp(1j * wavenumbers(c.shape[-1] - 1, 2.0) * 2.0 * shift / points)
    assert np.abs(at(c, grid(points, 2.0, shift), 2.0) - on_grid(moved, points)).max() < 1e-11


def test_exact_ones_need_no_steps() -> None:
    assert {n for n in operators.names() if isinstance(operators.operator(n), Exact)} == set(LINEAR)


def test_the_table_of_references_has_errors_of_every_operator(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "names", lambda: ("wave", "mix_sine_gordon"))
    monkeypatch.setattr("sys.argv", ["operators", "--cases", "2"])
    table.main()
    said = capsys.readouterr().out.splitlines()
    assert "exact" in next(line for line in said if line.startswith("wave"))
    assert "u_tt = u_xx - sin u" in next(line for line in said if line.startswith("mix_sine_gordon"))
    how = operators.operator("mix_sine_gordon")
    assert isinstance(how, Semilinear)
    assert table.differences(how, 2, 0)[0].max() < 1e-6
    assert table.differences(replace(how, step=0.125), 2, 0)[0].max() > 30.0 * table.differences(how, 2, 0)[0].max()
