"""certificate.json: the error statement of a bundle, per output and per term."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from fractions import Fraction

from .errors import BundleError, NotVerified
from .fields import HASH, Fields, words

SCHEMA_VERSION = 1
CLASSES = ("sound", "statistical", "measured", "not verified")
TERMS = ("model", "compression", "quantisation", "rounding", "activation")
NORMS = ("sup", "L1")
LARGEST = 1e300


def weakest(classes: Iterable[str]) -> str:
    """The last of the classes in the order sound, statistical, measured, not verified."""
    return max(classes, key=CLASSES.index)


def at_least(class_: str, minimum: str) -> bool:
    """Whether a class is as strong as `minimum`; "not verified" never is."""
    return class_ != CLASSES[-1] and CLASSES.index(class_) <= CLASSES.index(minimum)


def sum_up(values: Iterable[float]) -> float:
    """The sum of finite values, rounded up: never below the exact sum."""
    exact = sum((Fraction(v) for v in values), Fraction(0))
    total = float(exact)
    return total if Fraction(total) >= exact else math.nextafter(total, math.inf)


def upward(value: float, digits: int = 3) -> str:
    """A bound as text of so many significant digits, never below the bound: float(upward(v)) >= v."""
    rounded = Context(prec=digits, rounding=ROUND_CEILING).create_decimal(repr(float(value)))
    return f"{float(rounded):.{digits}g}"


@dataclass(frozen=True)
class Term:
    """One part of the error, in the output's unit; value None exactly where the class is "not verified"."""

    value: float | None
    class_: str
    how: str

    @classmethod
    def not_verified(cls, why: str) -> Term:
        """A term nobody could check, and why."""
        return cls(None, CLASSES[-1], why)


@dataclass(frozen=True)
class Found:
    """The largest error a search reached, and the inputs that reach it."""

    value: float
    input: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class BoxEntry:
    """One column of the box the statement holds on."""

    input: str
    column: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class OutputCertificate:
    """|exact solution - device| <= model + compression + quantisation + rounding + activation, in `norm` and `unit`."""

    name: str
    unit: str
    norm: str
    terms: Mapping[str, Term]
    found: Found | None = None
    tightness_compression: float | None = None
    tightness_total: float | None = None

    @classmethod
    def from_terms(
        cls,
        name: str,
        unit: str,
        terms: Mapping[str, Term],
        *,
        norm: str = "sup",
        found: Found | None = None,
        found_compression: float | None = None,
    ) -> OutputCertificate:
        """An entry with its tightness = bound / found, where both are known and found is not 0."""
        bare = cls(name, unit, norm, dict(terms), found)
        _check_entry(bare, f"certificate: output {name}")
        compression = _ratio(bare.terms["compression"].value, found_compression)
        total = _ratio(bare.total, None if found is None else found.value)
        return cls(name, unit, norm, bare.terms, found, compression, total)

    @property
    def total(self) -> float | None:
        """The sum of all terms; None as soon as one is not verified."""
        return self._sum(TERMS)

    @property
    def total_class(self) -> str:
        """The weakest class among all terms."""
        return weakest(self.terms[t].class_ for t in TERMS)

    @property
    def device_total(self) -> float | None:
        """The sum of the terms after `model`: sup |reference network - device|; None as soon as one is not verified."""
        return self._sum(TERMS[1:])

    @property
    def device_class(self) -> str:
        """The weakest class among the terms after `model`."""
        return weakest(self.terms[t].class_ for t in TERMS[1:])

    @property
    def sound_total(self) -> float | None:
        """`device_total` where every term in it is sound, else None."""
        return self.device_total if self.device_class == "sound" else None

    def _sum(self, names: Iterable[str]) -> float | None:
        values = [self.terms[t].value for t in names]
        known = [v for v in values if v is not None]
        return sum_up(known) if len(known) == len(values) else None


