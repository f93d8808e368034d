"""`edgepde compress` on networks: to a run, to a bundle, and every way it ends without one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_export.cli.main import app
from edgepde_export.sweeping import Point, cheapest
from edgepde_runtime.errors import BudgetError
from edgepde_runtime.limits import Limits, max_error
from typer.testing import CliRunner, Result

from edgepde.compress.half_decades import errors_of
from edgepde.errors import RunError
from edgepde.network import store
from edgepde.train import run_folder
from edgepde.train.finished_run import open_run

BOX = "--domain=x=-1:1,t=0:0.3"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with net.py, the compressed run small/ of it and the command's output."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "net.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def net():\n"
        "    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))\n"
    )
    words = ("--out", folder / "small", "--max-error", "1e-2", "--seconds", "6")
    found = run("compress", f"{folder / 'net.py'}:net", BOX, *words)
    assert found.exit_code == 0, found.output
    (folder / "said").write_text(found.output)
    return folder


class TestToARun:
    """What is written, and what others make of it."""

    def test_it_says_bytes_bound_and_the_next_command(self, made: Path) -> None:
        said = (made / "said").read_text()
        assert "KB of weights" in said
        assert "sound" in said
        assert "next: edgepde export" in said

    def test_the_run_keeps_the_original_and_the_ledger(self, made: Path) -> None:
        loaded = store.load(made / "small")
        assert loaded.reference is not None
        assert (loaded.input, loaded.output) == ("x", "y")
        assert loaded.box.names == ("x", "t")
        ledger = open_run(made / "small").ledger
        assert ledger is not None
        for module, key in ((loaded.reference, "bytes_before"), (loaded.module, "bytes_after")):
            assert sum(4 * p.numel() for p in module.parameters()) == ledger["total"][key]

    def test_a_bundle_of_it_is_sound_and_keeps_the_error(self, made: Path, tmp_path: Path) -> None:
        found = run("export", made / "small", "--out", tmp_path / "bundle", "--min-class", "sound")
        assert found.exit_code == 0, found.output
        model = edgepde_runtime.load(tmp_path / "bundle")
        entry = model.certificate.outputs["y"]
        assert entry.terms["compression"].class_ == "sound"
        loaded = store.load(made / "small")
        assert loaded.reference is not None
        x = loaded.box.sample(2000, np.random.default_rng(0)).astype(np.float32)
        x = np.minimum(x, np.float32(0.3)) if x[:, 1].max() > 0.3 else x
        exact = loaded.reference.network()(torch.from_numpy(x.astype(np.float64))).numpy()
        assert np.abs(model(x) - exact).max() <= 1e-2

    def test_compressing_it_again_starts_from_the_original(self, made: Path, tmp_path: Path) -> None:
        found = run("compress", made / "small", "--out", tmp_path / "b", "--max-error", "5e-2", "--seconds", "4")
        assert found.exit_code == 0, found.output
        first, again = store.load(made / "small").reference, store.load(tmp_path / "b").reference
        assert first is not None
        assert again is not None
        for a, b in zip(first.parameters(), again.parameters(), strict=True):
            assert torch.equal(a, b)

    def test_a_finished_folder_is_left_alone(self, made: Path) -> None:
        before = (made / "small" / "weights.safetensors").read_bytes()
        found = run("compress", f"{made / 'net.py'}:net", BOX, "--out", made / "small", "--max-error", "1e-1")
        assert found.exit_code == 2
        assert "holds a finished run" in found.output
        assert (made / "small" / "weights.safetensors").read_bytes() == before


class TestRefused:
    """Every way it ends without a run."""

    def test_an_error_that_cannot_be_proved(self, made: Path, tmp_path: Path) -> None:
        out = tmp_path / "r"
        found = run("compress", made / "small", "--out", out, "--max-error", "1e-13", "--seconds", "2")
        assert found.exit_code == 4
        assert "best bound so far" in found.output
        assert not out.exists()

    def test_an_operation_without_a_rule(self, source: Path, tmp_path: Path) -> None:
        found = run("compress", f"{source}:fourier", BOX, "--out", tmp_path / "r", "--max-error", "1e-3")
        assert found.exit_code == 3
        assert "fft" in found.output
        assert not (tmp_path / "r").exists()

    def test_weights_that_are_no_numbers(self, source: Path, tmp_path: Path) -> None:
        found = run("compress", f"{source}:poisoned", BOX, "--out", tmp_path / "r", "--max-error", "1e-3")
        assert found.exit_code == 3
        assert "parameter 2.bias" in found.output

    @pytest.mark.parametrize("domain", ["1:-1,0:1", "-1:1", "x,y", "-1:nan,0:1"])
    def test_a_bad_box(self, source: Path, tmp_path: Path, domain: str) -> None:
        words = (f"--domain={domain}", "--out", tmp_path / "r", "--max-error", "1e-3")
        assert run("compress", f"{source}:net", *words).exit_code == 2

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--max-error", "-1"), "above 0"),
            (("--max-error", "u=1e-3"), "u"),
            (("--max-error", "1e-3", "--method", "prune"), "prune"),
            (("--max-error", "1e-3", "--plot", "a.png"), "--sweep"),
            (("--max-error", "1e-3", "--min-class", "certain"), "certain"),
            (("--sweep", "1e-3"), "A:B"),
            (("--sweep", "1:1"), "different"),
            (("--sweep", "1e-300:1"), "at most"),
        ],
    )
    def test_bad_words(self, made: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
        found = run("compress", made / "small", "--out", tmp_path / "r", *words)
        assert found.exit_code == 2
        assert said in found.output
        assert not (tmp_path / "r").exists()

    def test_a_box_for_a_run_that_has_one(self, made: Path, tmp_path: Path) -> None:
        found = run("compress", made / "small", BOX, "--out", tmp_path / "r", "--max-error", "1e-3")
        assert found.exit_code == 2
        assert "has the box" in found.output

    def test_a_full_disk(self, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(path: Path, _: bytes) -> None:
            raise RunError(f"{path}: cannot be written: No space left on device")

        real = run_folder.write_file
        monkeypatch.setattr(run_folder, "write_file", lambda p, d: real(p, d) if "identity" in p.name else full(p, d))
        words = ("--out", tmp_path / "r", "--max-error", "1e-2", "--seconds", "3")
        found = run("compress", made / "small", *words)
        assert found.exit_code == 2
        assert "No space left" in found.output
        assert not (tmp_path / "r").exists()


def test_ctrl_c_keeps_what_was_proved_and_the_same_command_resumes(made: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "edgepde_export.cli", "compress", f"{made / 'net.py'}:net", BOX]
    words += ["--out", str(tmp_path / "r"), "--max-error", "1e-3", "--seconds", "60"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as child:
        kept = tmp_path / "r" / "checkpoint" / "best.safetensors"
        until = time.monotonic() + 90.0
        while not kept.exists() and time.monotonic() < until and child.poll() is None:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert "resume with: edgepde compress" in said
    assert "Traceback" not in said
    assert not (tmp_path / "r" / "spec.json").exists()
    found = run(*words[3:-1], "4")
    assert found.exit_code == 0, found.output
    assert json.loads((tmp_path / "r" / "ledger.json").read_text())["error"]["value"] <= 1e-3


class TestSweep:
    """--sweep, its table, picture and mark."""

    def test_it_prints_draws_and_marks(self, made: Path, tmp_path: Path) -> None:
        (tmp_path / "b.toml").write_text('[[model]]\npath = "x"\nmax_error = 2e-2\n')
        words = ("--sweep", "1e-1:1e-2", "--seconds", "3", "--budget", tmp_path / "b.toml", "--plot")
        found = run("compress", made / "small", *words, tmp_path / "s.png")
        assert found.exit_code == 0, found.output
        assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
        rows = [line for line in found.stdout.splitlines() if " c99" in line or " ort" in line]
        assert len(rows) == 3
        assert sum("cheapest" in row for row in rows) == 1
        assert "cheapest" in rows[-1]

    def test_a_budget_that_nothing_meets(self, made: Path, tmp_path: Path) -> None:
        (tmp_path / "b.toml").write_text('[[model]]\npath = "x"\nmax_error = 1e-9\n')
        words = ("--sweep", "1e-1:5e-2", "--seconds", "2", "--budget", tmp_path / "b.toml")
        found = run("compress", made / "small", *words)
        assert found.exit_code == 4
        assert "no point of the sweep meets it" in found.output

    def test_half_decades_with_both_ends(self) -> None:
        found = errors_of("1e-1:1e-3")
        assert found == sorted(found)
        assert found[0] == 1e-3
        assert found[-1] == 1e-1
        assert len(found) == 5
        assert errors_of("1e-3:2e-3") == [1e-3, 2e-3]
        with pytest.raises(BudgetError):
            errors_of("1e-3:inf")

    def test_the_cheapest_is_the_smallest_that_meets_all(self) -> None:
        points = [Point(1e-1, 9e-2, 10, 1.0, 2.0), Point(1e-2, 9e-3, 20, 3.0, 9.0), Point(1e-3, 9e-4, 40, 2.0, 3.0)]
        assert cheapest(points, Limits(max_error=max_error(2e-2, "e")), "y") is points[1]
        assert cheapest(points, Limits(max_error=max_error(2e-2, "e"), p99_us=5.0), "y") is points[2]
        assert cheapest(points, Limits(p50_us=0.5), "y") is None
        assert cheapest([Point(1e-3, None)], Limits(), "y") is None
        assert cheapest(points, None, "y") is None


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an operator's run green/ and green-small/, that as blocks."""
    folder = tmp_path_factory.mktemp("plate")
    assert run("train", "green_operator", "--out", folder / "green", "--quick").exit_code == 0
    words = ("--out", folder / "green-small", "--max-error", "1e-2", "--seconds", "20")
    found = run("compress", folder / "green", *words)
    assert found.exit_code == 0, found.output
    (folder / "said").write_text(found.output)
    return folder


