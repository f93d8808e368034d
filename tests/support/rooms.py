"""What tests know of op rooms: their cases, the parts of a complete one, the tolerance its rounding model gives."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from edgepde_runtime.ops.check import complete
from edgepde_runtime.rooms import Room, rooms
from numpy.typing import NDArray
from support.onnx_writer import graph, model, node, value_info
from support.op_cases import Case

CASES = Path(__file__).parents[1] / "ops" / "cases"
PARTS = ("__init__.py", "schema.py", "reference.py", "bound.py")


def cases_module(room: Room) -> ModuleType:
    """The module tests/ops/cases/<room>.py; FileNotFoundError where there is none."""
    spec = importlib.util.spec_from_file_location(f"cases_{room.folder}", CASES / f"{room.folder}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases_of(room: Room) -> list[Case]:
    """The cases of a room; FileNotFoundError where it has none."""
    return list(cases_module(room).cases())


def standard_cases() -> list[tuple[Room, Case]]:
    """Every case of every room of the ONNX domain."""
    return _cases("")


def own_cases() -> list[tuple[Room, Case]]:
    """Every case of every room of the domain edgepde."""
    return _cases("edgepde")


def _cases(wanted: str) -> list[tuple[Room, Case]]:
    return [(room, case) for (domain, _), room in rooms().items() if domain == wanted for case in cases_of(room)]


def missing_parts(folder: Path, cases: Path) -> list[str]:
    """Files that the room in `folder` lacks; a room of the domain edgepde also needs a function body."""
    wanted = [folder / part for part in PARTS]
    schema = folder / "schema.py"
    if schema.is_file() and 'domain="edgepde"' in schema.read_text():
        wanted.append(folder / "body.onnxtxt")
    wanted.append(cases / f"{folder.name}.py")
    return [path.name for path in wanted if not path.is_file()]


def tolerance(
    room: Room, inputs: Sequence[NDArray[Any] | None], attributes: dict[str, Any], y: NDArray[Any]
) -> NDArray[Any]:
    """The room's bound on |computed - exact| for output y; 0 for an output that is not a float."""
    if y.dtype.kind != "f":
        return np.zeros(y.shape)
    rounding = room.rounding
    if rounding.settled_by:
        return _settled(room, inputs, attributes, y)
    unit = float(np.finfo(y.dtype).eps) / 2
    if rounding.reduction or rounding.cancels:
        magnitude = getattr(cases_module(room), "magnitude", None)
        if magnitude is not None:
            terms, own = magnitude(inputs, complete(room.op, attributes))
            return np.asarray(rounding.relative(terms, unit) * np.where(np.isfinite(own), own, 0.0))
    factor = rounding.relative(_terms(room, inputs, attributes), unit)
    size = np.abs(y.astype(np.float64))
    if rounding.reduction or rounding.cancels:
        size = np.maximum(size, np.abs(room.run(_all(np.abs, inputs), _floats(room, attributes, abs))[0]))
    return np.asarray(factor * np.where(np.isfinite(size), size, 0.0))


def _settled(
    room: Room, inputs: Sequence[NDArray[Any] | None], attributes: dict[str, Any], y: NDArray[Any]
) -> NDArray[Any]:
    """The bound of an iteration: its stopping tolerance, and the rounding that its cases' `magnitude` amplifies."""
    terms, size = cases_module(room).magnitude(inputs, y)
    stop = complete(room.op, attributes)[room.rounding.settled_by]
    near = stop * (1.0 + np.abs(y).max(axis=1, keepdims=True, initial=0.0))
    near = near + room.rounding.relative(terms, float(np.finfo(y.dtype).eps) / 2) * size
    return np.broadcast_to(near, y.shape)


def _terms(room: Room, inputs: Sequence[NDArray[Any] | None], attributes: dict[str, Any]) -> int:
    """A bound on the number of terms of one output: a product of ones counts them, one input has at most its size."""
    floats = [x for x in inputs if x is not None and x.dtype.kind == "f"]
    if len(floats) == 1:
        return floats[0].size
    if not room.rounding.reduction:
        return 0
    counted = room.run(_all(np.ones_like, inputs), _floats(room, attributes, lambda _: 1.0))[0]
    return math.ceil(counted.max(initial=0.0))


def _all(function: Any, inputs: Sequence[NDArray[Any] | None]) -> list[NDArray[Any] | None]:
    return [np.asarray(function(x)) if x is not None and x.dtype.kind == "f" else x for x in inputs]


def _floats(room: Room, attributes: dict[str, Any], function: Callable[[float], float]) -> dict[str, Any]:
    values = complete(room.op, attributes)
    return {name: function(v) if isinstance(v, float) else v for name, v in values.items()}


def case_model(room: Room, case: Case, opset: int = 20) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """A model of one node for a case, and its inputs by name; output shapes are left open as symbols."""
    _, inputs, attributes = case
    results = room.run(inputs, attributes)
    names = [f"i{n}" if x is not None else "" for n, x in enumerate(inputs)]
    given = {name: np.asarray(x) for name, x in zip(names, inputs, strict=True) if x is not None}
    outputs = [f"o{n}" for n in range(len(results))]
    only = node(room.op.name, names, outputs, attributes, name="only", domain=room.op.domain)
    declared = [value_info(name, x.dtype, x.shape) for name, x in given.items()]
    made = [
        value_info(name, y.dtype, [f"{name}_{i}" for i in range(y.ndim)])
        for name, y in zip(outputs, results, strict=True)
    ]
    opsets = {"": opset} | ({room.op.domain: 1} if room.op.domain else {})
    return model(graph([only], declared, made), opsets=opsets), given


def with_body(encoded: bytes, room: Room) -> Any:
    """The model as an onnx.ModelProto that carries the room's function body at its own opset; needs onnx."""
    import onnx

    found = onnx.load_from_string(encoded)
    body = onnx.parser.parse_function(room.body_text)
    body.opset_import[0].version = next(entry.version for entry in found.opset_import if not entry.domain)
    found.functions.append(body)
    return found
