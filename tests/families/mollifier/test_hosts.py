"""Hosts of a field: found by their files, built again from JSON, exact derivatives of separable ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgepde.mollifier import hosts
from edgepde.mollifier.exact import NestedAutograd, SeparableJets
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.hosts._host import Host, grid_points
from edgepde.mollifier.hosts._jets import sin_series, tanh_series
from edgepde.mollifier.hosts._separable import SeparableHost
from edgepde.mollifier.hosts.tucker import Tucker
from edgepde.mollifier.layer import MollifierLayer

POINTED = [name for name in hosts.names() if name != "deeponet"]
SEPARABLE = [name for name in hosts.names() if issubclass(hosts.host(name), SeparableHost)]


def made(name: str, **given_: Any) -> Host:
    torch.manual_seed(3)
    settings_ = {
        "host": name,
        "low": [0.0, -1.0],
        "high": [2.0, 1.0],
        "width": 9,
        "depth": 2,
        "offset": 0.5,
        "scale": 2.0,
    }
    return hosts.build({**settings_, **given_}).double()


def axes(n: int = 5, m: int = 6) -> tuple[Tensor, Tensor]:
    return torch.linspace(0.0, 2.0, n, dtype=torch.float64), torch.linspace(-1.0, 1.0, m, dtype=torch.float64)


def test_every_file_is_a_host_of_that_name() -> None:
    files = {p.stem for p in Path(hosts.__file__).parent.glob("[!_]*.py")}
    assert {"mlp", "siren", "deeponet", "separable"} <= files == set(hosts.names())
    assert all(hosts.host(name).name == name for name in files)


@pytest.mark.parametrize("name", hosts.names())
def test_a_description_builds_the_same_host(name: str) -> None:
    net = made(name)
    again = hosts.build(json.loads(json.dumps(net.description()))).double()
    again.load_state_dict(net.state_dict())
    assert again.description() == net.description()
    parameters = (torch.rand(2, 1, dtype=torch.float64),) if name == "deeponet" else ()
    points = grid_points(axes())
    assert torch.equal(again(*parameters, points), net(*parameters, points))


@pytest.mark.parametrize("name", POINTED)
def test_grids_are_points(name: str) -> None:
    net = made(name)
    assert torch.allclose(net.on_grid(axes()).flatten(), net(grid_points(axes())), rtol=1e-12, atol=1e-12)


def test_a_deeponet_gives_a_field_per_row() -> None:
    net, parameters = made("deeponet", parameters=3), torch.rand(4, 3, dtype=torch.float64)
    assert net.on_grid(axes(), parameters).shape == (4, 5, 6)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="parameters: expected"):
        net(parameters[:, :2], grid_points(axes()))
    with pytest.raises(InputError, match="parameters: expected"):
        net.on_grid(axes())


@pytest.mark.parametrize("name", SEPARABLE)
def test_exact_derivatives_are_those_of_nested_autograd(name: str) -> None:
    y, x = axes(4, 5)
    grid, names = Grid.of(y=y.numpy(), x=x.numpy()), ("u", "u_x", "u_xyy", "laplacian", "biharmonic")
    net = made(name)
    found = SeparableJets(grid, names, dtype=torch.float64).of(net)
    with torch.no_grad():
        wanted = NestedAutograd(grid, names, dtype=torch.float64).of(net)
    for part, other in zip(found, wanted, strict=True):
        assert torch.allclose(part, other, rtol=1e-9, atol=1e-9 * float(other.detach().abs().max()))


@settings(max_examples=15, deadline=None)
@given(x=st.floats(-2.0, 2.0), slope=st.floats(-2.0, 2.0), order=st.integers(1, 6))
def test_series_of_functions(x: float, slope: float, order: int) -> None:
    at = torch.tensor([[x]], dtype=torch.float64, requires_grad=True)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    series = [at.detach(), zero + slope, *[zero] * (order - 1)]
    for function, plain in ((tanh_series, torch.tanh), (sin_series, torch.sin)):
        wanted = plain(at)
        for k in range(1, order + 1):
            (wanted,) = torch.autograd.grad(wanted, at, create_graph=True)
            found = function(series)[k] * float(np.prod(np.arange(1.0, k + 1.0)))
            assert float(found) == pytest.approx(float(wanted.detach()) * slope**k, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", SEPARABLE)
def test_tables_assemble_to_the_fields(name: str) -> None:
    y, x = axes(12, 14)
    grid, names = Grid.of(y=y.numpy(), x=x.numpy()), ("u", "u_y", "laplacian")
    net = made(name)
    assert isinstance(net, SeparableHost)
    for derivator in (
        SeparableJets(grid, names, dtype=torch.float64),
        MollifierLayer(grid, names, dtype=torch.float64),
    ):
        tables = derivator.tables(net)
        products = torch.stack([net.scale * net.assembled(ways) for ways in tables.products])
        for row, constant, wanted in zip(tables.combine, derivator.constants, derivator.of(net), strict=True):
            found = torch.tensordot(torch.from_numpy(row), products, dims=([0], [0])) + constant * net.offset
            assert torch.allclose(found, wanted, rtol=1e-8, atol=1e-9)


def test_tucker_outputs_become_orthonormal() -> None:
    net = made("tucker", ranks=[4, 5], width=24)
    assert isinstance(net, Tucker)
    net.orthonormalise(axes(9, 11))
    for parts in net.series(axes(9, 11), [0, 0]):
        assert torch.allclose(parts[0].T @ parts[0], torch.eye(parts[0].shape[1], dtype=torch.float64), atol=1e-8)
    with pytest.raises(InputError, match="axis 0: ranks: expected at most 3"):
        net.orthonormalise(axes(3, 11))


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"host": "none"}, "host: expected one of"),
        ({"host": "mlp", "low": [0.0], "high": [0.0]}, "low < high"),
        ({"host": "mlp", "low": [0.0], "high": [1.0, 2.0]}, "as many numbers"),
        ({"host": "mlp", "width": 0}, "width: expected a whole number"),
        ({"host": "mlp", "depth": 2.0}, "depth: expected a whole number"),
        ({"host": "mlp", "scale": 0.0}, "offset, scale"),
        ({"host": "siren", "omega": -1.0}, "omega: expected a number above 0"),
        ({"host": "separable", "rank": 10**9}, "rank: expected a whole number from 1 to 4096"),
        ({"host": "tucker", "ranks": [3]}, "ranks: expected 2 numbers"),
        ({"host": "mlp", "colour": 3}, "host mlp: .*colour"),
    ],
)
def test_wrong_descriptions_are_refused(given_: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        made(given_.pop("host"), **given_)


@pytest.mark.parametrize("name", POINTED)
def test_points_of_another_dimension_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"points: expected \[M, 2\], got \[3, 1\]"):
        made(name)(torch.zeros(3, 1, dtype=torch.float64))


def test_rivals_refuse_what_they_cannot_differentiate() -> None:
    grid = Grid.of(y=np.arange(3.0), x=np.arange(3.0))
    with pytest.raises(InputError, match="expected a separable host"):
        SeparableJets(grid, ("u",)).of(made("mlp"))
    with pytest.raises(InputError, match="parameters: expected none"):
        NestedAutograd(grid, ("u",)).of(made("mlp"), torch.zeros(1, 1))
    with pytest.raises(InputError, match="expected the layer or SeparableJets"):
        NestedAutograd(grid, ("u",)).tables(made("separable"))  # type: ignore[arg-type]
