"""The certificate against what was asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..certificate import Certificate, OutputCertificate
from ..limits import Limits
from ..subbox import words
from ..term import Totals, at_least, sum_up, tightest, upward
from ..verdict import FAIL, MEASURED, NOT_VERIFIED, PASS, Check

NATIVE = "c99"


@dataclass(frozen=True)
class _Asked:
    """One question: what a statement says of an entry, of all or a part of the box, against a limit."""

    name: str
    entry: OutputCertificate
    statement: Totals
    limit: float | None

    def check(self, status: str, detail: str) -> Check:
        """The answer."""
        return Check(self.name, status, self.statement.total, self.limit, self.entry.unit, detail)


def check_errors(certificate: Certificate, backend: str, limits: Limits, native: bool = False) -> list[Check]:
    """One check per entry and per limited part of its box: total within the limit, class strong enough, on `backend`.

    native: the bundle has C code. Raises BudgetError where a limit names no output or column of the certificate.
    """
    names = {entry.name for entry in certificate.outputs.values()}
    limits.max_error.check(names, certificate.box, "max_error")
    checks = []
    for key, entry in certificate.outputs.items():
        searched = _searched(entry)
        for asked in _questions(key, entry.on(backend), certificate, limits):
            checks.append(
                asked.check(FAIL, searched) if searched else _answer(asked, certificate, backend, limits, native)
            )
        if entry.total is None and entry.device_total is not None and entry.norm == "sup":
            checks.append(_device(key, entry.on(backend)))
    return checks


def _device(key: str, view: OutputCertificate) -> Check:
    """What is known without the model's own error: how far the device is from the reference network."""
    detail = f"|reference network - device|: {view.device_class}, without the model's own error"
    return Check(f"device {key}", MEASURED, view.device_total, None, view.unit, detail)


def _questions(key: str, view: OutputCertificate, certificate: Certificate, limits: Limits) -> Iterator[_Asked]:
    # A limit is in the output's unit, that is for the sup norm.
    sup = view.norm == "sup"
    yield _Asked(f"error {key}", view, view, limits.max_error.of(view.name) if sup else None)
    for region in limits.max_error.within(view.name) if sup else ():
        statement = tightest(view.holding(region.box, certificate.box), lambda one: one.total)
        yield _Asked(f"error {key}[{words(region.box)}]", view, statement, region.limit)


def _searched(entry: OutputCertificate) -> str:
    """What the stated search says against the bound of the backend it was made on, "" where nothing."""
    bound = None if entry.found is None else entry.bound_on(entry.found)
    if entry.found is None or bound is None or entry.found.value <= bound * (1 + 1e-9):
        return ""
    return f"a search found an error of {upward(entry.found.value)}, above the stated total"


def _answer(asked: _Asked, certificate: Certificate, backend: str, limits: Limits, native: bool) -> Check:
    statement, limit = asked.statement, asked.limit
    total, class_, split = statement.total, statement.total_class, _split(statement)
    known = sum_up(term.value for term in statement.terms.values() if term.value is not None)
    if limit is not None and (known if total is None else total) > limit:
        alone = "; the known terms alone exceed the limit" if total is None else ""
        return asked.check(FAIL, f"{class_}{alone}; {split}")
    if backend not in certificate.backends:
        return asked.check(NOT_VERIFIED, f"certificate covers {', '.join(certificate.backends)}, not {backend}")
    if total is None:
        missing = [f"{t} ({statement.terms[t].how})" for t in statement.names if statement.terms[t].value is None]
        return asked.check(NOT_VERIFIED, f"not verified: {'; '.join(missing)}")
    if not at_least(class_, limits.min_class):
        weak = _weak(asked, certificate, limits.min_class, native)
        return asked.check(NOT_VERIFIED, f"{class_}, asked for {limits.min_class}: {weak}; {split}")
    return asked.check(PASS, f"{class_}; {split}")


def _weak(asked: _Asked, certificate: Certificate, minimum: str, native: bool) -> str:
    """The terms whose class is too weak, where another backend's is strong enough, and how to get there."""
    entry, terms = certificate.outputs[asked.entry.key], asked.statement.terms
    told, native_helps = [], False
    for name in asked.statement.names:
        if at_least(terms[name].class_, minimum):
            continue
        strong = {b: c for b in certificate.backends if at_least(c := entry.on(b).terms[name].class_, minimum)}
        native_helps |= NATIVE in strong
        better = "".join(f", {class_} on {backend}" for backend, class_ in strong.items())
        told.append(f"{name} is {terms[name].class_}{better}")
    made = "" if native else "export with --target c99, then "
    hint = f" ({made}verify with --backend c99 --trust)" if native_helps else ""
    return f"{'; '.join(told)}{hint}"


def _split(statement: Totals) -> str:
    parts = [f"{name} {upward(value)}" for name in statement.names if (value := statement.terms[name].value)]
    return " + ".join(parts) or "every term is 0"
