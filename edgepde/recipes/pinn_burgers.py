"""Viscous Burgers at one viscosity as a plain PINN: tanh layers of x and t alone.

The network itself is u(x, t) and is what is exported: initial and boundary data are learned with the residual, not
built in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray

from edgepde.certify.search import worst_point
from edgepde.errors import SettingError
from edgepde.network import pinn, store
from edgepde.network.module import NetworkModule
from edgepde.problems.burgers import cole_hopf
from edgepde.train.run_folder import Run
from edgepde.train.threads import one_thread

CHECKPOINT = "layers"
CHECKS = 8000
DOMAIN = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])


@dataclass(frozen=True)
class Config:
    """nu: viscosity in m^2/s. width, depth: of the tanh layers. points: of the residual, redrawn every step.

    rounds, steps: Gauss-Newton steps in each of at most so many rounds. tolerance: stop at this relative L2 error.
    """

    nu: float = 0.02
    width: int = 64
    depth: int = 3
    points: int = 800
    rounds: int = 60
    steps: int = 10
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        for name in ("width", "depth", "rounds", "steps"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.points < 10:
            raise SettingError(f"points: expected at least 10, got {self.points}")
        if not 0.005 <= self.nu <= 1.0:
            raise SettingError(f"nu: expected 0.005 to 1, got {self.nu}")

    def quick(self) -> Config:
        """A small, rough trial at nu = 0.1."""
        return replace(self, nu=0.1, width=16, depth=2, points=200, rounds=6, tolerance=1e-2)


def train(config: Config, run: Run, device: torch.device) -> None:
    """Train the network into `run`, in float64; every round is kept, an interrupted training resumes after the last."""
    began, first, spent = time.monotonic(), 0, 0.0
    state = pinn.start(config.width, config.depth, run.seed, device)
    kept = run.restore(CHECKPOINT)
    history: list[dict[str, float]] = []
    if kept is not None:
        tensors, meta = kept
        state = pinn.State.of(tensors, float(meta["damping"]), device)
        first, spent, history = int(meta["round"]), float(meta["seconds"]), list(meta["history"])
    points, exact = _exact(config.nu)
    x = torch.from_numpy(points).to(device)
    with one_thread(), run.progress(f"PINN of Burgers at nu = {config.nu:g}", config.rounds) as bar:

        def done(number: int, loss: float) -> bool:
            error = pinn.field(state.layers, x).cpu().numpy() - exact
            relative = float(np.linalg.norm(error) / np.linalg.norm(exact))
            history.append({"round": number, "loss": loss, "relative_l2": relative, "sup": float(np.abs(error).max())})
            seconds = spent + time.monotonic() - began
            meta = {"round": number, "seconds": seconds, "damping": state.damping, "history": history}
            run.save(CHECKPOINT, state.tensors(), meta)
            bar.update(number)
            bar.note(f"loss {loss:.1e}, relative error {relative:.1e}")
            return relative <= config.tolerance

        how = pinn.Training(config.points, config.points // 4, rounds=config.rounds, steps=config.steps)
        if not history or history[-1]["relative_l2"] > config.tolerance:
            pinn.train_pinn(state, config.nu, how, run.seed, done, first)
    _finish(config, run, state.layers, history, spent + time.monotonic() - began)


def _finish(config: Config, run: Run, layers: pinn.Layers, history: list[dict[str, float]], seconds: float) -> None:
    module = NetworkModule(pinn.network(layers), None, torch.float32)
    run.finish(
        store.tensors(module),
        {
            "family": store.FAMILY,
            "architecture": store.architecture(module),
            "problem": {"name": "burgers_pinn", "nu": config.nu, "about": "u(x, t) itself, data learned"},
            "box": {"x": DOMAIN},
            "units": {"u": "m/s"},
            "history": {"rounds": history, "offline_seconds": seconds, "against_exact": _worst(config.nu, module)},
            store.FAMILY: store.section(None, {"input": "x", "output": "u"}),
        },
    )


def _worst(nu: float, module: NetworkModule) -> dict[str, str | float | int]:
    """The largest |network - exact solution| on the points and by local search around the worst."""
    network = module.network()

    def error(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return network(torch.from_numpy(x))[:, 0].numpy() - cole_hopf(np.array([[nu]]), x)[0]

    points = DOMAIN.sample(CHECKS, np.random.default_rng(2))
    found = worst_point(error, points, DOMAIN, points[:0])
    return {"solution": "Cole-Hopf solution", "compared": found.compared, "worst": found.value}


def _exact(nu: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points [N, 2] and the exact solution [N] there."""
    points = DOMAIN.sample(CHECKS, np.random.default_rng(1))
    return points, cole_hopf(np.array([[nu]]), points)[0]
