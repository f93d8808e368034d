"""Making wave data: the same bytes whatever the processes and interruptions; nothing finished is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgepde.errors import DataError, ProblemError
from edgepde.problems import wave_data
from edgepde.problems.wave2d import Wave2D, generate
from edgepde.problems.wave_data import AT_ONCE, Parts, cached, main, make

TINY = Wave2D(gap=0.1, nx=4, ny=4, nt=4, zone_t=(0.3, 0.6))
CASES = 2 * AT_ONCE + 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "wave.npz"
    make(path, TINY, CASES, 1, workers=1)
    assert list(path.parent.iterdir()) == [path]
    return path.read_bytes()


def test_processes_change_nothing(tmp_path: Path, whole: bytes) -> None:
    made = make(tmp_path / "wave.npz", TINY, CASES, 1, workers=2)
    assert (tmp_path / "wave.npz").read_bytes() == whole
    assert np.array_equal(made.field, generate(TINY, CASES, 1).field)


def test_an_interruption_changes_nothing_and_nothing_is_done_twice(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, solved = tmp_path / "wave.npz", wave_data._solved
    done: list[int] = []

    def once(made: object, parameters: np.ndarray) -> np.ndarray:
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(len(parameters))
        return solved(made, parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(wave_data, "_solved", once)
    with pytest.raises(KeyboardInterrupt):
        make(path, TINY, CASES, 1, workers=1)
    assert not path.exists()
    assert sorted(p.name for p in (tmp_path / "wave.npz.parts").iterdir()) == [
        "cases-000000-000008.npz",
        "identity.json",
    ]
    done.append(0)
    make(path, TINY, CASES, 1, workers=1)
    assert done == [AT_ONCE, 0, AT_ONCE, 3]
    assert path.read_bytes() == whole


def _is_alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_killed_command_is_resumed_bit_for_bit(tmp_path: Path, whole: bytes) -> None:
    """The command is killed at its first part, out of far more than it can make meanwhile; its processes end too."""
    command = [sys.executable, "-m", "edgepde.problems.wave_data", "--out", str(tmp_path / "wave.npz")]
    command += ["--workers", "2", "--cases", "80000", "--seed", "1", "--set", "gap=0.1", "--set", "zone_t=0.3,0.6"]
    command += [word for name in ("nx", "ny", "nt") for word in ("--set", f"{name}=4")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    parts = tmp_path / "wave.npz.parts"
    while not list(parts.glob("cases-*")) and running.poll() is None:
        time.sleep(0.01)
    listed = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    processes = listed.read_text().split() if listed.exists() else []
    running.send_signal(signal.SIGKILL)
    running.wait()
    while any(_is_alive(process) for process in processes):
        time.sleep(0.01)
    (parts / ".tmp-1-dead").write_bytes(b"half a part")
    assert list(parts.glob("cases-*"))
    make(tmp_path / "wave.npz", TINY, CASES, 1, workers=1)
    assert (tmp_path / "wave.npz").read_bytes() == whole
    assert not parts.exists()


def test_what_cannot_be_simulated_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=r"step: 0.5 ms is above the stability limit"):
        make(tmp_path / "wave.npz", replace(TINY, step=0.5), CASES, workers=2)
    assert not list(tmp_path.iterdir())


def test_parts_of_another_configuration_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wave.npz"
    Parts(tmp_path / "wave.npz.parts", TINY, 1)
    with pytest.raises(
        DataError, match=r"wave.npz.parts: holds parts of other data: gap: 0.1 there, 0.09 asked; seed: 1"
    ):
        make(path, replace(TINY, gap=0.09), CASES, 2, workers=1)
    (tmp_path / "wave.npz.parts" / "identity.json").write_text("[]")
    with pytest.raises(DataError, match=r"identity.json: cannot be read"):
        make(path, TINY, CASES, 1, workers=1)
    (tmp_path / "wave.npz.parts" / "identity.json").rename(tmp_path / "wave.npz.parts" / "other")
    with pytest.raises(DataError, match=r"holds files without identity.json"):
        make(path, TINY, CASES, 1, workers=1)


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "wave.npz.parts", TINY, 1)
    parts.save(0, 8, np.zeros((8, 4, 4, 4), np.float32))
    parts.save(8, 8, np.zeros((7, 4, 4, 4), np.float32))
    parts.save(16, 3, np.full((3, 4, 4, 4), np.nan, np.float32))
    with pytest.raises(DataError, match=r"cases-000008-000016.npz: field: expected float32 \[8, 4, 4, 4\]"):
        make(tmp_path / "wave.npz", TINY, CASES, 1, workers=1)
    with pytest.raises(DataError, match=r"cases-000016-000019.npz: field: expected finite"):
        parts.load(16, 3)
    path = tmp_path / "wave.npz.parts" / "cases-000000-000008.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"cases-000000-000008.npz"):
        parts.load(0, 8)


def test_cached_data_is_made_once_per_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cached(TINY, 3, 0, tmp_path, workers=1)
    cached(replace(TINY, gap=0.09), 3, 0, tmp_path, workers=1)
    cached(TINY, 3, 1, tmp_path, workers=1)
    assert len(list(tmp_path.glob("wave-*.npz"))) == 3
    monkeypatch.setattr(wave_data, "make", None)
    assert np.array_equal(cached(TINY, 3, 0, tmp_path).field, first.field)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--out", str(tmp_path / "w.npz"), "--cases", "3", "--quick", "--workers", "1", "--set", "obstacle=hole"]
    given += ["--set", "gap=0.08"]
    assert main(given) == 0
    told = capsys.readouterr().err
    assert "Courant number" in told
    assert "3 cases of u [um] on 16 x 16 x 16" in told
    assert (tmp_path / "w.png").exists()
    assert main(given) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*given, "--out", str(tmp_path / "v.npz"), "--set", "step=0.1"]) == 2
    assert "above the stability limit" in capsys.readouterr().err
    assert main([*given, "--out", str(tmp_path / "v.npz"), "--set", "gpa=1"]) == 2
    assert "did you mean 'gap'" in capsys.readouterr().err
    assert main([*given, "--out", str(tmp_path / "v.npz"), "--cases", "0"]) == 2


def test_ctrl_c_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(wave_data, "make", stop)
    assert main(["--out", str(tmp_path / "w.npz"), "--quick"]) == 130
    assert "the same command resumes" in capsys.readouterr().err
