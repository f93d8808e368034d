"""verify --attack: a bound that holds passes, one that does not exits 1 with the input saved."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime import bundle as bundles
from edgepde_runtime.__main__ import EXIT_INTERRUPTED, main
from edgepde_runtime.certificate import Region
from edgepde_runtime.difference import Difference
from edgepde_runtime.family import Family
from edgepde_runtime.term import Term
from edgepde_runtime.verbs.attackcheck import AttackOptions, check_attack
from edgepde_runtime.verdict import FAIL, NOT_VERIFIED, PASS, Check
from support import c99
from support import onnx_writer as w
from support.attacked import SHIFT, attacked_bundle, reference_file, reference_model
from support.bundles import edit, mlp_bundle, mlp_reference, residual_bundle, terms, write

SHORT = AttackOptions(0.3)
QUICK = ["--backend", "reference", "--seconds", "0.02", "--attack", "0.3"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def attacked(path: Path, backend: str = "reference", options: AttackOptions = SHORT) -> list[Check]:
    """The checks of an attack."""
    return check_attack(bundles.read(path), backend, options, trust=True)


def test_a_bound_that_holds_passes_and_says_how_tight_it_is(tmp_path: Path, backend: str, here: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b", shift=SHIFT, compression=2 * SHIFT)
    if backend == "c99":
        c99.add(bundle, c99.mlp_body(0))
    (check,) = attacked(bundle, backend)
    assert (check.name, check.status) == ("attack u", PASS)
    assert check.value == pytest.approx(SHIFT, rel=1e-2)
    assert check.limit == pytest.approx(2 * SHIFT + 3e-6)
    assert "bound / found 2" in check.detail
    assert f"on {backend}" in check.detail
    assert list(here.iterdir()) == []


def test_a_bound_that_is_too_small_exits_1_and_saves_the_input(
    tmp_path: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = attacked_bundle(tmp_path / "b", shift=SHIFT)
    assert main(["verify", str(bundle), *QUICK]) == 1
    assert "the input of attack u is in b-violation.npz" in capsys.readouterr().out
    assert main(["run", str(bundle), "--input", "b-violation.npz", "--output", "out.npz", *QUICK[:2]]) == 0
    with np.load(here / "b-violation.npz", allow_pickle=False) as saved, np.load(here / "out.npz") as out:
        assert saved["x"].dtype == np.float32
        assert saved["x"].shape == (1, 2)
        assert np.abs(out["u"] - (mlp_reference(saved["x"]) + SHIFT)).max() > 4e-6
    assert sorted(p.name for p in here.iterdir()) == ["b-violation.npz", "out.npz"]
    bundles.read(bundle)


def test_the_json_document_has_the_attack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = attacked_bundle(tmp_path / "b", shift=SHIFT)
    assert main(["verify", str(bundle), *QUICK, "--json", "-"]) == 1
    (row,) = [c for c in json.loads(capsys.readouterr().out)["checks"] if c["name"].startswith("attack")]
    assert (row["status"], row["limit"]) == (FAIL, pytest.approx(4e-6))


@pytest.mark.parametrize("where", [".", "c99"])
def test_nothing_is_written_into_the_bundle(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = attacked_bundle(tmp_path / "b", shift=SHIFT)
    opened = bundles.read(bundle)
    (bundle / where).mkdir(exist_ok=True)
    monkeypatch.chdir(bundle / where)
    (check,) = check_attack(opened, "reference", SHORT)
    assert check.status == FAIL
    assert "not saved: the current folder lies in the bundle" in check.detail
    assert not list(bundle.rglob("*violation*"))


def test_a_folder_that_cannot_be_written_is_told_and_still_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "no permission", "b-violation.npz")

    monkeypatch.setattr("edgepde_runtime.verbs.attackcheck.write_bytes", refuse)
    (check,) = attacked(attacked_bundle(tmp_path / "b", shift=SHIFT))
    assert check.status == FAIL
    assert "could not be saved: b-violation.npz: no permission" in check.detail
    assert "at x = (" in check.detail


def test_a_folder_that_is_gone_is_told(tmp_path: Path, here: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b", shift=SHIFT)
    here.rmdir()
    (check,) = attacked(bundle)
    assert (check.status, "could not be saved" in check.detail) == (FAIL, True)


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path, here: Path) -> None:
    (here / "b-violation.npz").mkdir()
    (check,) = attacked(attacked_bundle(tmp_path / "b", shift=SHIFT))
    assert (check.status, "a folder is there" in check.detail) == (FAIL, True)


def interrupted_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a search."""
    original, seen = Difference.__call__, [0]

    def call(self: Difference, places: Any) -> Any:
        seen[0] += 1
        if seen[0] > calls:
            raise KeyboardInterrupt
        return original(self, places)

    monkeypatch.setattr(Difference, "__call__", call)


