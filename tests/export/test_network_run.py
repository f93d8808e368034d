"""A run of the family network as a bundle: compressed, proved, and with the model's error as its training knows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from edgepde_export.exporting import export
from edgepde_export.lowering import certified, network
from edgepde_export.lowering.options import Options
from edgepde_runtime import bundle as reader

from edgepde.certify.prove import prove
from edgepde.compress import compress_run
from edgepde.errors import RunError
from edgepde.recipes import pinn_burgers
from edgepde.train.run_folder import Run


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small PINN."""
    import torch

    out = tmp_path_factory.mktemp("network") / "run"
    config = pinn_burgers.Config(nu=0.5, width=8, depth=2, points=100, rounds=2, steps=5)
    with Run.start(out, {"test": "network run"}, command="") as made:
        pinn_burgers.train(config, made, torch.device("cpu"))
    return out


def test_the_model_term_is_what_the_training_found(run: Path, tmp_path: Path) -> None:
    entry = reader.read(export(run, tmp_path / "b", log=quiet)).certificate.outputs["u"]
    worst = json.loads((run / "spec.json").read_text())["history"]["against_exact"]["worst"]
    assert worst > 0.0
    assert entry.terms["model"].value == pytest.approx(1.25 * worst)
    assert entry.terms["model"].class_ == "measured"
    assert "Cole-Hopf" in entry.terms["model"].how


def test_a_compressed_run_is_proved_again_at_export(run: Path, tmp_path: Path) -> None:
    compress_run(run, tmp_path / "small", "5e-2", None, None, "auto", seconds=20.0)
    entry = reader.read(export(tmp_path / "small", tmp_path / "b", max_error=5e-2, log=quiet)).certificate.outputs["u"]
    assert entry.sound_total is not None
    assert 0.0 < entry.sound_total <= 5e-2
    assert entry.terms["compression"].class_ == "sound"


def test_the_error_it_was_compressed_to_is_what_the_proof_aims_at(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compress_run(run, tmp_path / "small", "5e-2", None, None, "auto", seconds=10.0)
    aims: list[float | None] = []

    def recorded(*args: Any) -> Any:
        aims.append(args[4])
        return prove(*args)

    monkeypatch.setattr(certified, "prove", recorded)
    export(tmp_path / "small", tmp_path / "b", log=quiet)
    assert aims == [5e-2]


def test_a_damaged_note_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = network.load(run)
    loaded.run.spec["history"]["against_exact"] = {"worst": "much"}
    monkeypatch.setattr(network, "load", lambda _: loaded)
    with pytest.raises(RunError, match=r"history\.against_exact"):
        network.lower(run, None, None, Options(log=quiet))
