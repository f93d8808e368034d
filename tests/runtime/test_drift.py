"""Drift: seldom a false alarm in a whole life, always one soon after a change, and a state of fixed size."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime import load
from edgepde_runtime.bundle import Bundle, read
from edgepde_runtime.drift import Drift
from edgepde_runtime.driftfile import document
from edgepde_runtime.errors import InputError, StateError
from edgepde_runtime.evidence import BLOCK, highest_rate
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from edgepde_runtime.watched import MOST_FIGURES, _figures
from support import drifting
from support.bundles import mlp_bundle, ratio_bundle
from support.drifting import MONITOR, Life, life, lived

ROWS, LIVES, RATE = 3000, 40, 0.2


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return drifting.monitored(tmp_path_factory.mktemp("drift") / "b")


def fresh(bundle: Bundle, **settings: Any) -> Drift:
    return Drift(bundle, **{"unit": "row", "commissioning": 800, **settings})


def alarmed(bundle: Bundle, rows: Callable[[np.random.Generator], Life], lives: int, **settings: Any) -> int:
    return sum(bool(lived(fresh(bundle, **settings), rows(np.random.default_rng(i))).alarms) for i in range(lives))


def most(lives: int, rate: float) -> int:
    """What a binomial count is above with a chance of 1e-4."""
    chances = [math.comb(lives, i) * rate**i * (1 - rate) ** (lives - i) for i in range(lives + 1)]
    return next(i for i in range(lives + 1) if sum(chances[i + 1 :]) < 1e-4)


@pytest.mark.parametrize("commissioning", [800, 0])
def test_few_lives_without_a_change_have_an_alarm(bundle: Bundle, commissioning: int) -> None:
    found = alarmed(bundle, lambda rng: life(rng, ROWS), LIVES, false_alarm=RATE, commissioning=commissioning)
    assert found <= most(LIVES, RATE)


@pytest.mark.parametrize(("outside", "failed"), [(0.03, 0.01), (0.01, 0.03)])
def test_rates_above_the_tolerated_ones_are_found(bundle: Bundle, outside: float, failed: float) -> None:
    found = alarmed(bundle, lambda rng: life(rng, ROWS, outside, failed), 10, false_alarm=RATE)
    assert found == 10 > most(10, RATE)
    tolerated = {"out_of_box": 0.03, "not_converged": 0.03}
    assert alarmed(bundle, lambda rng: life(rng, ROWS, outside, failed), 10, tolerated=tolerated) == 0


def worse(rows: Life, where: slice) -> None:
    rows["residual"][where] *= 4.0


def narrower(rows: Life, where: slice) -> None:
    rows["parameters"][where] = 0.4 + 0.6 * rows["parameters"][where]


def away(rows: Life, where: slice) -> None:
    rng = np.random.default_rng(1)
    rows["outside"][where] = rng.random(len(rows["outside"][where])) < 0.2


def failing(rows: Life, where: slice) -> None:
    rows["failed"][where] = True


def infinite(rows: Life, where: slice) -> None:
    rows["residual"][where] = np.where(np.arange(len(rows["residual"][where])) % 5 == 0, np.inf, 1e-4)


CHANGES: dict[str, tuple[Callable[[Life, slice], None], str, int]] = {
    "residuals four times as large": (worse, "above_threshold", 300),
    "residuals infinite": (infinite, "above_threshold", 200),
    "inputs of part of the box": (narrower, "parameters.nu", 400),
    "a fifth out of the box": (away, "out_of_box", 200),
    "all fail": (failing, "not_converged", 2 * BLOCK),
}


@pytest.mark.parametrize("at", [1000, 9000])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_within_a_stated_number_of_rows(bundle: Bundle, name: str, at: int) -> None:
    change, statistic, soon = CHANGES[name]
    drift = fresh(bundle)
    rows = life(np.random.default_rng(5), at + soon)
    before = {key: values[:at] for key, values in rows.items()}
    assert lived(fresh(bundle), before).alarms == []
    lived(drift, drifting.changed(rows, at, change))
    found = {alarm.statistic: alarm for alarm in drift.alarms}
    assert statistic in found
    assert at < found[statistic].observation <= at + soon
    assert found[statistic].evidence >= drift.limits()[statistic] / math.log(10) - 1e-9
    assert "of the last" in found[statistic].reason


def test_inputs_of_part_of_the_box_are_no_uniform_ones(bundle: Bundle) -> None:
    rows = drifting.changed(life(np.random.default_rng(5), 400), 0, narrower)
    (alarm,) = lived(fresh(bundle, commissioning=0), rows).alarms
    assert alarm.statistic == "parameters.nu"
    assert "where it is uniform" in alarm.reason


def test_limits_share_the_false_alarm_rate(bundle: Bundle) -> None:
    for commissioning in (0, 800):
        drift = fresh(bundle, false_alarm=0.03, commissioning=commissioning)
        spent = sum(math.exp(-limit) for limit in drift.limits().values())
        # The threshold's calibration costs as much as the test against it.
        spent += math.exp(-drift.limits()["above_threshold"])
        assert spent == pytest.approx(0.03)
        highest = highest_rate(MONITOR, math.exp(-drift.limits()["above_threshold"]))
        assert drift.state.settings.tolerated["above_threshold"] == pytest.approx(highest)


def test_parts_of_a_life_are_its_whole(bundle: Bundle) -> None:
    rows = drifting.changed(life(np.random.default_rng(2), 2500), 2000, worse)
    whole = lived(fresh(bundle), rows)
    assert whole.state.reference.count == 800
    assert (whole.state.reference.counts.sum(axis=1) == 600).all()
    for sizes in ([1, 62, 1, 200, 1, 2235], [64] * 39 + [4]):
        parts, done = fresh(bundle), 0
        for size in sizes:
            lived(parts, {key: values[done : done + size] for key, values in rows.items()})
            done += size
        a, b = document(whole.state), document(parts.state)
        assert a["windows"][0]["rates"] == b["windows"][0]["rates"]
        assert [w["start"] for w in a["windows"]] == [w["start"] for w in b["windows"]]
        assert a["histograms"][0] == b["histograms"][0]
        np.testing.assert_allclose(a["reference"]["mean"][0], b["reference"]["mean"][0], rtol=1e-9)
        assert {alarm.statistic for alarm in parts.alarms} == {alarm.statistic for alarm in whole.alarms}


def test_the_state_does_not_grow(bundle: Bundle, tmp_path: Path) -> None:
    drift, sizes = fresh(bundle), []
    for i in range(6):
        lived(drift, life(np.random.default_rng(i), 3000))
        drift.write(tmp_path / "drift.json")
        sizes.append((tmp_path / "drift.json").stat().st_size)
        assert document(Drift.read(tmp_path / "drift.json", bundle).state) == document(drift.state)
    assert len(drift.state.starts) <= 19
    assert max(sizes) < 8000


def test_rows_outside_the_box_count_as_nothing_else(bundle: Bundle) -> None:
    rows = life(np.random.default_rng(0), 1000, outside=0.5)
    rows["residual"][:] = np.where(rows["outside"], np.inf, 1e-4)
    rows["parameters"][rows["outside"]] = 7.0
    drift = lived(fresh(bundle, commissioning=400), rows)
    inside = int((~rows["outside"]).sum())
    assert drift.state.rates[0].tolist() == [1000, 1000 - inside, int(rows["failed"].sum()), inside, 0]
    assert drift.state.reference.mean[0] < 1.0
    assert drift.state.ends[0, 1] > 7.0
    assert {alarm.statistic for alarm in drift.alarms} == {"out_of_box"}


def test_a_residual_that_is_no_number_is_above_the_threshold(bundle: Bundle) -> None:
    rows = life(np.random.default_rng(0), 4, outside=0.0, failed=0.0)
    rows["residual"] = np.array([np.nan, np.inf, 0.5 * drifting.THRESHOLD, drifting.THRESHOLD])
    assert lived(fresh(bundle), rows).state.rates[0].tolist() == [4, 0, 0, 4, 2]


def test_two_devices_are_judged_together(bundle: Bundle) -> None:
    def device(seed: int) -> Drift:
        return lived(fresh(bundle, commissioning=0), life(np.random.default_rng(seed), 400, outside=0.025))

    one, other = device(2), device(3)
    assert one.alarms == other.alarms == []
    total = one.state.rates[0] + other.state.rates[0]
    for seed in range(4, 20):
        one.merge(device(seed))
    one.merge(other)
    assert [alarm.statistic for alarm in one.alarms] == ["out_of_box"]
    assert one.state.observations == 18 * 400 == int(one.state.rates[0, 0])
    assert (one.state.rates[0] >= total).all()
    lived(one, life(np.random.default_rng(9), 500))
    assert one.state.observations == 7700


def test_devices_with_commissionings_of_their_own_compare_inputs_no_longer(bundle: Bundle, tmp_path: Path) -> None:
    one, other = (lived(fresh(bundle), life(np.random.default_rng(seed), 1500)) for seed in (1, 2))
    assert "parameters.nu" in one.evidence()
    histogram = one.state.histograms + other.state.histograms
    one.merge(other)
    assert "parameters.nu" not in one.evidence()
    assert (one.state.histograms == histogram).all()
    one.write(tmp_path / "merged.json")
    again = Drift.read(tmp_path / "merged.json", bundle)
    lived(again, life(np.random.default_rng(3), 1500))
    assert "parameters.nu" not in again.evidence()


def test_merging_into_a_state_without_calls_gives_the_other(bundle: Bundle) -> None:
    empty, other = fresh(bundle), lived(fresh(bundle), life(np.random.default_rng(1), 1500))
    empty.merge(other)
    assert document(empty.state) == document(other.state)
    with pytest.raises(StateError, match=r"false_alarm expected 0\.01 as in the first state, got 0\.05"):
        empty.merge(lived(fresh(bundle, false_alarm=0.05), life(np.random.default_rng(1), 10)))


def test_watch_gives_the_call_s_result_and_counts_it(mlp: Path) -> None:
    model = load(mlp, "reference")
    drift = Drift(model)
    x = np.array([[0.5, 0.5], [1.5, 0.5]], np.float32)
    result = drift.watch(x)
    np.testing.assert_array_equal(result.outputs["u"], load(mlp, "reference", out_of_box="flag").call(x).outputs["u"])
    assert result.flags == 1
    assert (drift.state.calls, drift.state.observations) == (1, 1)
    assert drift.state.rates[0].tolist() == [1, 1, 0, 0, 0]
    assert drift.state.histograms.sum(axis=1).tolist() == [2, 2]
    assert drift.state.histograms[0, -1] == 1
    np.testing.assert_allclose(drift.state.ends, [[0.75, 1.25], [0.5, 0.5]])
    before = document(drift.state)
    for bad in (np.array([[np.nan, 0.5]], np.float32), x.astype(np.int64), x[:, :1]):
        with pytest.raises(InputError):
            drift.watch(bad)
    assert document(drift.state) == before
    with pytest.raises(Exception, match="outside"):
        model(x)


def test_a_row_that_is_not_finite_counts_as_failed(tmp_path: Path) -> None:
    drift = Drift(read(ratio_bundle(tmp_path / "b")), unit="row")
    drift.watch(x=np.array([[0.0], [0.5], [2.0]], np.float32))
    assert drift.state.rates[0].tolist() == [3, 1, 1, 2, 0]


def test_a_call_is_one_observation_or_as_many_as_it_has_rows(bundle: Bundle) -> None:
    call, row = Drift(bundle), Drift(bundle, unit="row")
    given = {"parameters": np.full((5, 1), 0.5), "points": np.zeros((7, 2), np.float32)}
    for drift in (call, row):
        assert drift.watch(**given).flags == 0
    assert (call.state.observations, row.state.observations) == (1, 5)
    assert call.state.histograms.sum(axis=1).tolist() == [5, 7, 7]
    assert row.state.residual.tolist() == [0, 0, 5, 0]


def test_thousands_of_columns_have_few_figures() -> None:
    columns = tuple(Column(f"f{i}", "", -1.0, 1.0) for i in range(4000))
    wide = InputSpec("f", "float32", ("M", 4000), columns)
    figures = list(_figures((wide,)))
    assert len(figures) == MOST_FIGURES
    assert {(f.first, f.last) for f in figures if f.how == "mean"} == {(i * 500, i * 500 + 500) for i in range(8)}
    assert figures[0].of(np.full((2, 4000), 0.25)).tolist() == [0.25, 0.25]
    several = tuple(InputSpec(f"g{k}", "float32", ("M", 4000), columns) for k in range(20))
    assert len(list(_figures(several))) == 20


def test_wide_inputs_are_watched_and_need_a_commissioning(tmp_path: Path) -> None:
    path = mlp_bundle(tmp_path / "b")
    manifest = read(path).manifest
    columns = tuple(Column(f"f{i}", "", -1.0, 1.0) for i in range(400))
    inputs = (InputSpec("x", "float32", ("M", 400), columns),)
    found = read(path)
    wide = type(found)(found.root, found.id, type(manifest)(**{**vars(manifest), "inputs": inputs}), found.certificate)
    with pytest.raises(InputError, match="commissioning=0 expected inputs of at most 16 columns, got more in x"):
        Drift(wide, commissioning=0)
    drift, rng = Drift(wide, unit="row", commissioning=400), np.random.default_rng(0)
    for width in (1.0, 0.5):
        x = rng.normal(size=(1200, 1)) * 0.1 + width * rng.uniform(-0.5, 0.5, (1200, 400))
        drift.update({"x": x}, {}, {"x": np.zeros(1200, np.int32)})
        if width == 1.0:
            assert drift.alarms == []
    assert {alarm.statistic.partition(" ")[0] for alarm in drift.alarms} == {"spread"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"false_alarm": 0.0}, "false_alarm expected a rate between 0 and 1, got 0.0"),
        ({"false_alarm": math.nan}, "false_alarm expected a rate"),
        ({"commissioning": 99}, "commissioning expected 0, or 100 to 10000000 observations, got 99"),
        ({"unit": "day"}, "unit expected call or row, got 'day'"),
        ({"seed": -1}, "seed expected"),
        ({"tolerated": {"out_of_box": 0.0}}, "out_of_box expected a rate above 0 and at most 0.5, got 0.0"),
        (
            {"tolerated": {"outside": 0.1}},
            "expected out_of_box, not_converged, above_threshold, got 'outside'",
        ),
    ],
)
def test_settings_out_of_range_are_refused(bundle: Bundle, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Drift(bundle, **settings)


def test_a_bundle_without_a_residual_has_no_threshold_to_be_above(mlp: Path) -> None:
    drift = Drift(read(mlp))
    assert list(drift.limits()) == ["out_of_box", "not_converged", "x.x", "x.t"]
    assert json.loads(json.dumps(document(drift.state)))["residual"] == []
    with pytest.raises(InputError, match="tolerated expected out_of_box, not_converged, got 'above_threshold'"):
        Drift(read(mlp), tolerated={"above_threshold": 0.1})
    assert OutputSpec("u", "float32", ("M", 1), "m/s") in drift.bundle.manifest.outputs
