"""verify: each check can fail, each can be undecided, and what is not verified is never a pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from edgepde_runtime.errorlimits import ErrorLimits
from edgepde_runtime.errors import BackendError, BudgetError
from edgepde_runtime.limits import Limits
from edgepde_runtime.verbs import exchange
from edgepde_runtime.verbs.verify import VerifyOptions, VerifyReport, verify
from edgepde_runtime.verdict import FAIL, MEASURED, NOT_VERIFIED, PASS, Check, exit_code
from hypothesis import given
from hypothesis import strategies as st
from support import c99
from support.bundles import edit, edit_json, mlp_bundle, npz_bytes, ratio_bundle, residual_bundle


def checked(path: Path, **asked: object) -> VerifyReport:
    """A quick verification on the reference backend."""
    return verify(path, VerifyOptions(Limits(**asked), backend="reference", seconds=0.02))  # type: ignore[arg-type]


def status(report: VerifyReport, name: str) -> str:
    """The status of one check."""
    return next(check.status for check in report.checks if check.name == name)


def test_a_good_bundle_passes(mlp: Path, backend: str) -> None:
    report = verify(mlp, VerifyOptions(backend=backend, seconds=0.02))
    assert (report.exit_code, report.verdict) == (0, "pass")
    names = [check.name for check in report.checks]
    assert names[:3] == ["integrity", "model hash", f"golden u on {backend}"]
    assert "golden u on reference" in names
    assert status(report, "latency p50") == MEASURED


def test_a_good_bundle_passes_with_limits(mlp: Path) -> None:
    report = checked(mlp, max_error=ErrorLimits({"u": 1.1e-3}), p50_us=1e6)
    assert status(report, "error u") == PASS
    assert status(report, "latency p50") == PASS
    assert report.exit_code == 0


@pytest.mark.parametrize("asked", [{"u": 1e-3}, {"": 1e-3}])
def test_an_error_above_the_limit_fails(mlp: Path, asked: dict[str, float]) -> None:
    report = checked(mlp, max_error=ErrorLimits(asked))
    assert (status(report, "error u"), report.exit_code) == (FAIL, 1)


@pytest.mark.parametrize(("limit", "code"), [(2e-3, 0), (1e-3, 1)])
def test_pass_and_fail_alike_show_the_terms_rounded_up(tmp_path: Path, limit: float, code: int) -> None:
    report = checked(
        mlp_bundle(tmp_path / "b", amounts={"model": 1.2341e-3, "rounding": 2.0001e-6}),
        max_error=ErrorLimits({"u": limit}),
    )
    assert report.exit_code == code
    (check,) = (c for c in report.checks if c.name == "error u")
    assert "model 0.00124 + compression 1e-06 + quantisation 1e-06 + rounding 2.01e-06" in check.detail
    line = next(line for line in report.table().splitlines() if line.startswith("error u"))
    assert check.value is not None
    assert line.split()[4] == "0.00124"
    assert float(line.split()[4]) >= check.value


def test_terms_are_shown_where_one_is_missing(tmp_path: Path) -> None:
    report = checked(mlp_bundle(tmp_path / "b", amounts={"model": None}), max_error=ErrorLimits({"u": 1e-7}))
    assert "exceed the limit; compression 1e-06 + " in report.table()


def test_an_error_limit_for_no_output_is_usage(mlp: Path) -> None:
    with pytest.raises(BudgetError, match="'v' is no certified output; expected u"):
        checked(mlp, max_error=ErrorLimits({"v": 1.0}))


def test_a_bare_error_limit_leaves_diagnostics_alone(solver: Path) -> None:
    assert checked(solver, max_error=ErrorLimits({"": 1.1e-3})).exit_code == 0
    with pytest.raises(BudgetError, match="'residual' is no certified output"):
        checked(solver, max_error=ErrorLimits({"residual": 1.0}))


def test_a_model_term_nobody_checked_is_not_a_pass(tmp_path: Path) -> None:
    bundle = mlp_bundle(tmp_path / "b", amounts={"model": None})
    report = checked(bundle)
    assert (status(report, "error u"), report.exit_code) == (NOT_VERIFIED, 4)
    assert status(checked(bundle, max_error=ErrorLimits({"u": 1.0})), "error u") == NOT_VERIFIED
    assert checked(bundle, max_error=ErrorLimits({"u": 1e-7})).exit_code == 1


@pytest.mark.parametrize(("minimum", "code"), [("measured", 0), ("statistical", 4), ("sound", 4)])
def test_a_class_below_the_one_asked_for_is_not_verified(mlp: Path, minimum: str, code: int) -> None:
    assert checked(mlp, min_class=minimum).exit_code == code


def test_failing_beats_not_verified(mlp: Path) -> None:
    assert checked(mlp, min_class="sound", max_error=ErrorLimits({"u": 1e-9})).exit_code == 1


def test_a_backend_the_certificate_does_not_cover(tmp_path: Path) -> None:
    report = checked(mlp_bundle(tmp_path / "b", backends=("c99",)))
    assert (status(report, "error u"), report.exit_code) == (NOT_VERIFIED, 4)


def test_golden_data_off_by_more_than_the_terms_fail(tmp_path: Path) -> None:
    assert checked(mlp_bundle(tmp_path / "near", golden_error=3e-6)).exit_code == 0
    report = checked(mlp_bundle(tmp_path / "far", golden_error=1e-5))
    assert (status(report, "golden u on reference"), report.exit_code) == (FAIL, 1)


def test_golden_data_without_a_tolerance_are_not_verified(tmp_path: Path) -> None:
    report = checked(mlp_bundle(tmp_path / "b", amounts={"rounding": None}))
    assert status(report, "golden u on reference") == NOT_VERIFIED


@pytest.mark.parametrize("row", [0, 2])
def test_convergence_must_be_that_of_the_reference(solver: Path, row: int) -> None:
    def change(_: bytes) -> bytes:
        arrays = dict(np.load(solver / "golden.npz"))
        arrays["output/residual"][row] = np.inf
        return npz_bytes(arrays)

    edit(solver, "golden.npz", change)
    report = checked(solver)
    assert status(report, "golden residual on reference") == FAIL
    assert status(report, "golden u on reference") == FAIL
    assert f"row {row} converged" in report.table()


def test_rows_that_fail_alike_agree(tmp_path: Path) -> None:
    bundle = residual_bundle(tmp_path / "b", fails_above=0.3)

    def change(_: bytes) -> bytes:
        arrays = dict(np.load(bundle / "golden.npz"))
        arrays["output/residual"][2] = np.inf
        return npz_bytes(arrays)

    assert checked(bundle).exit_code == 1
    edit(bundle, "golden.npz", change)
    assert checked(bundle).exit_code == 0


def test_golden_data_that_do_not_fit_are_a_failed_check(mlp: Path) -> None:
    edit(mlp, "golden.npz", lambda _: npz_bytes({"input/x": np.ones((1, 2), np.float32)}))
    report = checked(mlp)
    assert (report.exit_code, report.checks[0].name) == (1, "integrity")
    assert "golden.npz" in report.checks[0].detail


BROKEN: dict[str, Callable[[Path], object]] = {
    "missing": lambda b: (b / "card.md").unlink(),
    "unlisted": lambda b: (b / "more").write_text(""),
    "altered": lambda b: (b / "model.onnx").write_bytes(b"x" * (b / "model.onnx").stat().st_size),
    "truncated": lambda b: (b / "model.onnx").write_bytes(b"x"),
    "newer": lambda b: edit_json(b, "manifest.json", lambda m: m.update(format_version=2)),
    "garbage model": lambda b: edit(b, "model.onnx", lambda _: b"garbage"),
    "no index": lambda b: (b / "manifest.json").unlink(),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_bundle_is_a_failed_check(mlp: Path, case: str) -> None:
    BROKEN[case](mlp)
    report = checked(mlp)
    assert report.exit_code == 1
    assert [check.name for check in report.checks] == ["integrity"]
    json.dumps(report.as_dict(), allow_nan=False)


@pytest.mark.parametrize("limit", ["p50_us", "p99_us"])
def test_latency_above_the_limit_fails(mlp: Path, limit: str) -> None:
    report = verify(mlp, VerifyOptions(Limits(**{limit: 1e-3}), "reference", seconds=0.2))
    assert (status(report, f"latency {limit[:3]}"), report.exit_code) == (FAIL, 1)


def test_a_tail_from_few_samples_is_not_verified(mlp: Path) -> None:
    report = verify(mlp, VerifyOptions(Limits(p99_us=1e6), "reference", seconds=1e-6))
    assert status(report, "latency p99") == NOT_VERIFIED


def test_limits_of_a_board_are_not_decided_elsewhere(mlp: Path) -> None:
    report = checked(mlp, p50_us=1e6, board="stm32h7")
    assert (status(report, "latency p50"), report.exit_code) == (NOT_VERIFIED, 4)
    report = checked(mlp, board="stm32h7")
    assert (status(report, "board"), report.exit_code) == (NOT_VERIFIED, 4)


@pytest.mark.parametrize(("asked", "name"), [({"max_ram_kb": 1e6}, "RAM"), ({"max_flash_kb": 1e6}, "flash")])
def test_memory_without_c_sources_is_not_verified(mlp: Path, asked: dict[str, float], name: str) -> None:
    report = checked(mlp, **asked)
    assert (status(report, name), report.exit_code) == (NOT_VERIFIED, 4)


def test_an_attack_without_a_reference_is_not_verified(mlp: Path) -> None:
    report = verify(mlp, VerifyOptions(backend="reference", seconds=0.02, attack=1.0))
    assert (status(report, "attack"), report.exit_code) == (NOT_VERIFIED, 4)


def test_an_unknown_backend_is_usage(mlp: Path) -> None:
    with pytest.raises(BackendError, match="unknown"):
        verify(mlp, VerifyOptions(backend="tpu"))


def test_the_batch_is_stated_and_used(solver: Path) -> None:
    assert "B = 1, M = 7" in checked(solver, batch=7).table()


statuses = st.lists(st.sampled_from([PASS, FAIL, NOT_VERIFIED, MEASURED]))


@given(statuses)
def test_only_passes_make_a_pass(found: list[str]) -> None:
    code = exit_code([Check("c", s) for s in found])
    assert code == (1 if FAIL in found else 0 if PASS in found and NOT_VERIFIED not in found else 4)


def report_of(*found: str) -> VerifyReport:
    """A report with checks of these statuses."""
    return VerifyReport(Path("b<&>"), "b", "id", "ort", tuple(Check(f"c{i}", s) for i, s in enumerate(found)))


def test_junit_counts_nothing_open_as_passed() -> None:
    suite = ElementTree.fromstring(exchange.junit(report_of(PASS, FAIL, NOT_VERIFIED, MEASURED)))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "1")
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["error"], []]


def test_sarif_lists_what_did_not_pass() -> None:
    document = json.loads(exchange.sarif(report_of(PASS, FAIL, NOT_VERIFIED)))
    assert document["version"] == "2.1.0"
    assert [(r["ruleId"], r["level"]) for r in document["runs"][0]["results"]] == [("c1", "error"), ("c2", "warning")]


def test_the_json_document_has_every_check(mlp: Path) -> None:
    report = checked(mlp, max_error=ErrorLimits({"u": 1e-9}))
    document = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert document["schema_version"] == 1
    assert document["verdict"] == "FAIL"
    assert [c["name"] for c in document["checks"]] == [c.name for c in report.checks]
    assert document["latency"]["empty call"]["p50"] < document["latency"]["reference"]["p50"]


def test_the_table_names_the_verdict_in_words() -> None:
    table = report_of(PASS, FAIL, NOT_VERIFIED).table()
    assert "✓ pass" in table
    assert "? not verified" in table
    assert table.endswith("verdict: ✗ FAIL (1 FAIL, 1 not verified)")


def change_golden(bundle: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Rewrites golden.npz with changed arrays."""
    arrays = dict(np.load(bundle / "golden.npz"))
    change(arrays)
    edit(bundle, "golden.npz", lambda _: npz_bytes(arrays))


