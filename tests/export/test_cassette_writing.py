"""Writing a bundle with cassettes: bound to its model, read back, replaced by another, nothing foreign replaced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgepde_export.bundle import UNHASHED, BundleContent, check_target, write
from edgepde_export.errors import TargetError
from edgepde_runtime import bundle as bundles
from edgepde_runtime import load
from edgepde_runtime.cassettes import Cassette
from edgepde_runtime.errors import BundleError
from support import cassette_bundles as made


def content(*held: Cassette) -> BundleContent:
    return BundleContent(
        name="shared",
        model=onnx.load_from_string(made.model()),
        inputs=made.inputs(),
        outputs=(made.OUTPUT,),
        certificate=made.unstated(UNHASHED),
        golden={"input/sensors": np.zeros((1, made.SENSORS), np.float32)},
        slots=made.SPECS,
        cassettes=held,
    )


def test_cassettes_are_bound_to_the_model_and_read_back(tmp_path: Path) -> None:
    wave, kdv = made.cassette("wave", 1), made.cassette("kdv", 2, high=1.0)
    root = write(tmp_path / "bundle", content(wave, kdv))
    first = bundles.read(root)
    assert first.cassettes == ("kdv", "wave")
    assert first.holding("wave").certificate.model_hash == first.manifest.model_hash
    x = np.full((2, 3), 0.5, np.float32)
    np.testing.assert_allclose(load(root, "reference")(x, cassette="kdv"), made.exact(x, made.arrays(2)), atol=1e-5)
    write(root, content(wave))
    again = bundles.read(root)
    assert (again.id, again.cassettes) == (first.id, ("wave",))
    (root / "cassettes" / "own.txt").write_text("mine")
    with pytest.raises(TargetError, match=r"cassettes/own\.txt"):
        check_target(root)


def test_a_cassette_that_breaks_a_rule_is_not_written(tmp_path: Path) -> None:
    slots = {**made.arrays(1), "scale": np.array([np.nan], np.float32)}
    with pytest.raises(BundleError, match=r"cassettes/wave\.npz: member slot/scale: expected finite"):
        write(tmp_path / "bundle", content(replace(made.cassette("wave", 1), slots=slots)))
    assert not (tmp_path / "bundle").exists()
