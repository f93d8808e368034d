"""The certificate of an estimator: a model term by split conformal calibration, rounding as measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.backends import Backend
from edgepde_runtime.certificate import BoxEntry, Certificate, OutputCertificate, index
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.term import Term
from numpy.typing import NDArray

from edgepde.mollifier.store import Promise

from ..bundle import UNHASHED
from .measured import ASSUMPTIONS, ENGINE, MARGIN, device
from .outliers import refuse_outliers

Array = NDArray[np.float64]
Signature = tuple[tuple[InputSpec, ...], tuple[OutputSpec, ...]]
DRAWN = "the statistical term holds for draws of the problem as simulated, not for every input of the box"


@final
@dataclass(frozen=True, eq=False)
class Compared:
    """Readings [K, n] of test draws, lam by the estimator in float64 and the true one, [K, ..]."""

    readings: NDArray[np.float32]
    exact: Array
    truth: Array


def certify(signature: Signature, backends: Mapping[str, Backend], compared: Compared, promise: Promise) -> Certificate:
    """One sup entry for lam; UNHASHED until written."""
    (spec,), (output, *_) = signature
    terms = {
        "model": _model(promise),
        "compression": Term(0.0, "sound", "nothing was compressed"),
        "quantisation": Term(0.0, "sound", "weights are stored in the graph's own precision"),
        "rounding": _rounding(spec, output, backends, compared),
        "activation": Term(0.0, "measured", "contained in the measured rounding term"),
    }
    entry = OutputCertificate.from_terms(output.name, output.unit, terms)
    box = tuple(BoxEntry(spec.name, c.name, c.unit, c.low, c.high) for c in spec.columns)
    return Certificate(UNHASHED, tuple(sorted(backends)), box, (*ASSUMPTIONS, DRAWN), ENGINE, index([entry]))


def _model(promise: Promise) -> Term:
    how = (
        f"largest |estimate - truth| on the grid of a fresh draw, with probability {1.0 - promise.level:g}: split "
        f"conformal calibration on {promise.count} simulated draws"
    )
    return Term(promise.largest, "statistical", how)


def _rounding(spec: InputSpec, output: OutputSpec, backends: Mapping[str, Backend], compared: Compared) -> Term:
    found = {
        name: max(
            float(np.abs(device(backend, spec, output, row[None]) - exact).max())
            for row, exact in zip(compared.readings, compared.exact, strict=True)
        )
        for name, backend in backends.items()
    }
    unit = float(np.finfo(np.float32).eps) / 2
    size = float(np.abs(compared.exact).max())
    refuse_outliers(found, size, unit)
    names = " and ".join(sorted(backends))
    how = f"{MARGIN:g} x the largest |device - float64| of {names} on {len(compared.readings)} test draws"
    return Term(MARGIN * max(*found.values(), unit * size), "measured", how)
