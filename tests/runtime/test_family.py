"""Inputs of a family have an error bound, other inputs of the box have none, and a plain call warns of them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import Model, OutOfBoxWarning, load
from edgepde_runtime import bundle as bundles
from edgepde_runtime.family import Family
from support.attacked import attacked_bundle
from support.bundles import edit

FAMILY = Family((0.0, 0.5), ((0.5, 0.25),), (-1.0,), (1.0,), (1e-3, 1e-3))
MEMBERS = np.array([[0.0, 0.5], [0.25, 0.625], [-0.5, 0.25]], np.float32)
STRANGER = np.array([[0.5, 0.25]], np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A model whose certificate is for FAMILY; golden data is not asked to be."""
    path = attacked_bundle(tmp_path / "b")
    stated = replace(bundles.read(path).certificate, family=FAMILY)
    edit(path, "certificate.json", lambda _: stated.to_json().encode())
    return load(path, "reference")


def test_members_have_a_bound_and_no_warning(model: Model) -> None:
    bound = model.call(MEMBERS).error_bound["u"]
    assert (bound["value"], bound["class"]) == (model.certificate.total, "sound")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(MEMBERS)


def test_one_stranger_takes_the_bound_away(model: Model) -> None:
    result = model.call(np.concatenate([MEMBERS, STRANGER]))
    assert (result.error_bound["u"]["value"], result.error_bound["u"]["class"]) == (None, "not verified")
    assert np.isfinite(result.outputs["u"]).all()
    with pytest.warns(OutOfBoxWarning, match="1 row not shown to be of the family of inputs"):
        model(np.concatenate([MEMBERS, STRANGER]))
