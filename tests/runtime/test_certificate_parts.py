"""What a certificate may say beyond the whole box: other backends, parts of the box, inaccurate inputs, families."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime import bundle as bundles
from edgepde_runtime.certificate import BoxEntry, Certificate, Found, OutputCertificate, Region, index
from edgepde_runtime.errors import BundleError
from edgepde_runtime.family import Family
from edgepde_runtime.term import BY_BACKEND, CLASSES, TERMS, Term, sum_up, tightest
from hypothesis import given
from hypothesis import strategies as st
from support.attacked import attacked_bundle
from support.bundles import edit_json, terms
from support.refusal import only_refused

BOX = (BoxEntry("x", "x", "m", -1.0, 1.0), BoxEntry("x", "t", "s", 0.0, 1.0))
FAMILY = Family((0.0, 0.5), ((0.5, 0.0), (0.0, 0.25)), (-1.0, -1.0), (1.0, 1.0), (0.25, 0.125))
ANY_ORDER = Term(1e-2, "sound", "any order")
LIBRARY = Term(1e-3, "measured", "of a library")
ELSEWHERE = {"ort": {"rounding": ANY_ORDER, "activation": LIBRARY}}
PART = Region({"x": (0.25, 0.5)}, terms({"compression": 1e-8}, "sound"))
amounts = st.floats(0, 1e280)
some_term = st.one_of(
    st.just(Term.not_verified("no reference")),
    st.builds(Term, amounts, st.sampled_from(CLASSES[:-1]), st.just("how")),
)
some_terms = st.fixed_dictionaries(dict.fromkeys(TERMS, some_term), optional={"sensor": some_term})
others = st.dictionaries(
    st.sampled_from(["ort", "reference"]),
    st.dictionaries(st.sampled_from(BY_BACKEND), some_term, min_size=1),
)


def certificate(*entries: OutputCertificate, family: Family | None = None) -> Certificate:
    """A certificate of these entries on BOX."""
    return Certificate("a" * 64, ("c99", "ort", "reference"), BOX, (), "e", index(entries), family)


def whole(**options: Any) -> OutputCertificate:
    """A sound entry of u."""
    return OutputCertificate.from_terms("u", "m", terms({"compression": 1e-4}, "sound"), **options)


@given(some_terms, others, st.floats(1e-9, 1e9), st.sampled_from(["solution", "reference"]))
def test_writing_and_reading_gives_the_same(
    parts: dict[str, Term], elsewhere: dict[str, dict[str, Term]], found: float, against: str
) -> None:
    entry = OutputCertificate.from_terms(
        "u",
        "m",
        parts,
        found=Found(found, {"x": (0.5, 0.25)}, against),
        elsewhere=elsewhere,
        regions=[Region({"x": (0.0, 0.5), "x.t": (0.5, 1.0)}, parts)],
    )
    made = certificate(entry, family=FAMILY)
    text = made.to_json()
    assert Certificate.from_json(text) == made
    assert Certificate.from_json(text).to_json() == text


def test_nothing_of_it_is_written_where_it_is_not_said() -> None:
    text = certificate(whole(found=Found(1e-5, {"x": (0.5, 0.25)}))).to_json()
    for key in ("elsewhere", "regions", "against", "family", "sensor"):
        assert f'"{key}"' not in text


def test_todays_files_are_written_back_byte_for_byte() -> None:
    samples = Path(__file__).parents[2] / "samples"
    files = sorted(samples.glob("*/bundle/certificate.json"))
    if not files:
        pytest.skip("no samples here")
    for file in files:
        assert Certificate.from_json(file.read_text("utf-8")).to_json() == file.read_text("utf-8")


@given(some_terms)
def test_the_sensor_counts_for_the_total_alone(parts: dict[str, Term]) -> None:
    entry = OutputCertificate.from_terms("u", "m", parts)
    bare = OutputCertificate.from_terms("u", "m", {name: parts[name] for name in TERMS})
    assert (entry.device_total, entry.device_class, entry.sound_total) == (
        bare.device_total,
        bare.device_class,
        bare.sound_total,
    )
    known = [term.value for term in parts.values() if term.value is not None]
    assert entry.total == (sum_up(known) if len(known) == len(parts) else None)
    assert entry.total_class == max((term.class_ for term in parts.values()), key=CLASSES.index)


@given(some_terms, others, st.sampled_from(["c99", "ort", "reference"]))
def test_a_view_has_the_terms_of_its_backend(
    parts: dict[str, Term], elsewhere: dict[str, dict[str, Term]], backend: str
) -> None:
    region = Region({"x": (0.0, 0.5)}, parts)
    view = OutputCertificate.from_terms("u", "m", parts, elsewhere=elsewhere, regions=[region]).on(backend)
    for name, term in view.terms.items():
        assert term == elsewhere.get(backend, {}).get(name, parts[name])
    assert view.regions[0].terms == view.terms
    assert view.on(backend) == view
    assert not view.elsewhere


def test_a_view_is_as_weak_and_as_wide_as_its_terms() -> None:
    entry = whole(found=Found(1e-5, {"x": (0.5, 0.25)}, "reference"), elsewhere=ELSEWHERE)
    assert (entry.total_class, entry.on("c99").sound_total) == ("sound", entry.sound_total)
    ort = certificate(entry).on("ort").outputs["u"]
    assert (ort.total_class, ort.sound_total) == ("measured", None)
    assert ort.total == sum_up(term.value or 0.0 for term in ort.terms.values())
    assert entry.tightness_total == (entry.device_total or 0.0) / 1e-5
    assert ort.tightness_total == (ort.device_total or 0.0) / 1e-5 > entry.tightness_total


def test_tightness_is_of_the_bound_that_was_searched() -> None:
    place = {"x": (0.5, 0.25)}
    against = {word: whole(found=Found(1e-5, place, word)) for word in ("solution", "reference")}
    assert against["solution"].tightness_total == (against["solution"].total or 0.0) / 1e-5
    assert against["reference"].tightness_total == (against["reference"].device_total or 0.0) / 1e-5


@pytest.mark.parametrize(
    ("part", "holding"),
    [
        ({"x": (0.3, 0.4)}, 2),
        ({"x": (0.25, 0.5), "t": (0.0, 0.5)}, 2),
        ({"x.x": (0.25, 0.5)}, 2),
        ({"x": (0.2, 0.4)}, 1),
        ({"t": (0.0, 0.5)}, 1),
        ({}, 1),
    ],
)
def test_a_part_is_held_by_the_regions_that_contain_it(part: dict[str, tuple[float, float]], holding: int) -> None:
    entry = whole(regions=[PART])
    held = entry.holding(part, BOX)
    assert len(held) == holding
    assert tightest(held, lambda one: one.total) is (PART if holding == 2 else entry)


def put(key: str, value: object) -> Callable[[Any], None]:
    """A change of the output's member at a dotted path."""

    def change(document: Any) -> None:
        holder = document["outputs"][0]
        *parents, last = key.split("/")
        for parent in parents:
            holder = holder[int(parent) if parent.isdigit() else parent]
        holder[last] = value

    return change