def found(report: VerifyReport, name: str) -> Check:
    """One check."""
    return next(check for check in report.checks if check.name == name)


def test_a_device_value_that_is_not_finite_fails(tmp_path: Path, backend: str) -> None:
    good = (c99.ratio_bundle if backend == "c99" else ratio_bundle)(tmp_path / "good")
    assert verify(good, VerifyOptions(backend=backend, seconds=0.02)).exit_code == 0
    change_golden(good, lambda a: a["input/x"].__setitem__((0, 0), 0.0))
    report = verify(good, VerifyOptions(backend=backend, seconds=0.02))
    assert status(report, f"golden u on {backend}") == FAIL
    assert "1 values are NaN on one side only" in report.table()


def test_a_replay_that_compares_nothing_is_not_verified(tmp_path: Path) -> None:
    bundle = residual_bundle(tmp_path / "b", fails_above=0.001)
    change_golden(bundle, lambda a: a["output/residual"].fill(np.inf))
    report = checked(bundle)
    assert report.exit_code == 4
    for name in ("golden u on reference", "golden residual on reference"):
        assert (found(report, name).status, found(report, name).value) == (NOT_VERIFIED, None)
        assert "no value to compare" in found(report, name).detail


def test_the_values_compared_are_counted(tmp_path: Path) -> None:
    bundle = residual_bundle(tmp_path / "b", fails_above=0.3)
    change_golden(bundle, lambda a: a["output/residual"].__setitem__(2, np.inf))
    report = checked(bundle)
    assert report.exit_code == 0
    assert found(report, "golden u on reference").detail == "largest of 14 differences"
    assert "largest of 2 differences" in found(report, "golden residual on reference").detail


