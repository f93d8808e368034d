"""certificate.json: totals are recomputed, classes weaken, and a weak statement never reads as a strong one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from edgepde_runtime.certificate import Certificate, Found, OutputCertificate, index
from edgepde_runtime.errors import BundleError, NotVerified
from edgepde_runtime.term import CLASSES, TERMS, Term, at_least, sum_up, upward, weakest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import terms
from support.refusal import only_refused

amounts = st.floats(0, 1e290)
any_terms = st.fixed_dictionaries(
    {
        name: st.one_of(
            st.just(Term.not_verified("no reference")),
            st.builds(Term, amounts, st.sampled_from(CLASSES[:-1]), st.just("how")),
        )
        for name in TERMS
    }
)


def first(document: dict[str, Any]) -> dict[str, Any]:
    """The first output of a certificate document."""
    return document["outputs"][0]


def put(holder: Callable[[Any], Any], key: str, value: object) -> Callable[[Any], None]:
    """A change that sets a member of what `holder` finds."""
    return lambda document: holder(document).__setitem__(key, value)


def term(document: Any) -> Any:
    """The rounding term of the first output."""
    return first(document)["terms"]["rounding"]


WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "newer": (put(lambda d: d, "schema_version", 2), "schema_version expected at most 1"),
    "version 0": (put(lambda d: d, "schema_version", 0), "schema_version expected 1"),
    "unknown key": (put(lambda d: d, "colour", 1), "unknown key 'colour'"),
    "unknown key in output": (put(first, "bound", 1), r"outputs\[0\]: unknown key 'bound'"),
    "unknown key in term": (put(term, "sigma", 1), "rounding: unknown key 'sigma'"),
    "unknown key in box": (put(lambda d: d["box"][0], "mid", 1), r"box\[0\]: unknown key 'mid'"),
    "hash": (put(lambda d: d, "model_hash", "zz"), "model_hash expected 64 hex"),
    "no backends": (put(lambda d: d, "backends", []), "backends expected at least one"),
    "backend a number": (put(lambda d: d, "backends", [1]), r"backends\[0\] expected a string"),
    "no outputs": (put(lambda d: d, "outputs", []), "outputs expected at least one"),
    "no box": (put(lambda d: d, "box", []), "box expected at least one"),
    "box inverted": (put(lambda d: d["box"][0], "low", 5.0), r"box\[0\] expected finite low < high"),
    "class": (put(term, "class", "proved"), "rounding.class expected sound"),
    "negative": (put(term, "value", -1e-9), "rounding.value expected a number from 0"),
    "text": (put(term, "value", "0"), "value expected a number"),
    "null with a class": (put(term, "value", None), "null exactly where not verified"),
    "value without a class": (put(term, "class", "not verified"), "null exactly where not verified"),
    "total too small": (
        put(lambda d: first(d)["total"], "value", 1e-4),
        "value expected .* the sum of its terms",
    ),
    "total null": (put(lambda d: first(d)["total"], "value", None), "total.value expected .* got null"),
    "total class": (put(lambda d: first(d)["total"], "class", "sound"), "total.class expected measured"),
    "sound total": (put(first, "sound_total", 4e-6), "sound_total expected null"),
    "norm": (put(first, "norm", "L7"), "norm expected sup or L1"),
    "L1 alone": (put(first, "norm", "L1"), "a sup entry for u beside it"),
    "found negative": (put(lambda d: first(d)["found"], "value", -1.0), "found.value expected"),
    "found input text": (put(lambda d: first(d)["found"]["input"], "x", "a"), "x expected a list"),
    "tightness": (put(lambda d: first(d)["tightness"], "total", -1.0), "tightness.total expected"),
    "tightness flattering": (
        put(lambda d: first(d)["tightness"], "total", 1.0),
        r"outputs\[0\]\.tightness\.total expected 1\.11.*, total / found, got 1\.0",
    ),
    "tightness null": (put(lambda d: first(d)["tightness"], "total", None), "tightness.total expected 1.11.* got null"),
    "tightness without found": (put(first, "found", None), "tightness.total expected null, total / found"),
    "tightness without a term": (
        lambda d: (
            first(d)["terms"]["compression"].update({"value": None, "class": "not verified"}),
            first(d)["total"].update({"value": None, "class": "not verified"}),
            first(d)["tightness"].update(total=None, compression=2.0),
        ),
        "tightness expected compression null where that term is, got 2.0",
    ),
    "found elsewhere": (
        put(lambda d: first(d)["found"], "input", {"y": [0.5, 0.25]}),
        r"outputs\[0\]\.found\.input expected x, got .?'y'",
    ),
    "found nowhere": (put(lambda d: first(d)["found"], "input", {}), r"found\.input expected x, got"),
    "found too short": (put(lambda d: first(d)["found"], "input", {"x": [0.5]}), r"input\.x expected 2 numbers, got 1"),
    "how with escape": (put(term, "how", "\x1b[1m"), "how expected printable"),
}


@pytest.fixture
def document(mlp: Path) -> dict[str, Any]:
    """A certificate that keeps every rule, as JSON members."""
    members: dict[str, Any] = json.loads((mlp / "certificate.json").read_text())
    Certificate.from_json(json.dumps(members))
    return members


@pytest.mark.parametrize("case", WRONG)
def test_every_broken_rule_is_named(document: dict[str, Any], case: str) -> None:
    change, message = WRONG[case]
    change(document)
    with pytest.raises(BundleError, match=message):
        Certificate.from_json(json.dumps(document))


def test_an_unknown_term_is_refused_and_a_known_one_required(document: dict[str, Any]) -> None:
    parts = first(document)["terms"]
    parts["luck"] = parts["rounding"]
    with pytest.raises(BundleError, match="unknown key 'luck'"):
        Certificate.from_json(json.dumps(document))
    del parts["luck"], parts["rounding"]
    with pytest.raises(BundleError, match="rounding is missing"):
        Certificate.from_json(json.dumps(document))


def test_two_entries_for_one_norm_are_refused(document: dict[str, Any]) -> None:
    document["outputs"].append(first(document))
    with pytest.raises(BundleError, match="one entry for u, got two"):
        Certificate.from_json(json.dumps(document))


@given(any_terms)
def test_total_is_the_sum_with_the_weakest_class(parts: dict[str, Term]) -> None:
    entry = OutputCertificate.from_terms("u", "m", parts)
    values = [parts[name].value for name in TERMS]
    assert entry.total_class == weakest(t.class_ for t in parts.values())
    assert (entry.total is None) == (None in values) == (entry.total_class == "not verified")
    if entry.total is not None:
        assert Fraction(entry.total) >= sum(Fraction(v) for v in values if v is not None)
        assert math.isclose(entry.total, math.fsum(v for v in values if v is not None), rel_tol=1e-15)


@given(any_terms)
def test_sound_total_exists_only_where_every_later_term_is_sound(parts: dict[str, Term]) -> None:
    entry = OutputCertificate.from_terms("u", "m", parts)
    sound = all(parts[name].class_ == "sound" for name in TERMS if name != "model")
    assert (entry.sound_total is not None) == sound


@given(any_terms, st.floats(1e-12, 1e280))
def test_writing_and_reading_gives_the_same(parts: dict[str, Term], found: float) -> None:
    entry = OutputCertificate.from_terms("u", "m", parts, found=Found(found, {"x": (0.5,)}), found_compression=found)
    whole = Certificate.from_json(SMALL)
    made = Certificate(whole.model_hash, whole.backends, whole.box, ("a",), "e", index([entry]))
    text = made.to_json()
    assert Certificate.from_json(text) == made
    assert Certificate.from_json(text).to_json() == text


@given(st.lists(st.floats(0, 1e300), max_size=8))
def test_sum_never_rounds_down(values: list[float]) -> None:
    assert Fraction(sum_up(values)) >= sum((Fraction(v) for v in values), Fraction(0))


@pytest.mark.parametrize("minimum", CLASSES[:-1])
def test_class_order(minimum: str) -> None:
    assert [at_least(c, minimum) for c in CLASSES] == [i <= CLASSES.index(minimum) for i in range(3)] + [False]


def certificate(*entries: OutputCertificate) -> Certificate:
    """A certificate of these entries."""
    small = Certificate.from_json(SMALL)
    return Certificate(small.model_hash, small.backends, small.box, small.assumptions, small.engine, index(entries))


def test_totals_of_the_whole_need_one_output() -> None:
    one = OutputCertificate.from_terms("u", "m", terms(class_="sound"))
    two = OutputCertificate.from_terms("v", "m", terms(class_="sound"))
    assert certificate(one).total == one.total
    assert certificate(one).sound_total == one.sound_total
    with pytest.raises(NotVerified, match="got u, v"):
        _ = certificate(one, two).total
    with pytest.raises(NotVerified, match="got u, v"):
        _ = certificate(one, two).sound_total
    assert certificate(one, two).outputs["v"] == two


def test_totals_that_are_not_verified_raise_and_say_why() -> None:
    weak = certificate(OutputCertificate.from_terms("u", "m", terms({"model": None})))
    with pytest.raises(NotVerified, match="for lack of model"):
        _ = weak.total
    with pytest.raises(NotVerified, match="rounding \\(measured\\)"):
        _ = weak.sound_total


def test_an_l1_entry_stands_beside_the_sup_entry() -> None:
    sup = OutputCertificate.from_terms("u", "m", terms())
    l1 = OutputCertificate.from_terms("u", "m m^2", terms(), norm="L1")
    whole = certificate(sup, l1)
    assert Certificate.from_json(whole.to_json()).outputs["u (L1)"] == l1
    assert whole.total == sup.total


@given(st.text(max_size=200))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"certificate\.json"):
        Certificate.from_json(text)


@given(st.data())
def test_any_changed_byte_is_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(SMALL.encode())
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 127))
    with only_refused("certificate.json", BundleError):
        Certificate.from_json(text.decode())


_PART = {"value": 0.5, "class": "measured", "how": "h"}
SMALL = json.dumps(
    {
        "schema_version": 1,
        "model_hash": "a" * 64,
        "backends": ["ort"],
        "box": [{"input": "x", "column": "x", "unit": "m", "low": 0.0, "high": 1.0}],
        "assumptions": [],
        "engine": "measured 1",
        "outputs": [
            {
                "name": "u",
                "unit": "m",
                "norm": "sup",
                "terms": dict.fromkeys(TERMS, _PART),
                "total": {"value": 2.5, "class": "measured"},
                "sound_total": None,
                "found": None,
                "tightness": {"compression": None, "total": None},
            }
        ],
    }
)


@given(st.floats(0, 1e300), st.integers(1, 12))
def test_a_printed_bound_is_never_below_the_bound(value: float, digits: int) -> None:
    text = upward(value, digits)
    assert float(text) >= value
    assert float(text) <= value * (1 + 1.1 * 10.0 ** (1 - digits)) + 5e-324
    assert len(text.partition("e")[0].replace(".", "").strip("0")) <= digits
    assert upward(float(text), digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1e-3, "0.001"), (1.0120001e-3, "0.00102"), (9.991e-4, "0.001"), (1.234e-7, "1.24e-07"), (2.0, "2")],
)
def test_a_bound_of_few_digits_is_printed_as_it_is(value: float, text: str) -> None:
    assert upward(value) == text
