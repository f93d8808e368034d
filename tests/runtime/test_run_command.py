"""run: arrays of a file in, arrays and flags of each row out, and the old file kept where that fails."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime.__main__ import main


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Inputs of the solver bundle: one row converges."""
    np.savez(tmp_path / "in.npz", parameters=np.array([[0.5]]), points=np.array([[0.5, 0.25], [-1, 1]]))
    return tmp_path / "in.npz"


def run_args(bundle: Path, source: Path, target: Path | str) -> list[str]:
    """The run command."""
    return ["run", str(bundle), "--input", str(source), "--output", str(target), "--backend", "reference"]


def test_run_writes_outputs_and_prints_flags(
    solver: Path, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run_args(solver, inputs, tmp_path / "out.npz")) == 0
    out = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(out["u"], [[0.375, 0.0]])
    text = capsys.readouterr().out
    assert "flags: 0 (none)" in text
    assert "residual: float64 [1], from 0.005" in text


def test_run_says_what_did_not_converge(solver: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", parameters=np.array([[0.95], [0.5]]), points=np.array([[0.5, 0.25]]))
    assert main(run_args(solver, tmp_path / "in.npz", tmp_path / "out.npz")) == 1
    assert "flags: 2 (not converged)" in capsys.readouterr().out
    assert np.isnan(np.load(tmp_path / "out.npz")["u"][0]).all()


@pytest.mark.parametrize(
    ("arrays", "code", "message"),
    [
        ({"parameters": np.array([[2.0]])}, 1, "outside"),
        ({"parameters": np.array([[np.nan]])}, 2, "finite"),
        ({"parameters": np.array([[1]])}, 2, "got int64; .astype(np.float64)"),
        ({"parameters": np.array([0.5])}, 2, r"got shape [1]"),
        ({"nu": np.array([[0.5]])}, 2, "in.npz: expected an npz file with members parameters, points, got nu"),
        ({"parameters": np.array([[0.5]]), "z": np.ones(1)}, 2, "'z' is unknown"),
    ],
)
def test_run_refuses_wrong_inputs(
    *,
    solver: Path,
    tmp_path: Path,
    arrays: dict[str, np.ndarray],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.savez(tmp_path / "in.npz", points=np.array([[0.5, 0.25]]), **arrays)  # type: ignore[arg-type]
    assert main(run_args(solver, tmp_path / "in.npz", tmp_path / "out.npz")) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_run_flags_on_request(solver: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", parameters=np.array([[0.5]]), points=np.array([[0.5, 7.0]]))
    argv = run_args(solver, tmp_path / "in.npz", tmp_path / "out.npz")
    assert main([*argv, "--out-of-box", "flag"]) == 0
    assert "flags: 1 (out of box)" in capsys.readouterr().out


def test_run_writes_the_flags_of_each_row(solver: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = np.array([[0.5, 0.25], [0.1, 0.25], [0.5, 7.0], [0.1, 7.0]])
    np.savez(tmp_path / "in.npz", parameters=np.array([[0.5], [0.95], [0.7]]), points=points)
    argv = [*run_args(solver, tmp_path / "in.npz", tmp_path / "out.npz"), "--out-of-box", "flag"]
    assert main(argv) == 1
    out = np.load(tmp_path / "out.npz")
    assert out["flags/points"].dtype == out["flags/parameters"].dtype == np.int32
    assert out["flags/points"].tolist() == [0, 8, 1, 9]
    assert out["flags/parameters"].tolist() == [0, 2, 4]
    text = capsys.readouterr().out
    assert "flags: 15" in text
    assert "members flags/<input>" in text
    assert "save points as float32, or use strict=True (--strict) to refuse" in text


def test_run_without_flags_writes_outputs_alone(
    solver: Path, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run_args(solver, inputs, tmp_path / "out.npz")) == 0
    assert sorted(np.load(tmp_path / "out.npz").files) == ["residual", "u"]
    assert "save" not in capsys.readouterr().out


def test_run_says_what_a_single_array_lacks(solver: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "in.npy", np.array([[0.5]]))
    assert main(run_args(solver, tmp_path / "in.npy", tmp_path / "out.npz")) == 2
    err = capsys.readouterr().err
    assert f"{tmp_path / 'in.npy'}: expected an npz file with members parameters, points, got a single array" in err


@pytest.mark.parametrize("source", ["nowhere.npz", "text.npz", "folder"])
def test_run_refuses_what_is_no_npz(solver: Path, tmp_path: Path, source: str) -> None:
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "folder").mkdir()
    assert main(run_args(solver, tmp_path / source, tmp_path / "out.npz")) == 2


def failing(code: int) -> object:
    """A function that raises OSError with this code."""

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("function", "code", "reason"),
    [
        ("os.fsync", errno.ENOSPC, "no space left"),
        ("os.replace", errno.EROFS, "read-only"),
        ("os.chmod", errno.EIO, ""),
    ],
)
def test_a_full_or_read_only_target_leaves_the_old_file(
    *,
    solver: Path,
    inputs: Path,
    tmp_path: Path,
    function: str,
    code: int,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "target" / "out.npz"
    target.parent.mkdir()
    target.write_text("old")
    monkeypatch.setattr(function, failing(code))
    assert main(run_args(solver, inputs, target)) == 2
    err = capsys.readouterr().err
    assert err.endswith(f"cannot write {target}: {reason or os.strerror(code)}\n")
    assert target.read_text() == "old"
    assert os.listdir(target.parent) == ["out.npz"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("pipe", "expected a regular file or nothing there"),
        ("nowhere/out.npz", "no such folder"),
        ("in.npz/out.npz", "no such folder"),
        ("folder", "a folder is there"),
        ("x" * 300, "the name is too long"),
    ],
)
def test_a_target_that_is_no_file(
    *, solver: Path, inputs: Path, tmp_path: Path, target: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert main(run_args(solver, inputs, tmp_path / target)) == 2
    assert capsys.readouterr().err.endswith(f"run: cannot write {tmp_path / target}: {reason}\n")
    assert main(["inspect", str(solver), "--json", str(tmp_path / target)]) == 2
    assert capsys.readouterr().err.endswith(f"inspect: cannot write {tmp_path / target}: {reason}\n")
    assert not list((tmp_path / "folder").iterdir())
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
