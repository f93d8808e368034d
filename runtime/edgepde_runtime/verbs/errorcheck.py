"""The certificate against what was asked of it."""

from __future__ import annotations

from ..certificate import Certificate, OutputCertificate
from ..errors import BudgetError
from ..limits import Limits
from ..term import TERMS, at_least, sum_up, upward
from ..verdict import FAIL, NOT_VERIFIED, PASS, Check


def check_errors(certificate: Certificate, backend: str, limits: Limits) -> list[Check]:
    """One check per entry: its total within the limit, its class strong enough, its search not above its bound.

    Raises BudgetError where a limit names no output of the certificate.
    """
    names = {entry.name for entry in certificate.outputs.values()}
    for name in limits.max_error:
        if name and name not in names:
            raise BudgetError(f"max_error: {name!r} is no certified output; expected {', '.join(sorted(names))}")
    return [
        _check(f"error {key}", entry, certificate.backends, backend, limits)
        for key, entry in certificate.outputs.items()
    ]


def _check(name: str, entry: OutputCertificate, backends: tuple[str, ...], backend: str, limits: Limits) -> Check:
    # A limit is in the output's unit, that is for the sup norm.
    limit = limits.max_error.get(entry.name, limits.max_error.get("")) if entry.norm == "sup" else None
    known = sum_up(term.value for term in entry.terms.values() if term.value is not None)
    total, class_ = entry.total, entry.total_class

    def verdict(status: str, detail: str) -> Check:
        return Check(name, status, total, limit, entry.unit, detail)

    if total is not None and entry.found is not None and entry.found.value > total * (1 + 1e-9):
        return verdict(FAIL, f"a search found an error of {upward(entry.found.value)}, above the stated total")
    if limit is not None and (known if total is None else total) > limit:
        alone = "; the known terms alone exceed the limit" if total is None else ""
        return verdict(FAIL, f"{class_}{alone}; {_split(entry)}")
    if backend not in backends:
        return verdict(NOT_VERIFIED, f"certificate covers {', '.join(backends)}, not {backend}")
    if total is None:
        missing = [f"{t} ({entry.terms[t].how})" for t in TERMS if entry.terms[t].value is None]
        return verdict(NOT_VERIFIED, f"not verified: {'; '.join(missing)}")
    if not at_least(class_, limits.min_class):
        return verdict(NOT_VERIFIED, f"{class_}, asked for {limits.min_class}; {_split(entry)}")
    return verdict(PASS, f"{class_}; {_split(entry)}")


def _split(entry: OutputCertificate) -> str:
    parts = [f"{name} {upward(term.value)}" for name, term in entry.terms.items() if term.value]
    return " + ".join(parts) or "every term is 0"
