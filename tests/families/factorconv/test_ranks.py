"""The search of ranks under a latency budget, with clocks that are formulas."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.errors import CompressionError
from edgepde.factorconv.ranks import pareto, search

Rows = list[list[tuple[float, float]]]

LAYERS = st.lists(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20)), min_size=1, max_size=4), min_size=1, max_size=4
)


def every(rows: Rows) -> list[tuple[float, float]]:
    """(seconds, error) of all choices."""
    return [(sum(t for t, _ in one), sum(e for _, e in one)) for one in itertools.product(*rows)]


@settings(max_examples=100)
@given(rows=LAYERS, share=st.floats(0, 1))
def test_finds_the_best_where_seconds_add_up(rows: Rows, share: float) -> None:
    choices = every(rows)
    low, high = min(choices)[0], max(choices)[0]
    budget = low + share * (high - low)
    best = min(e for t, e in choices if t <= budget)
    found = search(
        lambda ranks: ranks,
        [list(range(len(row))) for row in rows],
        [[float(e) for _, e in row] for row in rows],
        lambda ranks: sum(row[r][0] for row, r in zip(rows, ranks, strict=True)),
        budget,
    )
    assert found.latency <= budget
    assert found.error == best
    assert found.chosen == found.ranks


@settings(max_examples=60)
@given(rows=LAYERS)
def test_front_is_what_nothing_beats(rows: Rows) -> None:
    front = pareto(0.0, [[t for t, _ in row] for row in rows], [[e for _, e in row] for row in rows])
    choices = every(rows)
    kept = {(t, e) for t, e in choices if not any((a <= t and b <= e and (a, b) != (t, e)) for a, b in choices)}
    assert {(t, e) for t, e, _ in front} == kept


RANKS = [(1, 2, 4, 8)] * 3
ERRORS = [[w / r for r in RANKS[0]] for w in (1.0, 4.0, 2.0)]


def clock(ranks: tuple[Any, ...]) -> float:
    """Wide layers together take more than their sum."""
    return 1.0 + sum(ranks) + 0.2 * math.prod(ranks)


@pytest.mark.parametrize("budget", [4.3, 9.0, 17.0, 40.0, 1e3])
def test_keeps_the_budget_where_they_do_not(budget: float) -> None:
    found = search(lambda r: r, RANKS, ERRORS, clock, budget)
    assert found.latency == clock(found.ranks) <= budget
    assert found == search(lambda r: r, RANKS, ERRORS, clock, budget)
    assert found.error == pytest.approx(sum(w / r for w, r in zip((1.0, 4.0, 2.0), found.ranks, strict=True)))
    assert all(t["latency"] == clock(t["ranks"]) for t in found.tried)
    if budget == 1e3:
        assert found.ranks == (8, 8, 8)


@settings(max_examples=60)
@given(rows=LAYERS, share=st.floats(0, 1), together=st.floats(0, 0.1), seed=st.integers(0, 99))
def test_no_single_layer_can_be_better(rows: Rows, share: float, together: float, seed: int) -> None:
    def seconds(ranks: tuple[int, ...]) -> float:
        each = [row[r][0] for row, r in zip(rows, ranks, strict=True)]
        return sum(each) + together * math.prod(each) * (1 + (hash((seed, ranks)) % 7) / 7)

    errors = [[float(e) for _, e in row] for row in rows]
    budget = sum(min(t for t, _ in row) for row in rows) + share * sum(max(t for t, _ in row) for row in rows)
    try:
        found = search(lambda ranks: ranks, [list(range(len(row))) for row in rows], errors, seconds, budget)
    except CompressionError:
        return
    assert seconds(found.ranks) == found.latency <= budget
    for layer, row in enumerate(rows):
        for i in range(len(row)):
            other = (*found.chosen[:layer], i, *found.chosen[layer + 1 :])
            assert errors[layer][i] >= errors[layer][found.chosen[layer]] or seconds(other) > budget
    measured = [t["ranks"] for t in found.tried]
    assert len(set(measured)) == len(measured)


def test_says_what_the_fastest_takes() -> None:
    with pytest.raises(CompressionError, match=r"ranks \(1, 1, 1\), takes 4.2 s"):
        search(lambda r: r, RANKS, ERRORS, clock, 4.0)


@pytest.mark.parametrize(
    ("candidates", "errors", "budget", "seconds", "told"),
    [
        ([[1]], [[0.0]], 0.0, 1.0, "budget"),
        ([[1]], [[0.0]], math.nan, 1.0, "budget"),
        ([], [], 1.0, 1.0, "as many"),
        ([[]], [[]], 1.0, 1.0, "as many"),
        ([[1]], [[0.0, 1.0]], 1.0, 1.0, "as many"),
        ([[1]], [[-1.0]], 1.0, 1.0, "0 or more"),
        ([[1]], [[math.inf]], 1.0, 1.0, "finite"),
        ([[1]], [[0.0]], 1.0, math.nan, "latency of ranks"),
        ([[1]], [[0.0]], 1.0, 0.0, "latency of ranks"),
    ],
)
def test_refuses_numbers_that_are_none(candidates: Any, errors: Any, budget: float, seconds: float, told: str) -> None:
    with pytest.raises(InputError, match=told):
        search(lambda r: r, candidates, errors, lambda r: seconds, budget)
