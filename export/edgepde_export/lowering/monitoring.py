"""The threshold of a residual: found on fresh inputs of the box in the graph's own arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from edgepde_runtime import choose
from edgepde_runtime.backends import Backend
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BackendError, InputError, UnsupportedModel
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.monitor import Monitor
from edgepde_runtime.verbs.replay import RESIDUAL_SHARE
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
# Golden residuals lie below this share of the threshold, and rounding uses this share of what `verify` lets pass.
NEAR, ROOM = 0.95, 0.8


@dataclass(frozen=True)
class Threshold:
    """level: the rate of false alarms on fresh inputs; count: rows it is calibrated on."""

    level: float = LEVEL
    count: int = COUNT


def fewest_level(count: int) -> float:
    """The lowest rate of false alarms that so many rows can speak of."""
    return 1.0 / (count + 1)


def monitored(
    model: onnx.ModelProto, spec: InputSpec, outputs: tuple[OutputSpec, ...], box: Box, options: Options
) -> tuple[tuple[OutputSpec, ...], Monitor | None]:
    """The outputs, the first diagnostic one with its threshold, and how that was found; None where there is none."""
    place = next((i for i, output in enumerate(outputs) if output.diagnostic and output.threshold is None), None)
    if place is None:
        return outputs, None
    name = outputs[place].name
    rows = box.sample(options.threshold.count, np.random.default_rng([options.seed, STREAM]))
    scores = _run(model, spec, np.clip(rows.astype(spec.dtype), *_held(box, spec)))[name]
    try:
        made = calibrate(np.asarray(scores, dtype=np.float64), options.threshold.level)
    except InputError as error:
        raise UnsupportedModel(f"output {name}: {error}") from None
    level = f"false alarms at most {options.threshold.level:g} on fresh inputs"
    options.log(f"{name}: threshold {made.threshold:.3g}, {level} ({options.threshold.count} rows {DISTRIBUTION})")
    kind = np.dtype(outputs[place].dtype)
    threshold = float(np.nextafter(kind.type(made.threshold), kind.type(np.inf)))
    kept = replace(outputs[place], threshold=threshold)
    return (*outputs[:place], kept, *outputs[place + 1 :]), made.monitor(name, options.seed, DISTRIBUTION)


def judged(
    signature: Signature,
    golden: NDArray[np.floating],
    values: Mapping[str, NDArray[np.float64]],
    backends: Mapping[str, Backend],
) -> slice | NDArray[np.int64]:
    """Which golden inputs [n, d] a bundle keeps: where there is a threshold those well below it.

    Raises UnsupportedModel where rounding moves a residual by more of its threshold than `verify` lets pass.
    """
    (spec,), outputs = signature
    kept: slice | NDArray[np.int64] = slice(None)
    for output in outputs:
        if output.threshold is None:
            continue
        exact = np.abs(values[output.name])
        below = np.flatnonzero(exact <= NEAR * output.threshold)
        if not below.size:
            raise UnsupportedModel(
                f"output {output.name}: no golden input is below the threshold {output.threshold:.3g}"
            )
        kept = below
        most = ROOM * RESIDUAL_SHARE * output.threshold
        for name, backend in backends.items():
            got = np.abs(np.asarray(backend.run({spec.name: golden[below]})[output.name], dtype=np.float64))
            if not (worst := float(np.abs(got - exact[below]).max())) <= most:
                raise UnsupportedModel(
                    f"output {output.name}: rounding in {output.dtype} moves it by {worst:.3g} on {name}, "
                    f"{100 * worst / output.threshold:.2g} % of its threshold {output.threshold:.3g}; a float64 "
                    f"module, lower orders or, at points, --derivative-form exact would help"
                )
    return kept


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
