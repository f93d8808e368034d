"""What the certificate of an operator stands on: cases nobody trained on, margins, boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from edgepde_export.lowering import modno_held_out
from edgepde_export.lowering.modno import _unit
from edgepde_export.lowering.modno_certificate import Compared, certify
from edgepde_export.lowering.modno_grid import box_of, places
from edgepde_export.lowering.modno_held_out import Draws, drawn
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from numpy.typing import NDArray

from edgepde.modno.store import Loaded, load
from edgepde.problems.operator_data import generate

from .operator_runs import OWN, write

NAME = "wave"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A run of one known operator, and of one of the user's own."""
    return load(write(tmp_path_factory.mktemp("runs") / "run", (NAME,)))


def _told(loaded: Loaded, name: str, about: dict[str, Any]) -> Loaded:
    shared = loaded.shared
    return replace(loaded, shared=replace(shared, about={**shared.about, name: about}))


def test_draws_of_a_known_operator_are_in_no_training(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modno_held_out, "COUNT", 40)
    found = drawn(loaded, NAME, places(loaded.shared, None), 0)
    seen = {
        row.tobytes()
        for seed in range(4)
        for split in ("train", "validation", "test")
        for row in generate(NAME, 60, seed, split=split).sensors.astype(np.float32)
    }
    assert len(found.sensors) == 40
    assert not any(row.tobytes() in seen for row in found.sensors)


def test_data_named_like_a_known_operator_are_not_drawn_from_its_equation(loaded: Loaded) -> None:
    at = places(loaded.shared, None)
    assert drawn(loaded, NAME, at, 0).source == "fresh draws"
    mine = _told(loaded, NAME, {"statement": "", "unit": "1"})
    assert drawn(mine, NAME, at, 0).source == "random rows of the box"


@pytest.mark.parametrize(("unit", "said"), [("1", ""), ("1/s", "1/s"), ("10 mV", "10 mV"), ("m/s", "m/s")])
def test_units_are_whole(loaded: Loaded, unit: str, said: str) -> None:
    both = {NAME: {"unit": unit}, OWN: {"unit": unit}}
    assert _unit(replace(loaded.shared, about=both)) == said


def test_operators_in_a_frame_have_one_range_for_all_sensors(loaded: Loaded) -> None:
    cassette = loaded.shared.cassettes[NAME]
    uneven = replace(cassette, low=cassette.low - np.arange(len(cassette.low)))
    low, _ = box_of(uneven)
    assert np.unique(low).size == 1
    assert low[0] <= uneven.low.min()
    assert np.unique(box_of(replace(uneven, frame=False))[0]).size == len(low)


class _Off:
    """A backend that is off by so much everywhere."""

    name = "off"

    def __init__(self, field: NDArray[np.float64], by: float) -> None:
        self.field, self.by = field, by

    def run(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"u": self.field + self.by}


def test_rounding_is_twice_what_was_found() -> None:
    field = np.ones((100, 1, 2))
    draws = Draws(np.zeros((100, 1), np.float32), np.ones(1), np.arange(2.0), field, "fresh draws")
    signature = (
        InputSpec("sensors", "float32", ("B", 1), (Column("s0", "", -1.0, 1.0),)),
        OutputSpec("u", "float32", ("B", 1, 2), ""),
    )
    found = Compared(draws, field, field, field)
    term = certify(signature, {"off": _Off(field, 1e-5)}, found).outputs["u"].terms["rounding"]
    assert term.value == pytest.approx(2e-5, rel=1e-6)
