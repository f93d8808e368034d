"""Passes over wide networks look at the clock between nodes; what they leave keeps a bound that holds, or none."""

from __future__ import annotations

import math

import pytest
import torch
from edgepde_runtime.box import Box
from torch import nn

from edgepde.certify import clock, expanding, wide
from edgepde.certify.engine import bound_difference
from edgepde.certify.from_module import from_module
from edgepde.certify.network import Network
from edgepde.certify.rounding import bound_rounding
from edgepde.certify.sensor import Accuracy, bound_sensitivity

BOX = Box([-1.0, 0.2], [1.0, 0.7])


@pytest.fixture(autouse=True)
def everything_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks take the way of the large ones."""
    monkeypatch.setattr(expanding, "MANY", 0)
    monkeypatch.setattr(expanding, "MOST", 0)
    monkeypatch.setattr(wide, "WORK", 1 << 14)


def field(change: float = 0.0) -> Network:
    """Two numbers -> [2, 4, 4]."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(2, 9), nn.Tanh(), nn.Unflatten(1, (1, 3, 3)), nn.Conv2d(1, 2, 3, padding=1), nn.SiLU(),
        nn.Conv2d(2, 2, 2, padding=1),
    ).eval()  # fmt: skip
    with torch.no_grad():
        module[3].weight.add_(change)  # type: ignore[operator,arg-type,union-attr]
    return from_module(module, 2)


class Stopping:
    """A clock whose time is up after so many looks at it."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise clock.OutOfTime


def test_a_first_pass_out_of_time_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "_latest", lambda *_: -math.inf)
    made = bound_difference(field(), field(0.01), BOX, seconds=60.0, boxes=8)
    assert made.value[0] == math.inf
    assert 0.0 < made.found[0] < math.inf
    rounding = bound_rounding(field(), BOX, seconds=60.0, boxes=8)
    assert rounding.rounding[0] == math.inf
    moved = bound_sensitivity(field(), BOX, {"x0": Accuracy(0.01)}, seconds=60.0, boxes=8)
    assert moved.value[0] == math.inf


def test_later_passes_out_of_time_leave_the_bound_of_the_boxes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    one = bound_difference(field(), field(0.01), BOX, seconds=60.0, boxes=1)
    left = Stopping(10**6)
    monkeypatch.setattr(clock, "check", left)
    bound_difference(field(), field(0.01), BOX, seconds=60.0, boxes=1)
    looks = 10**6 - left.left
    assert looks > 2
    monkeypatch.setattr(clock, "check", Stopping(looks + 2))
    stopped = bound_difference(field(), field(0.01), BOX, seconds=60.0, boxes=64)
    assert math.isfinite(one.value[0])
    assert stopped.value[0] == pytest.approx(one.value[0], rel=1e-12)
    assert stopped.found[0] <= stopped.value[0]


def test_the_time_is_up_only_within_and_the_outer_limit_counts() -> None:
    clock.check()
    with clock.until(-math.inf), clock.until(math.inf), pytest.raises(clock.OutOfTime):
        clock.check()
    clock.check()