@pytest.mark.parametrize(("change", "expected"), [(5.9e-5, PASS), (6.1e-5, FAIL), (-5.9e-5, PASS), (-6.1e-5, FAIL)])
def test_residuals_differ_by_a_hundredth_of_the_threshold_at_most(solver: Path, change: float, expected: str) -> None:
    change_golden(solver, lambda a: a["output/residual"].__setitem__(1, a["output/residual"][1] + change))
    assert status(checked(solver), "golden residual on reference") == expected


def test_golden_rows_above_the_threshold_fail(tmp_path: Path) -> None:
    report = checked(residual_bundle(tmp_path / "b", threshold=0.00499))
    check = found(report, "golden residual on reference")
    assert (check.status, check.value, check.limit) == (FAIL, 0.005, 0.00499)
    assert check.detail == "1 rows of the reference above the threshold"
    bundle = residual_bundle(tmp_path / "c", threshold=0.00499)
    change_golden(bundle, lambda a: a["output/residual"].__setitem__(2, 0.00498))
    assert found(checked(bundle), "golden residual on reference").detail == "1 rows of the device above the threshold"


def test_few_rows_are_those_that_converged_first(tmp_path: Path) -> None:
    from edgepde_runtime import bundle as bundles
    from edgepde_runtime.verbs.replay import few

    bundle = residual_bundle(tmp_path / "b")
    change_golden(bundle, lambda a: a["output/residual"].__setitem__(0, np.inf))
    opened = bundles.read(bundle)
    whole = opened.golden
    part = few(whole, opened.manifest, 2)
    np.testing.assert_array_equal(part.inputs["parameters"], whole.inputs["parameters"][[1, 2]])
    np.testing.assert_array_equal(part.inputs["points"], whole.inputs["points"][:2])
    np.testing.assert_array_equal(part.outputs["u"], whole.outputs["u"][1:, :2])
    np.testing.assert_array_equal(part.outputs["residual"], whole.outputs["residual"][1:])
    assert part.sizes == {"B": 2, "M": 2}


@pytest.mark.parametrize(("factor", "expected"), [(1.0, PASS), (1 + 1e-6, FAIL), (1.001, FAIL), (500, FAIL)])
def test_a_search_above_the_bound_contradicts_it(mlp: Path, factor: float, expected: str) -> None:
    def change(document: Any) -> None:
        entry = document["outputs"][0]
        worst = entry["total"]["value"] * factor
        entry["found"]["value"], entry["tightness"]["total"] = worst, entry["total"]["value"] / worst

    edit_json(mlp, "certificate.json", change)
    assert status(checked(mlp), "error u") == expected