def family(key: str, value: object) -> Callable[[Any], None]:
    """A change of the family's member."""
    return lambda document: document["family"].__setitem__(key, value)


WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "against": (put("found/against", "luck"), "found.against expected solution or reference, got 'luck'"),
    "against null": (put("found/against", None), "found.against expected a string"),
    "tightness of the other": (put("found/against", "solution"), "tightness.total expected .*, total / found"),
    "backend not covered": (put("elsewhere/tpu", {"rounding": None}), "rounding: expected an object"),
    "nowhere else": (put("elsewhere", {}), "elsewhere: expected at least one backend"),
    "no terms elsewhere": (put("elsewhere/ort", {}), "elsewhere.ort expected rounding, activation, got none"),
    "term elsewhere": (put("elsewhere/ort/model", {}), "ort: unknown key 'model'"),
    "negative elsewhere": (put("elsewhere/ort/rounding/value", -1.0), "ort.rounding.value expected a number from 0"),
    "class elsewhere": (put("elsewhere/ort/rounding/class", "proved"), "ort.rounding.class expected sound"),
    "unknown in region": (put("regions/0/luck", 1), r"regions\[0\]: unknown key 'luck'"),
    "no regions": (put("regions", []), "regions expected at least one"),
    "region of nothing": (put("regions/0/box", {}), r"regions\[0\]\.box: expected at least one column"),
    "region unknown": (put("regions/0/box", {"y": [0.0, 0.5]}), "column 'y' is unknown; expected x, t"),
    "region inverted": (put("regions/0/box/x", [0.5, 0.25]), "column x: expected finite low < high"),
    "region empty": (put("regions/0/box/x", [0.5, 0.5]), "column x: expected finite low < high"),
    "region outside": (put("regions/0/box/x", [0.25, 1.5]), r"inside the box \[-1.0, 1.0\], got \[0.25, 1.5\]"),
    "region of three": (put("regions/0/box/x", [0.1, 0.2, 0.3]), "expected two numbers, low and high, got 3 numbers"),
    "region twice": (put("regions/0/box/x.x", [0.25, 0.5]), "expected each column once, got x.x twice"),
    "region total": (put("regions/0/total/value", 1e-9), r"regions\[0\]\.total.value expected .*sum of its terms"),
    "region class": (put("regions/0/total/class", "measured"), r"regions\[0\]\.total.class expected sound"),
    "region sound total": (put("regions/0/sound_total", None), r"regions\[0\]\.sound_total expected"),
    "region term": (put("regions/0/terms/rounding/class", "proved"), r"regions\[0\].terms.rounding.class expected"),
    "region short of a term": (
        lambda d: d["outputs"][0]["regions"][0]["terms"].pop("rounding"),
        r"regions\[0\].terms.rounding is missing",
    ),
    "sensor in part only": (
        lambda d: (d["outputs"][0]["regions"][0]["terms"].update(sensor={"value": 0.0, "class": "sound", "how": ""}),),
        r"regions\[0\]\.terms expected activation, compression, .*got .*sensor",
    ),
    "sensor unknown to the total": (
        lambda d: (
            d["outputs"][0].pop("regions"),
            d["outputs"][0]["terms"].update(sensor={"value": 1.0, "class": "sound", "how": ""}),
        ),
        "total.value expected 1.0",
    ),
    "family unknown": (family("colour", 1), "family: unknown key 'colour'"),
    "family mean": (family("mean", [0.0]), "family.mean expected 2 numbers, got 1"),
    "family mode": (family("modes", [[0.5, 0.0], [0.0]]), r"family.modes\[1\] expected 2 numbers, got 1"),
    "family no modes": (family("modes", []), "family.modes expected at least one mode"),
    "family modes text": (family("modes", ["a", "b"]), "expected a list"),
    "family low": (family("low", [-1.0]), "family.low expected 2 numbers, got 1"),
    "family inverted": (family("low", [2.0, -1.0]), "family expected low < high, got 2.0 and 1.0 for mode 0"),
    "family radius": (family("radius", [-0.1, 0.1]), "family.radius expected numbers from 0"),
    "family outside": (family("mean", [0.5, 0.5]), r"family expected inputs inside the box \[-1.0, 1.0\]"),
    "family huge": (family("mean", [1e308, 0.0]), "family.mean expected numbers of at most 1e"),
}


