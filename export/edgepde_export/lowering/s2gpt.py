"""A run of the family s2gpt: parameters [B, P] and points [M, d] in, field u [B, M] and residual [B] out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from numpy.typing import NDArray

from edgepde.problems.problem import Problem
from edgepde.s2gpt.candidates import candidates
from edgepde.s2gpt.compress import DEFAULT_ERROR, Loaded, Small, ledger, load, small_of
from edgepde.s2gpt.errors import HeldOutError, Sample, held_out_error, sample_of
from edgepde.s2gpt.online import Online
from edgepde.s2gpt.reduced import ReducedModel
from edgepde.train.holdout import read_held_out
from edgepde.train.threads import one_thread

from ..bundle import BundleContent
from ..card import Notes
from ..passes.clean import serialize
from .graph import to_onnx
from .measured import load_backends
from .options import Options
from .prepare import prepare
from .s2gpt_certificate import certify
from .s2gpt_report import report_arrays

Array = NDArray[np.float64]

GOLDEN_PARAMETERS, GOLDEN_POINTS = 6, 256
RESIDUAL_MARGIN = 10.0


def lower(path: Path, domain: Box | None, max_error: float | None, options: Options) -> BundleContent:
    """The bundle of a run, compressed or not.

    max_error: what field table and rounding may cost together; the table of an uncompressed run is made for half of it.

    Raises InputError for an option of plain networks, RunError for a run that cannot be read.
    """
    _check_options(path, domain, options)
    with one_thread():
        return _content(path, options, DEFAULT_ERROR if max_error is None else max_error / 2.0)


def _check_options(path: Path, domain: Box | None, options: Options) -> None:
    reasons = {
        "--domain": (domain is not None, "this run has the box it was trained for"),
        "--family": (options.family is not None, "this run has the box it was trained for"),
        "--precision": (options.precision != "f32", "a reduced network solves with its tables in full precision"),
        "--derivatives and --residual": (options.append is not None, "a reduced network has the residual it solves by"),
        "--with-reference": (options.reference, "a device cannot hold the full basis this run is compared with"),
    }
    for name, (given, why) in reasons.items():
        if given:
            raise InputError(f"{path}: {name} is for networks of your own; {why}")


def _content(path: Path, options: Options, allowed: float) -> BundleContent:
    log = options.log
    loaded = load(path)
    held_out = _held_out(loaded, options.data)
    log("measuring what the field table costs")
    small = small_of(loaded, allowed)
    problem = loaded.problem
    sample = sample_of(problem, loaded.axes)
    model = prepare(_graph(small, problem), log)
    inputs, outputs = signature(problem, residual_threshold(small.model, problem))
    backends = load_backends(serialize(model), log, (inputs, outputs) if options.c99 else None)
    log("measuring the error against the reference solution")
    return BundleContent(
        name=f"s2gpt_{problem.name}",
        model=model,
        inputs=inputs,
        outputs=outputs,
        certificate=certify(loaded, small, backends, sample, (inputs, outputs), held_out, options.accuracy),
        golden=golden(loaded.reference, sample),
        card=Notes(problem=_words(loaded, small), failures=_failures(loaded)),
        ledger=ledger(loaded, small),
        report=report_arrays(loaded, small),
    )


def _held_out(loaded: Loaded, data: Path | None) -> HeldOutError | None:
    """The error on the held-out values given now, else on those the training was given."""
    if data is not None:
        held = read_held_out(data).check_inside(loaded.problem.parameters, loaded.problem.coordinates)
        return held_out_error(loaded.reference, held)
    history = loaded.run.spec["history"]
    kept = history.get("held_out") if isinstance(history, dict) else None
    return HeldOutError(**kept) if kept else None


def _graph(small: Small, problem: Problem) -> Any:
    example = {
        "parameters": torch.from_numpy(np.array([problem.parameters.low, problem.parameters.high])),
        "points": torch.from_numpy(np.array([problem.coordinates.low] * 3, dtype=np.float32)),
    }
    network = Online(small.model, small.table).eval()
    dynamic = {"parameters": {0: "B"}, "points": {0: "M"}}
    return to_onnx(network, example, dynamic, ["u", "residual"])


def signature(problem: Problem, threshold: float) -> tuple[tuple[InputSpec, ...], tuple[OutputSpec, ...]]:
    """What the manifest says of inputs and outputs."""

    def columns(box: Box) -> tuple[Column, ...]:
        return tuple(Column(*c) for c in zip(box.names, box.units, box.low, box.high, strict=True))

    p, d = problem.parameters.dimension, problem.coordinates.dimension
    inputs = (
        InputSpec("parameters", "float64", ("B", p), columns(problem.parameters)),
        InputSpec("points", "float32", ("M", d), columns(problem.coordinates)),
    )
    outputs = (
        OutputSpec("u", "float32", ("B", "M"), problem.unit),
        OutputSpec("residual", "float64", ("B",), "", diagnostic=True, threshold=threshold),
    )
    return inputs, outputs


def residual_threshold(model: ReducedModel, problem: Problem) -> float:
    """Ten times the largest residual met on the training candidates: beyond it a query is unlike anything trained."""
    over = candidates(problem)
    coefficients, converged = model.solve(over)
    worst = float(model.residual(over, coefficients)[converged].max())
    return float(f"{max(RESIDUAL_MARGIN * worst, 1e-12):.2g}")


def golden(reference: ReducedModel, sample: Sample) -> dict[str, NDArray[np.floating]]:
    """A few parameters and points of the sample and the reference network's answers in float64."""
    rows = np.unique(np.linspace(0, len(sample.parameters) - 1, GOLDEN_PARAMETERS).round().astype(int))
    parameters = np.ascontiguousarray(sample.parameters[rows])
    points = sample.points[-GOLDEN_POINTS:].astype(np.float32)
    coefficients, _ = reference.solve(parameters)
    return {
        "input/parameters": parameters,
        "input/points": points,
        "output/u": reference.field(parameters, points.astype(np.float64), coefficients),
        "output/residual": reference.residual(parameters, coefficients),
    }


def _words(loaded: Loaded, small: Small) -> str:
    problem = loaded.problem
    rows = len(small.model.rows.weights)
    about = f"{problem.name}: {problem.about}" if problem.about else problem.name
    return (
        f"{about}. A reduced network of {small.model.size} pre-trained PINNs (S2GPT-PINN, "
        f"arXiv 2506.15687): a new parameter is solved on the device by damped Gauss-Newton on {rows} "
        f"collocation rows, then the field is read at any points."
    )


def _failures(loaded: Loaded) -> list[str]:
    history = loaded.run.spec["history"]
    trials = history.get("row_trials", []) if isinstance(history, dict) else []
    failed = [t for t in trials if not t["converged"]]
    return [
        f"With only {t['rows']} collocation rows some parameters did not converge; that set is not used."
        for t in failed
    ]
