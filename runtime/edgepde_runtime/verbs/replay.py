"""Golden replay: does the device give what the reference network gave, within the certificate's own terms?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..certificate import OutputCertificate
from ..diagnostics import blank, residual_flags
from ..golden import Golden
from ..inputs import NOT_CONVERGED
from ..manifest import Manifest, OutputSpec
from ..model import Model
from ..verdict import FAIL, NOT_VERIFIED, PASS, Check

Array = NDArray[np.floating]
FEW_ROWS = 8
# |device residual - reference residual| as a share of the threshold. A residual has no certificate: compression moves
# it by an amount of its own, however small the residual is, and its one use is to be held against the threshold.
RESIDUAL_SHARE = 1e-2
# A threshold that was calibrated on the device's own residuals may lie within reach of its rounding.
CALIBRATED_SHARE = 0.25
NOTHING = "no value to compare: no row of the reference converged"


def few(golden: Golden, manifest: Manifest, rows: int = FEW_ROWS) -> Golden:
    """The first rows behind every symbol, those that converged before others; rows do not depend on each other."""
    flags = residual_flags(manifest, golden.outputs)
    chosen = {
        symbol: np.argsort(flags.get(symbol, np.zeros(n, np.int32)) & NOT_CONVERGED, kind="stable")[:rows]
        for symbol, n in golden.sizes.items()
    }
    inputs = {spec.name: golden.inputs[spec.name][chosen[spec.shape[0]]] for spec in manifest.inputs}
    outputs = {
        spec.name: golden.outputs[spec.name][
            np.ix_(*(chosen[n] if isinstance(n, str) else np.arange(n) for n in spec.shape))
        ]
        for spec in manifest.outputs
    }
    return Golden(inputs, outputs, {symbol: min(n, rows) for symbol, n in golden.sizes.items()})


def replay(bundle: Bundle, backend: str, golden: Golden, trust: bool = False) -> list[Check]:
    """One check per output, on one backend: |device - reference| <= the sum of the certificate's terms after model.

    For a residual: the same rows converge, none is above the threshold, and the two differ by RESIDUAL_SHARE of it, or
    CALIBRATED_SHARE where monitor.json says how the threshold was found.
    """
    manifest = bundle.manifest
    model = Model(bundle, backend, "raise", False, trust)
    device = model.call(**golden.inputs).outputs
    rows = residual_flags(manifest, golden.outputs)
    reference = blank(manifest, {name: array.copy() for name, array in golden.outputs.items()}, rows)
    checks = []
    for spec in manifest.outputs:
        name = f"golden {spec.name} on {model.backend}"
        if spec.threshold is not None:
            calibrated = bundle.monitor is not None and bundle.monitor.output == spec.name
            share = CALIBRATED_SHARE if calibrated else RESIDUAL_SHARE
            checks.append(_residual(name, spec, device[spec.name], golden.outputs[spec.name], share))
        elif not spec.diagnostic:
            entry = model.certificate.outputs[spec.name]
            checks.append(_compare(name, spec, device[spec.name], reference, entry))
    return checks


def _residual(name: str, spec: OutputSpec, device: Array, reference: Array, share: float) -> Check:
    threshold = spec.threshold or 0.0
    expected, got = np.abs(reference.astype(np.float64)), np.abs(device.astype(np.float64))
    known = np.isfinite(expected)
    differ = np.isfinite(got) != known
    if differ.any():
        row = int(np.argmax(differ))
        verb = "did not converge" if known[row] else "converged, unlike the reference"
        return Check(name, FAIL, float(differ.sum()), 0.0, "rows", f"row {row} {verb}")
    if not known.any():
        return Check(name, NOT_VERIFIED, unit=spec.unit, detail=NOTHING)
    for whose, values in (("reference", expected[known]), ("device", got[known])):
        if (above := int((values > threshold).sum())) > 0:
            detail = f"{above} rows of the {whose} above the threshold"
            return Check(name, FAIL, float(values.max()), threshold, spec.unit, detail)
    worst, limit = float(np.abs(got[known] - expected[known]).max()), share * threshold
    detail = f"{len(known)} rows converge as in the reference; largest of {int(known.sum())} differences"
    return Check(name, PASS if worst <= limit else FAIL, worst, limit, spec.unit, detail)


def _compare(
    name: str, spec: OutputSpec, device: Array, reference: Mapping[str, Array], entry: OutputCertificate
) -> Check:
    expected = reference[spec.name].astype(np.float64)
    got = device.astype(np.float64)
    blanked = np.isnan(expected)
    wrong = np.isnan(got) != blanked
    if wrong.any():
        return Check(
            name, FAIL, None, entry.device_total, spec.unit, f"{int(wrong.sum())} values are NaN on one side only"
        )
    if blanked.all():
        return Check(name, NOT_VERIFIED, None, entry.device_total, spec.unit, NOTHING)
    worst = float(np.abs(got - expected)[~blanked].max())
    detail = f"largest of {int((~blanked).sum())} differences"
    if entry.device_total is None:
        why = "terms after model are not verified, so there is no tolerance"
        return Check(name, NOT_VERIFIED, worst, None, spec.unit, why)
    return Check(name, PASS if worst <= entry.device_total else FAIL, worst, entry.device_total, spec.unit, detail)
