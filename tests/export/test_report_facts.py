"""What a report says, before it is drawn: arrays checked, parameters chosen, break-even, figures in words."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from edgepde_export.report import arrays as stored
from edgepde_export.report import fields, maps, plots, words
from edgepde_export.report.arrays import Arrays
from edgepde_export.report.card import render
from edgepde_export.report.collect import Economy, collect
from edgepde_export.report.histogram import beyond, lines
from edgepde_export.report.tables import place, sentence
from edgepde_runtime import bundle as bundles
from edgepde_runtime.certificate import Found
from edgepde_runtime.errors import BundleError
from edgepde_runtime.latency import Latency
from edgepde_runtime.verbs.verify import VerifyOptions
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import mlp_bundle
from support.report_bundles import Array, front_bundle, report_arrays

POSITIVE = st.floats(1e-30, 1e30)
_PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def read(text: str) -> float:
    """The figure that `number` wrote."""
    return float(text.translate(_PLAIN).replace("×10", "e"))


@given(POSITIVE)
def test_a_number_is_right_to_three_digits(value: float) -> None:
    assert math.isclose(read(words.number(value)), value, rel_tol=5.1e-3)
    assert words.number(-value) == "−" + words.number(value)


@given(POSITIVE)
def test_a_bound_is_never_understated(value: float) -> None:
    assert value <= read(words.bound(value)) * (1 + 1e-15)
    assert read(words.bound(value)) <= value * 1.011


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0041, "0.00410"), (9.996, "10.0"), (1e4, "1.00×10⁴"), (1.2e-5, "1.20×10⁻⁵"), (0.0, "0"), (math.inf, "∞")],
)
def test_numbers_in_words(value: float, text: str) -> None:
    assert words.number(value) == text


def test_bounds_and_units_in_words() -> None:
    assert words.bound(0.0041) == "0.00410"
    assert words.bound(0.0041001) == "0.00411"
    assert words.bound(None) == "not verified"
    assert words.unit("kg m^-3 s^2") == "kg m⁻³ s²"
    assert words.unit("m/s*m*s") == "m/s·m·s"
    assert words.unit("^") == "^"
    assert [words.duration(s) for s in (2e-7, 5e-5, 0.21, 90, 141, 9000)] == [
        "200 ns",
        "50.0 µs",
        "210 ms",
        "90.0 s",
        "2.35 min",
        "2.50 h",
    ]


@given(st.floats(1e-3, 1e6), st.floats(1e-6, 1e3), st.floats(1e-7, 1e3))
def test_after_break_even_the_surrogate_was_cheaper(offline: float, reference: float, query: float) -> None:
    economy = Economy(offline, reference, query, 100)
    n = economy.break_even
    if query >= reference:
        assert n is None
        assert "reference solver is faster" in sentence(economy, "ort")
    else:
        assert n is not None
        assert offline + n * query == pytest.approx(n * reference, rel=1e-6)


def test_break_even_counts_whole_queries() -> None:
    assert "after 100 queries" in sentence(Economy(100.0, 2.0, 1.0, 1), "ort")
    assert "after 101 queries" in sentence(Economy(100.01, 2.0, 1.0, 1), "ort")
    assert "after 1 queries" not in sentence(Economy(0.0, 2.0, 1.0, 1), "ort")
    assert "not known" in sentence(Economy(None, None, 1.0, 1), "ort")
    assert "training's time is not known" in sentence(Economy(None, 2.0, 1.0, 1), "ort")


def test_worst_middle_and_best_are_chosen() -> None:
    exact = np.ones((5, 2, 2))
    predicted = exact + np.array([0.3, 0.1, 0.5, 0.2, 0.4])[:, None, None]
    arrays = Arrays(np.zeros((5, 1)), np.arange(2.0), np.arange(2.0), predicted, exact)
    measured = fields.errors(arrays)
    assert measured is not None
    assert measured.relative == pytest.approx([0.3, 0.1, 0.5, 0.2, 0.4])
    assert fields.choose(arrays, measured) == [("worst", 2), ("middle", 0), ("best", 1)]
    assert fields.choose(arrays, None) == [("first", 0), ("middle", 2), ("last", 4)]


@pytest.mark.parametrize(("count", "ranks"), [(1, ["only"]), (2, ["worst", "best"]), (3, ["worst", "middle", "best"])])
def test_few_parameters_are_each_shown_once(count: int, ranks: list[str]) -> None:
    exact = np.ones((count, 2, 2))
    predicted = exact * (1 + np.arange(count))[:, None, None]
    arrays = Arrays(np.zeros((count, 1)), np.arange(2.0), np.arange(2.0), predicted, exact)
    assert [rank for rank, _ in fields.choose(arrays, fields.errors(arrays))] == ranks


def test_a_zero_field_has_a_relative_error() -> None:
    arrays = Arrays(predicted=np.stack([np.zeros((2, 2)), np.ones((2, 2))]), exact=np.zeros((2, 2, 2)))
    measured = fields.errors(arrays)
    assert measured is not None
    assert list(measured.relative) == [0.0, np.inf]


def _changed(**members: Array | None) -> dict[str, Array]:
    arrays = {**report_arrays(count=3, shape=(5, 4)), **members}
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        (_changed(exact=np.zeros((3, 5, 5))), "exact: expected T = 4, got 5"),
        (_changed(axis1=np.zeros(4)), "axis1: expected two values or more, increasing"),
        (_changed(axis0=None), "axis0 is missing"),
        (_changed(predicted=np.full((3, 5, 4), np.nan)), "predicted: expected finite numbers"),
        (_changed(parameters=np.ones((3, 2))), "snapshots: expected P = 2, got 1"),
        (_changed(collocation=np.ones((3, 4)), validation=None), "collocation: expected at most 2 columns, got 4"),
        (_changed(greedy_error=np.zeros((2, 2))), r"greedy_error: expected shape \[G\]"),
        (_changed(snapshots=np.zeros((0, 1))), r"snapshots: expected shape \[N, P\] without a 0"),
        (_changed(offline_seconds=np.array(-1.0)), "offline_seconds: expected 0 or more"),
    ],
)
def test_arrays_that_disagree_are_refused(tmp_path: Path, arrays: dict[str, Array], expected: str) -> None:
    bundle = bundles.read(front_bundle(tmp_path / "b", arrays=arrays))
    with pytest.raises(BundleError, match=rf"report\.npz: .*{expected}"):
        stored.read(bundle)


def test_a_number_may_be_stored_with_a_dimension(tmp_path: Path) -> None:
    arrays = _changed(offline_seconds=np.array([3.0]))
    read = stored.read(bundles.read(front_bundle(tmp_path / "b", arrays=arrays)))
    assert read.offline_seconds is not None
    assert (read.offline_seconds.shape, float(read.offline_seconds)) == ((), 3.0)


@pytest.mark.parametrize("ledger", [b"[1]", b"{", b"\xff"])
def test_a_ledger_that_is_no_object_is_refused(tmp_path: Path, ledger: bytes) -> None:
    bundle = mlp_bundle(tmp_path / "b", extra={"ledger.json": ledger})
    with pytest.raises(BundleError, match=r"ledger\.json: expected"):
        collect(bundle, VerifyOptions(seconds=0.01))


def test_fields_are_evaluated_here(tmp_path: Path) -> None:
    arrays = report_arrays(count=3, shape=(9, 7))
    wrong = {**arrays, "predicted": arrays["predicted"] + np.float32(0.5)}
    for given_arrays, gap in ((arrays, 0.0), (wrong, 0.5)):
        bundle = bundles.read(front_bundle(tmp_path / f"b{gap}", arrays=given_arrays))
        shown = fields.shown(bundle, "reference", stored.read(bundle))
        assert [one.stored_gap for one in shown] == pytest.approx([gap] * 3, abs=1e-5)
        k = shown[0].index
        assert shown[0].predicted == pytest.approx(arrays["predicted"][k].astype(float), abs=1e-5)


def test_points_outside_the_box_are_told_not_hidden(tmp_path: Path) -> None:
    arrays = {**report_arrays(count=3, shape=(5, 5)), "axis1": np.linspace(0, 2, 5)}
    facts = collect(front_bundle(tmp_path / "b", arrays=arrays), VerifyOptions(seconds=0.01))
    assert facts.field_latency is None
    assert facts.economy.query is None


@given(st.floats(1e-6, 1e6), st.floats(1.0, 1e6))
def test_a_decade_or_more_is_logarithmic(low: float, factor: float) -> None:
    assert plots.is_log(low, low * factor) == (low * factor >= 10 * low)
    assert not plots.is_log(-low, low * factor)
    assert not plots.is_log(0.0, factor)


def test_an_error_in_one_place_is_shown_on_a_logarithmic_scale() -> None:
    flat, spot = np.full((20, 20), 1e-3), np.full((20, 20), 1e-6)
    spot[3, 3] = 1e-3

    def shown(error: Array) -> list[fields.Shown]:
        return [fields.Shown(0, "only", (), error, np.zeros((20, 20)), None)]

    assert (scale := maps.error_scale(shown(flat))) is not None
    assert not scale.log
    assert (scale := maps.error_scale(shown(spot))) is not None
    assert scale.log
    assert maps.error_scale(shown(np.zeros((20, 20)))) is None


def test_slow_samples_are_counted_in_words() -> None:
    times = Latency(np.array([10.0] * 99 + [5000.0]), 1)
    assert beyond(times) == " 1.0 % took more than 12 times the median, up to 5.00 ms."
    assert beyond(Latency(np.full(9, 10.0), 1)) == ""
    assert lines(times, None, {"p99": 20.0})[0].text == "p99 budget 20 µs"


def test_a_card_is_text_in_a_page() -> None:
    html = render("# t\n\n## s\n\n<b>x</b> ![i](http://a) <http://b> [k](http://c)\n\n|a|b|\n|-|-|\n|1|2|\n")
    assert "<h3>t</h3>" in html
    assert "<h4>s</h4>" in html
    assert "<td>1</td>" in html
    assert re.findall(r"<(?:b|img|a)\b", html) == []
    assert json.dumps(str(html)).count("&lt;b&gt;") == 1


def test_of_a_place_with_thousands_of_values_the_first_are_told() -> None:
    assert place(Found(1.0, {"x": (0.5, 0.25)})) == "x = (0.5, 0.25)"
    many = place(Found(1.0, {"f": tuple(float(i) for i in range(1000))}))
    assert many == f"f = (0, 1, 2, … {words.count(1000)} values in all)"
