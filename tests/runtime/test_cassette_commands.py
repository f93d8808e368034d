"""run, verify, bench and inspect with --cassette."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import bundle as bundles
from edgepde_runtime.__main__ import main
from edgepde_runtime.cassettes import file_of
from edgepde_runtime.verbs.verify import VerifyOptions, verify
from edgepde_runtime.verdict import FAIL
from support import cassette_bundles as made

X = np.array([[0.5, -1.0, 0.25]], np.float32)
OPTIONS = VerifyOptions(backend="reference", seconds=0.01)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return made.shared_bundle(tmp_path / "shared", [made.cassette("wave", 1), made.cassette("kdv", 2, high=1.0)])


@pytest.fixture
def given(tmp_path: Path) -> str:
    np.savez(tmp_path / "in.npz", sensors=X)
    return str(tmp_path / "in.npz")


def test_run_takes_the_one_that_is_named(shared: Path, given: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out.npz")
    words = ["run", str(shared), "--input", given, "--output", out, "--backend", "reference"]
    assert main([*words, "--cassette", "kdv"]) == 0
    np.testing.assert_allclose(np.load(out)["u"], made.exact(X, made.arrays(2)), atol=1e-5)


def test_run_without_a_name_takes_the_only_one(tmp_path: Path, given: str) -> None:
    only = made.shared_bundle(tmp_path / "only", [made.cassette("kdv", 2)])
    out = str(tmp_path / "out.npz")
    assert main(["run", str(only), "--input", given, "--output", out, "--backend", "reference"]) == 0
    np.testing.assert_allclose(np.load(out)["u"], made.exact(X, made.arrays(2)), atol=1e-5)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "expected --cassette NAME for the model's slots; there are kdv, wave"),
        (["--cassette", "heat"], "cassette 'heat' is not in"),
        (["--cassette", "../model"], "cassette '../model' is not in"),
    ],
)
def test_run_says_which_there_are(
    more: list[str], said: str, shared: Path, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(shared), "--input", given, "--output", str(tmp_path / "out.npz"), *more]) == 2
    assert said in capsys.readouterr().err


def test_a_model_without_slots_has_none(mlp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["verify"], ["inspect"]):
        assert main([*verb, str(mlp), "--cassette", "wave"]) == 2
        assert "has no slots" in capsys.readouterr().err


def test_verify_judges_every_cassette_or_the_one_named(shared: Path) -> None:
    report = verify(shared, OPTIONS)
    names = [check.name for check in report.checks]
    assert {"kdv: golden u on reference", "wave: golden u on reference", "kdv: error u", "wave: error u"} <= set(names)
    assert report.exit_code == 0
    one = verify(shared, VerifyOptions(backend="reference", seconds=0.01, cassette="wave"))
    assert {name.split(":")[0] for name in (c.name for c in one.checks) if ":" in name} == {"wave"}


def test_verify_fails_for_the_cassette_whose_golden_data_are_missed(tmp_path: Path) -> None:
    bad = made.cassette("kdv", 2, golden_error=0.1)
    report = verify(made.shared_bundle(tmp_path / "bad", [made.cassette("wave", 1), bad]), OPTIONS)
    failed = [check.name for check in report.checks if check.status == FAIL]
    assert failed == ["kdv: golden u on reference"]
    assert report.exit_code == 1


def test_verify_fails_where_a_cassette_is_damaged(shared: Path, tmp_path: Path) -> None:
    wave = shared / file_of("wave")
    wave.write_bytes(wave.read_bytes()[:-1] + b"x")
    report = verify(shared, OPTIONS)
    assert [(c.name, c.status) for c in report.checks] == [("integrity", FAIL)]
    assert "wave.npz: altered" in report.checks[0].detail
    assert main(["verify", str(made.shared_bundle(tmp_path / "bare"))]) == 2


def test_inspect_shows_slots_cassettes_and_what_one_states(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(shared), "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [slot["slot"] for slot in document["slots"]] == ["basis", "scale"]
    assert [row["cassette"] for row in document["cassettes"]] == ["kdv", "wave"]
    assert document["errors"][0]["class"] == "not verified"
    assert main(["inspect", str(shared), "--cassette", "kdv", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["errors"][0]["class"] == "measured"
    assert document["inputs"][0]["high"] == "1.0"


LEDGER = {
    "grid": {"t": [0.5, 1.0], "x": [0.0, 0.25, 0.75], "y": ["a"], "z": [10**400, 1]},
    "operators": {"wave": {"horizon": 2.0, "statement": "u_tt = u_xx"}, "kdv": {"horizon": 0.5}, "odd": 3},
}


def test_inspect_shows_where_and_when_the_output_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = made.shared_bundle(tmp_path / "shared", extra={"ledger.json": json.dumps(LEDGER).encode()})
    assert main(["inspect", str(root), "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [list(row.values()) for row in document["grid"]] == [
        ["t / horizon", "2", "0.5", "1", "0.5"],
        ["x", "3", "0", "0.75", "uneven"],
    ]
    assert [list(row.values()) for row in document["operators"]] == [
        ["kdv", "0.5", ""],
        ["odd", "", ""],
        ["wave", "2.0", "u_tt = u_xx"],
    ]


def test_inspect_refuses_a_ledger_that_is_no_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = made.shared_bundle(tmp_path / "shared", extra={"ledger.json": b"{grid"})
    assert main(["inspect", str(root)]) != 0
    assert "ledger.json: expected JSON" in capsys.readouterr().err


def test_bench_takes_the_first_or_the_one_named(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(shared), "--seconds", "0.02"]) == 0
    said = capsys.readouterr().out
    assert "cassette kdv" in said
    assert "ours shared (kdv) on reference" in said
    assert main(["bench", str(shared), "--seconds", "0.02", "--cassette", "wave"]) == 0
    assert "cassette wave" in capsys.readouterr().out


def test_calls_are_counted_per_operator(
    shared: Path, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "wave.json")
    words = ["drift", str(shared), "--input", given, "--state", state, "--backend", "reference"]
    assert main(words) == 2
    assert "expected --cassette NAME" in capsys.readouterr().err
    assert main([*words, "--cassette", "wave"]) == 0
    assert main([*words, "--cassette", "kdv"]) == 2
    assert "bundle expected" in capsys.readouterr().err
    bundle = bundles.read(shared)
    assert len({bundle.in_use, bundle.holding("wave").in_use, bundle.holding("kdv").in_use}) == 3
    assert bundle.in_use == bundle.id
