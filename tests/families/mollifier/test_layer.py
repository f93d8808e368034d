"""The layer: the bank's derivatives in torch, by matrices and by the op, exact gradients, any network on the grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgepde.mollifier import hosts
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.layer import MollifierLayer
from edgepde.mollifier.settings import plan
from edgepde.train.device import tf32_off

NAMES = ("u", "u_x", "u_xx", "laplacian")
SHAPES = {"x": (23,), "yx": (17, 21), "tyx": (16, 17, 15)}


def grid_of(letters: str, sizes: Sequence[int] | None = None, even: bool = True) -> Grid:
    axes = {}
    for place, (letter, n) in enumerate(zip(letters, sizes or SHAPES[letters], strict=True)):
        axis = np.linspace(0.0, 1.0 + place, n)
        axes[letter] = axis if even else axis + 0.2 / n * np.sin(7.0 * axis)
    return Grid.of(**axes)


@pytest.mark.parametrize("letters", SHAPES)
@pytest.mark.parametrize("form", ["matrices", "op"])
@pytest.mark.parametrize("smooth", [False, True])
def test_values_are_those_of_the_bank(letters: str, form: str, smooth: bool) -> None:
    layer = MollifierLayer(grid_of(letters), NAMES, dtype=torch.float64, form=form, smooth=smooth)  # type: ignore[arg-type]
    values = np.random.default_rng(0).standard_normal((2, 3, *layer.shape))
    found, wanted = layer(torch.from_numpy(values)), layer.bank.apply(values)
    for place, name in enumerate(NAMES):
        expected = np.moveaxis(wanted, 2, 0)[place]
        part = getattr(found, name).numpy()
        assert part.shape == values.shape
        assert np.abs(part - expected).max() <= 1e-11 * np.abs(expected).max()


@pytest.mark.parametrize("form", ["matrices", "op"])
def test_uneven_samples_and_single_precision(form: str) -> None:
    grid = grid_of("yx", (14, 16), even=False)
    layer = MollifierLayer(grid, ("u", "u_xx", "u_y"), half=4, degree=4, form=form)  # type: ignore[arg-type]
    mesh = grid.mesh()
    found = layer(torch.from_numpy(mesh["x"] ** 2 * mesh["y"]).float())
    assert found.u.dtype == torch.float32
    assert np.abs(found.u_xx.numpy() - 2.0 * mesh["y"]).max() < 5e-3
    assert np.abs(found.u_y.numpy() - mesh["x"] ** 2).max() < 5e-4


@pytest.mark.parametrize("form", ["matrices", "op"])
def test_gradients_are_exact_to_second_order(form: str) -> None:
    grid, names = grid_of("yx", (5, 6)), ("u_x", "laplacian")
    layer = MollifierLayer(grid, names, half=2, degree=3, dtype=torch.float64, form=form)  # type: ignore[arg-type]
    values = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: tuple(layer(v)), (values,))
    assert torch.autograd.gradgradcheck(lambda v: layer(v).laplacian * v, (values,))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), letters=st.sampled_from(list(SHAPES)))
def test_the_slope_is_the_adjoint(seed: int, letters: str) -> None:
    layer = MollifierLayer(grid_of(letters), ("laplacian",), dtype=torch.float64)
    draw = torch.Generator().manual_seed(seed)
    u, v = (torch.randn(layer.shape, dtype=torch.float64, generator=draw) for _ in range(2))
    u.requires_grad_()
    (slope,) = torch.autograd.grad((layer(u).laplacian * v).sum(), u)
    left, right = float((layer(u).laplacian * v).sum().detach()), float((u.detach() * slope).sum())
    assert left == pytest.approx(right, rel=1e-9, abs=1e-7 * float(slope.norm()))


def test_several_names_share_their_products() -> None:
    layer = MollifierLayer(grid_of("yx"), ("u_xx", "u_yy", "laplacian", "biharmonic"), dtype=torch.float64)
    found = layer(torch.randn(layer.shape, dtype=torch.float64))
    assert torch.allclose(found.laplacian, found.u_xx + found.u_yy)


def test_it_has_buffers_and_no_parameters() -> None:
    layer = MollifierLayer(grid_of("x"), ("u_x",))
    assert not list(layer.parameters())
    assert not layer.state_dict()
    assert layer.double()(torch.ones(23, dtype=torch.float64)).u_x.dtype == torch.float64


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (torch.zeros(21), r"values: expected \[.., 17, 21\], got \[21\]"),
        (torch.zeros(16, 21), r"values: axis y: expected 17 points, got 16"),
        (torch.zeros(4, 17, 20), r"values: axis x: expected 21 points, got 20"),
        (torch.zeros(17, 21, dtype=torch.float64), r"values: expected torch.float32, got torch.float64"),
        (torch.zeros(17, 21).index_fill(1, torch.tensor(4), torch.nan), r"got nan at \[0, 4\]"),
        (torch.full((17, 21), torch.inf), r"expected finite numbers, got inf at \[0, 0\]"),
    ],
)
def test_wrong_values_are_refused(values: Tensor, said: str) -> None:
    layer = MollifierLayer(grid_of("yx"), NAMES)
    with pytest.raises(InputError, match=said):
        layer(values)


def test_unchecked_values_may_be_missing() -> None:
    layer = MollifierLayer(grid_of("x"), ("u_x",), check=False)
    assert bool(layer(torch.full((23,), torch.nan)).u_x.isnan().all())


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"half": 12}, "axis x"),
        ({"dtype": torch.float16}, "dtype: expected float32 or float64"),
        ({"form": "dense"}, "form: expected auto, matrices or op"),
    ],
)
def test_wrong_settings_are_refused(settings_: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        MollifierLayer(grid_of("x"), ("u_x",), **settings_)  # type: ignore[arg-type]


def test_a_grid_too_small_names_its_axis() -> None:
    with pytest.raises(InputError, match="axis y"):
        MollifierLayer(grid_of("yx", (4, 21)), ("u_yy",), half=3, degree=4)


@pytest.mark.parametrize("names", [("u_x", "u_x"), ()])
def test_names_twice_or_none_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="names: expected"):
        MollifierLayer(grid_of("x"), names)


class Columns(nn.Module):
    """x^2 t with its coordinates in the order x, t."""

    def forward(self, points: Tensor) -> Tensor:
        return (points[:, :1] ** 2) * points[:, 1:]


def test_a_network_may_name_its_coordinates_in_another_order() -> None:
    grid = grid_of("tx", (12, 14))
    layer = MollifierLayer(grid, ("u_t", "u_xx"), half=4, degree=4, dtype=torch.float64)
    found = layer.of(Columns(), coordinates=("x", "t"))
    mesh = grid.mesh()
    assert np.abs(found.u_t.numpy() - mesh["x"] ** 2).max() < 1e-9
    assert np.abs(found.u_xx.numpy() - 2.0 * mesh["t"]).max() < 1e-8
    with pytest.raises(InputError, match=r"coordinates: expected \['t', 'x'\]"):
        layer.of(Columns(), coordinates=("x", "y"))


@pytest.mark.parametrize("name", hosts.names())
def test_networks_are_evaluated_as_they_are(name: str) -> None:
    torch.manual_seed(0)
    net = hosts.build({"host": name, "low": [0.0, 0.0], "high": [1.0, 2.0]})
    layer = MollifierLayer(grid_of("yx"), ("u", "u_x"))
    before = {k: t.clone() for k, t in net.state_dict().items()}
    parameters = torch.rand(3, 1) if name == "deeponet" else None
    found = layer.of(net, parameters)
    assert found.u_x.shape == ((3, 17, 21) if name == "deeponet" else (17, 21))
    assert found.u_x.requires_grad
    assert all(torch.equal(before[k], t) for k, t in net.state_dict().items())
    found.u_x.square().mean().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_a_network_of_another_shape_is_refused() -> None:
    layer = MollifierLayer(grid_of("yx"), ("u",))
    with pytest.raises(InputError, match=r"network: expected \[357\], one number per point, got \[357, 2\]"):
        layer.of(lambda points: points)
    with pytest.raises(InputError, match=r"network: expected \[2, 357\]"):
        layer.of(lambda parameters, points: points[:, 0], torch.ones(2, 1))


def test_exported_it_is_the_op() -> None:
    layer = MollifierLayer(grid_of("yx"), ("u", "laplacian"))
    program = torch.export.export(layer, (torch.randn(2, 17, 21),))
    assert "mollified_derivative" in program.graph_module.code
    values = torch.randn(2, 17, 21)
    for found, wanted in zip(program.module()(values), layer(values), strict=True):
        assert torch.allclose(found, wanted, atol=1e-3 * float(wanted.abs().max()))


def test_full_precision_of_products_on_gpus() -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        tf32_off()
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@settings(max_examples=20, deadline=None)
@given(n=st.integers(3, 40), order=st.integers(1, 2), double=st.booleans())
def test_without_settings_windows_are_short(n: int, order: int, double: bool) -> None:
    dtype = torch.float64 if double else torch.float32
    layer = MollifierLayer(grid_of("x", (n,)), ("u_" + "x" * order,), dtype=dtype)
    most = (n - 1) // 2
    assert layer.bank.taps[2].shape[-1] == min(9 if double else 13, 2 * most + 1)
    assert layer.bank.kernels[0][0].degree[0] == min(8, 2 * most)


def test_the_windows_of_single_precision_lose_less_to_rounding() -> None:
    """The biharmonic of two products of sines on 64 x 64 points, rounded to float32."""
    edge = np.linspace(0.0, 1.0, 64)
    grid = Grid.of(y=edge, x=edge)
    mesh, pi = grid.mesh(), np.pi
    first = np.sin(2 * pi * mesh["x"]) * np.sin(3 * pi * mesh["y"])
    second = np.sin(1.3 * pi * mesh["x"]) * np.sin(4 * pi * mesh["y"])
    wanted = pi**4 * (13.0**2 * first + 17.69**2 * second)
    for dtype, inside, whole in ((torch.float64, 1e-7, 1e-4), (torch.float32, 2e-3, 1e-2)):
        layer = MollifierLayer(grid, ("biharmonic",), dtype=dtype)
        error = layer(torch.from_numpy(first + second).to(dtype)).biharmonic.double().numpy() - wanted
        assert np.linalg.norm(error) <= whole * np.linalg.norm(wanted)
        assert np.linalg.norm(error[8:-8, 8:-8]) <= inside * np.linalg.norm(wanted[8:-8, 8:-8])


def test_readings_have_the_windows_that_were_chosen_for_them() -> None:
    grid = grid_of("x", (31,))
    wide = MollifierLayer(grid, ("u_x",), plans={"u_x": plan(grid, ((1,),), 3, 8, "polynomial", False)})
    assert wide.bank.taps[2].shape[-1] == 17
