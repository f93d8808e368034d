"""`edgepde train` from outside: what it writes, says and refuses, and what survives an interruption."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import Result

from edgepde.train import atomic
from edgepde.train.run_folder import Run, open_run

Invoke = Callable[..., Result]
MAIN = "from edgepde_export.cli.main import app; app()"


def test_it_trains_and_says_what_comes_next(invoke: Invoke, recipe_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "my run"
    result = invoke(recipe_file, "--out", out, "--set", "parts=2", "--set", "rate=1", "--seed", 7, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "fake of toy, 2 tensors, 0.0 KB" in result.stdout
    assert "next:" not in result.stdout
    made = open_run(out)
    assert made.spec["seed"] == 7
    assert made.spec["identity"]["config"] == {"parts": 2, "rate": 1.0}
    assert not (out / "checkpoint/lock").exists()


def test_quick_and_help(invoke: Invoke, recipe_file: Path, tmp_path: Path) -> None:
    assert invoke(recipe_file, "--out", tmp_path / "run", "--quick").exit_code == 0
    assert len(open_run(tmp_path / "run").weights) == 1
    told = invoke("--help").stdout
    for flag in ("--out", "--device", "--quick", "--seed", "--set", "--data", "RECIPE"):
        assert flag in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "prats=2"], "did you mean 'parts'"),
        (["--set", "parts=two"], "--set parts: expected int, got 'two'"),
        (["--set", "parts"], "expected key=value"),
        (["--data", "absent.npz"], "absent.npz: cannot be read"),
        (["--seed", "9223372036854775808"], "seed"),
        (["--seed", "-1"], "seed"),
        (["--device", "tpu"], "tpu"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_usage_errors_write_nothing(
    invoke: Invoke, recipe_file: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    result = invoke(recipe_file, "--out", tmp_path / "run", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "run/spec.json").exists()


def test_an_unknown_recipe_and_a_broken_file(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("no_such_recipe", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "edgepde train: recipe 'no_such_recipe': not found" in result.stderr
    (tmp_path / "bad.py").write_text("def f(:\n")
    result = invoke(tmp_path / "bad.py", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert f"{tmp_path / 'bad.py'}:1: SyntaxError" in result.stderr
    assert not (tmp_path / "run").exists()


def test_no_gpu(invoke: Invoke, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = invoke(recipe_file, "--out", tmp_path / "run", "--device", "cuda")
    assert result.exit_code == 2
    assert "sees no GPU" in result.stderr


def test_another_identity_and_a_finished_run(invoke: Invoke, recipe_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert invoke(recipe_file, "--out", out).exit_code == 0
    result = invoke(recipe_file, "--out", out)
    assert result.exit_code == 2
    assert "finished run" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    (out / "spec.json").unlink()
    for words, told in ((["--seed", 3], "seed: 0 there, 3 asked"), (["--set", "rate=2"], "config.rate: 0.5 there")):
        result = invoke(recipe_file, "--out", out, *words)
        assert result.exit_code == 2
        assert told in result.stderr
    recipe_file.write_text(recipe_file.read_text() + "\n# changed\n")
    assert "recipe_sha256" in invoke(recipe_file, "--out", out).stderr


def test_data_reaches_the_training_and_the_identity(invoke: Invoke, recipe_file: Path, tmp_path: Path) -> None:
    recipe_file.write_text(recipe_file.read_text() + "    print('rows', run.data.values.shape)\n")
    arrays = {"parameters": np.ones((2, 1)), "points": np.ones((3, 2)), "values": np.ones((2, 3))}
    np.savez(tmp_path / "held.npz", **arrays)
    result = invoke(recipe_file, "--out", tmp_path / "run", "--data", tmp_path / "held.npz")
    assert "rows (2, 3)" in result.stdout
    assert len(open_run(tmp_path / "run").spec["identity"]["data_sha256"]) == 64
    (tmp_path / "run/spec.json").unlink()
    assert "data_sha256" in invoke(recipe_file, "--out", tmp_path / "run").stderr


def test_data_outside_the_problems_box(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "decay.py").write_text(
        "from dataclasses import dataclass\nimport torch\n"
        "from edgepde.problems.problem import Problem, Term\nfrom edgepde_runtime.box import Box\n"
        "PROBLEM = Problem('decay', Box([0.0], [1.0], ['t']), Box([1.0], [2.0], ['k']),\n"
        "    (Term(lambda c, p: p['k'], ('u',)),), lambda c, p: c['t'], lambda c: c['t'])\n"
        "@dataclass(frozen=True)\nclass Config:\n    def quick(self): return self\n"
        "def train(config, run, device): raise AssertionError\n"
    )
    np.savez(tmp_path / "held.npz", parameters=[[3.0]], points=[[0.5]], values=[[1.0]])
    result = invoke(tmp_path / "decay.py", "--out", tmp_path / "run", "--data", tmp_path / "held.npz")
    assert result.exit_code == 2
    assert "held.npz: parameters: row 0: k expected in [1.0, 2.0], got 3.0" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_bug_in_the_users_train_is_told_with_its_line(invoke: Invoke, recipe_file: Path, tmp_path: Path) -> None:
    text = recipe_file.read_text().replace("    weights = {", "    config.parts.nonsense\n    weights = {")
    recipe_file.write_text(text)
    line = text.splitlines().index("    config.parts.nonsense") + 1
    result = invoke(recipe_file, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert f"toy.py:{line}: AttributeError: 'int' object has no attribute 'nonsense'" in result.stderr
    assert "finished parts are kept" in result.stderr
    assert "Traceback" not in result.stderr
    with Run.start(tmp_path / "run", open_identity(tmp_path / "run")) as run:
        assert run.names() == ["part-0", "part-1", "part-2"]


def open_identity(folder: Path) -> dict[str, object]:
    import json

    return dict(json.loads((folder / "checkpoint/identity.json").read_text())["identity"])


def test_a_train_that_never_finishes_its_run(invoke: Invoke, recipe_file: Path, tmp_path: Path) -> None:
    recipe_file.write_text(recipe_file.read_text().replace("    run.finish", "    return\n    run.finish"))
    result = invoke(recipe_file, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "returned without run.finish" in result.stderr


def test_a_full_disk(invoke: Invoke, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, written = os.replace, []

    def full(source: object, target: object) -> None:
        if len(written) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(target)
        replace(source, target)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "replace", full)
        result = invoke(recipe_file, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "part-2.safetensors: cannot be written: No space left on device" in result.stderr
    assert sorted(p.name for p in (tmp_path / "run/checkpoint").iterdir()) == [
        "identity.json",
        "part-0.safetensors",
        "part-1.safetensors",
    ]
    result = invoke(recipe_file, "--out", tmp_path / "run")
    assert result.exit_code == 0
    assert "resuming" in result.stderr


def test_a_full_disk_met_by_the_recipe_itself(invoke: Invoke, recipe_file: Path, tmp_path: Path) -> None:
    text = (
        recipe_file.read_text()
        + "\n\ndef train(config, run, device):\n    raise OSError(28, 'No space left', 'x.bin')\n"
    )
    recipe_file.write_text(text)
    result = invoke(recipe_file, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "x.bin: No space left; finished parts are kept" in result.stderr


def test_a_target_that_cannot_be_written(invoke: Invoke, recipe_file: Path) -> None:
    result = invoke(recipe_file, "--out", "/proc/edgepde")
    assert result.exit_code == 2
    assert "/proc/edgepde/checkpoint: cannot be written" in result.stderr


def test_ctrl_c_keeps_parts_and_says_how_to_resume(
    invoke: Invoke, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (recipe_file, "--out", tmp_path / "a run", "--seed", 4, "--set", "rate=2")
    monkeypatch.setenv("CTRL_C", "1")
    result = invoke(*words)
    assert result.exit_code == 130
    assert (
        f"resume with: edgepde train {recipe_file} --out '{tmp_path / 'a run'}' --seed 4 --set rate=2" in result.stderr
    )
    monkeypatch.delenv("CTRL_C")
    result = invoke(*words)
    assert result.exit_code == 0
    assert "resuming" in result.stderr
    assert "2 parts are there" in result.stderr


def test_ctrl_c_before_anything_began(
    invoke: Invoke, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "start", interrupted)
    result = invoke(recipe_file, "--out", tmp_path / "run")
    assert result.exit_code == 130
    assert "nothing was written yet" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_killed_process_loses_nothing(recipe_file: Path, tmp_path: Path, number: int, code: int) -> None:
    out = tmp_path / "run"
    words = [sys.executable, "-c", MAIN, "train", str(recipe_file), "--out", str(out), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PAUSE": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "READY\n"
        busy = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
        assert busy.returncode == 2
        assert f"process {child.pid}" in busy.stderr
        child.send_signal(number)
        told = child.stderr.read()
        assert child.wait(30) == code
    if number == signal.SIGINT:
        assert "resume with: edgepde train" in told
        assert "Traceback" not in told
        assert not (out / "checkpoint/lock").exists()
    before = {p.name: p.stat().st_mtime_ns for p in (out / "checkpoint").glob("part-*")}
    assert set(before) == {"part-0.safetensors", "part-1.safetensors"}
    del environment["PAUSE"]
    again = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert again.returncode == 0, again.stderr
    assert {n: (out / "checkpoint" / n).stat().st_mtime_ns for n in before} == before
    assert sorted(open_run(out).weights) == ["part-0", "part-1", "part-2"]
