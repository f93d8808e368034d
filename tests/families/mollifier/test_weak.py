"""Weak forms: exact adjoints, convergence, products with rough coefficients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.mollifier.grid import Grid
from edgepde.mollifier.weak import WeakForm

NAMES = ("u", "u_t", "u_x", "u_xx")


def form(n: int, radius: float = 0.25, power: int = 8) -> WeakForm:
    half = round(radius * (n - 1))
    axis = np.linspace(0.0, 1.0, n)
    return WeakForm(Grid.of(t=axis, x=axis), NAMES, half=half, power=power)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), name=st.sampled_from(NAMES))
def test_the_transpose_is_exact(seed: int, name: str) -> None:
    weak, draw = form(21), torch.Generator().manual_seed(seed)
    u = torch.randn(3, 21, 21, dtype=torch.float64, generator=draw)
    found = weak(u, name)
    r = torch.randn(found.shape, dtype=torch.float64, generator=draw)
    left, right = (found * r).sum(), (u * weak.adjoint(r, name)).sum()
    assert float((left - right).abs()) <= 1e-12 * float(found.norm() * r.norm())


@pytest.mark.parametrize("name", ["u_t", "u_x", "u_xx"])
def test_moving_derivatives_onto_the_test_function_converges(name: str) -> None:
    errors = []
    for n in (17, 33, 65):
        weak = form(n, power=6)
        t, x = (torch.from_numpy(v) for v in weak.grid.mesh().values())
        u = torch.sin(3.0 * x + 2.0 * t)
        slope = {"u_t": 2.0 * torch.cos(3.0 * x + 2.0 * t), "u_x": 3.0 * torch.cos(3.0 * x + 2.0 * t), "u_xx": -9.0 * u}
        moved, direct = weak(u, name), weak(slope[name], "u")
        errors.append(float((moved - direct).abs().max() / direct.abs().max()))
    assert errors[1] < errors[0] / 8.0
    assert errors[2] < errors[1] / 8.0


def test_a_rough_coefficient_needs_no_derivative() -> None:
    """(lambda u_x)_x with a jump of lambda where lambda u_x is smooth: the weak form sees no jump."""
    weak = form(65)
    _, x = (torch.from_numpy(v) for v in weak.grid.mesh().values())
    lam = torch.where(x < 0.5, 1.0, 3.0).double()
    flux = torch.sin(2.0 * x)
    found, wanted = weak(lam * (flux / lam), "u_x"), weak(2.0 * torch.cos(2.0 * x), "u")
    assert float((found - wanted).abs().max()) < 1e-6 * float(wanted.abs().max())


def test_a_coefficient_is_recovered_without_division_by_zero() -> None:
    """lambda u_xx = f where u_xx changes sign: one number from all test functions."""
    weak = form(33)
    _, x = (torch.from_numpy(v) for v in weak.grid.mesh().values())
    u = torch.sin(6.0 * x)
    f = 0.7 * -36.0 * u
    d, right = weak(u, "u_xx"), weak(f, "u")
    assert float((d * right).sum() / (d * d).sum()) == pytest.approx(0.7, rel=1e-5)


def test_stride_takes_every_so_many() -> None:
    axis = np.linspace(0.0, 1.0, 21)
    grid = Grid.of(x=axis)
    u = torch.randn(21, dtype=torch.float64)
    every, third = (WeakForm(grid, ("u_x",), half=4, stride=stride) for stride in (1, 3))
    assert torch.allclose(third(u, "u_x"), every(u, "u_x")[::3], rtol=1e-12)


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"half": 11}, "axis x: half: expected 1 to 10"),
        ({"power": 3}, "axis x: power: expected at least 4 for order 2"),
        ({"stride": 0}, "stride: expected at least 1"),
    ],
)
def test_wrong_settings_are_refused(settings_: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        WeakForm(Grid.of(x=np.linspace(0.0, 1.0, 21)), ("u_xx",), **settings_)  # type: ignore[arg-type]


def test_uneven_axes_and_wrong_fields_are_refused() -> None:
    with pytest.raises(InputError, match="axis x"):
        WeakForm(Grid.of(x=np.linspace(0.0, 1.0, 21) ** 2), ("u",), half=4)
    weak = form(21)
    with pytest.raises(InputError, match="values: expected"):
        weak(torch.zeros(20, 21, dtype=torch.float64), "u")
    with pytest.raises(InputError, match="name: expected one of"):
        weak(torch.zeros(21, 21, dtype=torch.float64), "u_tt")
