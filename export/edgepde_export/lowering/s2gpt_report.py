"""The arrays of report.npz: what `edgepde report` draws of an s2gpt bundle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgepde.problems.problem import Problem
from edgepde.s2gpt.compress import Loaded, Small
from edgepde.s2gpt.grid import Axis

Floats = NDArray[np.floating]

FIRST, SECOND = 65, 41


def report_arrays(loaded: Loaded, small: Small) -> dict[str, Floats] | None:
    """Fields on a grid of two coordinates, points, snapshots and greedy history; None for another number of
    coordinates.
    """
    problem = loaded.problem
    if problem.coordinates.dimension != 2:
        return None
    parameters = problem.unscaled(_spread(problem))
    axes = [_axis(problem, i, axis, n) for i, (axis, n) in enumerate(zip(loaded.axes, (FIRST, SECOND), strict=True))]
    mesh = np.meshgrid(*axes, indexing="ij")
    points = np.stack([m.ravel() for m in mesh], axis=1)
    shape = (len(parameters), FIRST, SECOND)
    arrays: dict[str, Floats] = {
        "parameters": parameters,
        "axis0": axes[0].astype(np.float32),
        "axis1": axes[1].astype(np.float32),
        "predicted": small.model.field(parameters, points).reshape(shape).astype(np.float32),
        "collocation": small.model.rows.points.astype(np.float32),
        "validation": small.model.validation.points.astype(np.float32),
        "snapshots": loaded.reference.parameters,
    }
    if problem.reference is not None:
        arrays["exact"] = problem.reference(parameters, points).reshape(shape).astype(np.float32)
    return arrays | _history(loaded)


def _spread(problem: Problem) -> NDArray[np.float64]:
    """Both ends and the middle of the box on its scales, all columns together: [3, P]."""
    return np.repeat(np.array([-1.0, 0.0, 1.0])[:, None], problem.parameters.dimension, axis=1)


def _axis(problem: Problem, i: int, axis: Axis, n: int) -> NDArray[np.float64]:
    """Grid values of coordinate i, gathered where the snapshots vary, mirrored where the solution is odd."""
    if problem.coordinates.names[i] not in problem.odd:
        return axis.at(np.linspace(0.0, 1.0, n))
    upper = axis.at(np.linspace(0.0, 1.0, n // 2 + 1))
    return np.concatenate([-upper[:0:-1], upper])


def _history(loaded: Loaded) -> dict[str, Floats]:
    history = loaded.run.spec["history"]
    if not isinstance(history, dict):
        return {}
    new = [e for e in history.get("events", []) if e["kind"] == "new"]
    worst = [np.nan if e["worst"] is None else e["worst"] for e in new]
    arrays: dict[str, Floats] = {
        "greedy_error": np.array([*worst[1:], history["final_indicator"]], dtype=np.float32),
        "greedy_parameter": np.array([e["parameter"] for e in new]),
        "offline_seconds": np.array(history["offline_seconds"], dtype=np.float64),
    }
    if history.get("reference_seconds") is not None:
        arrays["reference_seconds"] = np.array(history["reference_seconds"], dtype=np.float64)
    return arrays
