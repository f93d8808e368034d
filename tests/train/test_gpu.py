"""Training on a GPU: the same numbers as on the CPU, and nothing left on the wrong side."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from edgepde.problems.burgers import burgers
from edgepde.s2gpt import greedy as loop
from edgepde.s2gpt import jet_mlp
from edgepde.s2gpt.greedy import Greedy, Plan, State
from edgepde.s2gpt.snapshot import Residual, Settings, train
from edgepde.train.device import pick_device

gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")
LAYERS = jet_mlp.layer_sizes(2, 8, 2)
PLAN = Plan(snapshots=3, refinements=1, width=6, grid=400, batch=2, training=Settings(iterations=10, points=100))


def _trained(device: torch.device, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    theta = jet_mlp.initial_weights(3, LAYERS, generator).to(device)
    nu = torch.tensor([[0.05], [0.2], [1.0]], dtype=torch.float64, device=device)
    with torch.no_grad():
        return train(burgers(), LAYERS, theta, nu, Settings(iterations=steps, points=200), generator)


@gpu
@needs_gpu
def test_snapshots_trained_on_cuda_are_those_of_the_cpu() -> None:
    device = pick_device("cuda")
    theta, residual = _trained(device, 5)
    expected, size = _trained(torch.device("cpu"), 5)
    assert theta.device.type == "cuda"
    assert torch.allclose(theta.cpu(), expected, rtol=0, atol=1e-6 * float(expected.abs().max()))
    assert torch.allclose(residual.cpu(), size, rtol=1e-5)


@gpu
@needs_gpu
def test_the_greedy_loop_runs_and_resumes_on_cuda() -> None:
    kept: list[State] = []
    problem, device = burgers(0.2), pick_device("cuda")

    def stop(state: State, _text: str) -> None:
        if not kept:
            kept.append(state)
            raise KeyboardInterrupt

    with torch.no_grad(), pytest.raises(KeyboardInterrupt):
        Greedy(problem, PLAN, device, stop).run(State())
    with torch.no_grad():
        state, result, _ = Greedy(problem, PLAN, device, lambda state, text: None).run(kept[0])
    assert len(state.theta) == PLAN.snapshots
    assert {theta.device.type for theta in state.theta} == {"cpu"}
    assert torch.isfinite(torch.from_numpy(result.coefficients)).all()


def test_residual_and_jacobian_stay_on_their_device() -> None:
    """The device "meta" stands for any that is not the CPU: operands of both are refused there."""
    meta = torch.device("meta")
    theta = torch.ones(2, sum(a * b + a for a, b in LAYERS), dtype=torch.float64, device=meta)
    nu = torch.ones(2, 1, dtype=torch.float64, device=meta)
    points = torch.ones(5, 2, dtype=torch.float64, device=meta)
    residual, jacobian = Residual(burgers(), LAYERS, points, nu).linearise(theta)
    assert residual.device == jacobian.device == meta
    with pytest.raises(RuntimeError, match="device"):
        Residual(burgers(), LAYERS, torch.ones(5, 2, dtype=torch.float64), nu)(theta)


def test_the_greedy_loop_trains_on_its_device_and_keeps_its_state_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    meta, seen = torch.device("meta"), []

    def on_meta(*given: Any) -> tuple[torch.Tensor, torch.Tensor]:
        _problem, layers, theta, parameters, _settings, generator, _tick = given
        seen.append((theta.device, parameters.device))
        return jet_mlp.initial_weights(len(parameters), layers, generator), torch.full((len(parameters),), 0.1)

    monkeypatch.setattr(loop, "train", on_meta)
    with torch.no_grad():
        state, _, _ = Greedy(burgers(0.2), PLAN, meta, lambda state, text: None).run(State())
    assert len(state.theta) == PLAN.snapshots
    assert seen
    assert set(seen) == {(meta, meta)}
    assert {theta.device.type for theta in state.theta} == {"cpu"}
