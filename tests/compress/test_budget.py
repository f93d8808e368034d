"""The shared budget: choices shrink, cost what they say, and spend errors where they save most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError
from hypothesis import given
from hypothesis import strategies as st

from edgepde.compress.allowance import allowance
from edgepde.compress.budget import Part, path

ERRORS = st.lists(st.floats(1e-6, 1e3), min_size=0, max_size=6).map(lambda e: (0.0, *sorted(e)))


@given(st.lists(ERRORS, min_size=1, max_size=4), st.integers(1, 5))
def test_every_choice_is_smaller_than_the_one_before_and_sums_its_errors(
    errors: list[tuple[float, ...]], weight: int
) -> None:
    parts = [Part(str(i), e) for i, e in enumerate(errors)]

    def size(options: Sequence[int]) -> int:
        return sum((i + weight) * (10 - option) for i, option in enumerate(options))

    choices = path(parts, size)
    assert choices[0].options == (0,) * len(parts)
    assert choices[-1].options == tuple(len(e) - 1 for e in errors)
    for before, after in pairwise(choices):
        assert after.size < before.size
        assert all(a >= b for a, b in zip(after.options, before.options, strict=True))
    for choice in choices:
        assert choice.size == size(choice.options)
        total = math.sqrt(sum(e[i] ** 2 for e, i in zip(errors, choice.options, strict=True)))
        assert choice.expected == pytest.approx(total)


def test_the_part_that_costs_least_goes_first() -> None:
    parts = [Part("dear", (0.0, 1.0)), Part("cheap", (0.0, 0.1))]
    assert [c.options for c in path(parts, lambda o: 10 - sum(o))] == [(0, 0), (0, 1), (1, 1)]


def test_an_option_that_saves_nothing_is_passed_over() -> None:
    assert [c.options for c in path([Part("p", (0.0, 0.1, 0.2))], lambda o: (9, 11, 4)[o[0]])] == [(0,), (2,)]


BOX = Box([-1.0, 0.0], [1.0, 2.0], ["x", "t"])


def test_parts_of_the_box_have_limits_of_their_own() -> None:
    import torch

    allowed = allowance("u=1e-2,u[x=0:0.5,t=1:2]=1e-4", BOX, "u")
    assert [area.limit for area in allowed.areas] == [1e-2, 1e-4]
    assert allowed.areas[1].box.low == (0.0, 1.0)
    assert allowed.tightest == 1e-4
    points = torch.tensor([[0.25, 1.5], [0.25, 0.5], [0.5, 1.0]], dtype=torch.float64)
    assert allowed.at(points).tolist() == [1e-4, 1e-2, 1e-4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v=1e-2", "v"),
        ("[x=0:0.5]=1e-3", "u"),
        ("1e-2,[y=0:1]=1e-3", "y"),
        ("1e-2,[x=0:5]=1e-3", "inside the box"),
        ("0", "above 0"),
        ("nan", "above 0"),
    ],
)
def test_what_cannot_be_allowed_is_named(text: str, said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        allowance(text, BOX, "u")
