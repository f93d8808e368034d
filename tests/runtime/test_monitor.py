"""monitor.json: every rule has a way to break it here, and what it says is shown wherever the threshold is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from edgepde_runtime.__main__ import main
from edgepde_runtime.bundle import read
from edgepde_runtime.errors import BundleError
from edgepde_runtime.monitor import Monitor, fewest, rank
from edgepde_runtime.verbs.inspect import inspect
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import edit_json, mlp_bundle, residual_bundle
from support.refusal import only_refused

MONITOR = Monitor("residual", 0.01, 999, 9, 3, "uniform in the box", (0.5, 0.9, 0.99), (0.002, 0.004, 0.006))
GOOD = json.loads(MONITOR.to_json())
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "version": ({"schema_version": 2}, "schema_version expected 1, got 2"),
    "version true": ({"schema_version": True}, "schema_version expected a whole number"),
    "unknown key": ({"threshold": 1.0}, "unknown key 'threshold'"),
    "output a number": ({"output": 1}, "output expected a string"),
    "output empty": ({"output": ""}, "output expected 1 to 200 characters, got 0"),
    "output long": ({"output": "r" * 201}, "output expected 1 to 200 characters, got 201"),
    "distribution with escape": ({"distribution": "\x1b[2J"}, "distribution expected printable"),
    "level 0": ({"level": 0.0}, "level expected a number between 0 and 1, got 0.0"),
    "level 1": ({"level": 1}, "level expected a number between 0 and 1, got 1.0"),
    "level a text": ({"level": "0.01"}, "level expected a number"),
    "level NaN": ({"level": math.nan}, "NaN is not JSON"),
    "count too small": ({"count": 98}, "count expected at least 99 for level 0.01, got 98"),
    "count negative": ({"count": -1}, "count expected 0 to"),
    "count huge": ({"count": 10**40}, "count expected 0 to"),
    "count a fraction": ({"count": 999.5}, "count expected a whole number"),
    "unbounded too many": ({"unbounded": 10}, "unbounded expected at most 9, the rows above the threshold, got 10"),
    "unbounded negative": ({"unbounded": -1}, "unbounded expected 0 to"),
    "seed negative": ({"seed": -1}, "seed expected 0 to"),
    "no probabilities": ({"probabilities": [], "quantiles": []}, "probabilities expected 1 to 64 numbers, got 0"),
    "many probabilities": ({"probabilities": [i / 100 for i in range(1, 66)]}, "expected 1 to 64 numbers, got 65"),
    "probabilities not increasing": ({"probabilities": [0.5, 0.5, 0.9]}, "probabilities expected increasing"),
    "probability 0": ({"probabilities": [0.0, 0.5, 0.9]}, "probabilities expected increasing"),
    "probability 1": ({"probabilities": [0.1, 0.5, 1.0]}, "probabilities expected increasing"),
    "probability above the threshold's": ({"probabilities": [0.1, 0.5, 0.995]}, "none above 0.99"),
    "one quantile less": ({"quantiles": [0.002, 0.004]}, "quantiles expected 3 numbers, one per probability, got 2"),
    "quantiles not increasing": ({"quantiles": [0.002, 0.001, 0.006]}, "quantiles expected numbers from 0 up"),
    "quantile negative": ({"quantiles": [-0.002, 0.001, 0.006]}, "quantiles expected numbers from 0 up"),
    "quantile a boolean": ({"quantiles": [True, 2, 3]}, r"quantiles\[0\] expected a number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_every_broken_rule_is_named(case: str) -> None:
    members, message = WRONG[case]
    assert Monitor.from_json(json.dumps(GOOD)) == MONITOR
    with pytest.raises(BundleError, match=rf"here: .*{message}"):
        Monitor.from_json(json.dumps({**GOOD, **members}), "here")


@pytest.mark.parametrize("key", sorted(GOOD))
def test_every_member_must_be_there(key: str) -> None:
    with pytest.raises(BundleError, match=rf"monitor\.json: {key} is missing"):
        Monitor.from_json(json.dumps({k: v for k, v in GOOD.items() if k != key}))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(GOOD)) | st.text(), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(GOOD)), anything)
def test_any_member_replaced_by_anything_is_read_or_refused(key: str, value: object) -> None:
    with only_refused("monitor.json", BundleError):
        Monitor.from_json(json.dumps({**GOOD, key: value}))


@given(anything)
def test_any_json_is_read_or_refused(value: object) -> None:
    with only_refused("monitor.json", BundleError):
        Monitor.from_json(json.dumps(value))


@given(st.integers(1, 500), st.integers(0, 10**6))
def test_the_rank_is_that_of_exact_arithmetic(parts: int, count: int) -> None:
    level = parts / 1000
    exact = Fraction(parts, 1000)
    assert rank(count, level) == math.ceil((count + 1) * (1 - exact))
    assert (rank(count, level) <= count) == (count >= fewest(level))


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A bundle with a monitor."""
    return residual_bundle(tmp_path / "b", extra={"monitor.json": MONITOR.to_json().encode()})


def test_inspect_shows_threshold_level_and_count(watched: Path, tmp_path: Path) -> None:
    assert read(watched).monitor == MONITOR
    (row,) = inspect(watched).sections["monitor"]
    assert row == ("residual", "0.006", "m/s^2", "0.01", "999", "uniform in the box, seed 3")
    bare = residual_bundle(tmp_path / "bare")
    assert read(bare).monitor is None
    assert inspect(bare).sections["monitor"] == [("residual", "0.006", "m/s^2", "-", "-", "-")]
    none = mlp_bundle(tmp_path / "none")
    assert inspect(none).sections["monitor"] == []
    assert "false alarms" in inspect(watched).table()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.__setitem__("output", "u"), r"output expected one with a threshold \(residual\), got 'u'"),
        (lambda m: m.__setitem__("output", "\u202ex"), "output expected"),
        (lambda m: m["quantiles"].__setitem__(2, 0.0061), r"quantiles\[2\] expected at most the threshold 0.006"),
    ],
)
def test_a_monitor_of_another_model_is_refused(watched: Path, change: Callable[[Any], object], message: str) -> None:
    edit_json(watched, "monitor.json", change)
    with pytest.raises(BundleError, match=rf"monitor\.json: {message}"):
        read(watched)
    assert main(["verify", str(watched), "--backend", "reference", "--seconds", "0.02"]) == 1


def test_a_monitor_without_a_residual_is_refused(tmp_path: Path) -> None:
    bundle = mlp_bundle(tmp_path / "b", extra={"monitor.json": MONITOR.to_json().encode()})
    with pytest.raises(BundleError, match=r"output expected one with a threshold \(none\), got 'residual'"):
        read(bundle)
