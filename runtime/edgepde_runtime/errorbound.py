"""What a call may say of its error: the certificate's total, or the device's part of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .certificate import Certificate
from .inputs import ABOVE_THRESHOLD, NOT_CONVERGED, OUT_OF_BOX, ROUNDED

UNCOVERED = OUT_OF_BOX | NOT_CONVERGED | ABOVE_THRESHOLD | ROUNDED


def outsiders(certificate: Certificate, arrays: Mapping[str, NDArray[np.floating]]) -> int:
    """How many rows are not shown to be of the certificate's family; 0 without one. arrays: by input, [n, d]."""
    if certificate.family is None:
        return 0
    inputs = dict.fromkeys(column.input for column in certificate.box)
    rows = np.concatenate([arrays[name] for name in inputs], axis=1)
    return int(np.count_nonzero(~certificate.family.contains(rows)))


def error_bounds(certificate: Certificate, covered: bool) -> dict[str, dict[str, object]]:
    """By output of a sup entry: value (None where not known), norm, class, and whether it covers "total" or "device".

    certificate: as it holds on the backend in use. covered: this call's inputs and backend are what it speaks of.
    """
    bounds: dict[str, dict[str, object]] = {}
    for entry in certificate.outputs.values():
        if entry.norm != "sup":
            continue
        value, class_, covers = entry.total, entry.total_class, "total"
        if value is None:
            value, class_, covers = entry.device_total, entry.device_class, "device"
        bounds[entry.name] = {
            "value": value if covered else None,
            "norm": entry.norm,
            "class": class_ if covered else "not verified",
            "covers": covers,
        }
    return bounds
