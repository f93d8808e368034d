"""What a caller allows of the terms after `model`: a bound per output, and the weakest class that may pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgepde_runtime.certificate import Certificate, Found, OutputCertificate
from edgepde_runtime.certificate_rules import REFERENCE
from edgepde_runtime.errorlimits import ErrorLimits
from edgepde_runtime.errors import NotVerified
from edgepde_runtime.limits import class_name
from edgepde_runtime.limits import max_error as limits_of
from edgepde_runtime.subbox import holds, words
from edgepde_runtime.term import TERMS, Totals, at_least, tightest

from .errors import BoundExceeded

# How a measured term says what was proved and is of no use.
PROVED = "proved: "
MaxError = str | float | Mapping[str, float] | ErrorLimits | None


def check_limits(certificate: Certificate, max_error: MaxError, min_class: str | None, costly: str = "") -> None:
    """Raises BoundExceeded for an output whose error is above its limit, NotVerified for what could not be shown.

    max_error: one number for every output, `u=1e-3,u_x=1e-2`, or for a part of the box `u[x=0.4:0.6]=1e-4`.
    min_class: where None sound for an output that has a limit, else measured. costly: what costs most, for the message.
    A sound bound above its limit is not verified unless an error above the limit was found.
    Raises BudgetError for an unknown output, column or class, or a limit that is not a positive number.
    """
    asked = None if min_class is None else class_name(min_class, "--min-class")
    entries = {key: entry for key, entry in certificate.outputs.items() if entry.norm == "sup"}
    limits = given_limits(max_error) or ErrorLimits()
    limits.check(entries, certificate.box, "--max-error")
    claims = [claim for entry in entries.values() for claim in _claims(entry, limits, certificate)]
    for claim in claims:
        _check_bound(claim, costly)
    for claim in claims:
        default = "measured" if claim.limit is None else "sound"
        _check_class(claim, asked or default)


@dataclass(frozen=True)
class _Claim:
    """A statement on an output, on all of the box or a part; what may be found wrong with it, and its limit."""

    name: str
    statement: Totals
    found: Found | None
    limit: float | None


def _claims(entry: OutputCertificate, limits: ErrorLimits, certificate: Certificate) -> list[_Claim]:
    found = entry.found if entry.found is not None and entry.found.against == REFERENCE else None
    made = [_Claim(entry.name, entry, found, limits.of(entry.name))]
    for region in limits.within(entry.name):
        statement = tightest(entry.holding(region.box, certificate.box), lambda held: held.device_total)
        inside = found is not None and holds(region.box, certificate.box, found.input)
        made.append(_Claim(f"{entry.name}[{words(region.box)}]", statement, found if inside else None, region.limit))
    return made


def smallest_limit(max_error: MaxError) -> float | None:
    """The tightest of the limits given, None where none is: what a lowering may spend."""
    limits = given_limits(max_error)
    return None if limits is None else limits.smallest


def given_limits(max_error: MaxError) -> ErrorLimits | None:
    """The limits as such, None where none is; raises BudgetError for what cannot be understood."""
    return None if max_error is None else limits_of(max_error, "--max-error")


def _check_bound(claim: _Claim, costly: str) -> None:
    total, limit, found = claim.statement.device_total, claim.limit, claim.found
    if total is None or limit is None or total <= limit:
        return
    above = f"above --max-error {limit:.6g}{costly}"
    if claim.statement.device_class != "sound":
        raise BoundExceeded(f"output {claim.name}: device error bound {total:.6g} is {above}")
    if found is not None and found.value > limit:
        place = ", ".join(f"{name} = {list(values)}" for name, values in found.input.items())
        raise BoundExceeded(f"output {claim.name}: an error of {found.value:.6g} at {place} is {above}")
    reached = "" if found is None else f", the worst error found is {found.value:.6g}"
    more = "--prove-seconds gives the proof more time"
    raise NotVerified(f"output {claim.name}: the proved bound {total:.6g} is {above}{reached}; {more}")


def _check_class(claim: _Claim, minimum: str) -> None:
    class_, total = claim.statement.device_class, claim.statement.device_total
    if at_least(class_, minimum):
        return
    what = "--max-error cannot be checked" if claim.limit is not None and total is None else f"{minimum} is asked for"
    hint = "; --min-class measured accepts them" if class_ == "measured" else ""
    raise NotVerified(f"output {claim.name}: the terms after model are {class_}{_loose(claim)}, {what}{hint}")


def _loose(claim: _Claim) -> str:
    """What was proved of terms that are only measured, in brackets; nothing where nothing was."""
    terms = claim.statement.terms
    found = {name: terms[name].how.rpartition(PROVED) for name in TERMS[1:] if terms[name].class_ != "sound"}
    said = [f"{name}: {PROVED}{last}" for name, (_, proved, last) in found.items() if proved]
    return f" ({'; '.join(said)})" if said else ""