@pytest.fixture
def document() -> dict[str, Any]:
    """A certificate with every optional part, as JSON members."""
    entry = whole(found=Found(1e-5, {"x": (0.5, 0.25)}, "reference"), elsewhere=ELSEWHERE, regions=[PART])
    members: dict[str, Any] = json.loads(certificate(entry, family=FAMILY).to_json())
    return members


@pytest.mark.parametrize("case", WRONG)
def test_every_broken_rule_is_named(document: dict[str, Any], case: str) -> None:
    change, message = WRONG[case]
    change(document)
    with pytest.raises(BundleError, match=message):
        Certificate.from_json(json.dumps(document))


RICH = certificate(
    whole(found=Found(1e-5, {"x": (0.5, 0.25)}, "reference"), elsewhere=ELSEWHERE, regions=[PART]), family=FAMILY
).to_json()


@given(st.integers(0, len(RICH) - 1), st.integers(0, 127))
def test_any_changed_byte_is_read_or_refused(at: int, value: int) -> None:
    text = bytearray(RICH.encode())
    text[at] = value
    with only_refused("certificate.json", BundleError):
        Certificate.from_json(text.decode())


def test_a_backend_elsewhere_must_be_covered(document: dict[str, Any]) -> None:
    document["backends"] = ["c99", "reference"]
    with pytest.raises(BundleError, match="elsewhere expected one of c99, reference, got 'ort'"):
        Certificate.from_json(json.dumps(document))


def test_an_l1_entry_has_no_regions() -> None:
    with pytest.raises(BundleError, match="regions expected none beside norm sup"):
        OutputCertificate.from_terms("u", "m", terms(), norm="L1", regions=[PART])


def test_a_column_of_two_inputs_must_be_named_in_full() -> None:
    box = (*BOX, BoxEntry("y", "x", "m", 0.0, 1.0))
    for name, said in (("x", "in several inputs; expected x.x or y.x"), ("y.x", "")):
        entry = whole(regions=[Region({name: (0.25, 0.5)}, PART.terms)])
        made = Certificate("a" * 64, ("c99",), box, (), "e", index([entry]))
        if not said:
            assert Certificate.from_json(made.to_json()) == made
            continue
        with pytest.raises(BundleError, match=said):
            made.to_json()


def test_a_box_in_another_order_is_refused(tmp_path: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b")
    edit_json(bundle, "certificate.json", lambda d: d["box"].reverse())
    with pytest.raises(BundleError, match=r"box expected the columns in the order of manifest.json, x\.x, x\.t"):
        bundles.read(bundle)


@given(st.data())
def test_members_of_a_family_are_in_it_and_others_are_not(data: st.DataObject) -> None:
    a = np.array([[data.draw(st.floats(-1, 1)) for _ in range(2)]])
    e = np.array([[data.draw(st.floats(-0.999, 0.999)) for _ in range(2)]])
    member = FAMILY.points(a, e)
    assert FAMILY.contains(member).all()
    low, high = FAMILY.hull()
    assert ((member >= low) & (member <= high)).all()
    column = data.draw(st.integers(0, 1))
    member[0, column] = high[column] + data.draw(st.floats(1e-9, 1.0))
    assert not FAMILY.contains(member).any()


@given(st.integers(0, 2**16))
def test_a_row_off_the_modes_by_more_than_the_radius_is_no_member(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mode = rng.standard_normal(8)
    thin = Family((0.0,) * 8, (tuple(mode),), (-1.0,), (1.0,), (1e-3,) * 8)
    a = rng.uniform(-1, 1, (5, 1))
    inside = thin.points(a, rng.uniform(-0.3, 0.3, (5, 8)))
    assert thin.contains(inside).all()
    away = rng.standard_normal(8)
    away -= mode * (away @ mode) / (mode @ mode)
    assert not thin.contains(inside + 0.1 * away / np.abs(away).max()).any()
