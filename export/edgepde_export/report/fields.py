"""The fields that are shown: which parameters, evaluated on this machine where the bundle can be asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from edgepde_runtime.box import Box
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import EdgePDEError
from edgepde_runtime.manifest import OutputSpec
from edgepde_runtime.model import Model
from numpy.typing import NDArray

from .arrays import Array, Arrays, point_columns


@dataclass(frozen=True)
class Errors:
    """Error of each stored parameter: relative L2 [K] (over the grid) and largest absolute [K], in the output's
    unit.
    """

    relative: Array
    largest: Array

    @property
    def order(self) -> list[int]:
        """Positions from the best to the worst by relative L2."""
        return [int(k) for k in np.argsort(self.relative, kind="stable")]


@dataclass(frozen=True)
class Shown:
    """One parameter's fields [A, T]; rank: worst, middle, best, or a plain count where there is no exact field.

    stored_gap: largest |evaluated here - stored in the bundle|; None where the stored field is what is shown.
    """

    index: int
    rank: str
    parameter: tuple[float, ...]
    predicted: Array
    exact: Array | None
    stored_gap: float | None


def errors(arrays: Arrays) -> Errors | None:
    """How far the stored predictions are from the exact fields; None without either."""
    if arrays.predicted is None or arrays.exact is None:
        return None
    difference = (arrays.predicted - arrays.exact).reshape(len(arrays.exact), -1)
    scale = np.sqrt((arrays.exact**2).reshape(len(arrays.exact), -1).sum(axis=1))
    norm = np.sqrt((difference**2).sum(axis=1))
    relative = np.divide(norm, scale, out=np.where(norm > 0, np.inf, 0.0), where=scale > 0)
    return Errors(relative, np.abs(difference).max(axis=1))


def choose(arrays: Arrays, measured: Errors | None) -> list[tuple[str, int]]:
    """Worst, middle and best parameter; without errors the first, middle and last stored. Each position once."""
    if arrays.predicted is None:
        return []
    order = measured.order[::-1] if measured else list(range(len(arrays.predicted)))
    ranks = ("worst", "middle", "best") if measured else ("first", "middle", "last")
    picks = zip(ranks, (order[0], order[len(order) // 2], order[-1]), strict=True)
    chosen: dict[int, str] = {}
    for rank, k in picks:
        if k not in chosen and not (rank == "middle" and len(order) < 3):
            chosen[k] = rank if len(order) > 1 else "only"
    return [(rank, k) for k, rank in chosen.items()]


def shown(bundle: Bundle, backend: str, arrays: Arrays) -> list[Shown]:
    """The fields of the chosen parameters."""
    if arrays.predicted is None or arrays.parameters is None:
        return []
    model = Model(bundle, backend, "flag", False)
    result = []
    for rank, k in choose(arrays, errors(arrays)):
        stored = arrays.predicted[k]
        live = evaluate(model, arrays, k)
        exact = None if arrays.exact is None else arrays.exact[k]
        gap = None if live is None else float(np.abs(live - stored).max())
        parameter = tuple(float(v) for v in arrays.parameters[k])
        result.append(Shown(k, rank, parameter, stored if live is None else live, exact, gap))
    return result


def output(bundle: Bundle) -> OutputSpec:
    """The output that is drawn: the first that is not diagnostic."""
    return next((spec for spec in bundle.manifest.outputs if not spec.diagnostic), bundle.manifest.outputs[0])


def query(bundle: Bundle, arrays: Arrays, k: int) -> dict[str, NDArray[np.floating]] | None:
    """Inputs that ask for the field of parameter k on its whole grid; None where the inputs are not so."""
    inputs = bundle.manifest.inputs
    if arrays.axis0 is None or arrays.axis1 is None or arrays.parameters is None:
        return None
    if len(point_columns(bundle)) != 2 or len(inputs) > 2:
        return None
    grid = np.stack(np.meshgrid(arrays.axis0, arrays.axis1, indexing="ij"), axis=-1).reshape(-1, 2)
    asked: dict[str, NDArray[np.floating]] = {inputs[-1].name: grid.astype(inputs[-1].dtype)}
    if len(inputs) == 2:
        asked[inputs[0].name] = arrays.parameters[k : k + 1].astype(inputs[0].dtype)
    return {spec.name: _inside(spec.box, np.ascontiguousarray(asked[spec.name])) for spec in inputs}


def _inside(box: Box, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Values that left the box by rounding alone, moved back; others stay for the model to flag."""
    low, high = (np.asarray(bound, dtype=values.dtype) for bound in (box.low, box.high))
    near = 4 * np.finfo(np.float32).eps * np.maximum(np.abs(low), np.abs(high))
    moved = np.clip(values, low, high)
    return np.where(np.abs(moved - values) <= near, moved, values)


def evaluate(model: Model, arrays: Arrays, k: int) -> Array | None:
    """The field of parameter k computed here, [A, T]; None where it cannot be asked for or did not converge."""
    asked = query(model.bundle, arrays, k)
    if asked is None or arrays.predicted is None:
        return None
    try:
        result = model.call(**asked)
    except EdgePDEError:
        return None
    values = result.outputs[output(model.bundle).name]
    shape = arrays.predicted.shape[1:]
    if values.size != shape[0] * shape[1] or not np.isfinite(values).all():
        return None
    return values.reshape(shape).astype(np.float64)