@pytest.mark.parametrize(("shift", "saved"), [(SHIFT, ["b-violation.npz"]), (0.0, [])])
def test_ctrl_c_leaves_what_was_found_and_nothing_else(
    tmp_path: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shift: float,
    saved: list[str],
) -> None:
    interrupted_after(3, monkeypatch)
    assert main(["verify", str(attacked_bundle(tmp_path / "b", shift=shift)), *QUICK[:-1], "60"]) == EXIT_INTERRUPTED
    told = capsys.readouterr().err
    assert "interrupted" in told
    assert ("b-violation.npz" in told) == bool(saved)
    assert [p.name for p in here.iterdir()] == saved


def test_without_a_reference_it_says_what_to_do(tmp_path: Path) -> None:
    (check,) = attacked(mlp_bundle(tmp_path / "b"))
    assert (check.name, check.status) == ("attack", NOT_VERIFIED)
    assert "export with --with-reference" in check.detail


def test_terms_that_are_not_verified_give_no_verdict_but_the_worst(tmp_path: Path) -> None:
    bundle = mlp_bundle(
        tmp_path / "b", amounts={"rounding": None}, extra={"reference.npz": reference_file(reference_model(SHIFT))}
    )
    (check,) = attacked(bundle)
    assert (check.status, check.limit) == (NOT_VERIFIED, None)
    assert check.value == pytest.approx(SHIFT, rel=1e-2)


def test_a_backend_the_certificate_does_not_cover_is_not_verified_but_can_fail(tmp_path: Path) -> None:
    (check,) = attacked(attacked_bundle(tmp_path / "a", backends=("c99",)))
    assert (check.status, "covers c99, not reference" in check.detail) == (NOT_VERIFIED, True)
    (check,) = attacked(attacked_bundle(tmp_path / "b", shift=SHIFT, backends=("c99",)))
    assert check.status == FAIL


def test_the_bound_is_that_of_the_backend_in_use(tmp_path: Path) -> None:
    wide = {"reference": {"rounding": Term(2 * SHIFT, "sound", "any order")}}
    (check,) = attacked(attacked_bundle(tmp_path / "b", shift=SHIFT, elsewhere=wide))
    assert (check.status, check.limit) == (PASS, pytest.approx(2 * SHIFT + 3e-6))


def test_a_region_is_searched_for_itself(tmp_path: Path, here: Path) -> None:
    narrow = Region({"x": (0.4, 0.6)}, terms({"compression": SHIFT / 2}, "sound"))
    bundle = attacked_bundle(tmp_path / "b", shift=SHIFT, compression=2 * SHIFT, regions=(narrow,))
    whole, part = attacked(bundle)
    assert (whole.name, whole.status) == ("attack u", PASS)
    assert (part.name, part.status) == ("attack u[x=0.4:0.6]", FAIL)
    with np.load(here / "b-violation.npz") as saved:
        assert ((saved["x"][:, 0] >= 0.4) & (saved["x"][:, 0] <= 0.6)).all()


def test_a_reference_that_is_not_finite_fails(tmp_path: Path) -> None:
    data = reference_file(reference_model(scale=1e308))
    (check,) = attacked(attacked_bundle(tmp_path / "b", reference=data))
    assert check.status == FAIL
    assert "expected finite values in the box, got NaN or infinity" in check.detail


def test_the_same_seed_finds_the_same(tmp_path: Path) -> None:
    opened = bundles.read(attacked_bundle(tmp_path / "b", shift=SHIFT))
    found = []
    for seed in (1, 1, 2):
        (check,) = check_attack(opened, "reference", AttackOptions(1e-9, seed))
        found.append(check.detail.partition(" at x = ")[2])
    assert found[0] == found[1] != found[2]


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("edgepde_runtime.verbs.attackcheck.TOLD_SECONDS", 0.05)
    with caplog.at_level("INFO", logger="edgepde_runtime"):
        attacked(attacked_bundle(tmp_path / "b"))
    assert any("attack u" in r.getMessage() and "inputs" in r.getMessage() for r in caplog.records)


