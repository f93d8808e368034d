"""Golden replay: does the device give what the reference network gave, within the certificate's own terms?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..certificate import OutputCertificate
from ..diagnostics import blank, row_flags
from ..golden import Golden
from ..inputs import NOT_CONVERGED
from ..manifest import Manifest, OutputSpec
from ..model import Model
from ..verdict import FAIL, NOT_VERIFIED, PASS, Check

Array = NDArray[np.floating]
FEW_ROWS = 8


def few(golden: Golden, manifest: Manifest, rows: int = FEW_ROWS) -> Golden:
    """The first rows behind every symbol; rows do not depend on each other."""
    inputs = {name: array[:rows] for name, array in golden.inputs.items()}
    outputs = {
        spec.name: golden.outputs[spec.name][tuple(slice(rows if isinstance(n, str) else n) for n in spec.shape)]
        for spec in manifest.outputs
    }
    return Golden(inputs, outputs, {symbol: min(n, rows) for symbol, n in golden.sizes.items()})


def replay(bundle: Bundle, backend: str, golden: Golden) -> list[Check]:
    """One check per output, on one backend: |device - reference| <= the sum of the certificate's terms after model."""
    manifest = bundle.manifest
    model = Model(bundle, backend, "raise", False)
    device = model.call(**golden.inputs).outputs
    wanted_rows, got_rows = row_flags(manifest, golden.outputs), row_flags(manifest, device)
    reference = blank(manifest, {name: array.copy() for name, array in golden.outputs.items()}, wanted_rows)
    checks = []
    for spec in manifest.outputs:
        name = f"golden {spec.name} on {model.backend}"
        if spec.threshold is not None:
            symbol = str(spec.shape[0])
            checks.append(_converged(name, wanted_rows[symbol], got_rows[symbol]))
        elif not spec.diagnostic:
            entry = bundle.certificate.outputs[spec.name]
            checks.append(_compare(name, spec, device[spec.name], reference, entry))
    return checks


def _converged(name: str, wanted: NDArray[np.int32], got: NDArray[np.int32]) -> Check:
    differ = ((wanted ^ got) & NOT_CONVERGED) != 0
    detail = f"{len(wanted)} rows converge as in the reference"
    if not differ.any():
        return Check(name, PASS, detail=detail)
    row = int(np.argmax(differ))
    verb = "did not converge" if got[row] & NOT_CONVERGED else "converged, unlike the reference"
    return Check(name, FAIL, float(differ.sum()), 0.0, "rows", f"row {row} {verb}")


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
    with np.errstate(invalid="ignore"):
        difference = np.where(blanked, 0.0, np.abs(got - expected))
    worst = float(difference.max())
    detail = f"largest of {difference.size} differences"
    if entry.device_total is None:
        why = "terms after model are not verified, so there is no tolerance"
        return Check(name, NOT_VERIFIED, worst, None, spec.unit, why)
    return Check(name, PASS if worst <= entry.device_total else FAIL, worst, entry.device_total, spec.unit, detail)
