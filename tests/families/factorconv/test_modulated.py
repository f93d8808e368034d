"""The modulated generator: what it computes, dense and factorised from one description, that it learns."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from support.standing_waves import standing

from edgepde.errors import SettingError
from edgepde.factorconv.description import from_json
from edgepde.factorconv.modulated import Modulated, ModulatedModule
from edgepde.factorconv.tasks import FieldTask
from edgepde.factorconv.training import Fit, fit

HOW = Modulated(
    parameters=2,
    times=8,
    rows=8,
    columns=8,
    hidden=(12,),
    seeds=6,
    coarse=(4, 4),
    channels=(6, 6),
    modes=5,
    form="shared",
)
TRAIN, VALIDATION, _ = standing(40).split(0, 4, 8)


def made(how: Modulated) -> ModulatedModule:
    module = how.seeded(0)
    assert isinstance(module, ModulatedModule)
    module.fit_scales(TRAIN.low, TRAIN.high, TRAIN.field)
    module.fit_basis(TRAIN.field)
    return module


@pytest.mark.parametrize("form", ["dense", "shared", "separable", "tucker2"])
def test_one_description_builds_every_form(form: str) -> None:
    module = made(dataclasses.replace(HOW, form=form))
    out = module(torch.rand(3, 2))
    assert out.shape == (3, 8, 8, 8)
    assert bool(torch.isfinite(out).all())


def test_without_modulation_and_convolutions_of_zero_the_maps_pass_through() -> None:
    module = made(dataclasses.replace(HOW, channels=(6,), form="dense", coarse=(8, 8)))
    with torch.no_grad():
        for layer in (*module.convolutions, *module.modulations):
            layer.weight.zero_()
            layer.bias.zero_()
        module.mixture.bias.zero_()
    assert float((module(torch.rand(2, 2)) - module.get_buffer("offset")).detach().abs().max()) < 1e-6


def test_time_starts_at_the_leading_modes() -> None:
    module = made(HOW)
    flat = np.moveaxis(TRAIN.field.astype(np.float64), 1, -1).reshape(-1, 8)
    values, modes = np.linalg.eigh(flat.T @ flat)
    wanted = modes[:, ::-1][:, :5] @ modes[:, ::-1][:, :5].T
    time = module.time.weight.detach().double().numpy()[:, :, 0, 0]
    np.testing.assert_allclose(time @ time.T, wanted, atol=1e-4 * float(values[-1] / values[-5]))


def test_it_learns_standing_waves() -> None:
    module = made(HOW)
    task = FieldTask(TRAIN, VALIDATION, torch.device("cpu"))
    before = task.error(module)
    done = fit(module, task, Fit(epochs=30, batch=7, rate=8e-3), None, "test", 0)
    assert done.best < 0.5 * before


def test_a_description_is_kept_as_json() -> None:
    assert from_json(HOW.to_json(), "here") == HOW


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seeds", 0),
        ("modes", 9),
        ("coarse", (4,)),
        ("coarse", (8, 8)),
        ("channels", ()),
        ("repeats", 0),
        ("hidden", ()),
    ],
)
def test_a_description_that_makes_no_sense_names_its_field(field: str, value: Any) -> None:
    with pytest.raises(SettingError, match=field):
        dataclasses.replace(HOW, **{field: value})