@pytest.mark.parametrize("flag", [["--attack", "0"], ["--attack", "x"], ["--attack", "1", "--seed", "-1"]])
def test_wrong_flags_exit_2(tmp_path: Path, flag: list[str]) -> None:
    assert main(["verify", str(attacked_bundle(tmp_path / "b")), *QUICK[:4], *flag]) == 2


def test_a_value_that_is_not_finite_on_the_device_is_a_violation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = attacked_bundle(tmp_path / "b")
    monkeypatch.setattr(
        Difference, "at", lambda self, arrays: np.where(arrays["x"][:, :1] > 0.9, np.inf, 0.0), raising=True
    )
    (check,) = attacked(bundle)
    assert (check.status, check.value) == (FAIL, None)
    assert "no finite value" in check.detail


def grid_reference(shift: float) -> bytes:
    """The reference of `bundles.residual_bundle` in float64, moved by `shift`; without the residual."""
    nodes = [
        w.node("MatMul", ["points", "ones"], ["sums"]),
        w.node("Transpose", ["sums"], ["row"], {"perm": [1, 0]}),
        w.node("MatMul", ["parameters", "row"], ["v"]),
        w.node("Add", ["v", "shift"], ["u"]),
    ]
    ends = [w.value_info("parameters", "float64", ["B", 1]), w.value_info("points", "float64", ["M", 2])]
    constants = {"ones": np.ones((2, 1)), "shift": np.array(shift)}
    return w.model(w.graph(nodes, ends, [w.value_info("u", "float64", ["B", "M"])], constants))


@pytest.mark.parametrize(("shift", "status"), [(0.0, PASS), (1e-5, FAIL)])
def test_a_grid_of_two_inputs_is_searched_where_it_converges(
    tmp_path: Path, here: Path, shift: float, status: str
) -> None:
    data = reference_file(grid_reference(shift))
    bundle = residual_bundle(tmp_path / "b", fails_above=0.5, extra={"reference.npz": data})
    (check,) = attacked(bundle)
    assert check.status == status
    if status == FAIL:
        with np.load(here / "b-violation.npz") as saved:
            assert saved["parameters"].dtype == np.float64
            assert saved["parameters"].shape == (1, 1)
            assert saved["points"].shape == (1, 2)
            assert saved["parameters"][0, 0] <= 0.5


def test_nothing_to_search_is_not_verified(tmp_path: Path) -> None:
    data = reference_file(grid_reference(0.0))
    (check,) = attacked(residual_bundle(tmp_path / "b", fails_above=1e-9, extra={"reference.npz": data}))
    assert (check.status, check.value) == (NOT_VERIFIED, None)
    assert "no input could be searched" in check.detail


def test_a_family_is_searched_alone(tmp_path: Path) -> None:
    family = Family((0.0, 0.5), ((0.5, 0.25),), (-1.0,), (1.0,), (1e-3, 1e-3))
    bundle = attacked_bundle(tmp_path / "b", shift=SHIFT, compression=2 * SHIFT)
    stated = replace(bundles.read(bundle).certificate, family=family)
    edit(bundle, "certificate.json", lambda _: stated.to_json().encode())
    (check,) = attacked(bundle)
    assert check.status == PASS
    place = [float(v) for v in check.detail.partition("at x = (")[2].rstrip(")").split(", ")]
    assert family.contains(np.array([place])).all()


@pytest.mark.parametrize(("shift", "status"), [(0.0, PASS), (1e-9, FAIL)])
def test_the_roundoff_of_the_reference_is_no_violation_in_float64(tmp_path: Path, shift: float, status: str) -> None:
    small = dict.fromkeys(("model", "compression", "quantisation", "activation"), 0.0)
    plain = bundles.read(mlp_bundle(tmp_path / "plain", amounts=small | {"rounding": 2e-16}))
    manifest, x = plain.manifest, plain.golden.inputs["x"].astype(np.float64)
    graph = reference_model()
    bundle = write(
        tmp_path / "b",
        graph,
        inputs=tuple(replace(spec, dtype="float64") for spec in manifest.inputs),
        outputs=tuple(replace(spec, dtype="float64") for spec in manifest.outputs),
        golden={"input/x": x, "output/u": mlp_reference(x)},
        entries=[replace(plain.certificate.outputs["u"], found=None, tightness_total=None)],
        extra={"reference.npz": reference_file(reference_model(shift, turned=True))},
    )
    (check,) = attacked(bundle)
    assert check.status == status
    assert check.value is not None
    assert check.value > 2e-16
