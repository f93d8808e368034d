"""Stencils at points of a box: exact on polynomials, inside the box, their step chosen by what it costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgepde.mollifier.names import combination
from edgepde.mollifier.outputs.choosing import chosen
from edgepde.mollifier.outputs.stencil import Stencil, Step

BOX = Box([-1.0, 0.0], [1.0, 0.5], ["x", "t"])
LETTERS = ("x", "t")


class Powers(nn.Module):
    """sum_ij c_ij x^i t^j, and what it was asked at."""

    def __init__(self, c: list[list[float]]) -> None:
        super().__init__()
        self.c = c
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(x)
        return self.derivative(x, 0, 0)

    def derivative(self, x: Tensor, k: int, m: int) -> Tensor:
        total = torch.zeros_like(x[:, 0])
        for i, row in enumerate(self.c):
            for j, c in enumerate(row):
                if i >= k and j >= m:
                    factor = c * math.perm(i, k) * math.perm(j, m)
                    total = total + factor * x[:, 0] ** (i - k) * x[:, 1] ** (j - m)
        return total


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.floats(-1, 1), min_size=5, max_size=5), min_size=5, max_size=5),
    st.sampled_from([(1, 0), (2, 0), (0, 1), (4, 0), (1, 1), (2, 2)]),
    st.floats(0.02, 0.1),
)
def test_polynomials_are_differentiated_exactly_up_to_the_edges(
    c: list[list[float]], orders: tuple[int, int], share: float
) -> None:
    steps = {i: Step(2, share * (BOX.high[i] - BOX.low[i])) for i, k in enumerate(orders) if k}
    powers = Powers(c)
    x = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [-1.0, 0.5], [0.1, 0.2], [0.97, 0.01]], dtype=torch.float64)
    made = Stencil(powers, BOX, [((1.0, orders),)], {orders: steps})(x)[1]
    assert torch.allclose(made, powers.derivative(x, *orders), atol=1e-8 / share**4 / 1e3)
    low, high = torch.tensor(BOX.low).double(), torch.tensor(BOX.high).double()
    assert all(bool(((p >= low) & (p <= high)).all()) for p in powers.asked)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_node_leaves_the_box_in_either_type(dtype: torch.dtype) -> None:
    box = Box([0.1], [0.3], ["x"])
    powers = Powers([[0.0, 0.0], [1.0, 0.0]])
    step = {(2,): {0: Step(3, 0.2 / 6.0 / 1.001)}}
    x = torch.linspace(0.1, 0.3, 400, dtype=dtype).clamp(0.1, 0.3)[:, None]
    Stencil(lambda_module(powers), box, [((1.0, (2,)),)], step)(x)
    low, high = torch.tensor([0.1, 0.3], dtype=dtype)
    assert all(bool(((p[:, 0] >= low) & (p[:, 0] <= high)).all()) for p in powers.asked)


def lambda_module(inner: Powers) -> nn.Module:
    class Of(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return inner(torch.cat([x, x], dim=1))

    return Of()


def test_a_stencil_wider_than_the_box_is_refused() -> None:
    with pytest.raises(InputError, match=r"5 nodes 0\.2 apart are wider than t"):
        Stencil(nn.Linear(2, 1), BOX, [((1.0, (0, 1)),)], {(0, 1): {1: Step(2, 0.2)}})


class Wave(nn.Module):
    """sin(2 x + t), through a function that has no exact rule where `kink` says so."""

    def __init__(self, *, ruled: bool) -> None:
        super().__init__()
        self.ruled = ruled
        self.scale = nn.Parameter(torch.tensor([[2.0], [1.0]]))

    def forward(self, x: Tensor) -> Tensor:
        s = torch.sin(x @ self.scale)[:, 0]
        return s if self.ruled else torch.sinh(torch.asinh(s))


def sums(*names: str) -> dict[str, tuple[tuple[float, tuple[int, ...]], ...]]:
    return {name: combination(name, LETTERS) for name in names}


def quiet(_: str) -> None:
    """A log nobody reads."""


def test_the_exact_form_wins_where_there_is_one() -> None:
    told: list[str] = []
    made = chosen(Wave(ruled=True), BOX, sums("u_xx", "u_t"), "auto", told.append)
    assert made.form == "exact"
    assert made.errors["u_xx"] < 1e-5
    assert "stencil off by" in told[0]


def test_the_step_balances_rounding_and_bias() -> None:
    made = chosen(Wave(ruled=False), BOX, sums("u_x", "u_xx"), "auto", quiet)
    assert made.form == "stencil"
    assert "nodes" in made.words
    x = torch.from_numpy(BOX.sample(200, np.random.default_rng(5))).float()
    with torch.no_grad():
        _, slope, bend = made.of(Wave(ruled=False))(x)
    s = (2.0 * x[:, 0] + x[:, 1]).double()
    assert (slope - 2.0 * torch.cos(s)).abs().max() < 3.0 * made.errors["u_x"] + 1e-6
    assert 1e-6 < (bend + 4.0 * torch.sin(s)).abs().max() < 3.0 * made.errors["u_xx"]


def test_orders_that_rounding_leaves_nothing_of_are_refused_with_what_would_help() -> None:
    with pytest.raises(UnsupportedModel, match=r"derivative u_xxxxxx: in float32 .*float64 module.*asinh has no rule"):
        chosen(Wave(ruled=False), BOX, sums("u_xxxxxx"), "auto", quiet)
    made = chosen(Wave(ruled=False).double(), BOX, sums("u_xxxxxx"), "auto", quiet)
    assert 0.0 < made.errors["u_xxxxxx"] < 1.0
    with pytest.raises(UnsupportedModel, match="--derivative-form exact would help"):
        chosen(Wave(ruled=True), BOX, sums("u_xxxxxx"), "stencil", quiet)


def test_what_is_asked_for_and_impossible_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="--derivative-form exact: asinh has no rule"):
        chosen(Wave(ruled=False), BOX, sums("u_x"), "exact", quiet)
