"""The certificate of an s2gpt bundle: measured against the reference solution where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from edgepde_runtime.backends import Backend
from edgepde_runtime.certificate import BoxEntry, Certificate, Found, OutputCertificate, index
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.term import SENSOR, Term
from numpy.typing import NDArray

from edgepde.certify.search import Worst, worst_case
from edgepde.s2gpt.compress import MARGIN, Loaded, Small
from edgepde.s2gpt.errors import HeldOutError, Sample, boxes, model_error, residual_l1, residual_sup, tabulated_field

from ..bundle import UNHASHED
from .measured import ASSUMPTIONS, ENGINE, MODEL_MARGIN
from .outliers import refuse_outliers
from .s2gpt_sensor import sensor_term

Array = NDArray[np.float64]
Signature = tuple[tuple[InputSpec, ...], tuple[OutputSpec, ...]]

LEAST_PARAMETERS, LEAST_VALUES = 8, 200


def certify(
    loaded: Loaded,
    small: Small,
    backends: Mapping[str, Backend],
    sample: Sample,
    signature: Signature,
    held_out: HeldOutError | None,
    accuracy: str | None = None,
) -> Certificate:
    """One sup entry for u, and one in L1 where the problem has an L1 stability weight; UNHASHED until written.

    accuracy: of parameters and coordinates, for a sensor term.
    """
    inputs, outputs = signature
    terms = {
        "compression": Term(small.stated, "measured", _compression_words(small)),
        "quantisation": Term(0.0, "sound", "weights are stored in the graph's own precision"),
        "rounding": _rounding(small, backends, sample),
        "activation": Term(0.0, "measured", "contained in the measured rounding term"),
    }
    terms["model"] = _model(loaded, sample, held_out)
    sensor = {} if accuracy is None else {SENSOR: sensor_term(loaded, sample, accuracy)}
    found = _found(loaded, backends, sample)
    unit = outputs[0].unit
    entries = [
        OutputCertificate.from_terms(
            "u", unit, {**terms, **sensor}, found=found, found_compression=small.worst.value or None
        ),
    ]
    l1 = residual_l1(loaded.reference, loaded.axes, sample)
    if l1 is not None:
        entries.append(_l1_entry(loaded, terms, l1, sample))
    box = tuple(BoxEntry(spec.name, c.name, c.unit, c.low, c.high) for spec in inputs for c in spec.columns)
    return Certificate(UNHASHED, tuple(sorted(backends)), box, ASSUMPTIONS, ENGINE, index(entries))


def _compression_words(small: Small) -> str:
    return (
        f"{MARGIN:g} x the largest |table - reference network| in float64 among {small.worst.compared} values, "
        f"local search included"
    )


def _device(backend: Backend, parameters: Array, points: NDArray[np.floating]) -> Array:
    """u of a backend, rows that did not converge as NaN."""
    fed: dict[str, NDArray[Any]] = {
        "parameters": np.ascontiguousarray(parameters),
        "points": points.astype(np.float32),
    }
    out = backend.run(fed)
    residual = np.asarray(out["residual"], dtype=np.float64)
    return np.where(np.isfinite(residual)[:, None], np.asarray(out["u"], dtype=np.float64), np.nan)


def _rounding(small: Small, backends: Mapping[str, Backend], sample: Sample) -> Term:
    """Field evaluation in float32 against the same table in float64, at points the device's dtype holds."""
    parameters = sample.parameters[:: max(1, len(sample.parameters) // 24)]
    points = sample.points[:: max(1, len(sample.points) // 1500)].astype(np.float32).astype(np.float64)
    exact = tabulated_field(small.model, small.table, parameters, points)
    errors = {name: float(np.abs(_device(b, parameters, points) - exact).max()) for name, b in backends.items()}
    worst = max(errors.values())
    if not np.isfinite(list(errors.values())).any():
        return Term.not_verified("some of the sampled parameters do not converge; train with more snapshots")
    refuse_outliers(errors, float(np.abs(exact).max()), float(np.finfo(np.float32).eps) / 2)
    names = " and ".join(sorted(backends))
    how = f"{MARGIN:g} x the largest |device - float64| of {names} on {exact.size} values, field evaluation and solve"
    return Term(MARGIN * worst, "measured", how)


def _model(loaded: Loaded, sample: Sample, held_out: HeldOutError | None) -> Term:
    """Against the exact solution; else held-out data; else residual times stability constant; else not verified."""
    worst = model_error(loaded.reference, sample)
    if worst is not None:
        how = f"{MODEL_MARGIN:g} x the largest |reference network - reference solution| among {worst.compared} values"
        return Term(MODEL_MARGIN * worst.value, "measured", f"{how}: {sample.words} and local search")
    constant = loaded.problem.sup_stability
    if held_out is not None:
        return _held_out(held_out)
    if constant is not None:
        value = constant * residual_sup(loaded.reference, loaded.axes, sample)
        how = (
            f"residual: {constant:g} x the largest |PDE residual| on {len(sample.parameters)} parameters x a dense grid"
        )
        return Term(MODEL_MARGIN * value, "measured", f"{MODEL_MARGIN:g} x {how}; the constant is the problem's word")
    return Term.not_verified("the problem states no reference and no sup_stability; give --data FILE")


def _held_out(held: HeldOutError) -> Term:
    what = f"{held.parameters} parameters, {held.values} values of {held.source}"
    if held.parameters < LEAST_PARAMETERS or held.values < LEAST_VALUES:
        least = f"expected at least {LEAST_PARAMETERS} and {LEAST_VALUES}"
        return Term.not_verified(f"held-out data of {what} cannot speak for the box; {least}")
    how = f"{MODEL_MARGIN:g} x the largest |reference network - held-out value| on {what}"
    return Term(MODEL_MARGIN * held.worst, "measured", how)


def _found(loaded: Loaded, backends: Mapping[str, Backend], sample: Sample) -> Found | None:
    """The worst |device - reference solution| a search reaches on the first backend."""
    exact = loaded.problem.reference
    if exact is None:
        return None
    backend = backends.get("ort") or next(iter(backends.values()))

    def error(parameters: Array, points: Array) -> Array:
        held = points.astype(np.float32)
        return _device(backend, parameters, held) - exact(parameters, held.astype(np.float64))

    thinned = sample.parameters[:: max(1, len(sample.parameters) // 33)], sample.points[::2]
    worst: Worst = worst_case(error, *thinned, boxes(loaded.problem), seed=7)
    place = {"parameters": tuple(worst.parameters.tolist()), "points": tuple(worst.point.tolist())}
    return Found(worst.value, place)


def _l1_entry(loaded: Loaded, terms: Mapping[str, Term], l1: float, sample: Sample) -> OutputCertificate:
    """The same in L1 over the domain: the model term from the residual, the others times the domain's measure."""
    problem = loaded.problem
    box = problem.coordinates
    measure = float(np.prod(np.asarray(box.high) - np.asarray(box.low)))

    def scaled(term: Term) -> Term:
        if term.value is None:
            return term
        return Term(measure * term.value, term.class_, f"{measure:g} (the domain's measure) x the sup term")

    how = f"L1 stability: largest integral of weight x |PDE residual| over {len(sample.parameters)} parameters"
    model = Term(MODEL_MARGIN * l1, "measured", f"{MODEL_MARGIN:g} x {how}; the quadrature has no bound of its own")
    units = "*".join(u for u in box.units if u)
    unit = f"{problem.unit}*{units}" if units else problem.unit
    rest = {name: scaled(term) for name, term in terms.items() if name != "model"}
    return OutputCertificate.from_terms("u", unit, {"model": model, **rest}, norm="L1")
