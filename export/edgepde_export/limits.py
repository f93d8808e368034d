"""What a caller allows of the terms after `model`: a bound per output, and the weakest class that may pass."""

from __future__ import annotations

from collections.abc import Mapping

from edgepde_runtime.certificate import Certificate, OutputCertificate
from edgepde_runtime.errors import BudgetError, NotVerified
from edgepde_runtime.limits import class_name
from edgepde_runtime.limits import max_error as limits_of
from edgepde_runtime.term import at_least

from .errors import BoundExceeded

MaxError = str | float | Mapping[str, float] | None


def check_limits(certificate: Certificate, max_error: MaxError, min_class: str | None) -> None:
    """Raises BoundExceeded for an output above its limit, NotVerified for one whose class is below `min_class`.

    max_error: one number for every output, or `u=1e-3,u_x=1e-2`. min_class: measured where None.
    Raises BudgetError for an unknown output or class, or a limit that is not a positive number.
    """
    minimum = class_name(min_class or "measured", "--min-class")
    entries = {key: entry for key, entry in certificate.outputs.items() if entry.norm == "sup"}
    limits = _by_output(max_error, list(entries))
    for name, entry in entries.items():
        total = entry.device_total
        if total is not None and name in limits and total > limits[name]:
            raise BoundExceeded(
                f"output {name}: device error bound {total:.6g} is above --max-error {limits[name]:.6g}"
            )
    for name, entry in entries.items():
        _check_class(name, entry, minimum, bounded=name in limits)


def smallest_limit(max_error: MaxError) -> float | None:
    """The tightest of the limits given, None where none is: what a lowering may spend."""
    return min(limits_of(max_error, "--max-error").values()) if max_error is not None else None


def _check_class(name: str, entry: OutputCertificate, minimum: str, bounded: bool) -> None:
    if at_least(entry.device_class, minimum):
        return
    what = "--max-error cannot be checked" if bounded and entry.device_total is None else f"--min-class is {minimum}"
    raise NotVerified(f"output {name}: the terms after model are {entry.device_class}, {what}")


def _by_output(max_error: MaxError, outputs: list[str]) -> dict[str, float]:
    """Limits by output; outputs without one are missing."""
    if max_error is None:
        return {}
    limits = limits_of(max_error, "--max-error")
    for name in limits:
        if name and name not in outputs:
            raise BudgetError(f"--max-error: output {name!r} is unknown or diagnostic; expected {', '.join(outputs)}")
    return dict.fromkeys(outputs, limits[""]) if "" in limits else limits