@dataclass(frozen=True)
class Certificate:
    """The whole statement. `outputs` maps an output's name to its sup entry and "name (L1)" to an L1 entry."""

    model_hash: str
    backends: tuple[str, ...]
    box: tuple[BoxEntry, ...]
    assumptions: tuple[str, ...]
    engine: str
    outputs: Mapping[str, OutputCertificate]

    @property
    def total(self) -> float:
        """The total of the only output; raises NotVerified where there are several or a term is not verified."""
        entry = self._only()
        if entry.total is None:
            missing = [t for t in TERMS if entry.terms[t].value is None]
            raise NotVerified(f"certificate: {entry.name}: total is not verified, for lack of {', '.join(missing)}")
        return entry.total

    @property
    def sound_total(self) -> float:
        """The sound total of the only output; raises NotVerified where there are several or a term is not sound."""
        entry = self._only()
        if entry.sound_total is None:
            weak = [f"{t} ({entry.terms[t].class_})" for t in TERMS[1:] if entry.terms[t].class_ != "sound"]
            raise NotVerified(f"certificate: {entry.name}: expected sound terms after model, got {', '.join(weak)}")
        return entry.sound_total

    def _only(self) -> OutputCertificate:
        sup = [entry for entry in self.outputs.values() if entry.norm == "sup"]
        if len(sup) != 1:
            names = ", ".join(entry.name for entry in sup)
            raise NotVerified(f"certificate: expected one output for a single total, got {names}; ask .outputs[name]")
        return sup[0]

    def to_json(self) -> str:
        """The file's text, the same for the same content. Raises BundleError where a rule is broken."""
        check(self, "certificate.json")
        return json.dumps(_document(self), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "certificate.json") -> Certificate:
        """Reads, recomputes every total and refuses a file that disagrees; raises BundleError naming the field."""
        fields = Fields.parse(text, where)
        version = fields.integer("schema_version")
        if version > SCHEMA_VERSION:
            raise fields.wrong(
                "schema_version", f"at most {SCHEMA_VERSION}, the newest this runtime understands", version
            )
        if version < 1:
            raise fields.wrong("schema_version", str(SCHEMA_VERSION), version)
        certificate = cls(
            model_hash=fields.string("model_hash"),
            backends=fields.strings("backends"),
            box=tuple(_box(item) for item in fields.objects("box")),
            assumptions=fields.strings("assumptions"),
            engine=fields.string("engine"),
            outputs=index((_output(item) for item in fields.objects("outputs")), where),
        )
        fields.done()
        check(certificate, where)
        return certificate


def index(entries: Iterable[OutputCertificate], where: str = "certificate") -> dict[str, OutputCertificate]:
    """Entries by key: the name for a sup entry, "name (L1)" for an L1 entry. Raises BundleError where two agree."""
    keyed: dict[str, OutputCertificate] = {}
    for entry in entries:
        key = entry.name if entry.norm == "sup" else f"{entry.name} ({entry.norm})"
        if key in keyed:
            raise BundleError(f"{where}: outputs expected one entry for {key}, got two")
        keyed[key] = entry
    return keyed


def _ratio(bound: float | None, found: float | None) -> float | None:
    if bound is None or found is None or found <= 0.0:
        return None
    ratio = bound / found
    return ratio if ratio <= LARGEST else None


def _box(fields: Fields) -> BoxEntry:
    entry = BoxEntry(
        fields.string("input"),
        fields.string("column"),
        fields.string("unit"),
        fields.number("low"),
        fields.number("high"),
    )
    fields.done()
    return entry


def _term(fields: Fields) -> Term:
    term = Term(fields.optional_number("value"), fields.string("class"), fields.string("how"))
    fields.done()
    return term


def _found(fields: Fields) -> Found:
    where = fields.nested("input")
    found = Found(fields.number("value"), {name: where.numbers(name) for name in where.names()})
    fields.done()
    return found


def _output(fields: Fields) -> OutputCertificate:
    terms, tightness = fields.nested("terms"), fields.nested("tightness")
    entry = OutputCertificate(
        name=fields.string("name"),
        unit=fields.string("unit"),
        norm=fields.string("norm"),
        terms={name: _term(terms.nested(name)) for name in TERMS},
        found=None if fields.raw("found") is None else _found(fields.nested("found")),
        tightness_compression=tightness.optional_number("compression"),
        tightness_total=tightness.optional_number("total"),
    )
    terms.done()
    tightness.done()
    _check_entry(entry, fields.path)
    _check_stated(entry, fields)
    fields.done()
    return entry


def _check_stated(entry: OutputCertificate, fields: Fields) -> None:
    total, value, class_ = fields.nested("total"), entry.total, entry.total_class
    _same(total.optional_number("value"), value, total.at("value"))
    if total.string("class") != class_:
        raise total.wrong("class", f"{class_}, the weakest of the terms'", total.string("class"))
    total.done()
    _same(fields.optional_number("sound_total"), entry.sound_total, fields.at("sound_total"))
    ratio = _ratio(entry.total, None if entry.found is None else entry.found.value)
    _same(entry.tightness_total, ratio, f"{fields.at('tightness')}.total", "total / found")
    if entry.tightness_compression is not None and entry.terms["compression"].value is None:
        raise fields.wrong("tightness", "compression null where that term is", entry.tightness_compression)


