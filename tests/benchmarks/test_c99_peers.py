"""The contest's bookkeeping: pooling, choosing the best peer, ratios, and what is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c99_peers import emx, rows
from c99_peers.enter import BIND, BINDING, C256, C512, COEFFICIENTS
from c99_peers.networks import PINN, SMALL, module, onnx_file, reference, samples
from c99_peers.spec import Entry, Outcome, entries, outcomes, write

CASE = PINN.case(16)


def outcome(rival: str, *seconds: float, case: str = CASE, failed: str = "") -> Outcome:
    return Outcome(case, rival, seconds, error=1e-8, failed=failed)


def test_a_ratio_is_the_best_peers_median_over_ours() -> None:
    found = rows.Found([outcome(BINDING, 4e-6, 6e-6, 8e-6), outcome("OpenVINO", 9e-6), outcome(C512, 2e-6, 2e-6, 2e-6)])
    made = {row.case: row for row in rows.ratios(found, "no target yet")}
    row = made[f"{CASE}: {rows.BEST} / {C512}"]
    assert (row.measured, row.target, row.met) == (pytest.approx(3.0), 2.5, True)
    assert row.note == BINDING
    absent = made[f"{CASE}: {rows.BEST} / {C256}"]
    assert (absent.measured, absent.note) == (None, "no target yet")


def test_every_ratio_of_the_table_has_its_row() -> None:
    made = rows.ratios(rows.Found([]), "why")
    assert [row.target for row in made if row.target] == [5.0, 8.0, 1.1, 2.5, 1.25, 1.25, 1.0]
    assert all(row.met is None and row.note == "why" for row in made)


def test_a_rival_that_failed_has_no_figure_but_its_reason() -> None:
    found = rows.Found([outcome(BINDING, 1e-6), outcome(BINDING, failed="differs"), outcome(C512, 1e-6)])
    assert found.seconds(CASE, BINDING) is None
    assert [row.note for row in rows.times(found, {}) if row.measured is None] == ["differs"]
    assert found.best(CASE, [BINDING]) is None


def test_a_query_that_failed_keeps_its_target() -> None:
    (row,) = rows.times(rows.Found([outcome(BIND, case=COEFFICIENTS, failed="no library")]), {})
    assert (row.measured, row.target, row.note) == (None, 0.3, "no library")


def test_outcomes_of_one_case_are_pooled() -> None:
    found = rows.Found([outcome(C512, 1e-4, case=COEFFICIENTS), outcome(C512, 3e-4, case=COEFFICIENTS)])
    (row,) = rows.times(found, {})
    assert (row.measured, row.unit, row.target, row.met) == (pytest.approx(0.2), "ms", 0.3, True)


def test_what_bind_adds() -> None:
    case = PINN.case(1)
    found = rows.Found([outcome(BIND, 1.2e-6, case=case), outcome(C512, 0.5e-6, case=case)])
    row = rows.overhead(found, "")
    assert (row.measured, row.met) == (pytest.approx(0.7), False)


def test_share_of_the_peak() -> None:
    (row,) = rows.times(rows.Found([outcome(C512, 12544 * 16 / 1e11)]), {"one": 1e11, "other": 2e11})
    assert "50% of fma peak" in row.note


def test_entries_and_outcomes_survive_their_files(tmp_path: Path) -> None:
    entry = Entry("c", "r", "c", (("words", "file"),), "in", "out", {"y": "float32"}, (1, 2), {"clock": "x"})
    write(tmp_path / "e", [entry])
    assert entries(tmp_path / "e") == [entry]
    write(tmp_path / "o", [outcome("r", 1.0, 2.0)])
    assert outcomes(tmp_path / "o") == [outcome("r", 1.0, 2.0)]


def test_the_peers_get_the_same_network(tmp_path: Path) -> None:
    import onnxruntime

    net, x = module(SMALL, 3), samples(SMALL, 4, 0)
    session = onnxruntime.InferenceSession(str(onnx_file(net, SMALL, 4, tmp_path / "m.onnx")))
    assert np.abs(session.run(None, {"x": x})[0] - reference(net, x)).max() < 1e-6


def test_rivals_are_named_apart() -> None:
    assert len({flags.rival for flags in emx.ALL}) == len(emx.ALL)
    assert set(rows.PEERS_AVX2) < set(rows.ALL_PEERS)
