"""verify, run, bench and doctor where a bundle has C code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import compiler, trust
from edgepde_runtime.__main__ import main
from edgepde_runtime.bundle import read
from edgepde_runtime.choose import NOT_TRUSTED
from support import c99
from support.bundles import edit
from support.kernel_libraries import needs_cc

QUICK = ["--seconds", "0.02"]


@pytest.fixture
def no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a C compiler."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "has_zig", lambda: False)


def report(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, object]]:
    code = main([*argv, "--json", "-"])
    return code, json.loads(capsys.readouterr().out)


@needs_cc
def test_verify_replays_golden_data_on_c99(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.solver_bundle(tmp_path / "b")
    code, found = report(capsys, "verify", str(bundle), "--backend", "c99", "--trust", *QUICK)
    checks = {c["name"]: c["status"] for c in found["checks"]}  # type: ignore[attr-defined]
    assert code == 0
    assert (found["backend"], found["note"]) == ("c99", "")
    assert checks["golden u on c99"] == checks["golden residual on c99"] == checks["golden u on reference"] == "pass"
    assert checks["error u"] == "pass"


@needs_cc
def test_wrong_c_code_fails_the_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.solver_bundle(tmp_path / "b")
    edit(bundle, "c99/toy.c", lambda text: text.replace(b"points[2 * m + 1]", b"1.001f * points[2 * m + 1]"))
    code, found = report(capsys, "verify", str(bundle), "--trust", *QUICK)
    failed = [c["name"] for c in found["checks"] if c["status"] == "FAIL"]  # type: ignore[attr-defined]
    assert (code, found["backend"], failed) == (1, "c99", ["golden u on c99"])


@needs_cc
def test_a_certificate_that_does_not_list_c99_is_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = c99.mlp_bundle(tmp_path / "b", backends=("ort", "reference"))
    code, found = report(capsys, "verify", str(bundle), "--backend", "c99", "--trust", *QUICK)
    (check,) = [c for c in found["checks"] if c["name"] == "error u"]  # type: ignore[attr-defined]
    assert (code, check["status"]) == (4, "not verified")
    assert "not c99" in check["detail"]


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_auto_says_so_once_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.mlp_bundle(tmp_path / "b", seed=31)
    assert main(["verify", str(bundle), "--trust", *QUICK]) == 0
    said = capsys.readouterr().out
    assert said.count("no C compiler found; install gcc or clang, set CC, or take another --backend") == 1
    np.savez(tmp_path / "in.npz", x=np.zeros((1, 2), np.float32))
    files = ["--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]
    assert main(["run", str(bundle), *files, "--trust"]) == 0
    assert capsys.readouterr().out.count("no C compiler found") == 1
    assert main(["run", str(bundle), *files, "--backend", "c99", "--trust"]) == 2
    assert "no C compiler found" in capsys.readouterr().err
    assert main(["bench", str(bundle), "--trust", *QUICK]) == 0
    assert "on c99: no C compiler found" in capsys.readouterr().out
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "install gcc or clang" in said
    assert "--backend ort" not in said
    assert said.count("backend c99 needs one of cc, gcc, clang, ziglang") == 4


@needs_cc
def test_run_on_c99(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.solver_bundle(tmp_path / "b", fails_above=0.9375)
    np.savez(tmp_path / "in.npz", parameters=np.array([[0.5], [0.95]]), points=np.zeros((2, 2), np.float32))
    files = ["--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]
    for first in (True, False):
        assert main(["run", str(bundle), *files, "--trust"]) == 1
        said = capsys.readouterr()
        assert "(backend c99)" in said.out
        assert (said.err == "") != first
        assert not first or said.err.startswith("compiling c99/ of b with ")
    with np.load(tmp_path / "out.npz") as out:
        assert out["flags/parameters"].tolist() == [0, 2]
        assert np.isnan(out["u"]).all(axis=1).tolist() == [False, True]


def test_code_that_is_not_trusted_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.mlp_bundle(tmp_path / "b", seed=33)
    code, found = report(capsys, "verify", str(bundle), *QUICK)
    assert (code, found["backend"] != "c99", found["note"]) == (0, True, NOT_TRUSTED)
    assert main(["verify", str(bundle), *QUICK]) == 0
    assert capsys.readouterr().out.count(NOT_TRUSTED) == 1
    np.savez(tmp_path / "in.npz", x=np.zeros((1, 2), np.float32))
    files = ["--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]
    assert main(["run", str(bundle), *files]) == 0
    assert capsys.readouterr().out.count(NOT_TRUSTED) == 1
    assert main(["run", str(bundle), *files, "--backend", "reference"]) == 0
    assert NOT_TRUSTED not in capsys.readouterr().out


@needs_cc
def test_bench_times_c99_where_it_is_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.mlp_bundle(tmp_path / "b", seed=32)
    _, found = report(capsys, "bench", str(bundle), *QUICK)
    assert "--trust" in found["skipped"]["ours b on c99"]  # type: ignore[index]
    _, found = report(capsys, "bench", str(bundle), "--trust", *QUICK)
    assert found["rows"][0]["case"] == "ours b on c99"  # type: ignore[index]
    assert found["skipped"] == {}
    trust.remember(read(bundle).id)
    assert report(capsys, "bench", str(bundle), *QUICK)[1]["skipped"] == {}


@needs_cc
def test_doctor_tells_of_compilers_and_the_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows() -> dict[str, tuple[bool, str]]:
        _, found = report(capsys, "doctor")
        return {r["what"]: (r["found"], r["detail"]) for r in found["rows"]}  # type: ignore[attr-defined]

    assert rows()["backend c99"][0]
    assert compiler.required().words in rows()["backend c99"][1]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert rows()["cache"] == (False, f"{tmp_path / 'edgepde'}: made with the first bundle that is written here")
    trust.remember("0" * 64)
    assert rows()["cache"][1].endswith("1 bundles written here, 0 libraries compiled")
    (tmp_path / "edgepde").chmod(0o777)
    assert "is not believed: others may write there (mode 777)" in rows()["cache"][1]
    monkeypatch.setenv("CC", "no-such-cc")
    assert rows()["backend c99"] == (False, "CC='no-such-cc': there is no such compiler")
