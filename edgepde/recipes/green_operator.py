"""The solution operator of steady heat conduction, -div(k grad u) = f, from sources to temperatures at mesh points.

A cooled plate: 0.1 m square with a round hole, u = 0 on every edge, a badly conducting inclusion. Or a mesh file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray

from edgepde.certify.network import Affine, Input, Network
from edgepde.errors import ProblemError, SettingError
from edgepde.network import store
from edgepde.network.module import NetworkModule
from edgepde.train.run_folder import Run
from edgepde.train.threads import one_thread

SOLUTION = "solution for f linear on the triangles (extrapolated from the mesh and its refinement; worst f per point)"
FEWEST = 16


@dataclass(frozen=True)
class Config:
    """nodes: at least so many points inside the plate. mesh: a file instead, with its cell data `k` where it has some.

    plate, inclusion: conductivities in W/(m K); of a mesh without `k`, plate everywhere. power: the largest heat source
    |f|, in MW/m^3.
    """

    nodes: int = 2000
    mesh: str = ""
    plate: float = 200.0
    inclusion: float = 20.0
    power: float = 1.0

    def __post_init__(self) -> None:
        if self.nodes < FEWEST:
            raise SettingError(f"nodes: expected at least {FEWEST}, got {self.nodes}")
        for name in ("plate", "inclusion", "power"):
            if not (getattr(self, name) > 0 and np.isfinite(getattr(self, name))):
                raise SettingError(f"{name}: expected a positive number, got {getattr(self, name)}")

    def quick(self) -> Config:
        """A coarse mesh."""
        return replace(self, nodes=300)


def train(config: Config, run: Run, device: torch.device) -> None:  # noqa: ARG001 - a sparse factorisation needs none
    """Write the operator as a network of one affine map; its points are kept for whoever looks for blocks in it.

    Raises ProblemError naming the mesh file or the triangle that is wrong.
    """
    from edgepde.problems.diffusion import discretisation_error

    began = time.monotonic()
    with one_thread(), run.progress("solution operator", 2) as bar:
        problem = problem_of(config, run.seed)
        operator = problem.operator()
        bar.update(1)
        bar.note(f"{len(operator)} points, {len(problem.mesh.triangles)} triangles; how far from the exact solution")
        worst, compared = discretisation_error(problem)
        bar.update(2)
    against = {"solution": SOLUTION, "compared": compared, "worst": config.power * worst}
    history = {"offline_seconds": time.monotonic() - began, "against_exact": against}
    tensors = {
        "points": torch.from_numpy(problem.points.copy()),
        "mesh_points": torch.from_numpy(problem.mesh.points),
        "mesh_triangles": torch.from_numpy(problem.mesh.triangles),
        "mesh_k": torch.from_numpy(problem.k),
    }
    _finish(config, run, operator, tensors, history)


def problem_of(config: Config, seed: int = 0) -> Any:
    """The diffusion problem that a configuration asks for; seed: of the plate's points."""
    from edgepde.problems.diffusion import Diffusion, two_materials
    from edgepde.problems.mesh import plate, read_mesh

    if not config.mesh:
        mesh = plate(config.nodes, seed)
        return Diffusion(mesh, two_materials(mesh, config.plate, config.inclusion))
    path = Path(config.mesh)
    mesh, k = read_mesh(path)
    try:
        problem = Diffusion(mesh, np.full(len(mesh.triangles), config.plate) if k is None else k)
    except ProblemError as error:
        raise ProblemError(f"{path}: {error}") from None
    if len(problem.points) < FEWEST:
        raise ProblemError(f"{path}: expected at least {FEWEST} points inside, got {len(problem.points)}")
    return problem


def box(points: int, power: float) -> Box:
    """Every source in [-power, power] MW/m^3."""
    names = [f"f{i}" for i in range(points)]
    return Box([-power] * points, [power] * points, names, ["MW/m^3"] * points)


def _finish(
    config: Config,
    run: Run,
    operator: NDArray[np.float64],
    tensors: dict[str, torch.Tensor],
    history: dict[str, Any],
) -> None:
    n = len(operator)
    bias = torch.zeros(n, dtype=torch.float64)
    module = NetworkModule(Network((Input(n), Affine((0,), torch.from_numpy(operator), bias))), None, torch.float32)
    made = store.section(None, {"input": "f", "output": "u"})
    run.finish(
        {**store.tensors(module), **tensors},
        {
            "family": store.FAMILY,
            "architecture": store.architecture(module),
            "problem": {
                "name": "green_operator",
                "mesh": config.mesh or "plate",
                "about": "-div(k grad u) = f, u = G f",
            },
            "box": {"x": box(n, config.power)},
            "units": {"u": "K"},
            "history": history,
            store.FAMILY: {**made, "points": {"rows": "points", "columns": "points"}},
        },
    )
