"""Inputs with hardly any mode 1, true symmetries, the linear part without its law: they are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from _harness import OURS
from modno_parts._study import Study
from modno_parts.linear import LEFT_OUT, compared
from modno_parts.mode_one import SHARES, changed
from modno_parts.symmetries import found_in, true_of

from edgepde.modno.encoding import Encoding, canonical
from edgepde.problems.operator_data import generate


@pytest.mark.parametrize(
    ("share", "turned"), [(SHARES["turned by a faint mode 1"], True), (SHARES["not turned"], False)]
)
def test_mode_one_is_as_small_as_it_says(share: float, turned: bool) -> None:
    data = generate("wave", 4, 0, split="test", points=32)
    found = changed(data, share)
    encoding = Encoding(data.sensor_x, data.period, 15)
    was, now = encoding.coefficients(data.sensors), encoding.coefficients(found.sensors)
    rest = np.r_[0, 2:16, 17:31]
    assert now[:, rest] == pytest.approx(was[:, rest], abs=1e-12)
    assert (np.abs(canonical(now) - now).max(1) > 1e-2).tolist() == [turned] * 4
    angle = np.pi * data.x
    mode = (was - now)[:, 1:2, None] * np.cos(angle) + (was - now)[:, 16:17, None] * np.sin(angle)
    lost = np.cos(0.5 * np.pi * data.times)[:, None] * mode
    assert found.field == pytest.approx(data.field - lost, abs=1e-6)


def test_inputs_as_drawn_are_left_alone() -> None:
    data = generate("wave", 2, 0, split="test", points=16)
    assert changed(data, SHARES["as drawn"]) is data


@pytest.mark.parametrize(
    ("name", "wanted"), [("advection", ("shift", "odd")), ("viscous_burgers", ("shift", "mirror_odd"))]
)
def test_the_solver_tells_true_symmetries(name: str, wanted: tuple[str, ...]) -> None:
    data = generate(name, 80, 0, points=96, times=5)
    assert true_of(data) == wanted
    assert found_in(data, float(data.times[-1])) == wanted


def test_unseen_modes_matter_on_random_fields() -> None:
    data = [generate("wave", 30, 0, split=split, points=64, times=12) for split in ("train", "validation", "grf")]
    found = compared(Study("wave", 0, 1.0, *data))
    assert found[OURS] < 1e-3
    assert found[LEFT_OUT] > 0.02
