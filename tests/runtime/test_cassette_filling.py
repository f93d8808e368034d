"""Missing sensors on a device: a cassette says how its inputs are filled; run --fill and Model.fill do, and flag it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import cassettes, load, npz
from edgepde_runtime.__main__ import main
from edgepde_runtime.errors import BundleError, InputError
from edgepde_runtime.filling import Filling
from support import cassette_bundles as made

HOW = Filling(np.array([0.1, 0.2, 0.3]), np.array([[1.0], [0.5], [-0.5]]), 1e-4)
WHOLE = np.array([[0.6, 0.45, 0.05], [0.1, 0.2, 0.3]], np.float32)
TORN = np.where(np.array([[False, True, False], [False, False, False]]), np.nan, WHOLE).astype(np.float32)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """wave knows its inputs, kdv does not."""
    held = [replace(made.cassette("wave", 1), filling=HOW), made.cassette("kdv", 2)]
    return made.shared_bundle(tmp_path / "shared", held)


def test_missing_numbers_are_filled_and_flagged(shared: Path) -> None:
    model = load(shared, "reference", cassettes=["wave"])
    found = model.fill(TORN)
    assert found.flags.tolist() == [[False, True, False], [False, False, False]]
    assert found.sensors.dtype == np.float32
    np.testing.assert_allclose(found.sensors, WHOLE, atol=1e-6)
    np.testing.assert_array_equal(found.sensors[1], WHOLE[1])
    np.testing.assert_allclose(model(found.sensors), model(WHOLE), atol=1e-5)
    wide = model.fill(TORN.astype(np.float64))
    assert wide.sensors.dtype == np.float64
    assert load(shared, "reference", cassettes=["wave"], strict=True).call(wide.sensors).flags == 0


def test_noise_that_is_given_is_damped(shared: Path) -> None:
    noisy = WHOLE + np.array([[0.0, 0.0, 0.1]], np.float32)
    found = load(shared, "reference").fill(noisy, cassette="wave", noise=0.1)
    assert not found.flags.any()
    assert np.abs(found.sensors - WHOLE).max() < 0.07


def test_what_is_not_filled_is_told(shared: Path) -> None:
    model = load(shared, "reference")
    with pytest.raises(InputError, match="fill: nothing is known of the inputs of cassette kdv"):
        model.fill(TORN, cassette="kdv")
    with pytest.raises(InputError, match=r"fill: .* inputs of a model that holds no cassette; loaded"):
        model.fill(TORN)
    with pytest.raises(InputError, match="row 0: 2 of 3 sensors are missing"):
        model.fill(np.full((1, 3), [np.nan, np.nan, 0.1]), cassette="wave")
    with pytest.raises(InputError, match="expected float32"):
        model.fill(np.zeros((1, 4), np.float32), cassette="wave")
    with pytest.raises(InputError, match="expected a finite number, got nan"):
        model(TORN, cassette="wave")


def test_the_command_fills_and_says_which(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(source, sensors=TORN)
    command = ["run", str(shared), "--input", str(source), "--output", str(target), "--backend", "reference"]
    assert main([*command, "--cassette", "wave", "--fill"]) == 0
    said = capsys.readouterr().out
    assert "filled: 1 missing numbers" in said
    assert "error bound of u: not verified" in said
    with np.load(target) as out:
        assert out["filled/sensors"].tolist() == [[False, True, False], [False, False, False]]
        assert np.isfinite(out["u"]).all()
    assert main([*command, "--cassette", "wave", "--fill", "--noise", "0.02"]) == 0
    assert "error bound of u: not verified" in capsys.readouterr().out
    assert main([*command, "--cassette", "wave", "--fill", "--noise", "0"]) == 2
    assert "noise: expected a standard deviation above 0" in capsys.readouterr().err
    assert main([*command, "--cassette", "wave", "--noise", "0.1"]) == 2
    assert "--noise expected with --fill" in capsys.readouterr().err
    assert main([*command, "--cassette", "wave"]) == 2
    assert "expected a finite number" in capsys.readouterr().err
    assert main([*command, "--cassette", "wave", "--fill", "--steps", "2"]) == 2
    assert "--fill expected without --steps" in capsys.readouterr().err


def test_hostile_files_are_refused(shared: Path) -> None:
    manifest = load(shared, "reference").manifest
    data = cassettes.to_bytes(replace(made.cassette("wave", 1), filling=HOW), manifest)
    arrays = npz.read(data, "w", 1 << 20, BundleError, dtypes=cassettes._TYPES)
    changes = {
        "filling/mean": (np.zeros(4, np.float32), "mean, factor: expected"),
        "filling/factor": (np.zeros((3, 1), np.float32), "factor: expected inputs that differ"),
        "filling/floor": (np.zeros(2, np.float32), r"member floor expected \[1\]"),
    }
    for name, (wrong, said) in changes.items():
        with pytest.raises(BundleError, match=said):
            cassettes.from_bytes("wave", npz.written({**arrays, name: wrong}), manifest, "w")
    for name in changes:
        with pytest.raises(BundleError, match="expected members"):
            cassettes.from_bytes("wave", npz.written({n: a for n, a in arrays.items() if n != name}), manifest, "w")
    wide = {**arrays, "filling/mean": arrays["filling/mean"].astype(np.float64)}
    with pytest.raises(BundleError, match="filling/mean expected float32, got float64"):
        cassettes.from_bytes("wave", npz.written(wide), manifest, "w")
    four = Filling(np.zeros(4), np.ones((4, 1)), 1.0)
    with pytest.raises(BundleError, match=r"filling/mean expected \[3\], got \[4\]"):
        cassettes.to_bytes(replace(made.cassette("wave", 1), filling=four), manifest)
