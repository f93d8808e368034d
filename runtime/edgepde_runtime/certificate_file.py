"""certificate.json: reading what is not trusted, writing what keeps every rule."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from . import columns
from .certificate import BoxEntry, Certificate, Found, OutputCertificate, Region, index
from .certificate_rules import SOLUTION, check, check_entry, check_terms
from .errors import BundleError
from .family import Family
from .fields import Fields
from .subbox import SubBox
from .term import BY_BACKEND, SENSOR, TERMS, Term, Totals

SCHEMA_VERSION = 1


def write(certificate: Certificate) -> str:
    """The file's text, the same for the same content. Raises BundleError where a rule is broken."""
    check(certificate, "certificate.json")
    return json.dumps(_document(certificate), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def read(text: str, where: str) -> Certificate:
    """Reads, recomputes every total and refuses a file that disagrees; raises BundleError naming the field."""
    fields = Fields.parse(text, where)
    version = fields.integer("schema_version")
    if version > SCHEMA_VERSION:
        raise fields.wrong("schema_version", f"at most {SCHEMA_VERSION}, the newest this runtime understands", version)
    if version < 1:
        raise fields.wrong("schema_version", str(SCHEMA_VERSION), version)
    certificate = Certificate(
        model_hash=fields.string("model_hash"),
        backends=fields.strings("backends"),
        box=columns.gathered(fields.objects("box"), _box),
        assumptions=fields.strings("assumptions"),
        engine=fields.string("engine"),
        outputs=index((_output(item) for item in fields.objects("outputs")), where),
        family=_family(fields.nested("family")) if fields.has("family") else None,
    )
    fields.done()
    check(certificate, where)
    return certificate


def _box(fields: Fields) -> list[BoxEntry]:
    of, unit = fields.string("input"), fields.string("unit")
    low, high = fields.number("low"), fields.number("high")
    entries = [BoxEntry(of, column, unit, low, high) for column in columns.names(fields, "column")]
    fields.done()
    return entries


def _family(fields: Fields) -> Family:
    modes = Fields({str(i): mode for i, mode in enumerate(fields.entries("modes"))}, fields.at("modes"))
    family = Family(
        mean=fields.numbers("mean"),
        modes=tuple(modes.numbers(name) for name in modes.names()),
        low=fields.numbers("low"),
        high=fields.numbers("high"),
        radius=fields.numbers("radius"),
    )
    fields.done()
    return family


def _term(fields: Fields) -> Term:
    term = Term(fields.optional_number("value"), fields.string("class"), fields.string("how"))
    fields.done()
    return term


def _terms(fields: Fields) -> dict[str, Term]:
    names = [*TERMS, *([SENSOR] if fields.has(SENSOR) else [])]
    terms = {name: _term(fields.nested(name)) for name in names}
    fields.done()
    return terms


def _elsewhere(fields: Fields) -> dict[str, dict[str, Term]]:
    found = {}
    for backend in fields.names():
        one = fields.nested(backend)
        found[backend] = {name: _term(one.nested(name)) for name in BY_BACKEND if one.has(name)}
        one.done()
    if not found:
        raise BundleError(f"{fields.path}: expected at least one backend, got none")
    return found


def _region(fields: Fields) -> Region:
    box = fields.nested("box")
    ranges = {}
    for column in box.names():
        ends = box.numbers(column)
        if len(ends) != 2:
            raise box.wrong(column, "two numbers, low and high", f"{len(ends)} numbers")
        ranges[column] = (ends[0], ends[1])
    region = Region(ranges, _terms(fields.nested("terms")))
    check_terms(region.terms, list(region.terms), f"{fields.path}.terms")
    _check_totals(region, fields)
    fields.done()
    return region


def _found(fields: Fields) -> Found:
    where = fields.nested("input")
    value, place = fields.number("value"), {name: where.numbers(name) for name in where.names()}
    against = fields.string("against") if fields.has("against") else SOLUTION
    found = Found(value, place, against, fields.string("backend") if fields.has("backend") else "")
    fields.done()
    return found


def _output(fields: Fields) -> OutputCertificate:
    tightness = fields.nested("tightness")
    entry = OutputCertificate(
        name=fields.string("name"),
        unit=fields.string("unit"),
        norm=fields.string("norm"),
        terms=_terms(fields.nested("terms")),
        found=None if fields.raw("found") is None else _found(fields.nested("found")),
        tightness_compression=tightness.optional_number("compression"),
        tightness_total=tightness.optional_number("total"),
        elsewhere=_elsewhere(fields.nested("elsewhere")) if fields.has("elsewhere") else {},
        regions=_regions(fields) if fields.has("regions") else (),
    )
    tightness.done()
    check_entry(entry, fields.path)
    _check_totals(entry, fields)
    about = "total / found" if entry.found is None or entry.found.against == SOLUTION else "device total / found"
    _same(entry.tightness_total, entry.bound_over_found, f"{fields.at('tightness')}.total", about)
    if entry.tightness_compression is not None and entry.terms["compression"].value is None:
        raise fields.wrong("tightness", "compression null where that term is", entry.tightness_compression)
    fields.done()
    return entry


def _regions(fields: Fields) -> tuple[Region, ...]:
    regions = tuple(_region(item) for item in fields.objects("regions"))
    if not regions:
        raise fields.wrong("regions", "at least one where the key is there", "none")
    return regions


def _check_totals(entry: Totals, fields: Fields) -> None:
    total = fields.nested("total")
    stated, class_, sound = total.optional_number("value"), total.string("class"), fields.optional_number("sound_total")
    _same(stated, entry.total, total.at("value"))
    if class_ != entry.total_class:
        raise total.wrong("class", f"{entry.total_class}, the weakest of the terms'", class_)
    total.done()
    _same(sound, entry.sound_total, fields.at("sound_total"))


def _same(stated: float | None, computed: float | None, where: str, meaning: str = "the sum of its terms") -> None:
    agree = stated is computed if stated is None or computed is None else math.isclose(stated, computed, rel_tol=1e-12)
    if not agree:
        raise BundleError(f"{where} expected {_text(computed)}, {meaning}, got {_text(stated)}")


def _text(value: float | None) -> str:
    return "null" if value is None else repr(value)


def _document(certificate: Certificate) -> dict[str, object]:
    family = certificate.family
    return {
        "schema_version": SCHEMA_VERSION,
        "model_hash": certificate.model_hash,
        "backends": list(certificate.backends),
        "box": columns.compact([vars(entry) for entry in certificate.box], "column"),
        "assumptions": list(certificate.assumptions),
        "engine": certificate.engine,
        "outputs": [_entry_document(entry) for entry in certificate.outputs.values()],
        **({} if family is None else {"family": vars(family)}),
    }


def _entry_document(entry: OutputCertificate) -> dict[str, object]:
    optional: dict[str, object] = {}
    if entry.elsewhere:
        optional["elsewhere"] = {backend: _terms_document(terms) for backend, terms in entry.elsewhere.items()}
    if entry.regions:
        optional["regions"] = [{"box": _ranges(r.box), **_totals_document(r)} for r in entry.regions]
    return {
        "name": entry.name,
        "unit": entry.unit,
        "norm": entry.norm,
        **_totals_document(entry),
        "found": None if entry.found is None else _found_document(entry.found),
        "tightness": {"compression": entry.tightness_compression, "total": entry.tightness_total},
        **optional,
    }


def _totals_document(entry: Totals) -> dict[str, object]:
    return {
        "terms": _terms_document(entry.terms),
        "total": {"value": entry.total, "class": entry.total_class},
        "sound_total": entry.sound_total,
    }


def _terms_document(terms: Mapping[str, Term]) -> dict[str, object]:
    return {name: {"value": t.value, "class": t.class_, "how": t.how} for name, t in terms.items()}


def _ranges(box: SubBox) -> dict[str, list[float]]:
    return {column: list(ends) for column, ends in box.items()}


def _found_document(found: Found) -> dict[str, object]:
    against = {} if found.against == SOLUTION else {"against": found.against}
    backend = {"backend": found.backend} if found.backend else {}
    return {"value": found.value, "input": {k: list(v) for k, v in found.input.items()}, **against, **backend}