class TestBlocks:
    """Operators, points and updates."""

    def test_an_operator_becomes_blocks_ordered_by_the_run_s_points(self, plate: Path) -> None:
        assert "hmatrix: " in (plate / "said").read_text()
        loaded = store.load(plate / "green-small")
        section = loaded.run.spec["network"]
        assert section["points"] == {"rows": "points_rows", "columns": "points_rows"}
        assert torch.equal(loaded.run.weights["points_rows"], open_run(plate / "green").weights["points"])
        assert set(section["hmatrix"]) == {"1"}
        ledger = open_run(plate / "green-small").ledger
        assert ledger is not None
        assert ledger["error"]["value"] <= 1e-2
        assert ledger["total"]["bytes_after"] < 0.25 * ledger["total"]["bytes_before"]

    def test_from_an_earlier_run_keeps_its_error_and_its_blocks(self, plate: Path, tmp_path: Path) -> None:
        found = run("compress", plate / "green", "--from", plate / "green-small", "--out", tmp_path / "b")
        assert found.exit_code == 0, found.output
        assert "blocks stay" in found.output
        assert "0 of " in found.output
        assert "next: edgepde export" in found.output
        first, again = (store.load(path) for path in (plate / "green-small", tmp_path / "b"))
        for a, b in zip(first.module.parameters(), again.module.parameters(), strict=True):
            assert torch.equal(a, b)
        assert again.run.ledger is not None
        assert again.run.ledger["max_error"] == "1e-2"
        assert again.run.ledger["update"]["from"].endswith("green-small")

    def test_from_what_has_no_blocks_or_is_something_else(self, made: Path, plate: Path, tmp_path: Path) -> None:
        cases = (
            (("--from", made / "small"), "expected layers as blocks"),
            (("--from", plate / "green"), "expected a compressed run, it has no original"),
            (("--from", tmp_path / "none"), "there is none"),
        )
        for words, said in cases:
            found = run("compress", plate / "green", *words, "--out", tmp_path / "r", "--max-error", "1e-2")
            assert found.exit_code == 2, found.output
            assert said in found.output
            assert not (tmp_path / "r").exists()
        found = run("compress", f"{made / 'net.py'}:net", BOX, "--from", plate / "green-small", "--out", tmp_path / "r")
        assert found.exit_code == 2
        assert "green-small: domain: the box has 2 columns, the module takes" in found.output

    def test_damaged_orders(self, plate: Path, tmp_path: Path) -> None:
        folder = tmp_path / "damaged"
        shutil.copytree(plate / "green-small", folder)
        spec = json.loads((folder / "spec.json").read_text())
        for place, change, said in (
            ("1", {"node": 99}, "expected a node"),
            ("1", {"rows": "points_rows"}, "every index once"),
            ("0", {}, "expected an affine map"),
            ("7", {}, "expected an affine map"),
            ("-1", {}, "expected an affine map"),
        ):
            entry = {**spec["network"]["hmatrix"]["1"], **change}
            changed = {**spec, "network": {**spec["network"], "hmatrix": {place: entry}}}
            (folder / "spec.json").write_text(json.dumps(changed))
            found = run("compress", plate / "green", "--from", folder, "--out", tmp_path / "r")
            assert found.exit_code == 2, found.output
            assert said in found.output

    def test_points_that_do_not_match_name_the_file(self, plate: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "at.npz", points=np.zeros((5, 2)))
        words = ("--out", tmp_path / "r", "--max-error", "1e-2", "--points", tmp_path / "at.npz")
        found = run("compress", plate / "green", *words)
        assert found.exit_code == 2
        assert "at.npz: row points: expected [" in found.output.replace("\n", " ")
        assert "got [5, 2]" in found.output
        assert not (tmp_path / "r").exists()

    @pytest.mark.parametrize("words", [("--points", "a.npz"), ("--from", "old")])
    def test_a_sweep_takes_neither_points_nor_an_earlier_run(self, plate: Path, words: tuple[str, str]) -> None:
        found = run("compress", plate / "green", "--sweep", "1e-3:1e-2", *words)
        assert found.exit_code == 2
        assert "--sweep" in found.output


def test_limits_on_derivatives_are_printed_with_their_class(made: Path, tmp_path: Path) -> None:
    words = ("--out", tmp_path / "r", "--max-error", "y=1e-2,y_x=1e-1", "--seconds", "4")
    found = run("compress", f"{made / 'net.py'}:net", BOX, *words)
    assert found.exit_code == 0, found.output
    assert "; y_x " in found.output
    assert "measured" in found.output
    assert "sound" in found.output
