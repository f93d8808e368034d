"""The rules a certificate keeps (docs/bundle.md), whoever made it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .errors import BundleError
from .fields import HASH, words
from .subbox import place
from .term import BY_BACKEND, CLASSES, LARGEST, SENSOR, TERMS, Term

if TYPE_CHECKING:
    from .certificate import BoxEntry, Certificate, Found, OutputCertificate

NORMS = ("sup", "L1")
SOLUTION, REFERENCE = "solution", "reference"


def check(certificate: Certificate, where: str) -> None:
    """Raises BundleError naming the first field of a certificate that breaks a rule."""
    _require(
        bool(HASH.fullmatch(certificate.model_hash)), f"{where}: model_hash", "64 hex digits", certificate.model_hash
    )
    _require(bool(certificate.backends), f"{where}: backends", "at least one", [])
    _require(bool(certificate.outputs), f"{where}: outputs", "at least one", [])
    _require(bool(certificate.box), f"{where}: box", "at least one column", [])
    _require(
        [entry.key for entry in certificate.outputs.values()] == list(certificate.outputs),
        where,
        "keys from index()",
        list(certificate.outputs),
    )
    for i, column in enumerate(certificate.box):
        bounded = math.isfinite(column.low) and math.isfinite(column.high) and column.low < column.high
        _require(bounded, f"{where}: box[{i}]", "finite low < high", [column.low, column.high])
    for i, entry in enumerate(certificate.outputs.values()):
        _check_in_place(entry, certificate, f"{where}: outputs[{i}]")
    if certificate.family is not None:
        low, high = [c.low for c in certificate.box], [c.high for c in certificate.box]
        certificate.family.check(low, high, f"{where}: family", BundleError)


def _check_in_place(entry: OutputCertificate, certificate: Certificate, at: str) -> None:
    check_entry(entry, at)
    sup = certificate.outputs.get(entry.name)
    _require(sup is not None, at, f"a sup entry for {entry.name} beside it", entry.norm)
    for backend in entry.elsewhere:
        covered = backend in certificate.backends
        _require(covered, f"{at}.elsewhere", f"one of {', '.join(certificate.backends)}", backend)
    for i, region in enumerate(entry.regions):
        place(region.box, certificate.box, f"{at}.regions[{i}].box", BundleError)
    if entry.found is not None:
        _check_place(entry.found, certificate.box, f"{at}.found.input")


def _check_place(found: Found, box: Iterable[BoxEntry], where: str) -> None:
    columns = Counter(column.input for column in box)
    _require(sorted(found.input) == sorted(columns), where, ", ".join(sorted(columns)), sorted(found.input))
    for name, values in found.input.items():
        _require(len(values) == columns[name], f"{where}.{name}", f"{columns[name]} numbers", len(values))


def check_entry(entry: OutputCertificate, where: str) -> None:
    """Raises BundleError naming the field of an entry that breaks a rule by itself."""
    _require(entry.norm in NORMS, f"{where}.norm", " or ".join(NORMS), entry.norm)
    expected = sorted([*TERMS, *([SENSOR] if SENSOR in entry.terms else [])])
    check_terms(entry.terms, expected, f"{where}.terms")
    for backend, parts in entry.elsewhere.items():
        known = sorted(set(parts) & set(BY_BACKEND)) or list(BY_BACKEND)
        check_terms(parts, known, f"{where}.elsewhere.{backend}")
    _require(entry.norm == "sup" or not entry.regions, f"{where}.regions", "none beside norm sup", entry.norm)
    for i, region in enumerate(entry.regions):
        check_terms(region.terms, expected, f"{where}.regions[{i}].terms")
    for label, value in (("compression", entry.tightness_compression), ("total", entry.tightness_total)):
        if value is not None:
            _amount(value, f"{where}.tightness.{label}")
    if entry.found is not None:
        _amount(entry.found.value, f"{where}.found.value")
        against = entry.found.against
        _require(against in (SOLUTION, REFERENCE), f"{where}.found.against", f"{SOLUTION} or {REFERENCE}", against)


def check_terms(terms: Mapping[str, Term], expected: list[str], where: str) -> None:
    """Raises BundleError where the terms are not those expected, or one has a wrong class or value."""
    _require(sorted(terms) == sorted(expected), where, ", ".join(expected), sorted(terms))
    for name, term in terms.items():
        at = f"{where}.{name}"
        _require(term.class_ in CLASSES, f"{at}.class", " or ".join(CLASSES), term.class_)
        known = term.class_ != CLASSES[-1]
        _require(known == (term.value is not None), f"{at}.value", "null exactly where not verified", term.value)
        if term.value is not None:
            _amount(term.value, f"{at}.value")


def _require(holds: bool, where: str, expected: str, got: object) -> None:
    if not holds:
        raise BundleError(f"{where} expected {expected}, got {words(got)}")


def _amount(value: float, where: str) -> None:
    _require(0.0 <= value <= LARGEST, where, f"a number from 0 to {LARGEST}", value)
