"""Hosts trained on readings and residual: what is found, what is kept, refusals, interruptions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from torch import Tensor

from edgepde.errors import SettingError, TrainingError
from edgepde.mollifier import gauss_newton, hosts
from edgepde.mollifier.coefficient import Coefficient, Constant, Network, Spline
from edgepde.mollifier.derivator import Fields
from edgepde.mollifier.exact import SeparableJets
from edgepde.mollifier.gauss_newton import Newton
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.hosts._host import Host
from edgepde.mollifier.hosts.tucker import Tucker
from edgepde.mollifier.layer import MollifierLayer
from edgepde.mollifier.readings import Readings
from edgepde.mollifier.training import Fit, Fitted, fit
from edgepde.mollifier.weak import WeakForm
from edgepde.train.run_folder import Run

GRID = Grid.of(t=np.linspace(0.0, 1.0, 12), x=np.linspace(0.0, 1.0, 17))
RATE = 0.3
SMALL = Fit(readings_rounds=1, rounds=2, steps=12, weight=10.0, growth=3.0)
NEWTON = Newton(rounds=3, steps=3, weight=10.0, growth=10.0)


def truth() -> np.ndarray:
    """u_t = RATE u_xx: two decaying waves."""
    at = GRID.mesh()
    waves = [np.exp(-RATE * k * k * at["t"]) * np.sin(k * at["x"] + k) for k in (2.0, 4.0)]
    return waves[0] + waves[1]


def noisy(level: float = 0.01) -> np.ndarray:
    return truth() + level * np.random.default_rng(1).standard_normal(GRID.shape)


def residual(fields: Fields, lam: Tensor) -> Tensor:
    found: Tensor = fields.u_t - lam * fields.u_xx
    return found


def layer() -> MollifierLayer:
    return MollifierLayer(GRID, ("u", "u_t", "u_xx"), half=3, degree=6, dtype=torch.float64)


def net(name: str = "separable", **given: Any) -> Host:
    torch.manual_seed(0)
    return hosts.build({"host": name, "low": [0.0, 0.0], "high": [1.0, 1.0], "width": 12, "depth": 1, **given}).double()


def trained(how: Fit = SMALL, run: Run | None = None, coefficient: Coefficient | None = None, **given: Any) -> Fitted:
    kept = {"residual": residual, "host": net(rank=4), **given}
    readings = Readings.of_grid(GRID, noisy())
    return fit(kept["host"], coefficient or Constant(GRID), layer(), kept["residual"], readings, how, run)


def test_a_constant_is_recovered_by_a_network() -> None:
    found = trained(replace(SMALL, readings_rounds=2, rounds=3, steps=40))
    assert float(found.coefficient.map()) == pytest.approx(RATE, rel=0.2)
    assert [entry["round"] for entry in found.history] == list(range(5))
    assert found.history[found.kept]["held"] < 0.1


@pytest.mark.parametrize("name", ["mlp", "siren"])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_every_round_lowers_its_loss(name: str, optimizer: str) -> None:
    how = replace(SMALL, optimizer=optimizer, rounds=0, readings_rounds=2, steps=30)  # type: ignore[arg-type]
    first, last = trained(how, host=net(name)).history
    assert last["loss"] < first["loss"]


def test_coefficients_move_by_their_slope_too() -> None:
    unknown = Network(GRID, ("x",), width=4, depth=1, start=1.0)
    trained(replace(SMALL, eliminate=False), coefficient=unknown)
    assert float(unknown().detach().std()) > 0.0


def test_weak_residuals_train_too() -> None:
    weak = WeakForm(GRID, ("u", "u_t"), half=3, dtype=torch.float64)
    unknown = Constant(GRID, 1.0)

    def product(fields: Fields, lam: Tensor) -> Tensor:
        return weak(fields.u, "u_t") - weak(lam * fields.u_xx, "u")

    found = trained(replace(SMALL, eliminate=False, steps=30), coefficient=unknown, residual=product)
    assert abs(float(found.coefficient.map()) - RATE) < 0.5


def test_sparse_readings_between_the_nodes_are_enough_to_train() -> None:
    draw = np.random.default_rng(0)
    points = draw.random((60, 2))
    values = np.exp(-RATE * 4.0 * points[:, 0]) * np.sin(2.0 * points[:, 1] + 2.0)
    found = fit(net(rank=4), Constant(GRID), layer(), residual, Readings(points, values), SMALL)
    assert found.history[-1]["held"] < 0.2


def test_a_loss_that_is_not_finite_names_round_and_step() -> None:
    def broken(fields: Fields, lam: Tensor) -> Tensor:
        return residual(fields, lam) * (torch.nan if float(lam.detach().flatten()[0]) not in (0.0, 1.0, 2.0) else 1.0)

    with pytest.raises(TrainingError, match=r"round 2, step 1: the loss is nan"):
        trained(residual=broken)


def test_what_cannot_be_eliminated_is_refused() -> None:
    with pytest.raises(InputError, match="eliminate: expected a residual linear in lambda"):
        trained(residual=lambda fields, lam: fields.u_t - lam**2 * fields.u_xx)
    with pytest.raises(InputError, match="eliminate: expected"):
        trained(coefficient=Network(GRID, ("x",), width=4, depth=1))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 0}, "steps: expected at least 1"),
        ({"readings_rounds": 0}, "readings_rounds: expected at least 1"),
        ({"rounds": -1}, "rounds: expected at least 0"),
        ({"weight": 0.0}, "weight: expected a number above 0"),
        ({"growth": float("inf")}, "growth: expected a number above 0"),
        ({"held": 1.0}, "held: expected a share"),
        ({"optimizer": "sgd"}, "optimizer: expected lbfgs or adam"),
    ],
)
def test_wrong_settings_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Fit(**given)


def test_edges_that_leave_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="edge: axis t: expected less than half of its 12 points, got 6"):
        trained(replace(SMALL, edge=6))


def numbers(found: Fitted) -> list[Tensor]:
    return [*found.host.state_dict().values(), *found.coefficient.state_dict().values()]


def interrupting(after: int) -> Any:
    calls = 0

    def counted(fields: Fields, lam: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > after:
            raise KeyboardInterrupt
        return residual(fields, lam)

    return counted


def test_an_interrupted_training_resumes_bit_for_bit(tmp_path: Path) -> None:
    identity = {"seed": 0}
    with pytest.raises(KeyboardInterrupt), Run.start(tmp_path / "run", identity) as run:
        trained(run=run, residual=interrupting(70))
    with Run.start(tmp_path / "run", identity, resume=True) as run:
        assert run.names() == ["mollifier"]
        resumed = trained(run=run, host=net(rank=4))
    whole = trained()
    assert all(torch.equal(a, b) for a, b in zip(numbers(resumed), numbers(whole), strict=True))
    assert [e["loss"] for e in resumed.history] == [e["loss"] for e in whole.history]


def solved(how: Newton = NEWTON, run: Run | None = None, **given: Any) -> Fitted:
    kept = {"residual": residual, "values": noisy(), "coefficient": Constant(GRID), "derivator": layer(), **given}
    host = net("tucker", ranks=[6, 10], width=32)
    assert isinstance(host, Tucker)
    return gauss_newton.solve(
        host, kept["coefficient"], kept["derivator"], kept["residual"], kept["values"], how, run
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["layer", "jets"])
def test_gauss_newton_recovers_a_constant(kind: str) -> None:
    derivator = layer() if kind == "layer" else SeparableJets(GRID, ("u_t", "u_xx"), dtype=torch.float64)
    found = solved(derivator=derivator)
    assert float(found.coefficient.map()) == pytest.approx(RATE, rel=0.1)
    with torch.no_grad():
        error = found.host.on_grid(derivator.axes).numpy() - truth()
    assert np.sqrt((error**2).mean()) < 0.006


def test_gauss_newton_with_missing_readings_and_a_spline() -> None:
    values = noisy(0.002)
    values[np.random.default_rng(0).random(values.shape) < 0.5] = np.nan
    found = solved(values=values, coefficient=Spline(GRID, ("x",), 4, curvature=1e-2))
    assert np.abs(found.coefficient.map() - RATE).max() < 0.2 * RATE


def test_the_normal_equations_are_those_of_the_jacobian() -> None:
    host, unknown, derivator = net("tucker", ranks=[3, 4], width=16), Spline(GRID, ("x",), 4), layer()
    assert isinstance(host, Tucker)
    host.orthonormalise(derivator.axes)
    how = Newton(edge=1, ridge=1e-30)
    work = gauss_newton.Work(host, unknown, derivator, nonlinear, gauss_newton.Data.of(derivator, noisy(), 0.1, 0), how)
    work.begin()
    found, load = work.normal(2.0)
    start, base = torch.cat([host.core.detach().flatten(), unknown.flat()]), gauss_newton.copied(host, unknown)

    def rows(z: Tensor) -> Tensor:
        core, lam = z[: host.core.numel()].reshape(host.core.shape), unknown.columns() @ z[host.core.numel() :]
        fields = torch.func.functional_call(_Call(host, derivator), {"host.core": core}, ())
        wrong = nonlinear(fields, lam) * (2.0 * work.inside).sqrt() / work.scale
        data = (fields.u.flatten() - work.data.values) * work.data.fitted.sqrt() / work.noise
        return torch.cat([data, wrong.flatten()])

    jacobian = torch.autograd.functional.jacobian(rows, start)
    gauss_newton.put(base, host, unknown)
    rough = torch.zeros_like(found)
    n = host.core.numel()
    rough[n:, n:] = (jacobian[:, n:] ** 2).sum(0).mean() * unknown.stiffness()
    assert torch.allclose(found, jacobian.T @ jacobian + rough, rtol=1e-8, atol=1e-8 * float(found.abs().max()))
    wanted = jacobian.T @ rows(start) + rough @ start
    assert torch.allclose(load, wanted.detach(), rtol=1e-7, atol=1e-8 * float(load.abs().max()))


def nonlinear(fields: Fields, lam: Tensor) -> Tensor:
    found: Tensor = fields.u_t - lam * fields.u_xx - fields.u**2
    return found


class _Call(torch.nn.Module):
    def __init__(self, host: Host, derivator: MollifierLayer) -> None:
        super().__init__()
        self.host, self.derivator = host, derivator

    def forward(self) -> Fields:
        return self.derivator.of(self.host)


def test_gauss_newton_resumes_bit_for_bit(tmp_path: Path) -> None:
    identity = {"seed": 0}
    with pytest.raises(KeyboardInterrupt), Run.start(tmp_path / "run", identity) as run:
        solved(run=run, residual=interrupting(12))
    with Run.start(tmp_path / "run", identity, resume=True) as run:
        resumed = solved(run=run)
    assert all(torch.equal(a, b) for a, b in zip(numbers(resumed), numbers(solved()), strict=True))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((12, 16)), r"readings: expected values \[12, 17\], got \[12, 16\]"),
        (np.full(GRID.shape, np.nan), "expected at least 2 numbers, got 0"),
        (np.full(GRID.shape, np.inf), "expected finite numbers"),
    ],
)
def test_gauss_newton_refuses_wrong_readings(values: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        solved(values=values)


def test_gauss_newton_refuses_single_precision_and_diverging_residuals() -> None:
    with pytest.raises(InputError, match="float64"):
        solved(derivator=MollifierLayer(GRID, ("u",)))
    with pytest.raises(TrainingError, match=r"round 2, step 1: the loss is nan"):
        solved(residual=lambda fields, lam: residual(fields, lam) * torch.nan)


def test_outputs_per_axis_fit_the_grid() -> None:
    torch.manual_seed(0)
    small, line = np.linspace(0.0, 1.0, 9), np.linspace(0.0, 1.0, 200)
    assert gauss_newton.ranks(Grid.of(t=small, y=line, x=line)) == [4, 20, 20]
    assert gauss_newton.ranks(Grid.of(t=line)) == [48]
    for grid in (Grid.of(t=small, y=line), Grid.of(t=line)):
        low, high = ([float(axis.values[end]) for axis in grid.axes] for end in (0, -1))
        host = Tucker(low, high, width=192, depth=1, ranks=gauss_newton.ranks(grid)).double()
        host.orthonormalise([torch.from_numpy(axis.values.copy()) for axis in grid.axes])
