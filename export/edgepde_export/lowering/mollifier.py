"""A run of the family mollifier: readings [M, n] in, the coefficient lam, its band and the residual out."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import onnx
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from edgepde_runtime.monitor import Monitor
from numpy.typing import NDArray

from edgepde.errors import RunError
from edgepde.mollifier import store
from edgepde.mollifier.device import examples
from edgepde.mollifier.device.figures import PLACES
from edgepde.mollifier.inverse.statement import statement
from edgepde.train.threads import one_thread

from ..bundle import BundleContent
from ..card import Notes
from ..passes.clean import serialize
from .graph import to_onnx
from .measured import load_backends
from .mollifier_certificate import Compared, certify
from .mollifier_report import report_arrays
from .options import Options
from .prepare import prepare

ROWS, LAM, BAND, RESIDUAL = "M", "lam", "band", "residual"
NEAR = 0.95
Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Outputs:
    """lam and band [M, ..], residual [M], in float64."""

    lam: Array
    band: Array
    residual: Array


def lower(path: Path, domain: Box | None, max_error: float | None, options: Options) -> BundleContent:  # noqa: ARG001
    """The bundle of a run; max_error changes nothing, an estimator is exported as it was trained.

    Raises InputError for an option of networks of one's own, RunError for a run that cannot be read.
    """
    _check_options(path, domain, options)
    with one_thread():
        return _content(path, options)


def _check_options(path: Path, domain: Box | None, options: Options) -> None:
    own = "this run has the range of readings it was measured on"
    reasons = {
        "--domain": (domain is not None, own),
        "--family": (options.family is not None, own),
        "--data": (options.data is not None, "this run was measured on draws of its own"),
        "--derivatives and --residual": (options.append is not None, "an estimator has the residual it fits by"),
        "--precision": (options.precision != "f32", "an estimator solves with its tables in full precision"),
        "--input-accuracy": (options.accuracy is not None, "the noise of the readings is part of what was measured"),
        "--with-reference": (options.reference, "a search over readings would leave those the run was measured on"),
    }
    for name, (given, why) in reasons.items():
        if given:
            raise InputError(f"{path}: {name} is for networks of your own; {why}")


def _content(path: Path, options: Options) -> BundleContent:
    loaded = store.load(path)
    made = loaded.device
    shape = tuple(made.grid.axis(name).size for name in statement(str(made.about["statement"])).over)
    kept = examples.read(path, shape, made.grid.points)
    inputs, outputs = signature(made, shape)
    model = prepare(_graph(made), options.log)
    backends = load_backends(serialize(model), options.log, (inputs, outputs) if options.c99 else None)
    readings = kept.readings.numpy()
    exact = wide(made, readings)
    compared = Compared(readings, exact.lam, kept.lam.numpy().astype(np.float64))
    return BundleContent(
        name=options.naming.name if options.naming is not None else f"mollifier_{loaded.run.spec['problem']['name']}",
        model=model,
        inputs=inputs,
        outputs=outputs,
        certificate=certify((inputs, outputs), backends, compared, made.promise),
        golden=_golden(made, readings, exact),
        card=Notes(problem=_words(loaded), failures=_failures(made)),
        report=report_arrays(loaded, kept, exact.lam, exact.band),
        monitor=_monitor(made.promise),
    )


def signature(made: store.Device, shape: tuple[int, ...]) -> tuple[tuple[InputSpec, ...], tuple[OutputSpec, ...]]:
    """What the manifest says of inputs and outputs."""
    unit = made.units.get("u", "")
    n = made.grid.points
    columns = tuple(Column(f"g{i}", unit, made.low, made.high) for i in range(n))
    lam = made.units.get(LAM, "")
    outputs = (
        OutputSpec(LAM, "float32", (ROWS, *shape), lam),
        OutputSpec(BAND, "float32", (ROWS, *shape), lam, diagnostic=True),
        OutputSpec(RESIDUAL, "float32", (ROWS,), "", diagnostic=True, threshold=made.promise.threshold),
    )
    return (InputSpec(store.INPUT, "float32", (ROWS, n), columns),), outputs


def wide(made: store.Device, readings: NDArray[np.float32]) -> Outputs:
    """The estimator in float64, what a device is compared with."""
    module = copy.deepcopy(made.module).double().eval()
    with torch.no_grad():
        found = [module(torch.from_numpy(row[None].astype(np.float64))) for row in readings]
    return Outputs(*(np.concatenate([getattr(f, n).numpy() for f in found]) for n in (LAM, BAND, RESIDUAL)))


def _graph(made: store.Device) -> onnx.ModelProto:
    low, high = made.low, made.high
    example = torch.linspace(low, high, 2 * made.grid.points).reshape(2, -1)
    return to_onnx(made.module, {store.INPUT: example}, {store.INPUT: {0: ROWS}}, [LAM, BAND, RESIDUAL])


def _golden(made: store.Device, readings: NDArray[np.float32], exact: Outputs) -> dict[str, NDArray[np.floating]]:
    """The best and the worst draw whose residual is below the threshold."""
    good = np.flatnonzero(exact.residual <= NEAR * made.promise.threshold)
    if not good.size:
        raise RunError("the test draws that the run kept all have a residual above its threshold; train with others")
    rows = np.unique(good[[0, -1]])
    golden: dict[str, NDArray[np.floating]] = {f"input/{store.INPUT}": readings[rows]}
    return golden | {f"output/{name}": getattr(exact, name)[rows] for name in (LAM, BAND, RESIDUAL)}


def _monitor(promise: store.Promise) -> Monitor:
    return Monitor(
        RESIDUAL, promise.level, promise.count, promise.unbounded, promise.seed, "draws of the problem",
        promise.probabilities, promise.quantiles,
    )  # fmt: skip


def _words(loaded: store.Loaded) -> str:
    made, problem = loaded.device, loaded.run.spec["problem"]
    sizes = " x ".join(f"{axis.size} ({axis.name})" for axis in made.grid.axes)
    ranges = ", ".join(f"{a.name} {a.values[0]:g} to {a.values[-1]:g} {a.unit}".rstrip() for a in made.grid.axes)
    network = f"a network of {made.parameters} numbers corrects it" if made.parameters else "no network"
    noise = 100.0 * float(problem.get("noise", math.nan))
    return (
        f"{problem.get('about', problem['name'])}. One row is a block of {sizes} readings, {ranges}; noise {noise:g} % "
        f"of the field's standard deviation. Derivatives by mollified kernels (arXiv 2505.11682), a spline by least "
        f"squares; {network}."
    )


def _failures(made: store.Device) -> list[str]:
    return [
        "Missing readings (NaN) are refused: the device fills nothing in.",
        f"With a probability of {100.0 * made.promise.level:g} % each, a fresh draw leaves the stated error or its "
        "residual is above the threshold; readings of another problem have no promise at all.",
        f"The band holds {100.0 * PLACES:g} % of the places of nine in ten fresh draws, not every place of every draw.",
    ]
