"""The linear part: exact for every operator that commutes with shifts, and what it says of modes never seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from families.modno.periodic_fields import PERIOD, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.modno import linear_part
from edgepde.modno.encoding import canonical, frame, rotate
from edgepde.modno.linear_law import EXACT
from edgepde.modno.spectral import Spectral

HORIZON, TERMS, MODES, SEEN = 0.8, 14, 7, 4
SEEDS = st.integers(0, 10**6)
Symbol = Callable[[np.ndarray, np.ndarray], np.ndarray]
K = 2.0 * np.pi / PERIOD * np.arange(MODES + 1)
NODES = 0.5 * HORIZON * (1.0 - np.cos(np.pi * (np.arange(40) + 0.5) / 40))

LAWS: dict[str, Symbol] = {
    "advection": lambda k, t: np.exp(-0.3j * k * t),
    "heat": lambda k, t: np.exp(-0.003 * k**2 * t),
    "wave": lambda k, t: np.cos(0.5 * k * t) + 0j,
    "klein gordon": lambda k, t: np.cos(np.sqrt(0.1 * k**2 + 0.5) * t) + 0j,
    "airy": lambda k, t: np.exp(1e-3j * k**3 * t),
    "smoothing": lambda k, t: np.exp((0.2 - 1e-6 * k**4) * t),
}
LAWLESS: dict[str, Symbol] = {
    "rates without order": lambda k, t: np.exp(3j * np.sin(k**2) * t),
    "steps": lambda k, t: np.exp(-0.5 * (np.arange(len(k)) % 3) * t) + 0j,
}


def factors(symbol: Symbol) -> np.ndarray:
    """Multiplier [2, q, l+1] of a symbol."""
    matrix = Spectral(PERIOD, 0, HORIZON, TERMS - 1).time_matrix(NODES)
    found = np.linalg.lstsq(matrix, symbol(K, NODES[:, None]), rcond=None)[0]
    return np.stack([found.real, found.imag])


def pairs(multiplier: np.ndarray, modes: int, seed: int = 0, mean: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Inputs with so many modes of MODES, and outputs."""
    made = inputs(30, MODES, seed, mean)
    made[:, modes + 1 : MODES + 1], made[:, MODES + modes + 1 :] = 0.0, 0.0
    return made, linear_part.apply(multiplier, made, 2 * MODES + 1)


@given(SEEDS, st.integers(1, 6), st.booleans())
def test_any_operator_that_commutes_with_shifts_is_fitted_exactly(seed: int, terms: int, turned: bool) -> None:
    wanted = np.random.default_rng(seed).standard_normal((2, terms, MODES + 1))
    wanted[1, :, 0] = 0.0
    given, outputs = pairs(wanted, MODES, seed + 1)
    if turned:
        turn = frame(given, MODES)
        given, outputs = rotate(given, turn), rotate(outputs, turn)
    assert linear_part.multiplier(given, outputs) == pytest.approx(wanted, abs=1e-10)


@settings(max_examples=20)
@given(SEEDS)
def test_it_commutes_with_shifts(seed: int) -> None:
    wanted = np.random.default_rng(seed).standard_normal((2, 3, MODES + 1))
    given, outputs = pairs(wanted, MODES, seed)
    turn = frame(given, MODES)
    there = linear_part.apply(wanted, canonical(given), 2 * MODES + 1)
    assert rotate(there, turn, back=True) == pytest.approx(outputs, abs=1e-11)


class TestUnseen:
    """Modes that no training input has."""

    @pytest.mark.parametrize("name", LAWS)
    def test_they_follow_the_law_of_the_seen_ones(self, name: str) -> None:
        found = linear_part.fit(*pairs(factors(LAWS[name]), SEEN, mean=False), HORIZON, PERIOD)
        assert found.law is not None
        assert found.law.error <= EXACT
        assert found.seen.tolist() == [0 < k <= SEEN for k in range(MODES + 1)]
        made = inputs(5, MODES, 9, mean=True)
        wide = 2 * MODES + 1
        times = np.linspace(0.0, HORIZON, 11)
        form = Spectral(PERIOD, MODES, HORIZON, found.multiplier.shape[1] - 1)
        exact = np.stack([linear_part.apply(_at(LAWS[name], t), made, wide)[:, 0] for t in times], 1)
        u = form.time_matrix(times) @ found.apply(made, wide)
        assert np.linalg.norm(u - exact) < 2e-4 * np.linalg.norm(exact)

    @pytest.mark.parametrize("name", LAWLESS)
    def test_nothing_is_invented_where_there_is_no_law(self, name: str) -> None:
        found = linear_part.fit(*pairs(factors(LAWLESS[name]), SEEN, mean=False), HORIZON, PERIOD)
        assert found.law is None
        assert (found.multiplier[:, :, ~found.seen] == 0).all()
        assert (found.multiplier[:, :, found.seen] != 0).any()

    def test_two_modes_are_too_few_to_test_a_law(self) -> None:
        found = linear_part.fit(*pairs(factors(LAWS["heat"]), 2, mean=False), HORIZON, PERIOD)
        assert found.law is None

    def test_a_law_by_which_they_would_grow_is_not_followed(self) -> None:
        found = linear_part.fit(*pairs(factors(lambda k, t: np.exp(0.01 * k**2 * t)), SEEN), HORIZON, PERIOD)
        assert found.law is not None
        assert (found.multiplier[:, :, SEEN + 1 :] == 0).all()

    def test_inputs_that_are_all_zero_give_zero(self) -> None:
        zero = np.zeros((4, 2 * MODES + 1))
        found = linear_part.fit(zero, np.zeros((4, 3, 2 * MODES + 1)), HORIZON, PERIOD)
        assert (found.multiplier == 0).all()


class TestFull:
    """Without shifts: an affine map of low rank."""

    @given(SEEDS, st.integers(1, 4))
    def test_an_affine_map_is_fitted_exactly_with_its_rank(self, seed: int, rank: int) -> None:
        rng = np.random.default_rng(seed)
        x, true = rng.standard_normal((30, 5)), rng.standard_normal((6, rank)) @ rng.standard_normal((rank, 8))
        mixing, basis = linear_part.full(x, np.c_[x, np.ones(30)] @ true, 6, least=1e-7)
        assert mixing.shape == (6, rank)
        assert mixing @ basis == pytest.approx(true, abs=1e-6)

    def test_less_rank_is_the_best_of_it(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((50, 6))
        y = x @ rng.standard_normal((6, 8))
        found = [linear_part.full(x, y, rank) for rank in range(1, 7)]
        errors = [np.linalg.norm(np.c_[x, np.ones(50)] @ a @ b - y) for a, b in found]
        best = np.linalg.svd(y, compute_uv=False)
        assert errors[:-1] == pytest.approx([np.sqrt((best[r:] ** 2).sum()) for r in range(1, 6)], rel=0.01)
        assert errors[-1] < 1e-6

    def test_inputs_that_never_vary_have_no_say(self) -> None:
        x = np.random.default_rng(0).standard_normal((30, 4))
        x[:, 2] = 0.0
        mixing, _ = linear_part.full(x, x, 4)
        assert np.abs(mixing[2]).max() < 1e-12


def _at(symbol: Symbol, t: float) -> np.ndarray:
    found = symbol(K, np.array([[t]]))
    return np.stack([found.real, found.imag])
