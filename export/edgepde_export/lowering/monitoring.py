"""The threshold of a residual: found on fresh inputs of the box in the graph's own arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from edgepde_runtime import choose
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BackendError, InputError, UnsupportedModel
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.monitor import Monitor
from edgepde_runtime.verbs.replay import CALIBRATED_SHARE
from numpy.typing import NDArray

from edgepde.mollifier.conformal import calibrate

from ..native import Signature
from ..passes.clean import serialize

if TYPE_CHECKING:
    import onnx

    from .options import Options

COUNT, LEVEL = 999, 0.01
DISTRIBUTION = "uniform in the box"
# Apart from golden and search points of the same seed.
STREAM = 7
# Points the liveness of outputs is seen on, and by how many units in the last place a live one moves at least.
PROBES, STILL = 64, 64.0
# Golden residuals lie below this share of the threshold, at least so many of them, and rounding below that one.
NEAR, FEWEST, ROUNDING = 1.0 - CALIBRATED_SHARE, 8, CALIBRATED_SHARE / 2.0


@dataclass(frozen=True)
class Threshold:
    """level: the rate of false alarms on fresh inputs; count: rows it is calibrated on."""

    level: float = LEVEL
    count: int = COUNT


def fewest_level(count: int) -> float:
    """The lowest rate of false alarms that so many rows can speak of."""
    return 1.0 / (count + 1)


@final
@dataclass(frozen=True)
class Monitored:
    """The outputs, the residual among them with its threshold; how that was found; which golden inputs [r] are kept."""

    outputs: tuple[OutputSpec, ...]
    rows: NDArray[np.int64]
    monitor: Monitor | None = None


def monitored(
    model: onnx.ModelProto,
    signature: Signature,
    box: Box,
    golden: tuple[NDArray[np.floating], Mapping[str, NDArray[np.float64]]],
    options: Options,
) -> Monitored:
    """The threshold of the first diagnostic output that has none, and the golden inputs well below it.

    golden: inputs [n, d] and by output what a device should give. The threshold is raised where it is within reach of
    rounding, or of the smallest golden residual; that makes false alarms rarer.
    """
    (spec,), outputs = signature
    place = next((i for i, output in enumerate(outputs) if output.diagnostic and output.threshold is None), None)
    if place is None:
        return Monitored(outputs, np.arange(len(golden[0])))
    name, kind = outputs[place].name, np.dtype(outputs[place].dtype)
    rows = box.sample(options.threshold.count, np.random.default_rng([options.seed, STREAM]))
    scores = _run(model, spec, np.clip(rows.astype(spec.dtype), *_held(box, spec)))[name]
    try:
        made = calibrate(np.asarray(scores, dtype=np.float64), options.threshold.level)
    except InputError as error:
        raise UnsupportedModel(f"output {name}: {error}") from None
    points, exact = golden[0], np.abs(golden[1][name])
    rounding = float(np.abs(np.abs(_run(model, spec, points)[name].astype(np.float64)) - exact).max())
    least = np.sort(exact)[min(FEWEST, len(exact)) - 1] / NEAR
    raised = max(made.threshold, rounding / ROUNDING, least)
    told = f"{name}: threshold {raised:.3g}, false alarms at most {made.level:g} ({made.count} rows {DISTRIBUTION})"
    why = (
        f"; {made.threshold:.3g} would be within reach of rounding or of every answer"
        if raised > made.threshold
        else ""
    )
    options.log(told + why)
    kept = replace(outputs[place], threshold=float(np.nextafter(kind.type(raised), kind.type(np.inf))))
    stated = made.monitor(name, options.seed, DISTRIBUTION)
    below = np.flatnonzero(exact <= NEAR * raised)
    return Monitored((*outputs[:place], kept, *outputs[place + 1 :]), below, stated)


def check_live(model: onnx.ModelProto, spec: InputSpec, outputs: tuple[OutputSpec, ...], box: Box) -> None:
    """Moves the input; raises UnsupportedModel naming an output of the graph that does not follow."""
    points = box.sample(PROBES, np.random.default_rng(STREAM)).astype(spec.dtype)
    made = _run(model, spec, np.clip(points, *_held(box, spec)))
    for output in outputs:
        values = np.asarray(made[output.name], dtype=np.float64).reshape(PROBES, -1)
        if not np.isfinite(values).all():
            raise UnsupportedModel(f"output {output.name}: expected finite values in the box, got NaN or infinity")
        moved = float(np.ptp(values, axis=0).max())
        if moved <= STILL * float(np.finfo(output.dtype).eps) * float(np.abs(values).max()):
            raise UnsupportedModel(
                f"output {output.name}: does not follow the input: {values.flat[0]:.6g} at all of {PROBES} points of "
                f"the box; the module is constant, or detached from its input, or that derivative of it is"
            )


def _held(box: Box, spec: InputSpec) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The ends of the box as numbers of the graph's type."""
    return np.asarray(box.low).astype(spec.dtype), np.asarray(box.high).astype(spec.dtype)


def _run(model: onnx.ModelProto, spec: InputSpec, x: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
    """The graph by onnxruntime where it is here, else by its definition; in pieces, so that memory is bounded."""
    data = serialize(model)
    try:
        backend = choose.of_model("ort", data)
    except BackendError:
        backend = choose.of_model("reference", data)
    pieces = [backend.run({spec.name: np.ascontiguousarray(part)}) for part in np.array_split(x, max(1, len(x) // 64))]
    return {name: np.concatenate([np.asarray(piece[name]) for piece in pieces]) for name in pieces[0]}
