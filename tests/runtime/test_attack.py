"""The adversary finds what is there, says how long it looked, and looks at the same places for the same seed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import pytest
from edgepde_runtime.attack import Array, Search, Worst
from hypothesis import given, settings
from hypothesis import strategies as st


def one(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function of rows as an error with a single output."""
    return lambda z: function(z)[:, None]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(0, 2**16))
def test_a_smooth_peak_is_climbed_to_its_top(dimension: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre = rng.random(dimension)
    worst = Search(one(lambda z: 1.0 / (1.0 + 50.0 * ((z - centre) ** 2).sum(axis=1))), dimension, seed=seed).run()
    assert worst.value[0] > 0.999
    assert np.abs(worst.place[0] - centre).max() < 0.02


@pytest.mark.parametrize("dimension", [1, 2, 3, 12])
def test_corners_and_faces_are_looked_at(dimension: int) -> None:
    corner = np.arange(dimension) % 2
    worst = Search(one(lambda z: -np.abs(z - corner).sum(axis=1) + dimension), dimension).run()
    assert worst.value[0] == dimension
    assert (worst.place[0] == corner).all()


def test_a_needle_that_sampling_misses_is_found_by_its_slope() -> None:
    def error(z: Array) -> Array:
        distance = np.linalg.norm(z - 0.37, axis=1)
        return np.asarray(np.maximum(0.2 - 0.1 * distance, 1.0 - 1e3 * distance))

    assert Search(one(error), 2).run().value[0] > 0.99


def test_many_columns_are_climbed_along_drawn_directions() -> None:
    weights = np.linspace(-1.0, 1.0, 40)
    worst = Search(one(lambda z: np.abs(z @ weights)), 40).run(rounds=2)
    assert worst.value[0] > 0.8 * np.abs(weights[weights > 0].sum())


def test_every_output_has_a_worst_of_its_own() -> None:
    worst = Search(lambda z: np.stack([z[:, 0], 1.0 - z[:, 0]], axis=1), 1, 2).run()
    assert worst.value.tolist() == [1.0, 1.0]
    assert worst.place[:, 0].tolist() == [1.0, 0.0]
    assert all(worst.place[i].tolist() in worst.calls[i].tolist() for i in (0, 1))


def test_infinity_is_the_worst_of_all() -> None:
    worst = Search(one(lambda z: np.where(z[:, 0] > 0.9, np.inf, 1.0)), 2).run(rounds=2)
    assert worst.value[0] == np.inf
    assert worst.place[0, 0] > 0.9


def looked_at(seed: int, rounds: int) -> Array:
    """Every place a search looks at."""
    seen: list[Array] = []

    def error(z: Array) -> Array:
        seen.append(z)
        return np.asarray(np.sin(9.0 * z).sum(axis=1))[:, None]

    Search(error, 2, seed=seed).run(rounds=rounds)
    return np.concatenate(seen)


def test_the_same_seed_looks_at_the_same_places_and_more_rounds_go_on_from_there() -> None:
    first, again, other, longer = looked_at(3, 1), looked_at(3, 1), looked_at(4, 1), looked_at(3, 2)
    assert np.array_equal(first, again)
    assert np.array_equal(first, longer[: len(first)])
    assert len(longer) > len(first)
    assert len(other) != len(first) or not np.array_equal(first, other)
    assert ((longer >= 0.0) & (longer <= 1.0)).all()


def test_the_time_is_kept_and_one_call_is_always_made() -> None:
    def slow(z: Array) -> Array:
        time.sleep(0.01)
        return np.ones((len(z), 1))

    began = time.monotonic()
    assert Search(slow, 2).run(0.2).value[0] == 1.0
    assert time.monotonic() - began < 2.0
    assert Search(slow, 2).run(1e-9).tried > 0


def test_what_was_found_is_kept_where_the_search_is_broken_off() -> None:
    calls = 0

    def error(z: Array) -> Array:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return z[:, :1]

    search = Search(error, 2)
    with pytest.raises(KeyboardInterrupt):
        search.run(60.0)
    assert search.worst.value[0] == 1.0
    assert search.worst.tried > 0


def test_progress_hears_of_every_call() -> None:
    heard: list[Worst] = []
    worst = Search(one(lambda z: z[:, 0]), 1, progress=heard.append).run()
    assert heard[-1].tried == worst.tried
    assert [w.tried for w in heard] == sorted({w.tried for w in heard})


def test_what_is_known_is_looked_at_first() -> None:
    known = np.array([[0.123, 0.456]])
    needle = Search(one(lambda z: np.where((z == known[0]).all(axis=1), 2.0, 1.0)), 2, starts=known)
    assert needle.run(1e-9).value[0] == 2.0


def test_rounds_make_the_same_calls_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def sizes(slow: float) -> list[int]:
        seen: list[int] = []
        clock = itertools.count(0.0, slow)
        monkeypatch.setattr(time, "monotonic", lambda: next(clock))

        def error(places: Array) -> Array:
            seen.append(len(places))
            return places[:, :1] * (1.0 - places[:, 1:])

        Search(error, 2).run(rounds=1)
        return seen

    assert sizes(1e-6) == sizes(1.0)
