"""A reduced model in a run folder: its arrays as tensors, the rest as the section "s2gpt" of spec.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from torch import Tensor

from edgepde.errors import RunError
from edgepde.problems.problem import Problem
from edgepde.s2gpt.field_table import FieldTable
from edgepde.s2gpt.grid import Axis
from edgepde.s2gpt.reduced import ReducedModel, Rows

FAMILY = "s2gpt"


def model_tensors(model: ReducedModel) -> dict[str, Tensor]:
    """Everything numeric of a model, float64."""
    arrays = {
        "parameters": model.parameters,
        "transform": model.transform,
        "start.matrix": model.start_matrix,
        **{f"rows.{k}": getattr(model.rows, k) for k in ("points", "weights", "basis")},
        **{f"validation.{k}": getattr(model.validation, k) for k in ("points", "weights", "basis")},
    }
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    return {"theta": model.theta.contiguous(), **tensors}


def model_section(model: ReducedModel, axes: tuple[Axis, ...]) -> dict[str, Any]:
    """What a model is besides its numbers, and the axes fitted to its snapshots."""
    return {"layers": [list(s) for s in model.layers], "start_degree": model.start_degree, "axes": list(axes)}


def boxes(problem: Problem) -> dict[str, Box]:
    """The boxes a run states."""
    return {"parameters": problem.parameters, "points": problem.coordinates}


def load_model(
    problem: Problem, weights: Mapping[str, Tensor], section: Mapping[str, Any], where: Path
) -> ReducedModel:
    """The model of a run. Raises RunError naming the tensor that is missing or does not fit."""

    for key in ("layers", "start_degree", "axes"):
        if key not in section:
            raise RunError(f"{where}: spec.json: {FAMILY}.{key}: missing")

    def tensor(name: str) -> Tensor:
        if name not in weights:
            raise RunError(f"{where}: tensor {name}: missing from a run of the family {FAMILY}")
        return weights[name]

    def array(name: str) -> NDArray[np.float64]:
        return np.asarray(tensor(name).numpy(), dtype=np.float64)

    def rows(name: str) -> Rows:
        return Rows(array(f"{name}.points"), array(f"{name}.weights"), array(f"{name}.basis"))

    model = ReducedModel(
        problem=problem,
        layers=[(int(a), int(b)) for a, b in section["layers"]],
        theta=tensor("theta"),
        parameters=array("parameters"),
        transform=array("transform"),
        rows=rows("rows"),
        validation=rows("validation"),
        start_degree=int(section["start_degree"]),
        start_matrix=array("start.matrix"),
    )
    _check(model, where)
    return model


def _check(model: ReducedModel, where: Path) -> None:
    n, factors = model.size, len(model.problem.factors)
    d, p = model.problem.coordinates.dimension, model.problem.parameters.dimension
    weights = sum(out * inp + out for out, inp in model.layers)
    expected = {
        "theta": (tuple(model.theta.shape), (n, weights)),
        "parameters": (model.parameters.shape, (n, p)),
        "transform": (model.transform.shape, (n, n)),
        "start.matrix": (model.start_matrix.shape[1:], (n,)),
    }
    for name, rows in (("rows", model.rows), ("validation", model.validation)):
        count = len(rows.weights)
        expected[f"{name}.points"] = (rows.points.shape, (count, d))
        expected[f"{name}.basis"] = (rows.basis.shape, (factors, count, n))
    for name, (got, wanted) in expected.items():
        if got != wanted:
            raise RunError(f"{where}: tensor {name}: expected shape {wanted}, got {got}")


def table_tensors(table: FieldTable) -> dict[str, Tensor]:
    """A field table's core and factors."""
    named = {f"table.factor{i}": f for i, f in enumerate(table.factors)} | {"table.core": table.core}
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in named.items()}


def load_table(weights: Mapping[str, Tensor], section: Mapping[str, Any], where: Path) -> FieldTable | None:
    """The field table of a compressed run, None where the run has none."""
    if "table_axes" not in section:
        return None
    axes = load_axes(section["table_axes"])
    try:
        factors = tuple(weights[f"table.factor{i}"].numpy() for i in range(len(axes)))
        table = FieldTable(axes, factors, weights["table.core"].numpy())
    except KeyError as error:
        raise RunError(
            f"{where}: tensor {error.args[0]}: missing from a compressed run of the family {FAMILY}"
        ) from None
    ranks = tuple(f.shape[1] for f in factors)
    if table.core.shape[:-1] != ranks:
        raise RunError(f"{where}: tensor table.core: expected ranks {ranks}, got {table.core.shape[:-1]}")
    return table


def load_axes(section: Any) -> tuple[Axis, ...]:
    """Axes as spec.json holds them."""
    return tuple(Axis(**{k: float(v) for k, v in axis.items()}) for axis in section)