def _same(stated: float | None, computed: float | None, where: str, meaning: str = "the sum of its terms") -> None:
    agree = stated is computed if stated is None or computed is None else math.isclose(stated, computed, rel_tol=1e-12)
    if not agree:
        raise BundleError(f"{where} expected {_text(computed)}, {meaning}, got {_text(stated)}")


def _text(value: float | None) -> str:
    return "null" if value is None else repr(value)


def _document(certificate: Certificate) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "model_hash": certificate.model_hash,
        "backends": list(certificate.backends),
        "box": [vars(entry) for entry in certificate.box],
        "assumptions": list(certificate.assumptions),
        "engine": certificate.engine,
        "outputs": [_entry_document(entry) for entry in certificate.outputs.values()],
    }


def _entry_document(entry: OutputCertificate) -> dict[str, object]:
    found = entry.found
    return {
        "name": entry.name,
        "unit": entry.unit,
        "norm": entry.norm,
        "terms": {n: {"value": t.value, "class": t.class_, "how": t.how} for n, t in entry.terms.items()},
        "total": {"value": entry.total, "class": entry.total_class},
        "sound_total": entry.sound_total,
        "found": None
        if found is None
        else {"value": found.value, "input": {k: list(v) for k, v in found.input.items()}},
        "tightness": {"compression": entry.tightness_compression, "total": entry.tightness_total},
    }


def _require(holds: bool, where: str, expected: str, got: object) -> None:
    if not holds:
        raise BundleError(f"{where} expected {expected}, got {words(got)}")


def _amount(value: float, where: str) -> None:
    _require(0.0 <= value <= LARGEST, where, f"a number from 0 to {LARGEST}", value)


def check(certificate: Certificate, where: str) -> None:
    """Raises BundleError naming the first field of a certificate that breaks a rule of docs/bundle.md."""
    _require(
        bool(HASH.fullmatch(certificate.model_hash)), f"{where}: model_hash", "64 hex digits", certificate.model_hash
    )
    _require(bool(certificate.backends), f"{where}: backends", "at least one", [])
    _require(bool(certificate.outputs), f"{where}: outputs", "at least one", [])
    _require(bool(certificate.box), f"{where}: box", "at least one column", [])
    _require(
        list(index(certificate.outputs.values(), where)) == list(certificate.outputs),
        where,
        "keys from index()",
        list(certificate.outputs),
    )
    for i, column in enumerate(certificate.box):
        bounded = math.isfinite(column.low) and math.isfinite(column.high) and column.low < column.high
        _require(bounded, f"{where}: box[{i}]", "finite low < high", [column.low, column.high])
    for i, entry in enumerate(certificate.outputs.values()):
        _check_entry(entry, f"{where}: outputs[{i}]")
        sup = certificate.outputs.get(entry.name)
        _require(sup is not None, f"{where}: outputs[{i}]", f"a sup entry for {entry.name} beside it", entry.norm)
        if entry.found is not None:
            _check_place(entry.found, certificate.box, f"{where}: outputs[{i}].found.input")


def _check_place(found: Found, box: Iterable[BoxEntry], where: str) -> None:
    columns = Counter(column.input for column in box)
    _require(sorted(found.input) == sorted(columns), where, ", ".join(sorted(columns)), sorted(found.input))
    for name, values in found.input.items():
        _require(len(values) == columns[name], f"{where}.{name}", f"{columns[name]} numbers", len(values))


def _check_entry(entry: OutputCertificate, where: str) -> None:
    _require(entry.norm in NORMS, f"{where}.norm", " or ".join(NORMS), entry.norm)
    _require(sorted(entry.terms) == sorted(TERMS), f"{where}.terms", ", ".join(TERMS), sorted(entry.terms))
    for name, term in entry.terms.items():
        at = f"{where}.terms.{name}"
        _require(term.class_ in CLASSES, f"{at}.class", " or ".join(CLASSES), term.class_)
        known = term.class_ != CLASSES[-1]
        _require(known == (term.value is not None), f"{at}.value", "null exactly where not verified", term.value)
        if term.value is not None:
            _amount(term.value, f"{at}.value")
    for label, value in (("compression", entry.tightness_compression), ("total", entry.tightness_total)):
        if value is not None:
            _amount(value, f"{where}.tightness.{label}")
    if entry.found is not None:
        _amount(entry.found.value, f"{where}.found.value")
