"""Exact derivatives by Taylor series through a module's graph, held against nested autograd."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from edgepde_runtime.errors import UnsupportedModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgepde.mollifier.names import combination
from edgepde.mollifier.outputs import series
from edgepde.mollifier.outputs.forward import Exact
from edgepde.mollifier.outputs.rules import FUNCTIONS
from edgepde.mollifier.outputs.series import Scaled, Series

LETTERS = ("x", "y", "t")
NAMES = ("u_x", "u_t", "u_xx", "u_xt", "u_xxy", "u_xxxx", "u_xxyy", "laplacian", "biharmonic")


def nested(u: Tensor, x: Tensor, orders: tuple[int, ...]) -> Tensor:
    for column, k in enumerate(orders):
        for _ in range(k):
            u = torch.autograd.grad(u.sum(), x, create_graph=True)[0][:, column]
    return u


class Of(nn.Module):
    """A small net with a function inside."""

    def __init__(self, inner: Callable[[Tensor], Tensor], d: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.first, self.last = inner, nn.Linear(d, 5), nn.Linear(5, 1)
        self.register_buffer("factors", torch.linspace(0.5, 1.5, d))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.inner(0.4 * torch.tanh(self.first(x * self.factors)) + 1.2)).squeeze(-1)


INNER: dict[str, Callable[[Tensor], Tensor]] = {
    **{name: getattr(torch, name, None) or getattr(nn.functional, name) for name in FUNCTIONS},
    "gelu": nn.functional.gelu,
    "gelu_tanh": lambda h: nn.functional.gelu(h, approximate="tanh"),
    "softplus": nn.functional.softplus,
    "quotient": lambda h: (h - 0.3) / (2.0 + h * h),
    "powers": lambda h: h**3 - h**0.5 + h**-1 + h**2.5,
    "pieces": lambda h: torch.cat([h[:, :2] * h[:, 2:4], torch.ones_like(h[:, :1]), h[:, 3:] - 2.0], dim=1),
    "parts": lambda h: torch.stack([*h.unbind(1)], dim=-1).reshape(h.shape[0], 5) + h.sum(1, keepdim=True),
    "wider": lambda h: h[:, :1] + torch.linspace(0.0, 1.0, 5, dtype=h.dtype),
    "wider_skip": lambda h: h[:, :1] ** 2 - torch.sin(h[:, 1:2] * torch.linspace(0.5, 1.5, 5, dtype=h.dtype)),
    "high_powers": lambda h: h**9 - h**-2 + h**0,
    "split": lambda h: torch.cat(h.split([1, 4], dim=1)[::-1], dim=1) @ torch.eye(5, dtype=h.dtype),
}


@pytest.mark.parametrize("name", sorted(INNER))
def test_every_rule_is_what_autograd_says(name: str) -> None:
    module = Of(INNER[name]).double()
    sums = [combination(n, LETTERS) for n in NAMES]
    exact = Exact(module, 3, sums)
    x = (2.0 * torch.rand(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) - 1).requires_grad_()
    value, *made = exact(x)
    u = module(x)
    assert torch.allclose(value, u, atol=1e-15)
    for terms, part in zip(sums, made, strict=True):
        expected = sum(factor * nested(u, x, orders) for factor, orders in terms)
        assert torch.allclose(part, expected, rtol=1e-9, atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-2, 2), min_size=4, max_size=4),
    st.floats(-1.0, 1.0),
    st.sampled_from(["tanh", "sin", "exp", "sigmoid", "silu", "gelu"]),
)
def test_series_of_a_product_is_the_product_of_series(slopes: list[float], at: float, name: str) -> None:
    """f(a x + b y) g with g = c x + d y: D_xy and D_xx in closed form by autograd."""
    a, b, c, d = slopes
    x = torch.tensor([[at, 0.3]], dtype=torch.float64, requires_grad=True)
    zero = (0, 0)

    def variable(column: int) -> Series:
        unit = tuple(int(i == column) for i in range(2))
        one = torch.ones(1, dtype=torch.float64)
        return Series(
            lambda k: Scaled(1.0, x[:, column]) if k == zero else Scaled(1.0, None, one) if k == unit else None, zero
        )

    first, second = variable(0), variable(1)
    inner = series.plus(series.scaled(first, a), series.scaled(second, b))
    outer = series.minus(series.scaled(first, c), series.scaled(second, -d))
    made = series.times(getattr(series, name)(inner), outer)
    u = INNER[name](a * x[:, 0] + b * x[:, 1]) * (c * x[:, 0] + d * x[:, 1])
    for orders, factor in (((1, 1), 1.0), ((2, 0), 2.0), ((0, 3), 6.0)):
        part = made[orders]
        whole = torch.zeros(1, dtype=torch.float64) if part is None else factor * part.whole
        assert torch.allclose(whole, nested(u, x, orders), rtol=1e-9, atol=1e-11)


def test_another_dtype_is_another_graph_with_the_same_weights() -> None:
    module = Of(torch.sin)
    exact = Exact(module, 3, [combination("u_xx", LETTERS)])
    x = torch.rand(3, 3)
    narrow = exact(x)[1]
    wide = exact.double()(x.double())[1]
    assert narrow.dtype == torch.float32
    assert wide.dtype == torch.float64
    assert (narrow.double() - wide).abs().max() < 1e-5


def test_what_is_never_zero_is_one_row_for_all_and_comes_back_whole() -> None:
    """A derivative that is constant has as many rows as the input."""
    exact = Exact(nn.Linear(2, 1), 2, [((1.0, (1, 0)),), ((1.0, (2, 0)),)])
    _, slope, bend = exact(torch.rand(5, 2))
    assert slope.shape == bend.shape == (5, 1)
    assert not bend.any()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), "relu has no rule"),
        (nn.Sequential(nn.Linear(2, 3), nn.Hardtanh()), "hardtanh has no rule"),
        (nn.Bilinear(2, 2, 1), "refused|rule"),
    ],
)
def test_what_has_no_rule_is_named(module: nn.Module, words: str) -> None:
    with pytest.raises((UnsupportedModel, TypeError), match=words):
        Exact(module, 2, [((1.0, (1, 0)),)])


class Wide(nn.Module):
    """Sums that are wider than what they are sums of, and a power, as functions of x, y and t."""

    def __init__(self) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.linspace(-1.0, 1.0, 12).reshape(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        shifted = (x[:, :1] + self.centres[:, 0]).sum(1)
        return shifted * x[:, 1] + ((x.unsqueeze(1) - self.centres) ** 2).sum(-1).sum(1) + x[:, 2] ** 10


def test_what_is_summed_after_it_was_repeated_counts_every_time() -> None:
    """u = (4 x + c) y + 4 (x^2 + y^2 + t^2) + .. + t^10, at t = 0 too, in a graph that torch.export makes of it."""
    module = Wide().double()
    exact = Exact(module, 3, [combination(n, LETTERS) for n in ("u_xy", "u_xx", "u_tt", "laplacian")])
    x = torch.tensor([[0.3, -0.2, 0.0], [1.0, 0.7, 0.5]], dtype=torch.float64)
    traced = torch.export.export(exact, (x,), dynamic_shapes=({0: torch.export.Dim("rows")},), strict=False).module()
    for made in (exact(x), traced(x)):
        assert torch.allclose(made[0], module(x))
        assert torch.allclose(made[1], torch.full((2,), 4.0).double())
        assert torch.allclose(made[2], torch.full((2,), 8.0).double())
        assert torch.allclose(made[3], 8.0 + 90.0 * x[:, 2] ** 8)
        assert torch.allclose(made[4], torch.full((2,), 16.0).double())


def test_weights_that_two_layers_share_are_read_once() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    module[2].weight = module[0].weight
    x = torch.rand(4, 3, dtype=torch.float64).requires_grad_()
    made = Exact(module, 3, [((1.0, (2, 0, 1)),)])(x)[1]
    assert torch.allclose(made[:, 0], nested(module(x), x, (2, 0, 1)))


def test_indices_below_an_index_are_all_of_them() -> None:
    assert series.below((2, 1)) == list(itertools.product(range(3), range(2)))
